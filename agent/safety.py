"""The screen of a request's words: in code, before anything is planned.

A listed agent alone is no misuse: who looks for its antidote names it too. What decides is the agent together with what is
asked of it. Lists and patterns are in ``data/safety.yaml``, whose version stands in the provenance of a run.
"""

import re
from functools import cache

from agent.resource import read_data
from agent.verdict import ALLOWED, Decision, Verdict, hold, refuse, strictest

LOOKS_HARMFUL = Verdict(decision=Decision.ALLOW, flags=("benign_lookalike",))
AGENTS = ("dual_use_chemical", "dual_use_bio", "dual_use_nuclear", "controlled_substance")


@cache
def _pattern(name: str, inner: str = "") -> re.Pattern[str]:
    content = read_data("safety")[name]
    return re.compile(content[inner] if inner else content, re.IGNORECASE)


def _says(name: str, text: str, inner: str = "") -> bool:
    return _pattern(name, inner).search(text) is not None


def screen_text(text: str) -> Verdict:
    """What to do with a normalised request; a screen that fails holds it."""
    try:
        found = [*(_named(flag, text) for flag in AGENTS if _says("named", text, flag)), *_unnamed(text)]
    except (KeyError, re.error) as error:
        return hold("needs_approval", f"the safety screen failed: {error!r}")
    return strictest(found)


def _aims(text: str) -> tuple[bool, bool, bool, bool]:
    """Whether it wants harm, evasion, something made, a remedy; a remedy that is to be evaded is none."""
    rest = _pattern("evade").sub(" ", _pattern("harm").sub(" ", text))
    return _says("harm", text), _says("evade", text), _says("make", text), _says("medical", rest)


def _named(flag: str, text: str) -> Verdict:
    """A request that names a listed agent."""
    reason = f"{flag}: {_pattern('named', flag).search(text)[0]}"  # type: ignore[index]
    harm, evade, make, medical = _aims(text)
    if flag == "dual_use_nuclear":
        return refuse(flag, reason) if make or harm or evade else hold(flag, reason)
    if flag == "controlled_substance":
        if evade or (make and not medical):
            return refuse(flag, reason)
        return LOOKS_HARMFUL if medical and not make else hold(flag, reason)
    if harm or evade:
        return hold(flag, reason) if medical and not make and not evade else refuse(flag, reason)
    if medical:
        return LOOKS_HARMFUL
    if make:
        return refuse(flag, reason)
    return hold(flag, reason) if flag == "dual_use_chemical" else ALLOWED


def _unnamed(text: str) -> list[Verdict]:
    """Aims that are harmful whatever they are asked of."""
    found = []
    harm, evade, make, medical = _aims(text)
    goal, harmless = _says("toxicity_goal", text), _says("harmless_toxicity", text)
    if _says("poisoning_people", text) or (goal and not harmless):
        found.append(refuse("dual_use_chemical", "toxicity to people as an aim"))
    elif goal or (_says("hazard", text) and _says("remedy", text)):
        found.append(LOOKS_HARMFUL)
    if _says("pathogen", text) and (harm or evade) and make and not harmless and not medical:
        found.append(refuse("dual_use_bio", "a pathogen that spreads, harms or evades more"))
    if _says("energetic", text):
        found.append(hold("dual_use_chemical", "energetic materials"))
    return found

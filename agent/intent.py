"""The intent of a clause: how it sounds, its cue words, and what its typed slots vote for."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from agent.catalogue import OUT_OF_SCOPE, templates
from agent.recogniser import Scores, recogniser
from agent.resource import read_data
from agent.slots.extract import Extraction

SOUND = 7.0  # weight of the recogniser's score
CUE, MOST_CUES = 1.1, 2  # weight of a cue word, and how many count
DECIDED = 6.0  # weight of a turn of phrase that settles it, such as a question of cost
SLOT = 1.0  # weight of a slot's vote
UNKNOWN = 1.4  # total below which nothing was recognised


@dataclass(frozen=True)
class Guess:
    """The best template, the second best, and what spoke for the best."""

    intent: str
    probability: float
    domain_probability: float
    second: str
    total: float
    cues: int
    reasons: tuple[str, ...]


def _totals(text: str, cued: Mapping[str, list[str]], votes: Mapping[tuple[str, str], float]) -> Scores:
    """How much speaks for each intent, in the order of the recogniser."""
    intents = recogniser().intents
    said = [CUE * min(len(cued[one]), MOST_CUES) + SLOT * _vote(one, votes) for one in intents]
    return (
        SOUND * recogniser().scores(text) + said + DECIDED * np.array([_decided(one, text.lower()) for one in intents])
    )


def likely(text: str, found: Extraction, count: int) -> list[str]:
    """The workflows that most speaks for, best first."""
    total = _totals(text, _cues(text.lower()), _votes(found))
    ranked = (recogniser().intents[at] for at in np.argsort(-total, kind="stable"))
    return [one for one in ranked if not one.startswith(OUT_OF_SCOPE)][:count]


def guess(text: str, found: Extraction) -> Guess:
    """The intent of a normalised text with its slots."""
    intents = recogniser().intents
    cued = _cues(text.lower())
    votes = _votes(found)
    total = _totals(text, cued, votes)
    order = np.argsort(-total, kind="stable")
    best, second = intents[order[0]], intents[order[1]]
    spread = np.exp(total - total.max())
    reasons = [f"says {word!r}" for word in cued[best]]
    reasons += [f"{slot} speaks for {where}" for slot, where in votes if best == where or best.startswith(f"{where}.")]
    within = sum(part for one, part in zip(intents, spread, strict=True) if one.split(".")[0] == best.split(".")[0])
    return Guess(
        best,
        float(1 / spread.sum()),
        float(within / spread.sum()),
        second,
        float(total.max()),
        len(cued[best]),
        tuple(reasons),
    )


def _cues(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for one in templates().values():
        for cue in one.cues:
            if match := cue.search(text):
                found[one.id].append(match[0])
    return found


def _decided(intent: str, text: str) -> bool:
    return any(phrase.search(text) for phrase in templates()[intent].decides)


@cache
def _by_name() -> dict[str, dict[str, dict[str, float]]]:
    """For properties, applications, data sets and models: what each name votes for."""
    data = read_data("evidence")
    return {
        kind: {name: group["votes"] for group in data[kind] for name in group["names"]}
        for kind in ("properties", "applications", "datasets", "models")
    }


def _votes(found: Extraction) -> dict[tuple[str, str], float]:
    """Votes by what gave them and for which intent or domain."""
    votes: dict[tuple[str, str], float] = {}
    slots: Mapping[str, Any] = found.slots
    for slot, given in read_data("evidence")["slots"].items():
        if slot in slots or slot in found.marks:
            votes |= {(slot, where): weight for where, weight in given.items()}
    # With a target or a molecule to start from, a limit on a property narrows what is made; it is not what is asked for.
    limits = ("<", ">", "between") if {"targets", "molecules", "smiles"} & slots.keys() else ()
    named = {
        "properties": [one.name for one in slots.get("properties", ()) if one.op not in limits],
        "applications": [slots[slot] for slot in ("application",) if slot in slots],
        "datasets": [slots[slot] for slot in ("dataset",) if slot in slots],
        "models": list(slots.get("models", ())),
    }
    for kind, names in named.items():
        for name in names:
            votes |= {(name, where): weight for where, weight in _by_name()[kind].get(name, {}).items()}
    return votes


def _vote(intent: str, votes: Mapping[tuple[str, str], float]) -> float:
    """The votes for an intent; of those for its whole domain the strongest two count."""
    own = sum(weight for (_, where), weight in votes.items() if where == intent)
    domain = sorted(
        (weight for (_, where), weight in votes.items() if where == intent.split(".")[0] != OUT_OF_SCOPE), reverse=True
    )
    return own + sum(domain[:2])


def guess_among(text: str, allowed: Callable[[str], bool]) -> str | None:
    """The intent with most cue words, and of those the one it sounds most like, among those allowed; None without a cue."""
    sound = dict(zip(recogniser().intents, recogniser().scores(text), strict=True))
    cued = {intent: len(words) for intent, words in _cues(text.lower()).items() if allowed(intent)}
    return max(cued, key=lambda intent: (cued[intent], sound[intent])) if cued else None

"""Properties with their limits: band gap between 1.2 and 1.6 eV, 凸包以上能量小于30 meV/atom, better solubility."""

import re
from typing import Literal

from agent.names import gazetteer
from agent.resource import read_data
from agent.slots.limits import Limit, limit_near, stray_limit
from agent.slots.model import Objective, Property
from agent.slots.sentence import Sentence

Direction = Literal["maximize", "minimize", "report"]
MORE = r"(?:maximi[sz]\w*|max(?:imum|imal)?|highest|higher|better|best|improv\w*|increas\w*|enhanc\w*|raise|boost\w*|optimi[sz]e|最大化?|最高|最好|提高|提升|改善|增大|增加|更高|更好|优化)"
LESS = r"(?:minimi[sz]\w*|minimum|lowest|lower|reduc\w*|decreas\w*|smallest|lessen|最小化?|最低|降低|减小|减少|更低)"
MORE_AFTER = r"\s*(?:as high as possible|as large as possible|越高越好|越大越好|越好|最大|最高|更好|更高|尽可能高|尽量高|高(?:一些|一点|些))"
LESS_AFTER = r"\s*(?:as low as possible|as small as possible|越低越好|越小越好|最小|最低|更低|尽可能低|尽量低)"
FOR_BEST = r"optimi[sz]\w*\s(?:[\w\-]+\s){0,4}for\s*(?:the\s+)?(?:best|high\w*|max\w*|good)?\s*$"
DIMENSIONLESS = frozenset({"Q", "zt", "logP", "logD", "qed", "beta_N"})


def take_properties(sentence: Sentence) -> list[Property]:
    """The properties of a sentence in its order, each with a limit, a direction, or simply asked for."""
    found: dict[str, Property] = {}
    for mention in gazetteer("properties").take(sentence):
        limit = limit_near(sentence, mention.start, mention.end)
        if limit:
            one = _limited(mention.name, limit)
            sentence.blank(limit.start, limit.end)
            found[one.name] = one
        elif mention.name not in found:
            op = _direction(sentence.rest, mention.start, mention.end)
            if op == "maximize" and mention.name not in list(Objective):
                op = "report"
            found[mention.name] = Property(name=mention.name, op=op, value=None, unit=None)
    bare = [name for name, one in found.items() if one.op == "report"]
    if len(bare) == 1 and (stray := stray_limit(sentence)):
        found[bare[0]] = _limited(bare[0], stray)
        sentence.blank(stray.start, stray.end)
    only_limited = read_data("evidence")["only_limited"]
    return [one for one in found.values() if one.op != "report" or one.name not in only_limited]


def _limited(name: str, limit: Limit) -> Property:
    """A property with its limit; a bound on an affinity is one on what docking scores, rain is measured by the day."""
    if name == "binding_affinity":
        name = "docking_score"
    unit = None if name in DIMENSIONLESS else limit.unit
    if name == "precipitation" and unit == "mm":
        unit = "mm/day"
    return Property(name=name, op=limit.op, value=limit.value, unit=unit)


def _direction(text: str, start: int, end: int) -> Direction:
    """Whether a property is to be raised, lowered, or only reported."""
    before, after = text[max(0, start - 60) : start], text[end : end + 24]
    beside = r"\s*(?:its|the|their|aqueous|and|其)?\s*$"
    if re.search(f"{MORE}{beside}|{FOR_BEST}", before, re.IGNORECASE) or re.match(MORE_AFTER, after, re.IGNORECASE):
        return "maximize"
    if re.search(f"{LESS}{beside}", before, re.IGNORECASE) or re.match(LESS_AFTER, after, re.IGNORECASE):
        return "minimize"
    return "report"

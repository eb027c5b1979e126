"""Limits on a quantity: below, above, between, give or take; with its unit; before or after its name."""

import re
from typing import Literal, NamedTuple

from agent.slots.model import Number
from agent.slots.numbers import NUMBER, number, whole
from agent.slots.sentence import Sentence

SIGNED = rf"(?:(?<![\w.])-\s?)?{NUMBER}"
UNITS = {  # canonical form: how it is written
    "meV/atom": r"meV\s?(?:/|per\s|每)\s?(?:atom|原子)|毫电子伏(?:特)?(?:每|/)原子",
    "eV/atom": r"eV\s?(?:/|per\s|每)\s?(?:atom|原子)|电子伏(?:特)?(?:每|/)原子",
    "meV": r"meV|milli-?electron\s?volts?|毫电子伏(?:特)?",
    "eV": r"eV|electron\s?volts?|个?\s?电子伏(?:特)?",
    "GPa": r"GPa|吉帕",
    "MPa": r"MPa|兆帕",
    "W/(m K)": r"W\s?/\s?\(?m[ ·*]?\s?K\)?|W/m/K|W m-1 K-1|瓦每米(?:每)?开(?:尔文)?",
    "mS/cm": r"mS\s?/\s?cm|毫西门子每厘米",
    "S/cm": r"S\s?/\s?cm",
    "kcal/mol": r"kcal\s?/\s?mol|千卡(?:每|/)摩尔",
    "kJ/mol": r"kJ\s?/\s?mol|千焦(?:每|/)摩尔",
    "g/mol": r"g/mol",
    "g/cm3": r"g/cm\^?3",
    "Da": r"Da\b|道尔顿|daltons?",
    "nM": r"nM\b|纳摩(?:尔)?",
    "uM": r"[uμ]M\b|微摩(?:尔)?",
    "degC": r"°\s?C|℃|degrees? C(?:elsius)?|degC|摄氏度|C\b",
    "K": r"K\b|开(?:尔文)?",
    "mm/day": r"mm\s?/\s?(?:day|d)|毫米(?:每|/)?[天日]",
    "mm": r"mm\b|毫米",
    "m/s": r"m/s|米(?:每|/)秒",
    "V": r"V\b|伏(?:特)?(?![a-z])",
    "%": r"%|percent",
}
_UNIT = "(?:" + "|".join(f"(?P<u{i}>{pattern})" for i, pattern in enumerate(UNITS.values())) + ")?"
BELOW = r"(?:below|under|less than|lower than|smaller than|no more than|not more than|at most|up to|within|better than|<=?|≤|⩽|小于等于|低于|小于|不超过|不高于|不大于|少于|好于|优于|最多)"
ABOVE = r"(?:above|over|greater than|more than|higher than|larger than|exceeding|at least|no less than|>=?|≥|⩾|大于等于|高于|大于|超过|不低于|不小于|至少)"
VERB = r"\s*(?:of |is |are |was |in the range |range |values? |being |must be |should be |要|要求|为|是|在|应|需|的范围|范围|值|:|=|\(|,)*\s*"
BETWEEN = rf"(?:between|from|in|介于|在|从)?\s*(?P<low>{SIGNED})\s*{_UNIT.replace('?P<u', '?P<lu')}\s*(?:and|to|-|~|到|至|和|与)\s*(?P<high>{NUMBER})\s*{_UNIT}"
AROUND = rf"(?:around|about|near|约|大约)?\s*(?P<around>{NUMBER})\s*(?:±|\+/?-)\s*(?P<width>{NUMBER})\s*{_UNIT}"
ONE_SIDED = rf"(?P<op>{BELOW}|{ABOVE})\s*(?P<value>{SIGNED})\s*{_UNIT}"
TRAILING = (
    rf"(?P<value>{SIGNED})\s*{_UNIT}\s*(?P<op>以下|以上|以内|or less|or lower|or below|or more|or higher|or above)"
)
UNSAID = "mm", "K", "degC", "%"  # units that a number without a name may have for other reasons


class Limit(NamedTuple):
    """What a property must be, and where that is written."""

    op: Literal["<", ">", "between"]
    value: Number | tuple[Number, Number]
    unit: str | None
    start: int
    end: int


def limit_near(sentence: Sentence, start: int, end: int) -> Limit | None:
    """The limit on what is named from start to end."""
    return _comparative(sentence, start, end) or _after(sentence, end) or _before(sentence, start)


def stray_limit(sentence: Sentence) -> Limit | None:
    """A limit with a unit that stands by no name."""
    found = (_limit(match, 0) for match in re.finditer(ONE_SIDED, sentence.rest, re.IGNORECASE))
    return next((one for one in found if one.unit and one.unit not in UNSAID), None)


def _comparative(sentence: Sentence, start: int, end: int) -> Limit | None:
    """Lower molecular weight than 250."""
    than = re.match(rf"\s*than\s*(?P<value>{SIGNED})\s*{_UNIT}", sentence.rest[end:], re.IGNORECASE)
    more = re.search(r"(lower|smaller|less|higher|larger|greater)\s+$", sentence.rest[:start], re.IGNORECASE)
    if not than or not more:
        return None
    below = more[1].lower() in ("lower", "smaller", "less")
    return Limit("<" if below else ">", _value(than["value"]), _unit(than), end, end + than.end())


def _after(sentence: Sentence, start: int) -> Limit | None:
    tail = sentence.rest[start : start + 70]
    for pattern in (ONE_SIDED, AROUND, BETWEEN, TRAILING):
        if match := re.match(VERB + pattern, tail, re.IGNORECASE):
            return _limit(match, start)
    return None


def _before(sentence: Sentence, end: int) -> Limit | None:
    """A limit that stands before its property: 1.2-1.6 eV band gap, 大于180GPa的体模量."""
    start = max(0, end - 40)
    for pattern in (BETWEEN, ONE_SIDED):
        for match in re.finditer(pattern + r"\s*(?:的|in)?\s*$", sentence.rest[start:end], re.IGNORECASE):
            if _unit(match):
                return _limit(match, start)
    return None


def _limit(match: re.Match[str], offset: int) -> Limit:
    groups, span = match.groupdict(), (offset + match.start(), offset + match.end())
    if groups.get("low"):
        return Limit("between", (_value(groups["low"]), _value(groups["high"])), _unit(match), *span)
    if groups.get("around"):
        value, width = number(groups["around"]), number(groups["width"])
        ends = (whole(round(value - width, 9)), whole(round(value + width, 9)))
        return Limit("between", ends, _unit(match), *span)
    below = re.fullmatch(BELOW + "|以下|以内|or less|or lower|or below", groups["op"].lower()) is not None
    return Limit("<" if below else ">", _value(groups["value"]), _unit(match), *span)


def _value(text: str) -> Number:
    negative = text.strip().startswith("-")
    return whole(-number(text.strip()[1:]) if negative else number(text))


def _unit(match: re.Match[str]) -> str | None:
    groups = match.groupdict()
    return next((name for i, name in enumerate(UNITS) if groups.get(f"u{i}") or groups.get(f"lu{i}")), None)

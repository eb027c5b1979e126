"""Regions, boxes of latitude and longitude, meshes, scenarios."""

import re

from agent.names import gazetteer
from agent.slots.model import Resolution
from agent.slots.numbers import NUMBER, number, whole
from agent.slots.sentence import Sentence

DEGREE = r"\s*(?:°|º|度|deg(?:rees?)?)?\s*"
DASH = r"\s*(?:-|~|to|到|至|and)\s*"
VALUE = r"(\d+(?:\.\d+)?)"
BOXES = (  # (pattern, groups as sign and value of latS, latN, lonW, lonE)
    rf"{VALUE}{DEGREE}([NS])?{DASH}{VALUE}{DEGREE}([NS])[\s,;/xby]*{VALUE}{DEGREE}([EW])?{DASH}{VALUE}{DEGREE}([EW])",
    rf"(?P<ns>[北南])纬\s*{VALUE}{DEGREE}{DASH}(?:[北南]纬)?\s*{VALUE}{DEGREE}[\s,、;和]*(?P<ew>[东西])经\s*{VALUE}{DEGREE}{DASH}(?:[东西]经)?\s*{VALUE}",
    rf"lat(?:itude)?s?\s*:?\s*{VALUE}{DASH}{VALUE}[\s,;]*lon(?:gitude)?s?\s*:?\s*{VALUE}{DASH}{VALUE}",
)


def take_box(sentence: Sentence) -> tuple[int | float, ...] | None:
    """South, north, west, east in degrees; south and west of zero are negative."""
    for kind, pattern in enumerate(BOXES):
        match = sentence.take(pattern)
        if not match:
            continue
        values = [whole(float(g)) for g in match.groups() if g and re.fullmatch(r"[\d.]+", g)]
        if kind == 0:
            south1, south2, west1, west2 = match[2] or match[4], match[4], match[6] or match[8], match[8]
            signs = [-1 if side.upper() in "SW" else 1 for side in (south1, south2, west1, west2)]
        else:
            groups = match.groupdict()
            lat, lon = -1 if groups.get("ns") == "南" else 1, -1 if groups.get("ew") == "西" else 1
            signs = [lat, lat, lon, lon]
        box = [sign * value for sign, value in zip(signs, values, strict=True)]
        return (*sorted(box[:2]), *box[2:])
    return None


def take_region(sentence: Sentence) -> str | None:
    """The first place of a sentence; of two that begin together the longer one."""
    found = gazetteer("regions").take(sentence)
    local = [one for one in found if one.name != "global"]
    return (local or found)[0].name if found else None


def take_resolution(sentence: Sentence) -> Resolution | None:
    """The mesh width, in km or degrees."""
    if sentence.take(r"\bkm-scale\b|kilomet(?:re|er)-scale|公里级|千米级"):
        return Resolution(value=1, unit="km")
    if match := sentence.take(
        rf"(?<!within )({NUMBER})\s*-?\s*(?:km\b|kilomet(?:re|er)s?|公里|千米)(?!\s*[2²/]|\s*(?:per|外|以外))"
    ):
        return Resolution(value=whole(number(match[1])), unit="km")
    if match := sentence.take(r"(?<![\d.])1\s?/\s?(\d+)\s*(?:-?\s*deg(?:ree)?s?|°|度)"):
        return Resolution(value=whole(1 / int(match[1])), unit="deg")
    if match := sentence.take(rf"({NUMBER})\s*-?\s*(?:deg(?:ree)?s?\b|°(?!\s*[CNSEW]))(?! C)"):
        return Resolution(value=whole(number(match[1])), unit="deg")
    if match := sentence.take(rf"(?:分辨率|网格|格点|精度|降尺度)[^,。;\d]{{0,6}}?({NUMBER})\s*度|(0\.\d+)\s*度(?!电)"):
        return Resolution(value=whole(number(match[1] or match[2])), unit="deg")
    if match := sentence.take(
        r"(\d{2,3})\s*-?\s*(?:m|met(?:re|er)s?|米)\s*(?:resolution|grid|mesh|分辨率|网格)|(?:resolution of|分辨率)\s*(\d{2,3})\s*(?:m\b|米)"
    ):
        return Resolution(value=whole(int(match[1] or match[2]) / 1000), unit="km")
    return None


def take_scenario(sentence: Sentence) -> str | None:
    """A pathway of emissions: SSP2-4.5, RCP8.5."""
    if match := sentence.take(r"\bssp\s?(\d)\s?-?\s?(\d)\.?(\d)\b"):
        return f"SSP{match[1]}-{match[2]}.{match[3]}"
    match = sentence.take(r"\brcp\s?-?(\d)\.?(\d)\b")
    return f"RCP{match[1]}.{match[2]}" if match else None

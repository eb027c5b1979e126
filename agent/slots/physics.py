"""Physical quantities with their units: temperature, simulated time, plasma current, field, power."""

import re
from typing import Any

from agent.slots.numbers import NUMBER, number, whole
from agent.slots.sentence import Sentence

NANOSECONDS = {
    "fs": 1e-6,
    "飞秒": 1e-6,
    "ps": 1e-3,
    "皮秒": 1e-3,
    "ns": 1,
    "nanosecond": 1,
    "纳秒": 1,
    "μs": 1e3,
    "us": 1e3,
    "microsecond": 1e3,
    "微秒": 1e3,
    "ms": 1e6,
}
KELVIN = r"(?:(?-i:K)\b(?!\s+(?:\w+\s+){0,2}(?:compounds|molecules|structures|ligands|candidates|library|cells))|kelvin|开尔文|开(?![始展放发]))"
CELSIUS = r"(?:°\s?C|℃|摄氏度)"


def take_quantities(sentence: Sentence) -> dict[str, Any]:
    """All quantities that a sentence gives; milliseconds are warning times, as no simulation here lasts one."""
    found: dict[str, Any] = _temperature(sentence)
    scaled = {
        "plasma_current_MA": (rf"({NUMBER})\s*(?:(?-i:MA)\b|兆安(?:培)?)", 1),
        "warning_ms": (rf"({NUMBER})\s*(?:(?-i:ms)\b|milliseconds?|毫秒)", 1),
    }
    for slot, (pattern, factor) in scaled.items():
        if match := sentence.take(pattern):
            found[slot] = whole(number(match[1]) * factor)
    units = "|".join(f"{unit}s?" if len(unit) > 3 and unit.isascii() else unit for unit in NANOSECONDS if unit != "ms")
    if match := sentence.take(rf"({NUMBER})\s*-?\s*({units})(?![A-Za-z])"):
        found["sim_time_ns"] = whole(
            round(
                number(match[1])
                * NANOSECONDS[match[2].lower().removesuffix("s") if len(match[2]) > 4 else match[2].lower()],
                9,
            )
        )
    if match := sentence.take(rf"({NUMBER})\s*(?:(?-i:T)\b(?!\s?[>])|teslas?\b|特斯拉)"):
        found["B_T"] = whole(number(match[1]))
    if match := sentence.take(rf"(?:elongation|kappa|κ|拉长比|拉长度)\s*(?:of|is|=|:|为|是)?\s*({NUMBER})"):
        found["elongation"] = whole(number(match[1]))
    return found | _false_alarms(sentence)


def take_capacity(sentence: Sentence) -> int | float | None:
    """Installed power in MW; taken before properties, as MW is a molecular weight as well."""
    if match := sentence.take(rf"({NUMBER})\s*-?\s*(?-i:(MWp?|GWp?|kWp?|兆瓦|吉瓦|千瓦|万千瓦))(?![A-Za-z时h])"):
        scale = {"M": 1, "兆": 1, "G": 1000, "吉": 1000, "k": 1e-3, "千": 1e-3, "万": 10}[match[2][0]]
        return whole(number(match[1]) * scale)
    return None


def _temperature(sentence: Sentence) -> dict[str, Any]:
    one = r"(\d+(?:\.\d+)?)"
    if match := sentence.take(
        rf"(?:from\s*|between\s*|从\s*)?{one}\s*(?:{KELVIN})?\s*(?:to|-|~|到|至)\s*{one}\s*{KELVIN}"
    ):
        return {"temperature_K": (whole(float(match[1])), whole(float(match[2])))}
    if match := sentence.take(rf"((?:{one}\s*(?:{KELVIN})?\s*(?:,|、|and|和|与|/)\s*(?:and\s+)?)+{one}\s*{KELVIN})"):
        return {"temperature_K": tuple(whole(float(value)) for value in re.findall(r"\d+(?:\.\d+)?", match[1]))}
    if match := sentence.take(rf"(?<![\d.A-Za-z]){one}\s*{KELVIN}"):
        return {"temperature_K": whole(float(match[1]))}
    if match := sentence.take(rf"(?<![\d.A-Za-z]){one}\s*{CELSIUS}"):
        return {"temperature_K": whole(round(float(match[1]) + 273.15, 2))}
    return {"temperature_K": 300} if sentence.take(r"\broom temperature\b|室温") else {}


def _false_alarms(sentence: Sentence) -> dict[str, Any]:
    words = r"(?:false[- ]?(?:alarms?|positives?)(?:\s*rate)?|fpr|误报率?|虚警率?|误警率?)"
    glue = r"(?:rate|of|is|at|below|under|<|=|:|为|是|低于|小于|不超过|控制在|\s)*"
    match = sentence.take(rf"(\d+(?:\.\d+)?)\s*%\s*{words}") or sentence.take(rf"{words}{glue}(\d+(?:\.\d+)?)\s*%")
    if match:
        return {"false_alarm_rate": float(match[1]) / 100}
    match = sentence.take(rf"{words}{glue}(0\.\d+)") or sentence.take(
        rf"百分之({NUMBER})的?{words}|{words}{glue}百分之({NUMBER})"
    )
    if not match:
        return {}
    value = next(group for group in match.groups() if group)
    return {"false_alarm_rate": float(value) if value.startswith("0.") else number(value) / 100}

"""Periods, initial times, lead times, deadlines, output intervals."""

import calendar
import re
from typing import Any

from agent.slots.model import Period
from agent.slots.numbers import NUMBER, number, whole
from agent.slots.sentence import Sentence

YEAR = r"(?<!\d)((?:18|19|20|21)\d\d)(?![\d.]|\s*(?:个|种|条|compounds|molecules|structures|K\b))"
MONTHS = {name.lower(): i for i, name in enumerate(calendar.month_name) if name}
MONTHS |= {name.lower(): i for i, name in enumerate(calendar.month_abbr) if name} | {"sept": 9}
MONTH = "(" + "|".join(sorted(MONTHS, key=len, reverse=True)) + r")\.?"
SEASONS = {  # first month, months
    "spring|mam|春季|春天|春": 3,
    "summer|jja|夏季|夏天|夏": 6,
    "autumn|fall|son|秋季|秋天|秋": 9,
    "winter|djf|冬季|冬天|冬": 12,
}
TO = r"\s*年?\s*(?:to|-|~|through|until|till|and|到|至)\s*"
HOURS = {
    "min": 1 / 60,
    "分": 1 / 60,
    "h": 1,
    "小": 1,
    "钟": 1,
    "d": 24,
    "天": 24,
    "日": 24,
    "w": 168,
    "周": 168,
    "星": 168,
    "礼": 168,
}
SPAN = r"(minutes?|mins?|分钟|hours?|hrs?|h\b|小时|钟头|days?|d\b|天|日(?!本)|weeks?|周|星期|礼拜)"
DAY_WORD = r"(?:monday|tuesday|wednesday|thursday|friday|saturday|sunday|tomorrow|tonight|noon|midnight|morning|afternoon|evening|weekend|week|month|today|eod|end)"


def take_period(sentence: Sentence) -> Period | None:
    """The span of time that data or a simulation cover."""
    return _dates(sentence) or _months(sentence) or _seasons(sentence) or _years(sentence)


def _dates(s: Sentence) -> Period | None:
    day = r"(\d{4})[-/年]\s*(\d{1,2})[-/月]\s*(\d{1,2})\s*日?"
    if match := s.take(day + TO + day):
        y1, m1, d1, y2, m2, d2 = map(int, match.groups())
        return Period(start=f"{y1}-{m1:02}-{d1:02}", end=f"{y2}-{m2:02}-{d2:02}")
    return None


def _months(s: Sentence) -> Period | None:
    if match := s.take(rf"{MONTH}\s+(?:of\s+)?{YEAR}{TO}{MONTH}\s+{YEAR}"):
        return _month_span(match[2], MONTHS[match[1].lower()], match[4], MONTHS[match[3].lower()])
    if match := s.take(rf"{MONTH}{TO}{MONTH}\s+(?:of\s+)?{YEAR}"):
        return _month_span(match[3], MONTHS[match[1].lower()], match[3], MONTHS[match[2].lower()])
    if match := s.take(rf"{YEAR}\s*年\s*(\d{{1,2}})\s*月?{TO}{YEAR}\s*年\s*(\d{{1,2}})\s*月"):
        return _month_span(match[1], int(match[2]), match[3], int(match[4]))
    if match := s.take(rf"{YEAR}\s*年\s*(\d{{1,2}})\s*月?{TO}(\d{{1,2}})\s*月(?!\s*\d)"):
        return _month_span(match[1], int(match[2]), match[1], int(match[3]))
    if match := s.take(rf"\b{MONTH},?\s+(?:of\s+)?{YEAR}(?!-)"):
        month = MONTHS[match[1].lower()]
        return _month_span(match[2], month, match[2], month)
    if match := s.take(rf"{YEAR}\s*年\s*(\d{{1,2}})\s*月(?!\s*\d+\s*日)"):
        return _month_span(match[1], int(match[2]), match[1], int(match[2]))
    if match := s.take(rf"{YEAR}-(0[1-9]|1[0-2])(?![-\d])"):
        return _month_span(match[1], int(match[2]), match[1], int(match[2]))
    return None


def _month_span(year1: str, month1: int, year2: str, month2: int) -> Period | None:
    if not (1 <= month1 <= 12 and 1 <= month2 <= 12):
        return None
    last = calendar.monthrange(int(year2), month2)[1]
    return Period(start=f"{year1}-{month1:02}-01", end=f"{year2}-{month2:02}-{last}")


def _seasons(s: Sentence) -> Period | None:
    for words, first in SEASONS.items():
        match = s.take(rf"\b(?:{words})\s+(?:of\s+|season\s+)?{YEAR}") or s.take(
            rf"{YEAR}\s*年?\s*(?:{words})(?![a-z])"
        )
        if match:
            year = next(group for group in match.groups() if group)
            until = str(int(year) + 1) if first == 12 else year
            return _month_span(year, first, until, (first + 1) % 12 + 1)
    return None


def _years(s: Sentence) -> Period | None:
    if match := s.take(YEAR + TO + YEAR + r"\s*年?"):
        return Period(start=match[1], end=match[2])
    if match := s.take(
        rf"(?:\bsince|\bfrom|自从?|从)\s+{YEAR}\s*(?:on(?:wards?)?|年?\s*(?:以来|至今|起|开始))?|{YEAR}\s*年?\s*(?:以来|至今|起|onwards?)"
    ):
        return Period(start=match[1] or match[2], end=None)
    if match := s.take(rf"(?:\buntil|\bby|\bup to|到|至|截至)\s+{YEAR}\s*年?"):
        return Period(start=None, end=match[1])
    if match := s.take(r"\b(?:the\s+)?((?:19|20)\d)0s\b|(?<!\d)((?:19|20)\d)0\s*年代"):
        decade = match[1] or match[2]
        return Period(start=f"{decade}0", end=f"{decade}9")
    if match := s.take(
        rf"{YEAR}\s*年(?!代)|\b(?:in|for|of|during|year|season|the)\s+{YEAR}\b|{YEAR}(?=\s+(?:season|flood|event|heat|data|typhoon))"
    ):
        year = next(group for group in match.groups() if group)
        return Period(start=year, end=year)
    return None


def take_start(sentence: Sentence) -> str | None:
    """The initial time of a forecast; the hour only where it is said (UTC)."""
    hour = r"(?:[T ,]*(\d{1,2})(?::00)?\s*(?:Z|UTC|时|点|h\b)(?:\s*UTC|\s*\(UTC\))?)?"
    patterns = (
        rf"(?<!\d)(\d{{4}})-(\d{{1,2}})-(\d{{1,2}}){hour}",
        rf"(?<!\d)(\d{{4}})\s*年\s*(\d{{1,2}})\s*月\s*(\d{{1,2}})\s*日\s*{hour}",
    )
    for pattern in patterns:
        if match := sentence.take(pattern):
            return _iso(match[1], int(match[2]), int(match[3]), match[4])
    if match := sentence.take(rf"\b(\d{{1,2}})(?:st|nd|rd|th)?\s+{MONTH}\s+(\d{{4}}){hour}"):
        return _iso(match[3], MONTHS[match[2].lower()], int(match[1]), match[4])
    if match := sentence.take(rf"\b{MONTH}\s+(\d{{1,2}})(?:st|nd|rd|th)?,?\s+(\d{{4}}){hour}"):
        return _iso(match[3], MONTHS[match[1].lower()], int(match[2]), match[4])
    return None


def _iso(year: str, month: int, day: int, hour: str | None) -> str:
    return f"{year}-{month:02}-{day:02}" + (f"T{int(hour):02}:00Z" if hour else "")


def take_intervals(sentence: Sentence) -> dict[str, Any]:
    """How often a field is written: every 15 minutes, hourly, 逐小时, 6-hourly."""
    step = r"\s*(?:steps?|intervals?|resolution|output|步长|间隔|一次)"
    if match := sentence.take(
        rf"(?:每\s*)?({NUMBER})[-\s]?(?:minutes?|mins?|分钟){step}|every\s+({NUMBER})\s+min\w*|每\s*({NUMBER})\s*分钟"
    ):
        return {"output_interval_min": _first(match)}
    if match := sentence.take(
        rf"(?:每\s*)?({NUMBER})[-\s]?(?:hours?|h|小时){step}|({NUMBER})[-\s]hourly|every\s+({NUMBER})\s+hours|逐\s*({NUMBER})\s*小时|每\s*({NUMBER})\s*小时"
    ):
        return {"output_interval_h": _first(match)}
    for pattern, hours in (
        (r"\bhourly\b|逐(?:小)?时|每小时", 1),
        (r"\bdaily (?:output|means?|data|fields?|values?)|逐日", 24),
    ):
        if sentence.take(pattern):
            return {"output_interval_h": hours}
    return {}


def take_deadline(sentence: Sentence) -> dict[str, Any]:
    """Until when it must be done, in hours; as words where only words are given."""
    want = r"(?:finish\w*|done|ready|results?|complet\w*|back|need\w*|answer\w*|完成|出结果|交付|要结果)"
    ahead = r"(?<!未来)(?<!未来 )(?<!接下来)(?<!next )(?<!coming )"
    patterns = (
        rf"{want}[^.。;]{{0,20}}?\b(?:with)?in\s+(?:the next\s+)?({NUMBER}|an?)\s*{SPAN}",
        rf"\b(?:within|in at most|in under|in less than|no longer than|deadline:?)\s+(?!the next)({NUMBER}|an?)[\s-]*{SPAN}",
        rf"{ahead}({NUMBER}|半)\s*个?\s*(?:半)?{SPAN}\s*(?:之内|以内|内)",
        rf"(?:限时?|最多用|不超过)\s*({NUMBER}|半)\s*个?\s*{SPAN}",
        rf"({NUMBER})\s*个?{SPAN}\s*(?:出|要|给|拿到)\s*结果",
    )
    for pattern in patterns:
        match = sentence.find(pattern)
        if match and not re.search(
            r"(?:next|coming|over the|未来|接下来)\s*$", sentence.rest[: match.start(1)].rstrip(" ")
        ):
            sentence.blank(match.start(), match.end())
            return {"deadline_h": whole(_span_hours(match[1], match[2]))}
    words = rf"\b(?:by|before|until)\s+((?:the\s+)?(?:(?:next|this|early|late|end of|tomorrow)\s+)*(?:the\s+)?{DAY_WORD}(?:\s+(?:morning|noon|afternoon|evening|night|of the week|of next week))?)"
    if match := sentence.take(words):
        return {"deadline_text": match[1]}
    han = r"((?:明天|今天|后天|今晚|明晚|明早|下?(?:周|星期|礼拜)[一二三四五六日天末]|下周|本周|本?月底|周末|年底)(?:早上|上午|中午|下午|晚上|早|晚)?)\s*(?:之前|以前|前|就要|要结果|出结果|给我)"
    if match := sentence.take(han):
        return {"deadline_text": match[1]}
    if match := sentence.take(r"\b(overnight|asap)\b"):
        return {"deadline_text": match[1]}
    return {}


def _span_hours(count: str, span: str) -> float:
    value = 1.0 if count.lower() in ("a", "an") else 0.5 if count == "半" else number(count)
    span = span.lower()
    return value * HOURS["min" if span.startswith("min") else span[0]]


def take_lead(sentence: Sentence) -> dict[str, int]:
    """How far ahead a forecast looks, in days or months."""
    outlook = r"(?:forecasts?|outlooks?|predictions?|weather|lead|ahead|预报|预测|展望|天气)"
    month = rf"(?:next|coming|following|未来|接下来|今后)\s*({NUMBER})\s*(?:个)?\s*(?:months?|月)|({NUMBER})[-\s]?months?\s+(?:\w+\s+){{0,3}}?{outlook}|({NUMBER})\s*个月的?{outlook}"
    if match := sentence.take(month):
        return {"lead_months": int(_first(match))}
    if sentence.take(r"\b(?:next|coming) month\b|下个月|下月"):
        return {"lead_months": 1}
    ahead = r"(?:next|coming|following|upcoming|未来|接下来|今后|往后|后面|提前)"
    patterns = (
        rf"\b{ahead}\s*(?:的)?\s*({NUMBER}|few)\s*(?:个)?\s*{SPAN}|{ahead}\s*({NUMBER})\s*个?\s*{SPAN}",
        rf"({NUMBER})[-\s]?{SPAN}[-\s,]+(?:[\w\-□]+\s+){{0,4}}?{outlook}",
        rf"({NUMBER})\s*{SPAN}\s*(?:的|内的)?.{{0,8}}?{outlook}",
        rf"\b({NUMBER}|an?)\s+{SPAN}\s+of\s+(?:the\s+)?{outlook}",
        rf"{outlook}\s*(?:for|of|out to|at)?\s*(?:the\s*)?({NUMBER})[-\s]?{SPAN}",
        rf"(?:积分|跑|模拟|运行|算)[^,。;\d]{{0,24}}?({NUMBER})\s*个?\s*(天|周|星期)(?!\s*(?:之内|以内|内|前))",
        rf"(?:\blead(?: time)?|时效|提前期)\s*[:=]\s*({NUMBER})\s*{SPAN}",
        rf"({NUMBER})[-\s]?(day)s?\b",
    )
    for pattern in patterns:
        match = sentence.find(pattern)
        if match and (count := next(g for g in match.groups()[::2] if g)) != "few":
            span = next(g for g in match.groups()[1::2] if g)
            days = _span_hours(count, span) / 24
            sentence.blank(match.start(), match.end())
            return {"lead_days": int(days)} if days >= 1 else {}
    if sentence.take(r"\b(?:next|coming) week\b|(?<!到)下周(?![一二三四五六日])|未来一周"):
        return {"lead_days": 7}
    if sentence.take(r"\bday after tomorrow\b|后天"):
        return {"lead_days": 2}
    return {"lead_days": 1} if sentence.take(r"\bday[- ]ahead\b|\btomorrow(?:'s)?\b|明天|明日|日前|次日") else {}


def _first(match: re.Match[str]) -> int | float:
    return whole(number(next(group for group in match.groups() if group)))

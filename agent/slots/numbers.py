"""Numbers as people write them in English and Chinese: how to find one, and what it is worth."""

import re

from agent.resource import read_data

SMALL: dict[str, int] = read_data("words")["numbers"]
SCALES = {"hundred": 100, "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}
SUFFIXES = {"k": 1e3, "m": 1e6, "mn": 1e6, "mln": 1e6, "mio": 1e6, "b": 1e9, "bn": 1e9, **SCALES}
DIGITS = {
    "〇": 0,
    "零": 0,
    "两": 2,
    "俩": 2,
    **{sign: value for value, sign in enumerate("一二三四五六七八九", start=1)},
}
TENS = {"十": 10, "百": 100, "千": 1_000}
MYRIADS = {"万": 10_000, "亿": 100_000_000}
HAN_SCALES = TENS | MYRIADS

# A unit may begin with a numeral: 5 千帕 is 5 kPa, not 5,000.
UNIT_AFTER = "(?!帕|瓦|米|克|卡[^时]|赫|伏|电子|焦|分之)"
_SCALE = rf"(?:[十百千]{{0,2}}[万亿]+|[十百千]{UNIT_AFTER})"
_WORD = "|".join(sorted({*SMALL, *SCALES}, key=len, reverse=True))
_PLAIN = r"(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)"
NUMBER = (
    rf"(?:(?<![A-Za-z0-9.])(?:{_PLAIN}\s?[x×*]\s?10\s?\^?\s?\d+|10\s?(?:\^|\*\*)\s?\d+|\d+(?:\.\d+)?[eE]\+?\d+"
    rf"|{_PLAIN}\s?(?:thousand|million|billion|trillion|mn|mln|mio|bn)\b|{_PLAIN}(?-i:[kMB])(?![A-Za-z0-9])"
    rf"|{_PLAIN}\s?{_SCALE}|{_PLAIN})"
    rf"|\b(?:half|quarter of|(?:one |two |three )?and a half)?\s?(?:an?\s)?(?:{_WORD})(?:(?:\s|-|\sand\s)(?:{_WORD}))*\b"
    rf"|(?:[〇零一二两俩三四五六七八九十]|百(?=万|亿)|千(?=万|亿)|百{UNIT_AFTER}|千{UNIT_AFTER}|万|亿)"
    rf"(?:[〇零一二两三四五六七八九十万亿]|[百千]{UNIT_AFTER})*(?:点[〇零一二三四五六七八九]+[万亿]?)?)"
)


def number(text: str) -> float:
    """The value of what ``NUMBER`` found; raises ValueError for anything else.

    A Chinese numeral may leave out what follows from the place before it: 一万二 is 12,000.
    """
    written = re.sub(r"(?<=\d),(?=\d{3})", "", text.strip().lower()).replace("**", "^")
    if match := re.fullmatch(r"(?:([\d.]+)\s?[x×*]\s?)?10\s?\^\s?(\d+)", written):
        return float(match[1] or 1) * 10.0 ** int(match[2])
    if match := re.fullmatch(r"([\d.]+)\s?[x×*]\s?10\s?(\d+)", written):
        return float(match[1]) * 10.0 ** int(match[2])
    if match := re.fullmatch(r"([\d.]+)\s?([a-z]+)", written):
        return _tidy(float(match[1]) * SUFFIXES[match[2]]) if match[2] in SUFFIXES else float(written)
    if re.search("[一-鿿〇]", written):
        return _han(written)
    try:
        return float(written)
    except ValueError:
        return _words(written)


def whole(value: float) -> int | float:
    """An int where the value is one: a label says 500, not 500.0."""
    return int(value) if value == int(value) else value


def _tidy(value: float) -> float:
    return float(f"{value:.12g}")


def _words(written: str) -> float:
    """The value of English number words, with ``half a`` and ``quarter of a`` before a scale."""
    factor = 1.0
    for opening, part in (("half", 0.5), ("quarter of", 0.25)):
        if written.startswith(opening):
            factor, written = part, written.removeprefix(opening)
    total = group = 0.0
    for word in re.findall("[a-z]+", written):
        if word in ("a", "an", "and"):
            continue
        if word == "dozen":
            group = 12 * (group or 1)
        elif word in SMALL:
            group += SMALL[word]
        elif word == "hundred":
            group = 100 * (group or 1)
        elif word in SCALES:
            total, group = total + SCALES[word] * (group or 1), 0
        else:
            raise ValueError(f"{written!r} is no number")
    return _tidy(factor * (total + group))


def _han(written: str) -> float:
    """The value of Chinese numerals, also after a decimal number such as 2.5 万."""
    if re.fullmatch("[〇零一二三四五六七八九]{2,}", written):
        return float("".join(str(DIGITS[sign]) for sign in written))
    if match := re.fullmatch(r"(.*)点([〇零一二三四五六七八九]+)([万亿]?)", written):
        decimals = "".join(str(DIGITS[sign]) for sign in match[2])
        return _tidy((_han(match[1]) + float(f"0.{decimals}")) * HAN_SCALES.get(match[3], 1))
    total = section = digit = 0.0
    scale, myriad, skipped, open_digit = 1, 1, False, False
    for token in re.findall(r"[\d.]+|\S", written):
        if token in TENS:
            section += (digit if open_digit else 1) * TENS[token]
            digit, scale, skipped, open_digit = 0.0, TENS[token], False, False
        elif token in MYRIADS:
            section = (section + digit) or (0.0 if total else 1.0)
            # 五万三千亿 is 53,000 亿, and 一亿三千万 is 1 亿 and 3,000 万.
            total = (
                (total + section) * MYRIADS[token] if MYRIADS[token] > myriad > 1 else total + section * MYRIADS[token]
            )
            myriad = MYRIADS[token]
            section, digit, scale, skipped, open_digit = 0.0, 0.0, MYRIADS[token], False, False
        elif token in ("零", "〇") and (total or section):
            skipped = True
        else:
            digit, open_digit = float(DIGITS.get(token, token)), True
    if digit and scale > 10 and not skipped and written[-1] in DIGITS:
        digit *= scale / 10
    return _tidy(total + section + digit)

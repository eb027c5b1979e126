import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.slots.numbers import NUMBER, number
from agent.text import normalise

HAN = "零一二三四五六七八九"
ONES = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()  # noqa: SIM905
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()  # noqa: SIM905
SCALES = ((10**9, "billion"), (10**6, "million"), (1000, "thousand"), (100, "hundred"))


def english(value: int) -> str:
    for scale, name in SCALES:
        if value >= scale:
            rest = english(value % scale) if value % scale else ""
            return f"{english(value // scale)} {name} {rest}".strip()
    if value < 20:
        return ONES[value]
    return TENS[value // 10 - 2] + (f"-{ONES[value % 10]}" if value % 10 else "")


def chinese(value: int) -> str:
    """As it is read out in full: 10,050 is 一万零五十."""
    for scale, sign in ((10**8, "亿"), (10**4, "万"), (1000, "千"), (100, "百"), (10, "十")):
        if value >= scale:
            rest = value % scale
            gap = "零" if rest and rest < scale // 10 else ""
            return chinese(value // scale) + sign + gap + (chinese(rest) if rest else "")
    return HAN[value]


def read(text: str) -> float:
    found = re.search(NUMBER, normalise(text), re.IGNORECASE)
    assert found, text
    return number(found[0])


@settings(deadline=None)  # a rule is compiled when it is first used
@given(st.integers(1, 10**11))
def test_a_number_survives_english_words(value):
    assert read(f"about {english(value)} of them") == value


@settings(deadline=None)  # a rule is compiled when it is first used
@given(st.integers(1, 10**11))
def test_a_number_survives_chinese_numerals(value):
    assert read(f"共{chinese(value)}个") == value


@settings(deadline=None)  # a rule is compiled when it is first used
@given(st.integers(0, 10**9), st.sampled_from(["{}", "{:,}", "{:e}"]))
def test_a_number_survives_digits(value, form):
    written = form.format(value)
    assert read(f"screen {written} now") == float(written.replace(",", ""))


@settings(deadline=None)  # a rule is compiled when it is first used
@given(st.integers(0, 10**9))
def test_full_width_digits_are_digits(value):
    wide = str(value).translate({ord(str(digit)): chr(0xFF10 + digit) for digit in range(10)})
    assert read(f"筛选{wide}个分子") == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10^6", 1e6),
        ("1e6", 1e6),
        ("3 x 10^5", 3e5),
        ("1.5M", 1.5e6),
        ("50k", 5e4),
        ("2 million", 2e6),
        ("half a million", 5e5),
        ("two dozen", 24),
        ("two hundred and fifty thousand", 250_000),
        ("2.5万", 25_000),
        ("1.2亿", 1.2e8),
        ("3千万", 3e7),
        ("一百万", 1e6),
        ("百万", 1e6),
        ("二十万", 2e5),
        ("一万二", 12_000),
        ("两千五", 2_500),
        ("两千零五", 2_005),
        ("三点五", 3.5),
        ("二〇二五", 2025),
    ],
)
def test_people_write_numbers_like_this(text, value):
    assert read(text) == value


@pytest.mark.parametrize(
    ("text", "value"), [("5千帕", 5), ("30兆瓦", 30), ("3千瓦", 3), ("一百帕", 1), ("8千卡/摩尔", 8)]
)
def test_a_unit_that_begins_with_a_numeral_is_a_unit(text, value):
    assert read(text) == value


def test_what_is_no_number_is_an_error():
    with pytest.raises(ValueError, match="could not|no number"):
        number("abc")

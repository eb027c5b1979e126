"""Figures as people say them, in both languages."""

from agent.estimate import Range
from agent.models.schema import Words

UNITS = (("s", "秒", 1.0), ("min", "分钟", 60.0), ("h", "小时", 3600.0), ("days", "天", 86400.0))
SIZES = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def duration(seconds: float) -> Words:
    """Seconds as people say them."""
    at = 0 if seconds < 90 else 1 if seconds < 5400 else 2 if seconds < 172_800 else 3
    en, zh, unit = UNITS[at]
    value = f"{seconds / unit:,.3g}"
    return Words(en=f"{value} {en}", zh=f"{value} {zh}")


def size(nbytes: float) -> str:
    """Bytes as people say them."""
    for unit in SIZES:
        if nbytes < 1024 or unit == SIZES[-1]:
            break
        nbytes /= 1024
    return f"{nbytes:,.3g} {unit}"


def figure(value: float) -> str:
    """A number in two digits or all of its whole ones, without an exponent."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}" if value >= 1e-3 else f"{value:.1g}"


def span(value: Range, en: str = "", zh: str = "") -> Words:
    """``about 0.05 (0.02 to 0.1)`` with a unit."""
    low, expected, high = map(figure, (value.low, value.expected, value.high))
    return Words(en=f"{expected} {en} ({low} to {high})".replace("  ", " "), zh=f"{expected} {zh}（{low} 至 {high}）")


def durations(value: Range) -> Words:
    """A range of seconds."""
    low, expected, high = map(duration, (value.low, value.expected, value.high))
    return Words(en=f"{expected.en} ({low.en} to {high.en})", zh=f"{expected.zh}（{low.zh} 至 {high.zh}）")


def sizes(value: Range) -> str:
    """A range of bytes."""
    return f"{size(value.expected)} ({size(value.low)} – {size(value.high)})"


def joined(parts: list[Words], en: str = " ", zh: str = "") -> Words:
    """Sentences one after the other."""
    return Words(en=en.join(one.en for one in parts), zh=zh.join(one.zh for one in parts))

"""Words in both languages, and times as people say them: for every page."""

from typing import NamedTuple


class Text(NamedTuple):
    """The same words in both languages."""

    en: str
    zh: str


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"

"""Words in both languages, and times as people say them: for every page."""

import html
import re
from typing import NamedTuple

MARKDOWN = re.compile(r"([\\`*_{}\[\]#|~])")


class Text(NamedTuple):
    """The same words in both languages."""

    en: str
    zh: str


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def in_markdown(text: str) -> str:
    """A text that a page which reads Markdown shows as it is: names are people's, and may hold tags, links or bars."""
    return MARKDOWN.sub(r"\\\1", html.escape(" ".join(text.split()), quote=False))

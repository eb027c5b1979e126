"""One way of writing: full-width, traditional and mixed-script text in the form that all rules expect."""

import re
import unicodedata
from functools import cache

from opencc import OpenCC

from agent.resource import read_data

HAN = r"\u4e00-\u9fff\u3007"
LATIN_THEN_HAN = re.compile(rf"(?<=[A-Za-z0-9%°])(?=[{HAN}])")
HAN_THEN_LATIN = re.compile(rf"(?<=[{HAN}])(?=[A-Za-z0-9])")
DASHES = str.maketrans({"−": "-", "–": "-", "—": "-", "～": "~", "﹣": "-", "‐": "-", "‑": "-"})


@cache
def _converter() -> OpenCC:
    return OpenCC("tw2sp")


@cache
def _words() -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((re.compile(written), meant) for written, meant in read_data("words")["variants"].items())


def is_chinese(text: str) -> bool:
    """Whether a person who wrote this reads Chinese."""
    return re.search(f"[{HAN}]", text) is not None


def normalise(text: str) -> str:
    """NFKC, simplified Chinese, plain dashes, and a space at every border between scripts.

    Without the spaces ``\\b`` sees no border in ``ACE2的``: letters, digits and Chinese characters are all ``\\w``.
    """
    text = unicodedata.normalize("NFKC", text).translate(DASHES)
    if is_chinese(text):
        text = _converter().convert(text)
        for pattern, meant in _words():
            text = pattern.sub(meant, text)
        text = HAN_THEN_LATIN.sub(" ", LATIN_THEN_HAN.sub(" ", text))
    return re.sub(r"[ \t\r\f\v\u00a0]+", " ", text).strip()

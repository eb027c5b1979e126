"""Text that a request only carries, from a file or a web page, is data: attacks in it are taken out and flagged."""

import re
from dataclasses import dataclass
from functools import cache

from agent.resource import read_data

QUOTED = (
    r"“[^”]{6,}”?|\"[^\"]{6,}\"?|「[^」]{4,}」|『[^』]{4,}』|«[^»]{6,}»|`[^`]{6,}`|(?<![A-Za-z])'[^']{12,}'(?![A-Za-z])|‘[^’]{6,}’"
    r"|<[^>]{12,}>|《[^》]{6,}》|\[\[.{6,}?\]\]|<!--.*?-->"
)
SENTENCE_END = r"(?:[.!?](?:\s|$)|[。!?;\n]|$)"


@dataclass(frozen=True)
class Own:
    """What the user says in the own voice, and which attacks were taken out around it."""

    text: str
    flags: tuple[str, ...]


@cache
def _attacks() -> dict[str, re.Pattern[str]]:
    return {flag: re.compile(pattern, re.IGNORECASE) for flag, pattern in read_data("safety")["attacks"].items()}


def attacks(text: str) -> list[str]:
    """Flags of the attacks in a text."""
    return [flag for flag, pattern in _attacks().items() if pattern.search(text)]


def own_words(text: str) -> Own:
    """The request without quoted and reported attacks, and without a bare order to ignore the rules."""
    flags: list[str] = []

    def drop(match: re.Match[str]) -> str:
        found = attacks(match[0])
        flags.extend(found)
        return " " if found else match[0]

    text = re.sub(QUOTED, drop, text, flags=re.DOTALL)
    text = re.sub(
        rf"(?:{read_data('safety')['reported']}).+?{SENTENCE_END}", drop, text, flags=re.IGNORECASE | re.DOTALL
    )
    text = re.sub(rf"(?im)^\s*(?:system|assistant|developer)\s*:.+?{SENTENCE_END}", drop, text)
    injection = _attacks()["injection"]
    if injection.search(text):
        flags.append("injection")
        text = re.sub(
            rf"(?:{injection.pattern})\s*(?:[,:;.!。]|\band\b|\bthen\b|并且?|然后)*\s*", " ", text, flags=re.IGNORECASE
        )
    return Own(re.sub(r"\s+", " ", text).strip(" ,;:.。"), tuple(dict.fromkeys(flags)))

"""Typing errors in English words, corrected towards the words that the hub knows."""

import re
from functools import cache

from rapidfuzz.distance import OSA

from agent.catalogue import templates
from agent.resource import read_data
from agent.slots.numbers import SCALES, SMALL

SHORTEST = 6  # letters of a word that may be corrected
WORD = re.compile(r"(?<![\w.@/\\=#()\[\]:])[A-Za-z]{4,}(?![\w.@=#(\[\\])(?!\.[a-z])")
NUMBER_THEN_WORD = re.compile(r"(?<![A-Za-z0-9.\-])(\d+(?:\.\d+)?)(?=[A-Za-z]{4,}(?![A-Za-z0-9]))")
CHEMICAL = re.compile("(?:ime|ide|ine|ite|ane|ene|one|yl|ate|ol)s?$")  # oxime is no misspelt oxide
ENDINGS = ("s", "es", "ed", "d", "ing", "ly", "al", "ally", "er", "ion", "ions", "'s")


@cache
def vocabulary() -> dict[tuple[str, int], tuple[str, ...]]:
    """Known words by first letter and length."""
    names = " ".join(
        f"{name} {aliases}"
        for kind in read_data("names").values()
        if isinstance(kind, dict)
        for name, aliases in kind.items()
    )
    phrases = " ".join(phrase for template in templates().values() for phrase in template.phrases)
    text = " ".join((names, phrases, read_data("words")["english"], *SMALL, *SCALES)).lower()
    found: dict[tuple[str, int], list[str]] = {}
    for word in sorted(set(re.findall("[a-z]{4,}", text))):
        found.setdefault((word[0], len(word)), []).append(word)
    return {key: tuple(words) for key, words in found.items()}


def correct(text: str) -> str:
    """The text with misspelt words replaced; names with digits or inner capitals, files and formulas stay as they are."""
    return WORD.sub(lambda match: corrected(match[0]), NUMBER_THEN_WORD.sub(r"\1 ", text))


def corrected(word: str) -> str:
    """The only known word that is one typing error away (a letter more, less, other or swapped), or the word itself."""
    lower = word.lower()
    if len(word) < SHORTEST or not (word.islower() or word.istitle()) or _known(lower):
        return word
    if CHEMICAL.search(lower):
        return word
    near = [
        known
        for length in (len(word) - 1, len(word), len(word) + 1)
        for known in vocabulary().get((lower[0], length), ())
        if OSA.distance(lower, known, score_cutoff=1) <= 1
    ]
    return near[0] if len({known.rstrip("s") for known in near}) == 1 else word


def _known(word: str) -> bool:
    words = vocabulary()
    stems = [word, *(word.removesuffix(ending) for ending in ENDINGS if word.endswith(ending))]
    stems += [f"{stem}e" for stem in stems[1:]] + [f"{word[:-3]}y"] * word.endswith("ies")
    return any(stem in words.get((stem[0], len(stem)), ()) for stem in stems if len(stem) >= 4)

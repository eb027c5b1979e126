"""Names of things: which targets, molecules, models, places and so on a sentence mentions."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from agent.resource import read_data
from agent.slots.sentence import Sentence
from agent.text import HAN, normalise

FUZZY_HAN = 3  # characters that a Chinese name has at least, where one of them may be wrong


@dataclass(frozen=True)
class Mention:
    """A name in a sentence, in its canonical form."""

    name: str
    start: int
    end: int


@dataclass(frozen=True)
class Gazetteer:
    """The names of one kind, as one pattern; the longest name wins."""

    by_alias: dict[str, str]
    han: tuple[tuple[str, str], ...]
    exact: re.Pattern[str]
    folded: re.Pattern[str]

    def take(self, sentence: Sentence) -> list[Mention]:
        """The names that a sentence mentions, in its order; each is taken from it."""
        matches = [(match, match[0]) for match in self.exact.finditer(sentence.rest)]
        matches += [(match, _key(match[0])) for match in self.folded.finditer(sentence.rest)]
        found: list[Mention] = []
        for match, alias in sorted(matches, key=lambda pair: pair[0].start() - pair[0].end()):
            start, end = match.span()
            if all(end <= other.start or other.end <= start for other in found):
                found.append(Mention(self.by_alias[alias], start, end))
                sentence.blank(start, end)
        return sorted(found, key=lambda one: one.start)

    def misspelt_han(self, text: str) -> list[str]:
        """Chinese names of which one character is wrong in the text."""
        parts, signs, found = re.findall(f"[{HAN}]+", text), set(text), []
        for alias, name in self.han:
            size = len(alias)
            if len(signs & set(alias)) < len(set(alias)) - 1:
                continue
            windows = (part[i : i + size] for part in parts for i in range(len(part) - size + 1))
            if any(sum(a != b for a, b in zip(window, alias, strict=True)) == 1 for window in windows):
                found.append(name)
        return found


def _key(alias: str) -> str:
    return re.sub(r"\s+", " ", alias.casefold())


def _pattern(aliases: Iterable[str], flags: int) -> re.Pattern[str]:
    aliases = sorted(aliases, key=len, reverse=True)
    latin = [_spaced(alias) for alias in aliases if not re.match(f"[{HAN}]", alias)]
    han = [_spaced(alias) for alias in aliases if re.match(f"[{HAN}]", alias)]
    inside = "|".join(latin) or "(?!)"
    parts = [rf"(?<![A-Za-z0-9])(?:{inside})(?![A-Za-z0-9]|-[0-9])"]
    return re.compile("|".join([*parts, *han]), flags)


def _spaced(alias: str) -> str:
    # The text has a space wherever scripts meet: β受体, 昇腾910b, hmg-coa还原酶.
    return re.escape(alias).replace(r"\ ", r"\s?" if re.search(f"[{HAN}]", alias) else r"\s")


@cache
def gazetteer(kind: str) -> Gazetteer:
    """The names of a kind, a section of ``data/names.yaml``."""
    exact: dict[str, str] = {}
    folded: dict[str, str] = {}
    for name, aliases in read_data("names")[kind].items():
        written = [part.strip() for part in str(aliases or "").split("|") if part.strip()]
        only_exact = any(alias == f"={name}" for alias in written)
        for alias in [*written, *([] if only_exact else [str(name)])]:
            if alias.startswith("="):
                exact[alias[1:]] = str(name)
            else:
                folded.setdefault(_key(normalise(alias)), str(name))
    han = tuple(pair for pair in folded.items() if re.fullmatch(f"[{HAN}]{{{FUZZY_HAN},}}", pair[0]))
    return Gazetteer({**folded, **exact}, han, _pattern(exact, 0), _pattern(folded, re.IGNORECASE))


def take_names(kind: str, sentence: Sentence) -> list[str]:
    """Canonical names of a kind in a sentence, without repeats, in its order."""
    return list(dict.fromkeys(one.name for one in gazetteer(kind).take(sentence)))

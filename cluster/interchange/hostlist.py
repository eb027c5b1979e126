"""SLURM's hostlist expressions: ``h[0-7,9]``, ``n[001-010]``, ``rack[1-2]n[01-04]``."""

import re
from collections.abc import Iterator, Sequence
from itertools import product

from cluster.topology import TopologyError

_NUMBERED = re.compile(r"(.*?)([0-9]+)", re.DOTALL)
_RANGE = re.compile(r"([0-9]+)(?:-([0-9]+))?")
_MOST = 1_000_000


def expand(text: str, where: str) -> list[str]:
    """The names that an expression stands for, in its order; ``where`` names its place in errors."""
    return [name for item in _items(text, where) for name in _names(item, text, where)]


def _items(text: str, where: str) -> Iterator[str]:
    """The parts between commas that stand outside brackets."""
    start = depth = 0
    for position, character in enumerate(text):
        depth += {"[": 1, "]": -1}.get(character, 0)
        if depth not in (0, 1):
            raise _unreadable(text, where)
        if character == "," and not depth:
            yield text[start:position].strip()
            start = position + 1
    if depth:
        raise _unreadable(text, where)
    yield text[start:].strip()


def _names(item: str, text: str, where: str) -> Iterator[str]:
    parts = re.split(r"\[([^\]]*)\]", item)
    if not item or any(character.isspace() for character in item):
        raise _unreadable(text, where)
    # Odd parts stood in brackets.
    choices = [list(_numbers(part, text, where)) if odd % 2 else [part] for odd, part in enumerate(parts)]
    return map("".join, product(*choices))


def _numbers(ranges: str, text: str, where: str) -> Iterator[str]:
    for part in ranges.split(","):
        found = _RANGE.fullmatch(part.strip())
        if not found:
            raise _unreadable(text, where)
        low, high = found[1], found[2] or found[1]
        if not 0 <= int(high) - int(low) < _MOST:
            raise _unreadable(text, where)
        # The first number's width is the width of all.
        yield from (str(number).zfill(len(low)) for number in range(int(low), int(high) + 1))


def _unreadable(text: str, where: str) -> TopologyError:
    return TopologyError(
        f"{where}: cannot read the hostlist {text!r}; write names and ranges, as in h[0-7,9],n[001-010]"
    )


def compress(names: Sequence[str]) -> str:
    """A short expression of names in this order: expanding it gives them back."""
    return ",".join(ranges(names))


def ranges(names: Sequence[str]) -> list[str]:
    """The same, one expression for each run of names with the same beginning."""
    groups: list[tuple[str, list[tuple[str, str]]]] = []
    for name in names:
        found = _NUMBERED.fullmatch(name)
        prefix, number = (found[1], found[2]) if found else (name, "")
        if not (number and groups and groups[-1][0] == prefix and groups[-1][1]):
            groups.append((prefix, [(number, number)] if number else []))
            continue
        runs = groups[-1][1]
        first, last = runs[-1]
        if number == str(int(last) + 1).zfill(len(last)):
            runs[-1] = (first, number)
        else:
            runs.append((number, number))
    return [prefix + _brackets(runs) for prefix, runs in groups]


def _brackets(runs: list[tuple[str, str]]) -> str:
    if len(runs) <= 1 and all(first == last for first, last in runs):
        return "".join(first for first, _ in runs)
    return "[" + ",".join(first if first == last else f"{first}-{last}" for first, last in runs) + "]"

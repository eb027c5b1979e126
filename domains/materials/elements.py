"""The chemical elements: symbols, electronegativity, oxidation states; and a person's list of them."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from domains.errors import InvalidRequest, closest

TABLE = Path(__file__).parent / "data" / "elements.yaml"
NONMETALS = frozenset({1, 5, 6, 7, 8, 9, 14, 15, 16, 17, 32, 33, 34, 35, 51, 52, 53, 84, 85})


@dataclass(frozen=True)
class Element:
    """An element: Pauling ``electronegativity`` where it has one; ``states``: reports in the ICSD of each oxidation state."""

    symbol: str
    number: int
    electronegativity: float | None
    states: Mapping[int, int]

    @property
    def is_noble(self) -> bool:
        """Whether it is a noble gas: it has no place on a lattice site, though a potential may think so."""
        return self.number in {2, 10, 18, 36, 54, 86}

    @property
    def is_radioactive(self) -> bool:
        """Whether it has no stable isotope."""
        return self.number in {43, 61} or self.number >= 84

    @property
    def is_metal(self) -> bool:
        """Whether it is a metal; the semimetals B, Si, Ge, As, Sb, Te are none."""
        return self.number not in NONMETALS and not self.is_noble


@cache
def elements() -> Mapping[str, Element]:
    """All 103, by symbol, in the order of their atomic numbers."""
    table = yaml.safe_load(TABLE.read_text())
    return {symbol: Element(symbol, *row) for symbol, row in table.items()}


@cache
def symbols() -> tuple[str, ...]:
    """The symbol of each atomic number; the first, of number 0, is empty."""
    return ("", *elements())


def defaults() -> tuple[str, ...]:
    """What a search covers unless it names elements: no noble gases, nothing radioactive, no element without ions."""
    found = elements().values()
    return tuple(one.symbol for one in found if one.states and not one.is_noble and not one.is_radioactive)


def element(symbol: str, field: str = "elements") -> Element:
    """The element of a symbol.

    Raises:
        InvalidRequest: there is none; names the closest.
    """
    if symbol not in elements():
        raise InvalidRequest(field, symbol, "unknown element", _closest(symbol))
    return elements()[symbol]


def parse(text: str | Sequence[str], supported: Collection[str] | None = None) -> tuple[str, ...]:
    """The elements a person names, as in ``Li,Mg,Ti`` or ``Li Mg Ti``: distinct, in the order of atomic numbers.

    Raises:
        InvalidRequest: none or an unknown one is named, a noble gas, or one that is not ``supported``.
    """
    named = [part for part in re.split(r"[\s,;，、]+", text) if part] if isinstance(text, str) else list(text)
    if not named:
        raise InvalidRequest("elements", text, "no elements", "symbols such as Li,Fe,O")
    found = {one.number: one for one in map(element, named)}
    for one in found.values():
        if one.is_noble:
            raise InvalidRequest("elements", one.symbol, "a noble gas forms no compounds to search", "leave it out")
        if supported is not None and one.symbol not in supported:
            raise InvalidRequest("elements", one.symbol, "the potential lacks this element", ", ".join(supported))
    return tuple(found[number].symbol for number in sorted(found))


def _closest(symbol: str) -> str:
    """Same letters in another case first, then what looks alike."""
    near = [one for one in elements() if one.casefold() == symbol.casefold()] or closest(symbol, elements())
    near = near or [one for one in elements() if one[:1] == symbol[:1].upper()]
    return ", ".join(near[:4]) or "symbols such as Li,Fe,O"

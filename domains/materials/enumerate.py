"""All charge-balanced compositions of a chemical system.

Whether ratios are neutral depends on the charges alone, and there are few different ones. So the neutral ratios of each
combination of charges are found once, as bits of a number; a system is then a few look-ups, joined by "or". The rules are
those of the field's usual filter (Davies et al., Chem 1 (2016) 617): one charge an element, every cation less electronegative
than every anion, ratios without a common divisor.
"""

import itertools
from collections.abc import Sequence
from functools import cache

import numpy as np

from domains.errors import InvalidRequest
from domains.materials.elements import element

MOST_ELEMENTS = 4
MAX_RATIO = 8

Charges = tuple[int, ...]


def compositions(system: Sequence[str], max_ratio: int = MAX_RATIO) -> np.ndarray:
    """The charge-balanced ratios (m, k) of a system of k elements, 1 to ``max_ratio`` each, in lexicographic order.

    Raises:
        InvalidRequest: no element, more than MOST_ELEMENTS, one twice, or an unknown one.
    """
    if not 1 <= len(set(system)) == len(system) <= MOST_ELEMENTS:
        raise InvalidRequest("system", ",".join(system), "not a system", f"1 to {MOST_ELEMENTS} different elements")
    every, found = ratios(len(system), max_ratio), 0
    for charges in signed(system):
        found |= _neutral_of_sets(charges, max_ratio)
    bits = np.frombuffer(found.to_bytes(-(-len(every) // 8), "little"), np.uint8)
    return np.asarray(every[np.flatnonzero(np.unpackbits(bits, count=len(every), bitorder="little"))])


def signed(system: Sequence[str]) -> list[tuple[Charges, ...]]:
    """The ways to part a system into cations and more electronegative anions: each element's charges of its sign."""
    known = [element(symbol, "system") for symbol in system]
    scale = [one.electronegativity for one in known if one.electronegativity is not None]
    if len(scale) < len(known):
        return []
    # The least electronegative of the anions decides: all below it are cations.
    return [
        tuple(_charges(one.symbol, 1 if value < anion else -1) for one, value in zip(known, scale, strict=True))
        for anion in sorted(set(scale))[1:]
    ]


@cache
def ratios(k: int, max_ratio: int) -> np.ndarray:
    """All ratios (m, k) of 1 to ``max_ratio`` without a common divisor, in lexicographic order."""
    every = np.array(list(itertools.product(range(1, max_ratio + 1), repeat=k)), np.int16)
    return np.asarray(every[np.gcd.reduce(every, axis=1) == 1])


@cache
def _charges(symbol: str, sign: int) -> Charges:
    return tuple(charge for charge in element(symbol).states if charge * sign > 0)


@cache
def _neutral_of_sets(charges: tuple[Charges, ...], max_ratio: int) -> int:
    found = 0
    for one in itertools.product(*charges):
        found |= _neutral(one, max_ratio)
    return found


@cache
def _neutral(charges: Charges, max_ratio: int) -> int:
    """The neutral ones of :func:`ratios`, as bits."""
    balanced = ratios(len(charges), max_ratio) @ np.array(charges, np.int16) == 0
    return int.from_bytes(np.packbits(balanced, bitorder="little").tobytes(), "little")

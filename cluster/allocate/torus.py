"""Boxes on a torus: neighbours in every direction, so that no path of a gang leaves the gang."""

from collections.abc import Sequence
from functools import cache
from itertools import product
from math import prod

Box = tuple[int, ...]


@cache
def boxes(shape: Box, size: int) -> list[Box]:
    """The sides of every box of so many points in a torus, the most cubic first."""
    sides = [box for box in product(*(range(1, side + 1) for side in shape)) if prod(box) == size]
    return sorted(sides, key=lambda box: (sum(box), box))


@cache
def placements(shape: Box, size: int) -> list[frozenset[int]]:
    """The points (row-major numbers) of every box of so many points, wrapped around the edges."""
    strides = [prod(shape[axis + 1 :]) for axis in range(len(shape))]
    found: dict[frozenset[int], None] = {}
    for sides in boxes(shape, size):
        # A side as long as the torus has one position only.
        starts = product(*(range(1 if side == length else length) for side, length in zip(sides, shape, strict=True)))
        for start in starts:
            axes = [
                [(begin + step) % length * stride for step in range(side)]
                for begin, side, length, stride in zip(start, sides, shape, strides, strict=True)
            ]
            found[frozenset(map(sum, product(*axes)))] = None
    return list(found)


def box(shape: Box, first: int, rooms: Sequence[tuple[int, int]], chips: int) -> list[tuple[int, int]]:
    """Equal whole children that make up a box and hold exactly ``chips``; [] where there is none.

    ``rooms`` are (chips, child) pairs; child ``first`` is the torus's origin.
    """
    each = max((have for have, _ in rooms), default=0)
    if not each or chips % each:
        return []
    whole = {child - first for have, child in rooms if have == each}
    if len(whole) * each < chips:
        return []
    for points in placements(shape, chips // each):
        if points <= whole:
            return [(first + point, each) for point in sorted(points)]
    return []

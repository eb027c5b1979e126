"""Where each domain of a hub lies on the map: boxes in boxes, the hosts of a supernode in a grid."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from cluster.tree import Tree

WIDTH = 1032.0
# A map that is higher than this does not fit a screen; its hosts are drawn smaller.
HEIGHT = 800.0
CELLS = (64.0, 56.0, 48.0, 40.0, 36.0, 32.0, 28.0, *(size / 4 for size in range(96, 7, -1)))
PAD = 4.0
GAP = 5.0
HEADER = 12.0
TITLE = 16.0
LETTER = 5.0
"""Width of a letter of a supernode's label, px."""


@dataclass
class Box:
    """A domain on the map, px; ``columns`` is the width of a supernode's grid of hosts."""

    domain: int
    width: float
    height: float
    x: float = 0.0
    y: float = 0.0
    columns: int = 0
    children: list["Box"] = field(default_factory=list)

    def walk(self) -> Iterator["Box"]:
        """This box and those in it, from the outermost to the innermost."""
        yield self
        for child in self.children:
            yield from child.walk()


def lay_out(tree: Tree) -> tuple[Box, float]:
    """The boxes of a hub and the side of a host's cell: the largest with which the map fits a screen."""
    for cell in CELLS:
        for wide in (True, False):
            box = _measure(tree, 0, cell, WIDTH, wide)
            if box.width <= WIDTH and box.height <= HEIGHT:
                _move(box, 0.0, 0.0)
                return box, cell
    _move(box, 0.0, 0.0)
    return box, cell


def header_of(tree: Tree, domain: int) -> float:
    """Height of the line above a domain's content; the hub's own name stands outside the map."""
    return (0.0, TITLE)[tree.level_of[domain]] if tree.level_of[domain] < 2 else HEADER


def _columns(hosts: int, wide: bool) -> int:
    """A grid near to a square, without gaps where the number of hosts allows it."""
    near = math.isqrt(hosts)
    full = next((count for count in range(near, near // 2, -1) if hosts % count == 0), near)
    return math.ceil(hosts / full) if wide else full


def _measure(tree: Tree, domain: int, cell: float, width: float, wide: bool) -> Box:
    if tree.level_of[domain] == len(tree.levels) - 2:
        hosts = len(tree.children[domain])
        columns = _columns(hosts, wide)
        label = 8 + LETTER * len(tree.paths[domain].rpartition("/")[2])
        return Box(
            domain,
            max(columns * cell, label),
            math.ceil(hosts / columns) * cell + header_of(tree, domain),
            columns=columns,
        )
    pad = PAD if domain else 0.0
    inside = [_measure(tree, child, cell, width - 2 * pad, wide) for child in tree.children[domain]]
    across, line = max(box.width for box in inside), max(box.height for box in inside)
    fit = max(1, int((width - 2 * pad + GAP) // (across + GAP)))
    columns = math.ceil(len(inside) / math.ceil(len(inside) / fit))
    top = header_of(tree, domain)
    for number, box in enumerate(inside):
        box.x, box.y = pad + number % columns * (across + GAP), top + number // columns * (line + GAP)
    rows = math.ceil(len(inside) / columns)
    return Box(
        domain,
        2 * pad + columns * (across + GAP) - GAP,
        top + rows * (line + GAP) - GAP + pad,
        children=inside,
    )


def _move(box: Box, x: float, y: float) -> None:
    """Turn places within the parent into places on the map."""
    box.x, box.y = box.x + x, box.y + y
    for child in box.children:
        _move(child, box.x, box.y)

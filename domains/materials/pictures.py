"""A crystal as a picture: balls and sticks in the conventional cell, as SVG that stands inside a page."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from itertools import product

import numpy as np
from ase.data import chemical_symbols, covalent_radii
from ase.data.colors import jmol_colors

from domains.materials.crystal import Crystal
from domains.materials.formula import reduced
from domains.materials.symmetry import symmetry

WIDTH, HEIGHT, LEGEND = 260, 230, 24  # of the picture, and of the line of elements below it
MARGIN = 8
BALL = 0.42  # of the covalent radius
STICK = 0.09  # Å
ON_FACE = 0.02  # fractional: how near to a face an atom is shown on the opposite face as well
SLENDER = 4.0  # a cell longer than this many of its edge is shown repeated along that edge
MOST_ATOMS = 120  # of one picture; larger cells are shown without images on their faces
MOST_BONDS = 200  # more are a thicket: none are drawn
TURN, TILT = np.radians(-20), np.radians(12)  # from the view along the shortest edge
DISTANCE = 5.0  # from the camera, in sizes of the picture: a weak perspective, so that depth can be seen
PIECES = 5  # of an edge of the cell, so that each piece lies before or behind an atom
AXES = (("a", "#dc2626"), ("b", "#16a34a"), ("c", "#2563eb"))
EDGE, SOFT, INK = "#94a3b8", "#64748b", "#0f172a"
CORNERS = np.array(list(product((0, 1), repeat=3)))
Part = tuple[float, str]  # depth, SVG


@dataclass(frozen=True, eq=False)
class Scene:
    """What is drawn, in Å: places (n, 3) with their ``numbers``, bonds (m, 2), the lattice (3, 3) and how often it is repeated."""

    places: np.ndarray
    numbers: np.ndarray
    bonds: np.ndarray
    lattice: np.ndarray
    repeats: tuple[int, int, int]

    @property
    def radii(self) -> np.ndarray:
        """Å, as drawn."""
        return np.asarray(BALL * covalent_radii[self.numbers])


def picture(crystal: Crystal) -> str:
    """The conventional cell of a crystal as SVG, with bonds, cell edges, axes and a legend of its elements."""
    cell = symmetry(crystal).conventional
    scene = build(cell)
    # Names of shades are those of the page: pictures that stand on one page must not share them.
    key = "s" + sha256(np.round(scene.places, 3).tobytes() + scene.numbers.tobytes()).hexdigest()[:8]
    view = _View(scene)
    parts = [*_edges(scene, view), *_sticks(scene, view), *_balls(scene, view, key)]
    drawn = "".join(text for _, text in sorted(parts, key=lambda part: round(part[0], 3)))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT + LEGEND}" role="img" '
        f'font-family="system-ui,sans-serif" font-size="12"><defs>{_shades(scene, key)}</defs>'
        f"{drawn}{_axes(scene, view)}{_legend(scene, key)}</svg>"
    )


def build(cell: Crystal) -> Scene:
    """Atoms of a cell and their images on its faces, repeated along edges that are much shorter than the longest one."""
    lengths = np.linalg.norm(cell.lattice, axis=1)
    repeats = np.maximum(1, np.ceil(lengths.max() / lengths / SLENDER)).astype(int)
    if len(cell) * repeats.prod() > MOST_ATOMS:
        repeats[:] = 1
    fractions, numbers = _filled(cell, repeats)
    places = fractions @ cell.lattice
    first, second, third = repeats.tolist()
    return Scene(places, numbers, _bonds(places, numbers), cell.lattice, (first, second, third))


def _filled(cell: Crystal, repeats: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fractional places (n, 3) and numbers (n,) of all atoms in the repeated cell, its faces included."""
    base = np.where(cell.positions % 1 > 1 - ON_FACE, cell.positions % 1 - 1, cell.positions % 1)
    reach = [range(count + 1) for count in repeats]
    copies = np.concatenate([base + shift for shift in product(*reach)])
    numbers = np.tile(cell.numbers, len(copies) // len(base))
    shown = (copies <= repeats + ON_FACE).all(axis=1)
    if shown.sum() > MOST_ATOMS:
        shown = (copies < repeats - ON_FACE).all(axis=1)
    return copies[shown], numbers[shown]


@cache
def _cutoffs() -> dict[tuple[str, str], float]:
    """Å: the longest bond of each pair of elements, both ways round, as VESTA has them."""
    from pymatgen.analysis.local_env import CutOffDictNN

    listed = CutOffDictNN.from_preset("vesta_2019").cut_off_dict
    return {pair: length for (one, other), length in listed.items() for pair in ((one, other), (other, one))}


def _bonds(places: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Pairs (m, 2) of atoms that are near enough to be bonded; none in metals."""
    limits, present = _cutoffs(), np.unique(numbers)
    table = np.zeros((len(chemical_symbols), len(chemical_symbols)))
    for one, other in product(present.tolist(), repeat=2):
        table[one, other] = limits.get((chemical_symbols[one], chemical_symbols[other]), 0.0)
    apart = np.linalg.norm(places[:, None] - places[None], axis=-1)
    found = np.argwhere(np.triu(apart < table[numbers[:, None], numbers[None]], 1))
    return found if len(found) <= MOST_BONDS else found[:0]


class _View:
    """From Å to the picture: the shortest edge of the cell towards the eye, a little turned, in weak perspective."""

    def __init__(self, scene: Scene) -> None:
        shown = np.concatenate([scene.places, CORNERS @ scene.lattice])
        radii = np.concatenate([scene.radii, np.full(len(CORNERS), 0.1)])
        self.turn = _turn(scene.lattice)
        self.centre = (shown.min(axis=0) + shown.max(axis=0)) / 2
        self.distance = DISTANCE * (np.linalg.norm(np.ptp(shown, axis=0)) / 2 + 1)
        self.scale, self.shift = 1.0, np.zeros(2)
        flat, _, near = self(shown)
        reach = (radii * near)[:, None]
        low, high = (flat - reach).min(axis=0), (flat + reach).max(axis=0)
        room = np.array([WIDTH, HEIGHT]) - 2 * MARGIN
        self.scale = float((room / (high - low)).min())
        self.shift = np.array([WIDTH, HEIGHT]) / 2 - self.scale * (low + high) / 2

    def __call__(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Points (n, 2) in the picture, depths (n,) towards the eye, and pixels per Å there (n,)."""
        seen = (np.reshape(places, (-1, 3)) - self.centre) @ self.turn
        near = self.scale * self.distance / (self.distance - seen[:, 2])
        flat = seen[:, :2] * [1, -1] * near[:, None] + self.shift
        return flat, seen[:, 2], near


def _turn(lattice: np.ndarray) -> np.ndarray:
    """Columns right, up, towards the eye: the shortest edge towards the eye, and a third one upright."""
    towards = int(np.argmin(np.round(np.linalg.norm(lattice, axis=1), 3)))
    up = lattice[(towards + 2) % 3] / np.linalg.norm(lattice[(towards + 2) % 3])
    eye = lattice[towards] - (lattice[towards] @ up) * up
    eye = eye / np.linalg.norm(eye)
    straight = np.column_stack([np.cross(up, eye), up, eye])
    about_up = np.array([[np.cos(TURN), 0, np.sin(TURN)], [0, 1, 0], [-np.sin(TURN), 0, np.cos(TURN)]])
    forward = np.array([[1, 0, 0], [0, np.cos(TILT), -np.sin(TILT)], [0, np.sin(TILT), np.cos(TILT)]])
    return np.asarray(straight @ (forward @ about_up).T)


def _edges(scene: Scene, view: _View) -> Iterator[Part]:
    """The edges of one cell; those from its origin in the colours of the axes."""
    for start, axis in ((corner, axis) for corner in CORNERS for axis in range(3) if not corner[axis]):
        ends = start + np.linspace(0, 1, PIECES + 1)[:, None] * np.eye(3)[axis]
        flat, depths, _ = view(ends @ scene.lattice)
        colour, width = (AXES[axis][1], 1.6) if not start.any() else (EDGE, 1)
        for at in range(PIECES):
            yield (depths[at] + depths[at + 1]) / 2, _line(flat[at], flat[at + 1], colour, width)


def _sticks(scene: Scene, view: _View) -> Iterator[Part]:
    """Each bond in two halves, coloured as their atoms."""
    flat, depths, near = view(scene.places)
    for one, other in scene.bonds.tolist():
        middle, depth = (flat[one] + flat[other]) / 2, (depths[one] + depths[other]) / 2
        for end in (one, other):
            colour = _hex(jmol_colors[scene.numbers[end]] * 0.9)
            yield (3 * depth + depths[end]) / 4, _line(flat[end], middle, colour, 2 * STICK * near[end])


def _balls(scene: Scene, view: _View, key: str) -> Iterator[Part]:
    flat, depths, near = view(scene.places)
    for (x, y), depth, radius, number in zip(flat, depths, scene.radii * near, scene.numbers.tolist(), strict=True):
        yield (
            depth,
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="url(#{key}{chemical_symbols[number]})"/>',
        )


def _line(start: np.ndarray, end: np.ndarray, colour: str, width: float) -> str:
    path = f"M{start[0]:.1f} {start[1]:.1f}L{end[0]:.1f} {end[1]:.1f}"
    return f'<path d="{path}" stroke="{colour}" stroke-width="{width:.1f}"/>'


def _shades(scene: Scene, key: str) -> str:
    """A shade for each element: lit from above left, darker at the rim so that white atoms are seen on white."""
    text = ""
    for number in np.unique(scene.numbers).tolist():
        colour = jmol_colors[number]
        stops = ((0, colour + 0.75 * (1 - colour)), (45, colour), (88, 0.82 * colour), (100, 0.45 * colour))
        shades = "".join(f'<stop offset="{at}%" stop-color="{_hex(shade)}"/>' for at, shade in stops)
        text += (
            f'<radialGradient id="{key}{chemical_symbols[number]}" cx=".36" cy=".32" r=".72">{shades}</radialGradient>'
        )
    return text


def _axes(scene: Scene, view: _View) -> str:
    """The names of the edges beside them, on the side away from the cell."""
    middle = view(np.full((1, 3), 0.5) @ scene.lattice)[0][0]
    text = ""
    for (name, colour), edge in zip(AXES, scene.lattice, strict=True):
        at = view(edge / 2)[0][0]
        x, y = at + 9 * (at - middle) / max(1.0, float(np.linalg.norm(at - middle)))
        text += (
            f'<text x="{x:.1f}" y="{y + 4:.1f}" text-anchor="middle" font-style="italic" fill="{colour}" '
            f'stroke="#fff" stroke-width="3" paint-order="stroke">{name}</text>'
        )
    return text


def _legend(scene: Scene, key: str) -> str:
    text, middle = "", HEIGHT + LEGEND / 2
    symbols = list(reduced({chemical_symbols[number]: 1 for number in scene.numbers.tolist()}))
    for at, symbol in enumerate(symbols):
        x = MARGIN + 6 + 41 * at
        text += f'<circle cx="{x}" cy="{middle}" r="6" fill="url(#{key}{symbol})"/>'
        text += f'<text x="{x + 10}" y="{middle + 4}" fill="{INK}">{symbol}</text>'
    if max(scene.repeats) > 1:
        cells = "×".join(map(str, scene.repeats))
        text += f'<text x="{WIDTH - MARGIN}" y="{middle + 4}" text-anchor="end" fill="{SOFT}">{cells}</text>'
    return text


def _hex(colour: np.ndarray) -> str:
    return "#" + "".join(f"{round(255 * float(part)):02x}" for part in np.clip(colour, 0, 1))

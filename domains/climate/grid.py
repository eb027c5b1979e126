"""The equiangular cubed sphere, cut into square tiles: where the cells are, and the metric terms of each tile.

A panel is one face of the cube. Its coordinates are two angles from -45 to 45 degrees along great circles, so cells are nearly
equal and no point is singular (Ronchi, Iacono and Paolucci, J. Comput. Phys. 124 (1996) 93). All terms come from the tangents
of these angles by arithmetic and square roots alone, so that a tile's numbers have the same bits however the sphere is cut.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from domains.errors import InvalidRequest

RADIUS = 6.37122e6  # m; this and the next two from Williamson et al., J. Comput. Phys. 102 (1992) 211
ROTATION = 7.292e-5  # rad/s
GRAVITY = 9.80616  # m/s2

X, Y, Z = np.eye(3)
# Of each panel: the direction of its centre, of its first and of its second coordinate; right-handed.
PANELS = np.array([(X, Y, Z), (Y, -X, Z), (-X, -Y, Z), (-Y, X, Z), (Z, Y, -X), (-Z, Y, X)])
WEST, EAST, SOUTH, NORTH = range(4)  # sides: the first coordinate is least, greatest; the second is least, greatest
LEAST_SIDE, LEAST_TILE = 12, 6
# How the control volumes at a panel's edge differ from the others, so that differences of point fluxes conserve (dynamics.py).
EDGE_WEIGHTS = np.array([649, 429, 675, 551]) / 576


class Beyond(NamedTuple):
    """What lies over a panel's side: a panel, which of its sides, and whether positions along the edge run the other way."""

    panel: int
    side: int
    reversed: bool


def _beyond(panel: int, side: int) -> Beyond:
    def outward(panel: int, side: int) -> np.ndarray:
        return np.asarray(PANELS[panel, 1 + side // 2] * (-1, 1)[side % 2])

    def along(panel: int, side: int) -> np.ndarray:
        return np.asarray(PANELS[panel, 2 - side // 2])

    for other in range(6):
        if np.array_equal(PANELS[other, 0], outward(panel, side)):
            back = next(s for s in range(4) if np.array_equal(outward(other, s), PANELS[panel, 0]))
            return Beyond(other, back, not np.array_equal(along(panel, side), along(other, back)))
    raise AssertionError("every side of a cube has a neighbour")


BEYOND = tuple(tuple(_beyond(panel, side) for side in range(4)) for panel in range(6))


@dataclass(frozen=True)
class Tiling:
    """6 panels of ``cells`` x ``cells`` cells, each cut into ``tiles`` x ``tiles`` square tiles."""

    cells: int
    tiles: int = 1

    def __post_init__(self) -> None:
        if self.cells < LEAST_SIDE:
            raise InvalidRequest("resolution", f"C{self.cells}", "too coarse", f"C{LEAST_SIDE} or finer")
        if self.tiles < 1 or self.cells % self.tiles or self.size < LEAST_TILE:
            most = self.cells // LEAST_TILE
            cuts = [cut for cut in range(1, most + 1) if self.cells % cut == 0]
            raise InvalidRequest("tiles", self.tiles, f"does not cut C{self.cells} into squares", f"one of {cuts}")

    @property
    def size(self) -> int:
        """Cells along a tile's side."""
        return self.cells // self.tiles

    @property
    def count(self) -> int:
        """Tiles on the sphere."""
        return 6 * self.tiles**2

    @property
    def spacing(self) -> float:
        """Angle from cell to cell."""
        return float(np.pi / 2 / self.cells)

    def corner(self, tile: int) -> tuple[int, int, int]:
        """A tile's panel, first row and first column; rows follow the second coordinate."""
        panel, rest = divmod(tile, self.tiles**2)
        return panel, rest // self.tiles * self.size, rest % self.tiles * self.size

    def locate(self, panel: np.ndarray, row: np.ndarray, column: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The tile of cells, and their place in it, row by row."""
        size = self.size
        tile = (panel * self.tiles + row // size) * self.tiles + column // size
        return tile, row % size * size + column % size

    def on_edge(self, tile: int) -> tuple[bool, bool, bool, bool]:
        """Which of a tile's sides are a panel's."""
        _, row, column = self.corner(tile)
        last = self.cells - self.size
        return column == 0, column == last, row == 0, row == last

    @cached_property
    def centre_tangents(self) -> np.ndarray:
        """Tangent of the angle of cell centres (cells,)."""
        return np.asarray(np.tan((np.arange(self.cells) + 0.5) * self.spacing - np.pi / 4))

    @cached_property
    def face_tangents(self) -> np.ndarray:
        """Tangent of the angle of faces, one beyond each end (cells + 3,)."""
        return np.asarray(np.tan(np.arange(-1, self.cells + 2) * self.spacing - np.pi / 4))

    @cached_property
    def weights(self) -> np.ndarray:
        """Quadrature weights of the cells along a side (cells,)."""
        found = np.ones(self.cells)
        found[:4], found[-4:] = EDGE_WEIGHTS, EDGE_WEIGHTS[::-1]
        return found

    def centres(self) -> np.ndarray:
        """Unit positions of the tiles' centres (count, 3)."""
        middle = np.tan((np.arange(self.tiles) + 0.5) * np.pi / 2 / self.tiles - np.pi / 4)
        panels = PANELS[:, :, None, None]  # (6, 3, 1, 1, 3)
        found = panels[:, 0] + middle[:, None] * panels[:, 1] + middle[:, None, None] * panels[:, 2]
        return np.asarray((found / np.linalg.norm(found, axis=-1, keepdims=True)).reshape(-1, 3))


def positions(panel: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Unit positions (w, 3, r, c) at tangents x (w, 1, c) and y (w, r, 1) on panels (w,)."""
    centre, first, second = (PANELS[panel, which][:, :, None, None] for which in range(3))
    x, y = x[:, None], y[:, None]
    return np.asarray((centre + x * first + y * second) / np.sqrt(1 + x * x + y * y))


@dataclass(frozen=True, eq=False)
class Metric:
    """Geometry of tiles of k x k cells, stacked; ``a`` faces part neighbours in a row, ``b`` faces in a column.

    Faces are those around the cells and one more at each end. ``normal`` is a face's unit normal in the tangent plane, in the
    direction of its coordinate; ``length`` the derivative of position along the face, m/rad.
    """

    position: np.ndarray  # (tiles, 3, k, k)
    area: np.ndarray  # (tiles, k, k), m2: of the control volumes; sums to the sphere's
    jacobian: np.ndarray  # (tiles, k, k), m2/rad2
    face_a: np.ndarray  # (tiles, 3, k, k + 3)
    face_b: np.ndarray  # (tiles, 3, k + 3, k)
    normal_a: np.ndarray  # (tiles, 3, 1, k + 3): the same in every row
    normal_b: np.ndarray  # (tiles, 3, k + 3, 1)
    length_a: np.ndarray  # (tiles, k, k + 3)
    length_b: np.ndarray  # (tiles, k + 3, k)


def metric(tiling: Tiling, tiles: np.ndarray) -> Metric:
    """The geometry of some tiles."""
    size = tiling.size
    panel, row, column = np.array([tiling.corner(int(tile)) for tile in tiles]).T
    centre, face, inner = tiling.centre_tangents, tiling.face_tangents, np.arange(size)
    wide = np.arange(size + 3)
    x, y = centre[column[:, None] + inner][:, None, :], centre[row[:, None] + inner][:, :, None]
    xf, yf = face[column[:, None] + wide][:, None, :], face[row[:, None] + wide][:, :, None]
    wx, wy = (tiling.weights[first[:, None] + inner] for first in (column, row))
    square = 1 + x * x + y * y
    jacobian = RADIUS**2 * (1 + x * x) * (1 + y * y) / (square * np.sqrt(square))
    outward, first, second = (PANELS[panel, which][:, :, None, None] for which in range(3))
    normal_a = (first - xf[:, None] * outward) / np.sqrt(1 + xf * xf)[:, None]
    normal_b = (second - yf[:, None] * outward) / np.sqrt(1 + yf * yf)[:, None]
    return Metric(
        position=positions(panel, x, y),
        area=jacobian * wy[:, :, None] * wx[:, None, :] * tiling.spacing**2,
        jacobian=jacobian,
        face_a=positions(panel, xf, y),
        face_b=positions(panel, x, yf),
        normal_a=normal_a,
        normal_b=normal_b,
        length_a=RADIUS * (1 + y * y) * np.sqrt(1 + xf * xf) / (1 + xf * xf + y * y),
        length_b=RADIUS * (1 + x * x) * np.sqrt(1 + yf * yf) / (1 + x * x + yf * yf),
    )


def longitude_latitude(position: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Longitude and latitude, rad, of unit positions (tiles, 3, ...)."""
    x, y, z = (np.ascontiguousarray(position[:, axis]) for axis in range(3))
    return np.arctan2(y, x), np.arctan2(z, np.sqrt(x * x + y * y))


def eastward(position: np.ndarray) -> np.ndarray:
    """Unit vectors to the east; north is position x east."""
    x, y = position[:, 0], position[:, 1]
    across = np.sqrt(x * x + y * y)
    across = np.where(across > 0, across, 1.0)
    return np.stack((-y / across, x / across, np.zeros_like(x)), axis=1)


def cross(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Vector product of (tiles, 3, ...) arrays."""
    ax, ay, az = (one[:, axis] for axis in range(3))
    bx, by, bz = (other[:, axis] for axis in range(3))
    return np.stack((ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx), axis=1)

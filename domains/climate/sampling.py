"""Fields of the cubed sphere at any points: cubic interpolation in a panel's own angles, across its edges as well."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from domains.climate.grid import PANELS, Tiling
from domains.climate.halo import HALO, halo

RING = 2  # cells beyond a panel's edge that the interpolation reads
POINTS = 4  # of it along each axis


@dataclass(frozen=True, eq=False)
class Sampling:
    """Where points (...,) read a field, and with which weights."""

    cells: int
    source: np.ndarray  # (..., 4, 4) in the padded panels, flat
    weight_y: np.ndarray  # (..., 4)
    weight_x: np.ndarray  # (..., 4)

    def __call__(self, field: np.ndarray) -> np.ndarray:
        """A field (6, n, n) at the points."""
        values = padded(field).reshape(-1)[self.source]
        return np.asarray(np.einsum("...ij,...i,...j->...", values, self.weight_y, self.weight_x))


def at(cells: int, longitude: np.ndarray, latitude: np.ndarray) -> Sampling:
    """Read fields of C``cells`` at points given in radians, of any shape."""
    longitude, latitude = np.broadcast_arrays(longitude, latitude)
    across = np.cos(latitude)
    point = np.stack((across * np.cos(longitude), across * np.sin(longitude), np.sin(latitude)), axis=-1)
    panel = np.argmax(point @ PANELS[:, 0].T, axis=-1)
    centre, first, second = (np.sum(point * PANELS[panel, axis], axis=-1) for axis in range(3))
    spacing = Tiling(cells).spacing
    place = [(np.arctan2(one, centre) + np.pi / 4) / spacing - 0.5 for one in (second, first)]
    low = [np.clip(np.floor(one).astype(np.int64), -1, cells - 1) for one in place]
    side = cells + 2 * RING
    rows, columns = (one[..., None] + RING - 1 + np.arange(POINTS) for one in low)
    source = (panel[..., None, None] * side + rows[..., :, None]) * side + columns[..., None, :]
    weight_y, weight_x = (_cubic(one - floor) for one, floor in zip(place, low, strict=True))
    return Sampling(cells, source, weight_y, weight_x)


def _cubic(t: np.ndarray) -> np.ndarray:
    """Lagrange's weights of the points -1, 0, 1, 2 at t: (..., 4)."""
    return np.stack(
        (
            -t * (t - 1) * (t - 2) / 6,
            (t + 1) * (t - 1) * (t - 2) / 2,
            -(t + 1) * t * (t - 2) / 2,
            (t + 1) * t * (t - 1) / 6,
        ),
        axis=-1,
    )


def padded(field: np.ndarray) -> np.ndarray:
    """A field (6, n, n) with RING cells of the neighbours around each panel: (6, n + 4, n + 4)."""
    cells = field.shape[-1]
    made = np.zeros((6, cells + 2 * HALO, cells + 2 * HALO))
    made[:, HALO:-HALO, HALO:-HALO] = field
    flat = field.reshape(6, -1)
    for panel, (target, tile, place, weight) in enumerate(_ghosts(cells)):
        made[panel].reshape(-1)[target] = np.sum(flat[tile, place] * weight, axis=1)
    found = made[:, HALO - RING : cells + HALO + RING, HALO - RING : cells + HALO + RING]
    for rows in (range(RING), range(cells + RING, cells + 2 * RING)):
        for columns in (range(RING), range(cells + RING, cells + 2 * RING)):
            _corner(found, rows, columns, cells)
    return found


def _corner(found: np.ndarray, rows: range, columns: range, cells: int) -> None:
    """Beyond a corner of the cube there is nothing: the mean of the ghosts on both sides."""
    for row in rows:
        for column in columns:
            near_row = min(max(row, RING), cells + RING - 1)
            near_column = min(max(column, RING), cells + RING - 1)
            found[:, row, column] = (found[:, row, near_column] + found[:, near_row, column]) / 2


@lru_cache(maxsize=2)
def _ghosts(cells: int) -> list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    recipes = (halo(Tiling(cells), panel).ghosts for panel in range(6))
    return [(one.target, one.tile, one.place, one.weight) for one in recipes]

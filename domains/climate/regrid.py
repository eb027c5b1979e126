"""Conservative regridding, first order: a target cell has the mean of what lies under it, so that integrals are kept.

All weights are areas of overlap (Jones, Mon. Wea. Rev. 127 (1999) 2204). Between grids of parallels and meridians they are
exact. The cells of a cubed sphere have other edges: there the overlap is counted on points spread evenly over each target
cell, and then changed as little as possible so that the areas of both grids are exact.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import xarray as xr
from scipy.sparse import coo_array, csr_array, kron
from scipy.sparse.linalg import LinearOperator, cg

from domains.climate.grid import PANELS, RADIUS, Tiling, metric
from domains.errors import InvalidRequest

POINTS = 6  # along a source cell's side, about
OUTSIDE = 0.02
MOST_POINTS = 4_000_000  # held at a time
SCALINGS, EXACT = 300, 1e-14
FULL_CIRCLE = 360.0


@dataclass(frozen=True, eq=False)
class LatLon:
    """A grid of parallels and meridians by its edges in degrees: latitudes (n + 1,) and longitudes (m + 1,), both rising."""

    latitude: np.ndarray
    longitude: np.ndarray

    def __post_init__(self) -> None:
        for name, edges in (("lat", self.latitude), ("lon", self.longitude)):
            if edges.ndim != 1 or len(edges) < 2 or not (np.diff(edges) > 0).all():
                raise InvalidRequest(name, np.asarray(edges).tolist()[:4], "the edges of cells do not rise")
        if self.latitude[0] < -90 - 1e-9 or self.latitude[-1] > 90 + 1e-9:
            raise InvalidRequest("lat", [self.latitude[0], self.latitude[-1]], "beyond a pole", "-90 to 90")
        if self.longitude[-1] - self.longitude[0] > FULL_CIRCLE + 1e-9:
            raise InvalidRequest("lon", [self.longitude[0], self.longitude[-1]], "more than once around the globe")

    @classmethod
    def regular(cls, rows: int, columns: int) -> Self:
        """A grid of the whole globe, from the south pole and from Greenwich on."""
        return cls(np.linspace(-90, 90, rows + 1), np.linspace(0, FULL_CIRCLE, columns + 1))

    @classmethod
    def around(cls, latitude: np.ndarray, longitude: np.ndarray) -> Self:
        """The grid with cells around these centres, edges half way between them; the last reach a pole where they are near it."""
        lat, lon = _between(latitude), _between(longitude)
        return cls(np.clip(lat, -90, 90), lon)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.latitude) - 1, len(self.longitude) - 1

    @property
    def centres(self) -> tuple[np.ndarray, np.ndarray]:
        """Latitudes (n,) and longitudes (m,) of the cells' centres."""
        return _middle(self.latitude), _middle(self.longitude)

    @property
    def area(self) -> np.ndarray:
        """Of the cells (n, m), m2."""
        bands, sectors = np.diff(np.sin(np.radians(self.latitude))), np.diff(np.radians(self.longitude))
        return np.asarray(RADIUS**2 * bands[:, None] * sectors)

    @property
    def whole(self) -> bool:
        """Whether it covers the globe."""
        return bool(
            np.isclose(self.longitude[-1] - self.longitude[0], FULL_CIRCLE)
            and np.isclose(self.latitude[0], -90)
            and np.isclose(self.latitude[-1], 90)
        )


def _between(centres: np.ndarray) -> np.ndarray:
    middle = _middle(centres)
    return np.concatenate([[2 * centres[0] - middle[0]], middle, [2 * centres[-1] - middle[-1]]])


def _middle(edges: np.ndarray) -> np.ndarray:
    return np.asarray((edges[1:] + edges[:-1]) / 2)


@dataclass(frozen=True, eq=False)
class Regridder:
    """Overlaps in m2 of target cells (rows) with source cells (columns)."""

    overlap: Any  # csr_array (target cells, source cells)
    source: tuple[int, ...]
    target: tuple[int, ...]

    def __call__(self, field: np.ndarray) -> np.ndarray:
        """The target's means (..., *target) of a field (..., *source); what is NaN counts for nothing, and NaN is where nothing is."""
        flat = np.asarray(field, float).reshape(-1, self.overlap.shape[1]).T
        known = np.isfinite(flat)
        if known.all():
            below = np.asarray(self.overlap.sum(axis=1))[:, None]
        else:
            flat, below = np.where(known, flat, 0.0), self.overlap @ known.astype(float)
        with np.errstate(invalid="ignore", divide="ignore"):
            means = np.where(below > 0, self.overlap @ flat / below, np.nan)
        return np.asarray(means.T.reshape(*field.shape[: field.ndim - len(self.source)], *self.target))

    def reversed(self) -> "Regridder":
        """The way back."""
        return Regridder(csr_array(self.overlap.T), self.target, self.source)


def between(source: LatLon, target: LatLon) -> Regridder:
    """From one grid of parallels and meridians to another, of the whole globe or a part of it."""
    bands = _overlap(np.sin(np.radians(target.latitude)), np.sin(np.radians(source.latitude)))
    turns = (-FULL_CIRCLE, 0.0, FULL_CIRCLE)
    # A grid may begin at any meridian; the one may lie a turn or two away from the other.
    away = FULL_CIRCLE * np.round((source.longitude.mean() - target.longitude.mean()) / FULL_CIRCLE)
    sectors = sum(_overlap(target.longitude + away + turn, source.longitude) for turn in turns)
    return Regridder(csr_array(RADIUS**2 * kron(bands, np.radians(1) * sectors)), source.shape, target.shape)


def _overlap(target: np.ndarray, source: np.ndarray) -> Any:
    """Lengths that intervals with these edges, both rising, have in common (targets, sources)."""
    every = np.union1d(target, source)
    middle, length = _middle(every), np.diff(every)
    row, column = np.searchsorted(target, middle) - 1, np.searchsorted(source, middle) - 1
    shape = len(target) - 1, len(source) - 1
    inside = (row >= 0) & (row < shape[0]) & (column >= 0) & (column < shape[1])
    return csr_array(coo_array((length[inside], (row[inside], column[inside])), shape=shape))


def from_cubed_sphere(tiling: Tiling, target: LatLon) -> Regridder:
    """From a cubed sphere's tiles (count, k, k) to a grid of the whole globe; ``reversed`` is the way to the cubed sphere.

    Areas of the source are those that the model conserves mass with (``Metric.area``).
    """
    if not target.whole:
        raise InvalidRequest("target grid", target.shape, "a cubed sphere is regridded to the whole globe")
    counted = _counted(tiling, target)
    area = metric(tiling, np.arange(tiling.count)).area.ravel()
    # The model's areas are a quadrature: their sum is the sphere's to 1e-7 or so at C16.
    wanted = target.area.ravel() * (area.sum() / target.area.sum())
    return Regridder(balanced(counted, wanted, area), (tiling.count, tiling.size, tiling.size), target.shape)


def _counted(tiling: Tiling, target: LatLon) -> Any:
    """Overlaps as the share of points, evenly spread over each target cell, that lie in each source cell."""
    finer = POINTS / np.degrees(tiling.spacing)
    down = int(np.ceil(finer * np.diff(target.latitude).max()))
    across = int(np.ceil(finer * np.diff(target.longitude).max()))
    latitude, weight_down = _spread(target.latitude, down)
    longitude, weight_across = _spread(target.longitude, across)
    rows, columns = target.shape
    weight = weight_down[:, None] * weight_across
    shape = rows * columns, tiling.count * tiling.size**2
    overlap = csr_array(shape)
    together = max(1, MOST_POINTS // (columns * weight.size))
    for first in range(0, rows, together):
        some = latitude[first : first + together]
        cells = _cell_at(tiling, some.ravel(), longitude.ravel()).reshape(len(some), len(weight_down), columns, -1)
        row = (first + np.arange(len(some)))[:, None, None, None] * columns + np.arange(columns)[:, None]
        weights = np.broadcast_to(weight[:, None], cells.shape)
        under = np.broadcast_to(row, cells.shape)
        overlap = overlap + csr_array(coo_array((weights.ravel(), (under.ravel(), cells.ravel())), shape=shape))
    return _times(csr_array(overlap), target.area.ravel() / weight.sum())


def _spread(edges: np.ndarray, each: int) -> tuple[np.ndarray, np.ndarray]:
    """Points in every interval (n, each + 2) and their weights (each + 2,): evenly, and very light ones just outside of it.

    Those tie together what only just touches: without them sums could not be balanced where edges of both grids coincide.
    """
    inside = (np.arange(each) + 0.5) / each
    places = np.concatenate([[-0.25 / each], inside, [1 + 0.25 / each]])
    weights = np.concatenate([[OUTSIDE], np.ones(each), [OUTSIDE]])
    return edges[:-1, None] + np.diff(edges)[:, None] * places, weights


def _cell_at(tiling: Tiling, latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """The control volume, numbered through the tiles, at latitudes (r,) and longitudes (c,) in degrees: (r, c)."""
    lat, lon = np.radians(latitude)[:, None], np.radians(longitude)
    position = np.stack(np.broadcast_arrays(np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)))
    outward = np.tensordot(PANELS[:, 0], position, 1)
    panel = np.argmax(outward, axis=0)
    height = np.take_along_axis(outward, panel[None], 0)[0]
    edges = (
        np.cumsum(tiling.weights)[:-1] * tiling.spacing - np.pi / 4
    )  # control volumes: those at a panel's edge are uneven
    place = []
    for axis in (2, 1):  # rows follow the second coordinate
        along = np.take_along_axis(np.tensordot(PANELS[:, axis], position, 1), panel[None], 0)[0]
        place.append(np.searchsorted(edges, np.arctan(along / height)))
    tile, cell = tiling.locate(panel, *place)
    return np.asarray(tile * tiling.size**2 + cell)


def balanced(overlap: Any, rows: np.ndarray, columns: np.ndarray) -> Any:
    """Overlaps with exactly these sums of rows and of columns, whose totals are equal.

    Factors for rows and for columns in turn (Sinkhorn and Knopp, Pacific J. Math. 21 (1967) 343) put right what neighbours can
    settle among themselves, but are slow over long ways. The little that is left goes in one system of equations: a
    factor 1 + u(row) + v(column), of all such changes the least.
    """
    down = np.ones(overlap.shape[1])
    for _ in range(SCALINGS):
        across = rows / (overlap @ down)
        down = columns / (overlap.T @ across)
    found = _times(csr_array(overlap.multiply(down[None])), rows / (overlap @ down))
    sums = found.sum(axis=0)
    # With u eliminated: one symmetric system for v, free but for a constant (two of them where both grids have an equator).
    share, scale = _times(found, 1 / rows), 1 / np.sqrt(columns)
    system = LinearOperator(
        (len(columns), len(columns)),
        lambda v: scale * (sums * scale * v - found.T @ (share @ (scale * v))),
        dtype=float,
    )
    enough = EXACT * float(np.linalg.norm(scale * columns))
    v = scale * cg(system, scale * (columns - sums), rtol=0.0, atol=enough)[0]
    changed = csr_array(found.multiply((1 + v)[None]) - _times(found, share @ v))
    return _times(changed, rows / changed.sum(axis=1))  # what rounding left; constants are kept by this


def _times(overlap: Any, factors: np.ndarray) -> Any:
    """Every row times its factor."""
    return csr_array(overlap.multiply(factors[:, None]))


def regridded(data: xr.DataArray, source: LatLon, target: LatLon) -> xr.DataArray:
    """Data over ``lat`` and ``lon`` on another grid, with its attributes, and integrals kept."""
    moved = data.transpose(..., "lat", "lon")
    latitude, longitude = target.centres
    made = between(source, target)(moved.values)
    kept = {name: one for name, one in moved.coords.items() if not {"lat", "lon"} & set(one.dims)}
    coords = {
        **kept,
        "lat": ("lat", latitude, dict(data["lat"].attrs)),
        "lon": ("lon", longitude, dict(data["lon"].attrs)),
    }
    return xr.DataArray(made, coords=coords, dims=moved.dims, name=data.name, attrs=data.attrs)

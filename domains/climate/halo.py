"""What a tile must know of cells outside it, as lists of positions: nothing here depends on the state.

Inside a panel a halo is a copy. Over a panel's edge the ghost of a row lies exactly on a row of the other panel's own
coordinates, so it is an interpolation along the edge between 6 of its cells. At such an edge a tile also builds the six values
that the OTHER panel's scheme has across it, its twin: so both sides compute the same mean flux without a further message.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from domains.climate.grid import BEYOND, EAST, NORTH, SOUTH, WEST, Tiling

HALO = 4  # cells that a tile reads beyond its side, inside a panel
DEPTH = 3  # cells that it reads beyond a panel's edge
POINTS = 6  # of an interpolation along an edge
SPAN = 6  # by so many cells at most a value along an edge lies beside the cells that it is made of


@dataclass(frozen=True, eq=False)
class Entries:
    """Values made of 6 cells each: where they go (m,), from which tiles and places (m, 6), with which weights (m, 6)."""

    target: np.ndarray
    tile: np.ndarray
    place: np.ndarray
    weight: np.ndarray

    def alone(self) -> "Entries":
        """Those that are one cell as it is."""
        return self._where(self.weight[:, 0] == 1)

    def mixed(self) -> "Entries":
        """The others."""
        return self._where(self.weight[:, 0] != 1)

    def _where(self, mask: np.ndarray) -> "Entries":
        return Entries(self.target[mask], self.tile[mask], self.place[mask], self.weight[mask])


@dataclass(frozen=True, eq=False)
class Halo:
    """The recipe of one tile of k x k cells.

    ``copies`` and ``ghosts`` go into the padded tile (k + 8, k + 8), numbered row by row; a copy uses its first cell only.
    ``twins`` go into (6, k) for each side that is a panel's edge: from the low to the high end across it, then along it.
    """

    copies: Entries
    ghosts: Entries
    twins: dict[int, Entries]

    def cells(self) -> tuple[np.ndarray, np.ndarray]:
        """Tiles and places of all cells that are read."""
        parts = (self.ghosts, *self.twins.values())
        tile = np.concatenate([self.copies.tile[:, 0], *(part.tile.ravel() for part in parts)])
        place = np.concatenate([self.copies.place[:, 0], *(part.place.ravel() for part in parts)])
        return tile, place


@lru_cache(maxsize=4)
def edge_interpolation(tiling: Tiling) -> tuple[np.ndarray, np.ndarray]:
    """For ghosts at depth 0, 1, 2 along an edge: the first of their 6 cells (3, n), and the weights (3, n, 6)."""
    n, spacing = tiling.cells, tiling.spacing
    beyond = np.tan(np.pi / 4 + (np.arange(DEPTH) + 0.5) * spacing)
    at = (np.arctan(tiling.centre_tangents / beyond[:, None]) + np.pi / 4) / spacing - 0.5
    first = np.clip(np.floor(at).astype(np.int64) - 2, 0, n - POINTS)
    offset = (at - first)[..., None]
    weight = np.ones((DEPTH, n, POINTS))
    for one in range(POINTS):
        for other in range(POINTS):
            if one != other:
                weight[..., one] *= (offset[..., 0] - other) / (one - other)
    return first, weight


def strip(tiling: Tiling, panel: int, side: int, depth: np.ndarray, along: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Tiles and places of a panel's cells at some depth from its side and positions along it."""
    inwards = depth if side in (WEST, SOUTH) else tiling.cells - 1 - depth
    row, column = (along, inwards) if side in (WEST, EAST) else (inwards, along)
    return tiling.locate(np.full(np.broadcast(row, column).shape, panel), *np.broadcast_arrays(row, column))


def halo(tiling: Tiling, tile: int) -> Halo:
    """The recipe of a tile."""
    panel, row, column = tiling.corner(tile)
    edges = tiling.on_edge(tile)
    copies = [_copies(tiling, tile, side) for side in range(4) if not edges[side]]
    first, weight = edge_interpolation(tiling)
    ghosts, twins = [], {}
    for side in range(4):
        if edges[side]:
            start = row if side in (WEST, EAST) else column
            mine = slice(start, start + tiling.size)
            ghosts.append(_ghosts(tiling, panel, side, first[:, mine], weight[:, mine]))
            twins[side] = _twin(tiling, panel, side, start, first[:, mine], weight[:, mine])
    return Halo(_joined(copies), _joined(ghosts), twins)


def _padded(tiling: Tiling, side: int, depth: np.ndarray) -> np.ndarray:
    """Where ghosts at depths (d, 1) beyond a side go in the padded tile: (d, k)."""
    k, along = tiling.size, HALO + np.arange(tiling.size)
    outwards = HALO - 1 - depth if side in (WEST, SOUTH) else HALO + k + depth
    row, column = (along, outwards) if side in (WEST, EAST) else (outwards, along)
    return np.asarray(row * (k + 2 * HALO) + column)


def _copies(tiling: Tiling, tile: int, side: int) -> Entries:
    panel, row, column = tiling.corner(tile)
    depth = np.arange(HALO)[:, None]
    target = _padded(tiling, side, depth)
    m = tiling.size + 2 * HALO
    rows, columns = row + target // m - HALO, column + target % m - HALO
    owner, place = tiling.locate(np.full(target.shape, panel), rows, columns)
    return _entries(target, owner, place)


def _over(tiling: Tiling, panel: int, side: int, depth: np.ndarray, along: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cells of the panel beyond a side, positions along the edge as this panel counts them."""
    other = BEYOND[panel][side]
    return strip(tiling, other.panel, other.side, depth, tiling.cells - 1 - along if other.reversed else along)


def _ghosts(tiling: Tiling, panel: int, side: int, first: np.ndarray, weight: np.ndarray) -> Entries:
    depth = np.arange(DEPTH)[:, None]
    owner, place = _over(tiling, panel, side, depth[..., None], first[..., None] + np.arange(POINTS))
    return Entries(
        _padded(tiling, side, depth).ravel(),
        owner.reshape(-1, POINTS),
        place.reshape(-1, POINTS),
        weight.reshape(-1, POINTS),
    )


def _twin(tiling: Tiling, panel: int, side: int, start: int, first: np.ndarray, weight: np.ndarray) -> Entries:
    """Three rows of the other panel as they are, and three of this one at its places."""
    k, depth = tiling.size, np.arange(DEPTH)[:, None]
    inside, outside = (2 - depth, 3 + depth) if side in (EAST, NORTH) else (3 + depth, 2 - depth)
    owner, place = _over(tiling, panel, side, depth, start + np.arange(k))
    theirs = _entries(outside * k + np.arange(k), owner, place)
    owner, place = strip(tiling, panel, side, depth[..., None], first[..., None] + np.arange(POINTS))
    target = (inside * k + np.arange(k)).ravel()
    mine = Entries(target, owner.reshape(-1, POINTS), place.reshape(-1, POINTS), weight.reshape(-1, POINTS))
    return _joined([theirs, mine])


def _entries(target: np.ndarray, owner: np.ndarray, place: np.ndarray) -> Entries:
    """Entries that are one cell as it is."""
    weight = np.zeros((target.size, POINTS))
    weight[:, 0] = 1.0
    owner, place = (np.repeat(part.reshape(-1, 1), POINTS, axis=1) for part in (owner, place))
    return Entries(target.ravel(), owner, place, weight)


def _joined(parts: list[Entries]) -> Entries:
    if not parts:
        none = np.empty((0, POINTS), np.int64)
        return Entries(np.empty(0, np.int64), none, none, none.astype(float))
    return Entries(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ("target", "tile", "place", "weight"))
    )


def around(tiling: Tiling, tile: int) -> set[int]:
    """Tiles that may read from this one: those over its sides and, along a panel's edge, as far as interpolation reaches."""
    panel, row, column = tiling.corner(tile)
    edges = tiling.on_edge(tile)
    found: set[int] = set()
    for side in range(4):
        start = row if side in (WEST, EAST) else column
        if edges[side]:
            along = np.clip(np.arange(start - SPAN, start + tiling.size + SPAN), 0, tiling.cells - 1)
            zero = np.zeros_like(along)
            found.update(_over(tiling, panel, side, zero, along)[0].tolist())
            found.update(strip(tiling, panel, side, zero, along)[0].tolist())
        else:
            found.update(_copies(tiling, tile, side).tile[:, 0].tolist())
    return found - {tile}

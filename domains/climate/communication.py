"""Who sends how much to whom in a stage, for all tiles of a sphere at once: counted without making their recipes."""

import numpy as np

from domains.climate.grid import BEYOND, Tiling
from domains.climate.halo import DEPTH, HALO, POINTS, edge_interpolation

BYTES = 4 * 8  # of a cell: surface height and velocity


def communication(tiling: Tiling) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of tiles (m, 2), sender and receiver, and the bytes that go each way in a stage (m,)."""
    t, k = tiling.tiles, tiling.size
    over, beside = _along_edges(tiling)
    numbers = np.arange(tiling.count).reshape(6, t, t)
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for one, other in ((numbers[:, 1:], numbers[:, :-1]), (numbers[..., 1:], numbers[..., :-1])):
        cells = np.full(one.size, HALO * k)
        parts += [(one.ravel(), other.ravel(), cells), (other.ravel(), one.ravel(), cells)]
    for panel in range(6):
        for side in range(4):
            mine, beyond = _edge(numbers, panel, side), BEYOND[panel][side]
            theirs = _edge(numbers, beyond.panel, beyond.side)
            for senders, counts in ((theirs[::-1] if beyond.reversed else theirs, over), (mine, beside)):
                receiver, sender = np.nonzero(counts)
                parts.append((senders[sender], mine[receiver], counts[receiver, sender]))
    sender, receiver, cells = (np.concatenate([part[at] for part in parts]) for at in range(3))
    pairs, place = np.unique(sender * tiling.count + receiver, return_inverse=True)
    return np.stack(np.divmod(pairs, tiling.count), axis=1), np.bincount(place, cells) * BYTES


def _edge(numbers: np.ndarray, panel: int, side: int) -> np.ndarray:
    """The tiles along a panel's side."""
    return np.asarray((numbers[panel, :, 0], numbers[panel, :, -1], numbers[panel, 0], numbers[panel, -1])[side])


def _along_edges(tiling: Tiling) -> tuple[np.ndarray, np.ndarray]:
    """Cells that a tile at an edge (rows) reads of tiles along the edge (columns), beyond it and on its own panel.

    Of its own panel without those that are in the halo of neighbours anyway.
    """
    n, k = tiling.cells, tiling.size
    first, _ = edge_interpolation(tiling)
    tile, cell = np.repeat(np.arange(tiling.tiles), k), np.arange(n)
    over, beside = (np.zeros((tiling.tiles, tiling.tiles), np.int64) for _ in range(2))
    for depth in range(DEPTH):
        reads = np.unique(np.repeat(tile, POINTS) * n + (first[depth][:, None] + np.arange(POINTS)).ravel())
        receiver, read = np.divmod(reads, n)
        np.add.at(beside, _far(receiver, read, k), 1)
        receiver, read = np.divmod(np.union1d(reads, tile * n + cell), n)
        np.add.at(over, (receiver, read // k), 1)
    return over, beside


def _far(receiver: np.ndarray, read: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    far = (read < receiver * k - HALO) | (read >= (receiver + 1) * k + HALO)
    return receiver[far], read[far] // k

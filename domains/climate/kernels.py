"""The scheme of dynamics.py in machine code, tile by tile: the same arithmetic, so a tile's bits do not depend on the cut.

Import this only where it is needed: it brings numba.
"""

import math
from typing import NamedTuple

import numpy as np

from domains.climate.compiled import compiled
from domains.climate.grid import EAST, GRAVITY, NORTH, SOUTH, WEST
from domains.climate.halo import HALO, POINTS


class Lists(NamedTuple):
    """Entries of all tiles in a row; those of tile t from ``start[t]`` to ``start[t + 1]``."""

    start: np.ndarray  # (tiles + 1,)
    # Of the first of four values each; unsigned, as numba looks at the sign of every other index.
    target: np.ndarray  # (m,)
    source: np.ndarray  # (m, points)
    weight: np.ndarray  # (m, points)


class Tiles(NamedTuple):
    """Everything about a group's tiles that does not change."""

    normal_a: np.ndarray  # (tiles, 3, k + 3): the same in every row
    normal_b: np.ndarray  # (tiles, 3, k + 3): the same in every column
    face_a: np.ndarray  # (tiles, 2, k, k + 3)
    face_b: np.ndarray  # (tiles, 2, k + 3, k)
    cell: np.ndarray  # (tiles, 11, k, k)
    edge: np.ndarray  # (tiles, 4): the number of the strip at a panel's edge, or -1
    edge_normal: np.ndarray  # (strips, 3)
    edge_face: np.ndarray  # (strips, 2, 1, k)
    copies: Lists  # into padded tiles, of one cell each
    ghosts: Lists  # into padded tiles
    twin_copies: Lists  # into strips
    twins: Lists  # into strips


class Scratch(NamedTuple):
    """Room for the fluxes of one tile."""

    mean: np.ndarray  # (4, k + 3)
    half: np.ndarray  # (4, k + 3)
    through_a: np.ndarray  # (4, 1, k + 3)
    through_b: np.ndarray  # (4, k + 3, k)
    twin: np.ndarray  # (4, 4, 1, k)
    change: np.ndarray  # (4, k)
    normal: np.ndarray  # (3, k)


def scratch(size: int) -> Scratch:
    """Room for tiles of ``size`` cells along a side."""
    shapes = (4, size + 3), (4, size + 3), (4, 1, size + 3), (4, size + 3, size), (4, 4, 1, size), (4, size), (3, size)
    return Scratch(*(np.zeros(shape) for shape in shapes))


@compiled
def primitives(state: np.ndarray, bottom: np.ndarray, padded: np.ndarray) -> None:
    """Surface height and velocity of all tiles into the middle of the padded tiles (blocks, 4, m, m)."""
    for tile in range(state.shape[0]):
        for j in range(state.shape[2]):
            for i in range(state.shape[3]):
                depth = state[tile, 0, j, i]
                per_depth = 1.0 / depth
                padded[tile, 0, j + HALO, i + HALO] = depth + bottom[tile, j, i]
                padded[tile, 1, j + HALO, i + HALO] = state[tile, 1, j, i] * per_depth
                padded[tile, 2, j + HALO, i + HALO] = state[tile, 2, j, i] * per_depth
                padded[tile, 3, j + HALO, i + HALO] = state[tile, 3, j, i] * per_depth


@compiled
def _copy(cells: np.ndarray, stride: int, out: np.ndarray, out_stride: int, lists: Lists, tile: int) -> None:
    """``out`` may be ``cells``: what is written is never read."""
    for entry in range(lists.start[tile], lists.start[tile + 1]):
        source, target = lists.source[entry, 0], lists.target[entry]
        for value in range(4):
            out[target + np.uint64(value * out_stride)] = cells[source + np.uint64(value * stride)]


@compiled
def _blend(cells: np.ndarray, stride: int, out: np.ndarray, out_stride: int, lists: Lists, tile: int) -> None:
    """As ``_copy``, of several cells each."""
    one, two, three = np.uint64(stride), np.uint64(2 * stride), np.uint64(3 * stride)
    for entry in range(lists.start[tile], lists.start[tile + 1]):
        a = b = c = d = 0.0
        for point in range(POINTS):
            source, weight = lists.source[entry, point], lists.weight[entry, point]
            a += cells[source] * weight
            b += cells[source + one] * weight
            c += cells[source + two] * weight
            d += cells[source + three] * weight
        target = lists.target[entry]
        out[target] = a
        out[target + np.uint64(out_stride)] = b
        out[target + np.uint64(2 * out_stride)] = c
        out[target + np.uint64(3 * out_stride)] = d


@compiled
def _sides_along(x: np.ndarray, j: int, count: int, mean: np.ndarray, half: np.ndarray) -> None:
    for v in range(4):
        for i in range(count):
            x0, x1, x2, x3, x4, x5 = (
                x[v, j, i],
                x[v, j, i + 1],
                x[v, j, i + 2],
                x[v, j, i + 3],
                x[v, j, i + 4],
                x[v, j, i + 5],
            )
            mean[v, i] = (150 / 256) * (x2 + x3) - (25 / 256) * (x1 + x4) + (3 / 256) * (x0 + x5)
            half[v, i] = (30 / 256) * (x3 - x2) - (15 / 256) * (x4 - x1) + (3 / 256) * (x5 - x0)


@compiled
def _sides_across(x: np.ndarray, j: int, at: int, count: int, mean: np.ndarray, half: np.ndarray) -> None:
    for v in range(4):
        for i in range(count):
            p = i + at
            x0, x1, x2, x3, x4, x5 = (
                x[v, j, p],
                x[v, j + 1, p],
                x[v, j + 2, p],
                x[v, j + 3, p],
                x[v, j + 4, p],
                x[v, j + 5, p],
            )
            mean[v, i] = (150 / 256) * (x2 + x3) - (25 / 256) * (x1 + x4) + (3 / 256) * (x0 + x5)
            half[v, i] = (30 / 256) * (x3 - x2) - (15 / 256) * (x4 - x1) + (3 / 256) * (x5 - x0)


@compiled
def _flux(
    normal: np.ndarray,
    face: np.ndarray,
    j: int,
    mean: np.ndarray,
    half: np.ndarray,
    out: np.ndarray,
    row: int,
    count: int,
) -> None:
    for i in range(count):
        nx, ny, nz, length, bottom = normal[0, i], normal[1, i], normal[2, i], face[0, j, i], face[1, j, i]
        speed = nx * mean[1, i] + ny * mean[2, i] + nz * mean[3, i]
        jump = nx * half[1, i] + ny * half[2, i] + nz * half[3, i]
        root = math.sqrt((mean[0, i] - bottom) * (1 / GRAVITY))
        through, surface = speed - half[0, i] / root, mean[0, i] - root * jump
        sign = 1.0 if through > 0.0 else -1.0
        mass = (mean[0, i] - sign * half[0, i] - bottom) * through * length
        pressure = 0.5 * GRAVITY * length * surface * (surface - 2 * bottom)
        out[0, row, i] = mass
        out[1, row, i] = (mean[1, i] - sign * half[1, i]) * mass + pressure * nx
        out[2, row, i] = (mean[2, i] - sign * half[2, i]) * mass + pressure * ny
        out[3, row, i] = (mean[3, i] - sign * half[3, i]) * mass + pressure * nz


@compiled
def _inwards(a: float, b: float, c: float, d: float, e: float, f: float) -> float:
    """24 times the derivative at the first cell inside an edge: dynamics.EDGE."""
    return (-14253.0 * a + 10908.0 * b + 6091.0 * c - 3495.0 * d + 774.0 * e - 25.0 * f) * (1 / 649)


@compiled
def _same(vector: np.ndarray, normal: np.ndarray) -> None:
    """One normal for a whole line of faces."""
    for axis in range(3):
        for i in range(normal.shape[1]):
            normal[axis, i] = vector[axis]


@compiled
def _twins(strips: np.ndarray, normals: np.ndarray, faces: np.ndarray, edge: np.ndarray, room: Scratch) -> None:
    """Fluxes through the tile's panel edges as the other panels see them."""
    for side in range(4):
        strip, k = edge[side], strips.shape[3]
        if strip >= 0:
            _sides_across(strips[strip], 0, 0, k, room.mean, room.half)
            _same(normals[strip], room.normal)
            _flux(room.normal, faces[strip], 0, room.mean, room.half, room.twin[side], 0, k)


@compiled
def _average(through: np.ndarray, row: int, twin: np.ndarray) -> None:
    """The mean of both panels' fluxes through a southern or northern edge, (4, rows, k) and (4, 1, k)."""
    for v in range(4):
        for i in range(twin.shape[2]):
            through[v, row, i] = 0.5 * (through[v, row, i] + twin[v, 0, i])


@compiled
def _between_rows(x: np.ndarray, normals: np.ndarray, face: np.ndarray, edge: np.ndarray, room: Scratch) -> None:
    """Fluxes in the second direction, through all faces that the tile's cells read."""
    through, k = room.through_b, room.change.shape[1]
    for j in range(1 if edge[SOUTH] >= 0 else 0, k + 2 if edge[NORTH] >= 0 else k + 3):
        _sides_across(x, j, HALO, k, room.mean, room.half)
        _same(normals[:, j], room.normal)
        _flux(room.normal, face, j, room.mean, room.half, through, j, k)
    if edge[SOUTH] >= 0:
        _average(through, 1, room.twin[SOUTH])
    if edge[NORTH] >= 0:
        _average(through, k + 1, room.twin[NORTH])


@compiled
def _leaves_along(through: np.ndarray, west: bool, east: bool, change: np.ndarray) -> None:
    """24 times what leaves the cells of a row in the first direction; no face beyond a panel's edge is read."""
    k = change.shape[1]
    for v in range(4):
        f = through[v, 0]
        for i in range(k):
            change[v, i] = 27.0 * (f[i + 2] - f[i + 1]) - (f[i + 3] - f[i])
        if west:
            change[v, 0] = _inwards(f[1], f[2], f[3], f[4], f[5], f[6])
        if east:
            change[v, k - 1] = -_inwards(f[k + 1], f[k], f[k - 1], f[k - 2], f[k - 3], f[k - 4])


@compiled
def _leaves_across(f: np.ndarray, j: int, south: bool, north: bool, change: np.ndarray) -> None:
    """The same of row ``j`` in the second direction, added."""
    k = change.shape[1]
    for v in range(4):
        if south and j == 0:
            for i in range(k):
                change[v, i] += _inwards(f[v, 1, i], f[v, 2, i], f[v, 3, i], f[v, 4, i], f[v, 5, i], f[v, 6, i])
        elif north and j == k - 1:
            for i in range(k):
                change[v, i] -= _inwards(
                    f[v, j + 2, i], f[v, j + 1, i], f[v, j, i], f[v, j - 1, i], f[v, j - 2, i], f[v, j - 3, i]
                )
        else:
            for i in range(k):
                change[v, i] += 27.0 * (f[v, j + 2, i] - f[v, j + 1, i]) - (f[v, j + 3, i] - f[v, j, i])


@compiled
def _update(
    x: np.ndarray, j: int, cell: np.ndarray, change: np.ndarray, state: np.ndarray, begin: np.ndarray,
    a: float, b: float, dt: float,
) -> None:  # fmt: skip
    """From what leaves the cells of row ``j`` to their tendencies and the new state."""
    count = change.shape[1]
    for i in range(count):
        eta = x[0, j + HALO, i + HALO]
        inverse, turning = cell[0, j, i], cell[10, j, i]
        rx, ry, rz = cell[7, j, i], cell[8, j, i], cell[9, j, i]
        mx, my, mz = state[1, j, i], state[2, j, i], state[3, j, i]
        weight, middle = GRAVITY * eta, 0.5 * eta
        tx = (weight * (middle * cell[1, j, i] - cell[4, j, i]) - change[1, i]) * inverse - turning * (
            ry * mz - rz * my
        )
        ty = (weight * (middle * cell[2, j, i] - cell[5, j, i]) - change[2, i]) * inverse - turning * (
            rz * mx - rx * mz
        )
        tz = (weight * (middle * cell[3, j, i] - cell[6, j, i]) - change[3, i]) * inverse - turning * (
            rx * my - ry * mx
        )
        upwards = rx * tx + ry * ty + rz * tz
        change[0, i] = -change[0, i] * inverse
        change[1, i] = tx - rx * upwards
        change[2, i] = ty - ry * upwards
        change[3, i] = tz - rz * upwards
    for v in range(4):
        for i in range(count):
            state[v, j, i] = a * begin[v, j, i] + b * (state[v, j, i] + dt * change[v, i])


@compiled
def _rows(
    x: np.ndarray, normal: np.ndarray, face: np.ndarray, edge: np.ndarray, cell: np.ndarray, room: Scratch,
    state: np.ndarray, begin: np.ndarray, a: float, b: float, dt: float,
) -> None:  # fmt: skip
    """Fluxes in the first direction, and the new state, row by row."""
    mean, half, along, across = room.mean, room.half, room.through_a, room.through_b
    change, twin, k = room.change, room.twin, room.change.shape[1]
    west, east, south, north = edge[WEST] >= 0, edge[EAST] >= 0, edge[SOUTH] >= 0, edge[NORTH] >= 0
    for j in range(k):
        # Beyond a panel's edge the faces at both ends have no meaning, and nobody reads them.
        _sides_along(x, j + HALO, k + 3, mean, half)
        _flux(normal, face, j, mean, half, along, 0, k + 3)
        for v in range(4):
            if west:
                along[v, 0, 1] = 0.5 * (along[v, 0, 1] + twin[WEST, v, 0, j])
            if east:
                along[v, 0, k + 1] = 0.5 * (along[v, 0, k + 1] + twin[EAST, v, 0, j])
        _leaves_along(along, west, east, change)
        _leaves_across(across, j, south, north, change)
        _update(x, j, cell, change, state, begin, a, b, dt)


@compiled
def fill(order: np.ndarray, padded: np.ndarray, strips: np.ndarray, tiles: Tiles) -> None:
    """Halos and strips (panel edges, 4, 6, k) of the tiles in ``order``."""
    block, flat = padded.shape[2] * padded.shape[3], padded.reshape(-1)
    strip, flat_strips = strips.shape[2] * strips.shape[3], strips.reshape(-1)
    for tile in order:
        _copy(flat, block, flat, block, tiles.copies, tile)
        _blend(flat, block, flat, block, tiles.ghosts, tile)
        _copy(flat, block, flat_strips, strip, tiles.twin_copies, tile)
        _blend(flat, block, flat_strips, strip, tiles.twins, tile)


@compiled
def advance(
    order: np.ndarray, padded: np.ndarray, strips: np.ndarray, state: np.ndarray, begin: np.ndarray,
    tiles: Tiles, room: Scratch, a: float, b: float, dt: float,
) -> None:  # fmt: skip
    """One stage for the tiles in ``order``, whose halos are filled.

    ``state`` (tiles, 4, k, k) becomes a * ``begin`` + b * (``state`` + ``dt`` * tendency).
    """
    for tile in order:
        edge, x, normal = tiles.edge[tile], padded[tile], tiles.normal_a[tile]
        _twins(strips, tiles.edge_normal, tiles.edge_face, edge, room)
        _between_rows(x, tiles.normal_b[tile], tiles.face_b[tile], edge, room)
        _rows(x, normal, tiles.face_a[tile], edge, tiles.cell[tile], room, state[tile], begin[tile], a, b, dt)

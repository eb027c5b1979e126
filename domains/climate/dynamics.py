"""Shallow water on the cubed sphere, in NumPy: the readable form of the scheme, for whole panels. kernels.py is the fast one.

State (tiles, 4, k, k): depth h (m) and CARTESIAN momentum h u (m2/s), so that no vector is turned between panels. In each stage:

* surface height and velocity at both sides of every face: 5th-order interpolation, biased upwind;
* flux through the face: low-Mach approximate Riemann solver (LMARS, Chen et al., Mon. Wea. Rev. 141 (2013) 2526);
* its difference to the cell: 4th order on staggered points;
* time: SSP-RK3 (Shu and Osher, J. Comput. Phys. 77 (1988) 439).

Mass is exact for two reasons. At a panel's edge both panels use one flux, the mean of those in either panel's coordinates. And
the difference at the first cell inside an edge reads no face beyond it, with coefficients such that the sum over all control
volumes (``grid.EDGE_WEIGHTS``) is the flux through the edges and nothing else. A lake at rest stays so because metric and
bottom slope go through the same difference as the fluxes. There is no filter and no diffusion coefficient.
"""

from dataclasses import dataclass

import numpy as np

from domains.climate.cases import Case
from domains.climate.grid import EAST, GRAVITY, NORTH, SOUTH, WEST, Metric, Tiling, cross, metric
from domains.climate.halo import HALO, Entries, halo

# A stage's new state is a * (state when the step began) + b * (state + dt * tendency).
STAGES = ((0.0, 1.0), (3 / 4, 1 / 4), (1 / 3, 2 / 3))
# 24 times the derivative at the first cell inside a panel's edge, from the edge's face inwards.
EDGE = np.array([-14253.0, 10908.0, 6091.0, -3495.0, 774.0, -25.0]) / 649


@dataclass(frozen=True, eq=False)
class Coefficients:
    """All that the scheme reads and the flow does not change, for tiles of k x k cells.

    ``face_*``: length m/rad and bottom m; ``normal_*``: unit normals, as in ``Metric``. ``cell``: 1 / (24 spacing jacobian), 24 spacing times the divergence of
    the normals (3) and of bottom times normals (3), position (3), Coriolis parameter 1/s.
    """

    normal_a: np.ndarray  # (tiles, 3, 1, k + 3)
    normal_b: np.ndarray  # (tiles, 3, k + 3, 1)
    face_a: np.ndarray  # (tiles, 2, k, k + 3)
    face_b: np.ndarray  # (tiles, 2, k + 3, k)
    cell: np.ndarray  # (tiles, 11, k, k)
    bottom: np.ndarray  # (tiles, k, k), m


def difference(values: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """24 times the difference of face values (tiles, ..., k + 3) to cells (tiles, ..., k).

    ``low`` and ``high`` (tiles,) say where that end is a panel's edge; the faces beyond it are not read.
    """
    found = 27 * (values[..., 2:-1] - values[..., 1:-2]) - (values[..., 3:] - values[..., :-3])
    for at, coefficients, edge, mine in ((0, EDGE, slice(1, 7), low), (-1, -EDGE[::-1], slice(-7, -1), high)):
        found[mine, ..., at] = _weighted(values[mine, ..., edge], coefficients)
    return np.asarray(found)


def _weighted(values: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    # Not a dot product: its order of summing, and with it the bits, depend on the shape.
    total = values[..., 0] * coefficients[0]
    for at in range(1, len(coefficients)):
        total = total + values[..., at] * coefficients[at]
    return np.asarray(total)


def difference_a(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Difference along rows; ``edges`` (tiles, 4) are the sides that are a panel's."""
    return difference(values, edges[:, WEST], edges[:, EAST])


def difference_b(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Difference along columns."""
    return np.swapaxes(difference(np.swapaxes(values, -1, -2), edges[:, SOUTH], edges[:, NORTH]), -1, -2)


def coefficients(tiling: Tiling, tiles: np.ndarray, case: Case, geometry: Metric) -> Coefficients:
    """What the scheme reads for some tiles and a case."""
    edges = np.array([tiling.on_edge(int(tile)) for tile in tiles])
    bottom_a, bottom_b = case.bottom(geometry.face_a), case.bottom(geometry.face_b)
    vector_a = geometry.normal_a * geometry.length_a[:, None]
    vector_b = geometry.normal_b * geometry.length_b[:, None]
    closure = difference_a(vector_a, edges) + difference_b(vector_b, edges)
    slope = difference_a(vector_a * bottom_a[:, None], edges) + difference_b(vector_b * bottom_b[:, None], edges)
    inverse = 1 / (24 * tiling.spacing * geometry.jacobian)
    turning = case.coriolis(geometry.position)
    return Coefficients(
        geometry.normal_a,
        geometry.normal_b,
        np.stack((geometry.length_a, bottom_a), axis=1),
        np.stack((geometry.length_b, bottom_b), axis=1),
        np.concatenate((inverse[:, None], closure, slope, geometry.position, turning[:, None]), axis=1),
        case.bottom(geometry.position),
    )


def face_sides(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and half difference of the upwind-biased values at both sides of faces, from 6 cells: (..., n + 5) -> (..., n)."""
    v0, v1, v2, v3, v4, v5 = (values[..., at : values.shape[-1] - 5 + at] for at in range(6))
    mean = (150 / 256) * (v2 + v3) - (25 / 256) * (v1 + v4) + (3 / 256) * (v0 + v5)
    half = (30 / 256) * (v3 - v2) - (15 / 256) * (v4 - v1) + (3 / 256) * (v5 - v0)
    return mean, half


def flux(mean: np.ndarray, half: np.ndarray, normal: np.ndarray, face: np.ndarray) -> np.ndarray:
    """Flux of mass and momentum (tiles, 4, ...) through faces, times their length per angle."""
    length, bottom = face[:, 0], face[:, 1]
    speed, jump = (normal * mean[:, 1:]).sum(1), (normal * half[:, 1:]).sum(1)
    root = np.sqrt((mean[:, 0] - bottom) * (1 / GRAVITY))  # wave speed / gravity
    through, surface = speed - half[:, 0] / root, mean[:, 0] - root * jump
    upwind = mean - np.where(through > 0, 1.0, -1.0)[:, None] * half
    mass = (upwind[:, 0] - bottom) * through * length
    pressure = 0.5 * GRAVITY * length * surface * (surface - 2 * bottom)
    return np.concatenate((mass[:, None], upwind[:, 1:] * mass[:, None] + pressure[:, None] * normal), axis=1)


class WholeSphere:
    """The six panels at once."""

    def __init__(self, cells: int, case: Case) -> None:
        self.tiling, panels = Tiling(cells), np.arange(6)
        self.metric = metric(self.tiling, panels)
        self.coefficients = coefficients(self.tiling, panels, case, self.metric)
        self.edges = np.ones((6, 4), bool)
        self.start = case.state(self.metric.position)
        self._recipes = [halo(self.tiling, panel) for panel in range(6)]
        self._ghosts = _Made([recipe.ghosts for recipe in self._recipes], cells)
        # Of each side, those of all panels together.
        self._twins = [_Made([recipe.twins[side] for recipe in self._recipes], cells) for side in range(4)]

    def tendency(self, state: np.ndarray) -> np.ndarray:
        """Change of the state (6, 4, n, n) per second."""
        depth, momentum, cell = state[:, :1], state[:, 1:], self.coefficients.cell
        primitive = np.concatenate((depth + self.coefficients.bottom[:, None], momentum * (1 / depth)), axis=1)
        through_a, through_b = self._fluxes(primitive)
        given = difference_a(through_a, self.edges) + difference_b(through_b, self.edges)
        surface, inverse, position, turning = primitive[:, :1], cell[:, :1], cell[:, 7:10], cell[:, 10:]
        gained = GRAVITY * surface * (0.5 * surface * cell[:, 1:4] - cell[:, 4:7])
        force = (gained - given[:, 1:]) * inverse - turning * cross(position, momentum)
        force -= position * (position * force).sum(1, keepdims=True)  # the flow stays on the sphere
        return np.concatenate((-given[:, :1] * inverse, force), axis=1)

    def step(self, state: np.ndarray, dt: float) -> np.ndarray:
        """The state after a step of ``dt`` seconds."""
        now = state
        for a, b in STAGES:
            now = a * state + b * (now + dt * self.tendency(now))
        return now

    def _fluxes(self, primitive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Fluxes (6, 4, n, n + 3) and (6, 4, n + 3, n); those beyond the panels are left zero."""
        n, m = self.tiling.cells, self.tiling.cells + 2 * HALO
        cells = np.ascontiguousarray(np.moveaxis(primitive, 1, 0)).reshape(4, -1)
        padded = np.zeros((6, 4, m, m))
        padded.reshape(6, 4, -1)[self._ghosts.panel, :, self._ghosts.target] = self._ghosts.values(cells).T
        padded[:, :, HALO:-HALO, HALO:-HALO] = primitive
        # Both directions as rows.
        rows = padded[:, :, HALO:-HALO, 1:-1], np.swapaxes(padded[:, :, 1:-1, HALO:-HALO], -1, -2)
        fixed = self.coefficients
        normals = fixed.normal_a, np.swapaxes(fixed.normal_b, -1, -2)
        faces = fixed.face_a, np.swapaxes(fixed.face_b, -1, -2)
        found = [np.zeros((6, 4, n, n + 3)) for _ in rows]
        for direction in range(2):
            inner, face, normal = (part[direction][..., 1:-1] for part in (found, faces, normals))
            inner[:] = flux(*face_sides(rows[direction]), normal, face)
            for end in (0, -1):
                made = self._twins[2 * direction - end]
                strips = np.empty((6, 4, 6 * n))
                strips[made.panel, :, made.target] = made.values(cells).T
                across = np.swapaxes(strips.reshape(6, 4, 6, n), -1, -2)
                twin = flux(*face_sides(across), normal[..., end, None], face[..., end, None])
                inner[..., end] = 0.5 * (inner[..., end] + twin[..., 0])
        return found[0], np.swapaxes(found[1], -1, -2)


class _Made:
    """The entries of all panels in one list."""

    def __init__(self, parts: list[Entries], cells: int) -> None:
        self.panel = np.repeat(np.arange(6), [len(part.target) for part in parts])
        self.target = np.concatenate([part.target for part in parts])
        self.source = np.concatenate([part.tile * cells**2 + part.place for part in parts])
        self.weight = np.concatenate([part.weight for part in parts])

    def values(self, cells: np.ndarray) -> np.ndarray:
        """What is made (4, m) of the cells of all panels (4, 6 n n)."""
        total = cells[:, self.source[:, 0]] * self.weight[:, 0]
        for at in range(1, self.weight.shape[1]):
            total += cells[:, self.source[:, at]] * self.weight[:, at]
        return np.asarray(total)

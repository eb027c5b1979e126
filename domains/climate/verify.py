"""How good a run is: error norms, what must be conserved, vorticity, and how fast the error falls with the resolution."""

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass

import numpy as np

from domains.climate.dynamics import difference_a, difference_b, face_sides
from domains.climate.grid import GRAVITY, Metric, cross, eastward
from domains.climate.halo import HALO
from domains.climate.tiles import TileGroup

# A sound run changes mass by rounding only and energy by 1e-4; one that blows up passes these within a few steps.
MASS_CHANGE, ENERGY_CHANGE = 1e-9, 0.01


@dataclass(frozen=True)
class Norms:
    """Relative errors of a field, weighted with area (Williamson et al. 1992, equations 82 to 84)."""

    l1: float
    l2: float
    greatest: float


def norms(found: np.ndarray, exact: np.ndarray, area: np.ndarray) -> Norms:
    """Errors of a field (tiles, k, k)."""
    error = found - exact
    return Norms(
        float(np.sum(np.abs(error) * area) / np.sum(np.abs(exact) * area)),
        float(np.sqrt(np.sum(error**2 * area) / np.sum(exact**2 * area))),
        float(np.max(np.abs(error)) / np.max(np.abs(exact))),
    )


@dataclass(frozen=True)
class Budget:
    """Sums over the sphere or a part: volume m3, energy per density m5/s2, potential enstrophy m/s2, and the least depth m."""

    mass: float
    energy: float
    enstrophy: float
    least_depth: float

    @property
    def finite(self) -> bool:
        """Whether every number is one."""
        return all(map(math.isfinite, (self.mass, self.energy, self.enstrophy, self.least_depth)))


def budget(group: TileGroup) -> Budget:
    """What a group holds; its halos must be there (``TileGroup.begin`` and messages)."""
    return total(budgets(group))


def budgets(group: TileGroup) -> list[Budget]:
    """What each tile holds. Sums do not depend on the order, so neither do they on who holds the tiles."""
    area, bottom = group.metric.area, group.coefficients.bottom
    depth, momentum = group.state[:, 0], group.state[:, 1:]
    with np.errstate(all="ignore"):  # of a flow that has blown up; the numbers say so
        kinetic = 0.5 * np.sum(momentum * momentum, axis=1) / depth
        energy = kinetic + 0.5 * GRAVITY * depth * (depth + 2 * bottom)
        enstrophy = (vorticity(group) + group.coefficients.cell[:, 10]) ** 2 / (2 * depth)
        held = zip(depth * area, energy * area, enstrophy * area, depth, strict=True)
        return [
            Budget(exact_sum(mass), exact_sum(total), exact_sum(whirl), float(np.min(deep)))
            for mass, total, whirl, deep in held
        ]


def total(parts: Iterable[Budget]) -> Budget:
    """What parts hold together, rounded once."""
    mass, energy, enstrophy, depth = np.array([astuple(part) for part in parts]).T
    return Budget(exact_sum(mass), exact_sum(energy), exact_sum(enstrophy), float(np.min(depth)))


def exact_sum(values: np.ndarray) -> float:
    """The sum of values of any shape, rounded once; not a number where one of them is none."""
    if not np.isfinite(values).all():
        return math.nan
    return math.fsum(values.ravel().tolist())


def health(start: Budget, now: Budget) -> str:
    """Why a run cannot go on, or nothing. For whole spheres, between chunks."""
    if not now.finite:
        return "a value is not a number: the flow has blown up"
    if now.least_depth <= 0:
        return f"the least depth is {now.least_depth:.3g} m: the flow has blown up"
    if abs(now.mass / start.mass - 1) > MASS_CHANGE:
        return f"mass changed by {now.mass / start.mass - 1:.1e}"
    if abs(now.energy / start.energy - 1) > ENERGY_CHANGE:
        return f"energy changed by {now.energy / start.energy - 1:.1e}: the flow is blowing up"
    return ""


def courant_per_second(state: np.ndarray, geometry: Metric, spacing: float) -> float:
    """The greatest Courant number of a step of one second: wind and the fastest wave, in two dimensions."""
    depth = state[:, 0]
    velocity = state[:, 1:] / depth[:, None]
    a, b = geometry.length_a[..., 1:-2], geometry.length_b[:, 1:-2]
    wind_a = np.abs(np.sum(geometry.normal_a[..., 1:-2] * velocity, axis=1)) * a
    wind_b = np.abs(np.sum(geometry.normal_b[:, :, 1:-2] * velocity, axis=1)) * b
    rate = wind_a + wind_b + np.sqrt(GRAVITY * depth * (a * a + b * b))
    return float(np.max(rate / geometry.jacobian) / spacing)


def vorticity(group: TileGroup) -> np.ndarray:
    """Relative vorticity (tiles, k, k), 1/s: circulation around cells; the halos must be there."""
    geometry, fixed, edges = group.metric, group.coefficients, group.edges
    padded = group.padded()[:, 1:]
    rows = padded[:, :, HALO:-HALO]
    columns = np.swapaxes(padded[:, :, :, HALO:-HALO], -1, -2)
    speed_a, speed_b = face_sides(rows)[0], np.swapaxes(face_sides(columns)[0], -1, -2)
    around_a = np.sum(speed_a * cross(geometry.face_a, geometry.normal_a), axis=1) * geometry.length_a
    around_b = np.sum(speed_b * cross(geometry.face_b, geometry.normal_b), axis=1) * geometry.length_b
    return np.asarray((difference_a(around_a, edges) + difference_b(around_b, edges)) * fixed.cell[:, 0])


def wind(group: TileGroup) -> tuple[np.ndarray, np.ndarray]:
    """Eastward and northward velocity (tiles, k, k), m/s."""
    velocity, position = group.state[:, 1:] / group.state[:, :1], group.metric.position
    east = eastward(position)
    return np.sum(velocity * east, axis=1), np.sum(velocity * cross(position, east), axis=1)


def orders(cells: Sequence[int], errors: Sequence[float]) -> list[float]:
    """The order of convergence between each resolution and the next."""
    pairs = list(zip(cells, errors, strict=True))
    return [math.log(coarse / fine) / math.log(many / few) for (few, coarse), (many, fine) in itertools.pairwise(pairs)]

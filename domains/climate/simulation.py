"""What a group of tiles tells of itself at a time: sums of every tile, and the fields that are kept.

Everything is told tile by tile, so that no bit depends on which group holds which tiles.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from domains.climate.dynamics import difference_a, difference_b, face_sides
from domains.climate.halo import HALO
from domains.climate.tiles import TileGroup
from domains.climate.verify import Budget, Norms, budgets, exact_sum, vorticity, wind


class Field(NamedTuple):
    """A field that is kept: its name in CF, what it is, its unit."""

    standard_name: str
    title: str
    title_zh: str
    unit: str


FIELDS: Mapping[str, Field] = {
    "zg": Field("geopotential_height", "height of the free surface", "自由面高度", "m"),
    "vo": Field("atmosphere_relative_vorticity", "relative vorticity", "相对涡度", "s-1"),
    "div": Field("divergence_of_wind", "divergence", "散度", "s-1"),
    "ua": Field("eastward_wind", "eastward wind", "东向风", "m s-1"),
    "va": Field("northward_wind", "northward wind", "北向风", "m s-1"),
}
# Of a tile at a time. Errors are of depth against the exact solution, where it is known: their sums and the solution's.
BUDGET = ("mass", "energy", "enstrophy", "least_depth")
ERRORS = ("error_1", "error_2", "error_most", "exact_1", "exact_2", "exact_most")
SUMS = (*BUDGET, "fastest", *ERRORS)


def sums(group: TileGroup) -> list[dict[str, float | None]]:
    """SUMS of each tile; the halos must be there."""
    depth, area = group.state[:, 0], group.metric.area
    errors: Sequence[Mapping[str, float]] = [{}] * len(group.tiles)
    with np.errstate(all="ignore"):  # of a flow that has blown up
        fastest = np.sqrt(np.sum((group.state[:, 1:] / depth[:, None]) ** 2, axis=1)).max(axis=(1, 2))
        if group.case.steady:
            exact = group.case.state(group.metric.position)[:, 0]
            errors = [_errors(*tile) for tile in zip(depth - exact, exact, area, strict=True)]
    told = zip(budgets(group), fastest.tolist(), errors, strict=True)
    return [
        {**dict.fromkeys(SUMS), **dict(zip(BUDGET, _numbers(budget), strict=True)), "fastest": speed, **error}
        for budget, speed, error in told
    ]


def _numbers(budget: Budget) -> tuple[float, ...]:
    return budget.mass, budget.energy, budget.enstrophy, budget.least_depth


def _errors(error: np.ndarray, exact: np.ndarray, area: np.ndarray) -> dict[str, float]:
    return {
        f"{name}_{power}": value
        for name, field in (("error", error), ("exact", exact))
        for power, value in (
            ("1", exact_sum(np.abs(field) * area)),
            ("2", exact_sum(field**2 * area)),
            ("most", float(np.max(np.abs(field)))),
        )
    }


class Whole(NamedTuple):
    """What the sphere holds at a time; norms where the exact solution is known."""

    budget: Budget
    fastest: float  # m/s
    norms: Norms | None


def whole(tiles: Iterable[Mapping[str, Any]]) -> Whole:
    """Sums of all tiles taken together; their order does not matter."""
    rows = list(tiles)

    def added(name: str) -> float:
        return exact_sum(np.array([row[name] for row in rows]))

    budget = Budget(added("mass"), added("energy"), added("enstrophy"), min(row["least_depth"] for row in rows))
    norms = None
    if rows[0]["error_1"] is not None:
        most = max(row["error_most"] for row in rows) / max(row["exact_most"] for row in rows)
        norms = Norms(added("error_1") / added("exact_1"), math.sqrt(added("error_2") / added("exact_2")), most)
    return Whole(budget, max(row["fastest"] for row in rows), norms)


def fields(group: TileGroup) -> dict[str, np.ndarray]:
    """FIELDS (tiles, k, k) in single precision; the halos must be there."""
    east, north = wind(group)
    found = {
        "zg": group.state[:, 0] + group.coefficients.bottom,
        "vo": vorticity(group),
        "div": divergence(group),
        "ua": east,
        "va": north,
    }
    return {name: values.astype("f4") for name, values in found.items()}


def divergence(group: TileGroup) -> np.ndarray:
    """Divergence of velocity (tiles, k, k), 1/s: what leaves cells through their faces; the halos must be there."""
    geometry, edges = group.metric, group.edges
    padded = group.padded()[:, 1:]
    columns = np.swapaxes(padded[:, :, :, HALO:-HALO], -1, -2)
    speed_a, speed_b = face_sides(padded[:, :, HALO:-HALO])[0], np.swapaxes(face_sides(columns)[0], -1, -2)
    through_a = np.sum(speed_a * geometry.normal_a, axis=1) * geometry.length_a
    through_b = np.sum(speed_b * geometry.normal_b, axis=1) * geometry.length_b
    return np.asarray((difference_a(through_a, edges) + difference_b(through_b, edges)) * group.coefficients.cell[:, 0])

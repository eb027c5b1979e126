"""Standard test flows: what they are at the start, and how they are known to go on.

Cases 2, 5 and 6 are of Williamson et al., J. Comput. Phys. 102 (1992) 211; the unstable jet of Galewsky, Scott and Polvani,
Tellus 56A (2004) 429. Positions are unit vectors (tiles, 3, ...), heights in m, velocities in m/s, Cartesian.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np

from domains.climate.grid import GRAVITY, RADIUS, ROTATION, cross, eastward, longitude_latitude
from domains.errors import InvalidRequest, closest

DAY = 86400.0  # s

Field = Callable[[np.ndarray], np.ndarray]
Axis = tuple[float, float, float]
POLAR = (0.0, 0.0, 1.0)


def flat(position: np.ndarray) -> np.ndarray:
    """A bottom without mountains."""
    return np.zeros_like(position[:, 0])


@dataclass(frozen=True, eq=False)
class Case:
    """A flow at the start: surface height and velocity over a bottom, on a planet that turns about ``axis``."""

    name: str
    days: float  # the length of the standard run
    surface: Field
    velocity: Field
    bottom: Field = flat
    axis: Axis = POLAR
    steady: bool = False  # the solution at any time is the start

    def coriolis(self, position: np.ndarray) -> np.ndarray:
        """The Coriolis parameter, 1/s."""
        return 2 * ROTATION * along(self.axis, position)

    def state(self, position: np.ndarray) -> np.ndarray:
        """Depth and Cartesian momentum (tiles, 4, ...)."""
        depth = self.surface(position) - self.bottom(position)
        return np.concatenate((depth[:, None], depth[:, None] * self.velocity(position)), axis=1)


def along(axis: Axis, position: np.ndarray) -> np.ndarray:
    """Distance from the equator of an axis, in radii."""
    return np.asarray(axis[0] * position[:, 0] + axis[1] * position[:, 1] + axis[2] * position[:, 2])


def _turning(position: np.ndarray, axis: Axis, speed: float) -> np.ndarray:
    return speed * cross(np.broadcast_to(np.array(axis)[:, None, None], position.shape), position)


def _balanced(position: np.ndarray, axis: Axis, speed: float, height: float) -> np.ndarray:
    slope = (RADIUS * ROTATION * speed + speed**2 / 2) / GRAVITY
    return np.asarray(height - slope * along(axis, position) ** 2)


def steady_flow(angle: float = 45.0) -> Case:
    """Case 2: a steady zonal flow, planet and flow tilted by ``angle`` degrees against the grid."""
    tilt = np.deg2rad(angle)
    axis, speed = (-float(np.sin(tilt)), 0.0, float(np.cos(tilt))), 2 * np.pi * RADIUS / (12 * DAY)
    return Case(
        f"williamson-2-{angle:g}",
        5,
        partial(_balanced, axis=axis, speed=speed, height=2.94e4 / GRAVITY),
        partial(_turning, axis=axis, speed=speed),
        axis=axis,
        steady=True,
    )


def mountain(position: np.ndarray) -> np.ndarray:
    """The cone of case 5: 2,000 m high, 20 degrees around 90 W 30 N."""
    longitude, latitude = longitude_latitude(position)
    radius = np.pi / 9
    # Williamson's formula has no period: the difference in longitude is taken the short way.
    east = np.mod(longitude + np.pi / 2 + np.pi, 2 * np.pi) - np.pi
    away = np.sqrt(np.minimum(radius**2, east**2 + (latitude - np.pi / 6) ** 2))
    return np.asarray(2000 * (1 - away / radius))


def flow_over_mountain() -> Case:
    """Case 5: a zonal flow meets a mountain."""
    surface = partial(_balanced, axis=POLAR, speed=20.0, height=5960.0)
    return Case("williamson-5", 15, surface, partial(_turning, axis=POLAR, speed=20.0), mountain)


def rest() -> Case:
    """A lake at rest over the mountain of case 5: nothing may move."""
    return Case("rest", 15, _level, np.zeros_like, mountain, steady=True)


def _level(position: np.ndarray) -> np.ndarray:
    return np.full_like(position[:, 0], 5960.0)


WAVE, WAVES, WAVE_DEPTH = 7.848e-6, 4, 8000.0  # angular speed 1/s, zonal number, least depth m


def _wave_surface(position: np.ndarray) -> np.ndarray:
    longitude, latitude = longitude_latitude(position)
    c2, n, w = np.cos(latitude) ** 2, WAVES, WAVE
    constant = w / 2 * (2 * ROTATION + w) * c2 + w**2 / 4 * (
        (n + 1) * c2 ** (n + 1) + (2 * n**2 - n - 2) * c2**n - 2 * n**2 * c2 ** (n - 1)
    )
    once = 2 * (ROTATION + w) * w / ((n + 1) * (n + 2)) * c2 ** (n // 2) * (n**2 + 2 * n + 2 - (n + 1) ** 2 * c2)
    twice = w**2 / 4 * c2**n * ((n + 1) * c2 - (n + 2))
    wave = constant + once * np.cos(n * longitude) + twice * np.cos(2 * n * longitude)
    return np.asarray(WAVE_DEPTH + RADIUS**2 / GRAVITY * wave)


def _wave_velocity(position: np.ndarray) -> np.ndarray:
    longitude, latitude = longitude_latitude(position)
    c, s, n = np.cos(latitude), np.sin(latitude), WAVES
    east = RADIUS * WAVE * (c + c ** (n - 1) * (n * s**2 - c**2) * np.cos(n * longitude))
    north = -RADIUS * WAVE * n * c ** (n - 1) * s * np.sin(n * longitude)
    unit = eastward(position)
    return np.asarray(east[:, None] * unit + north[:, None] * cross(position, unit))


def rossby_haurwitz() -> Case:
    """Case 6: a wave of zonal number 4 that travels east without changing much for about two weeks."""
    return Case("williamson-6", 14, _wave_surface, _wave_velocity)


JET_SOUTH, JET_NORTH, JET_SPEED = np.pi / 7, np.pi / 2 - np.pi / 7, 80.0  # rad, rad, m/s


def _jet(latitude: np.ndarray) -> np.ndarray:
    inside = (latitude > JET_SOUTH) & (latitude < JET_NORTH)
    product = np.where(inside, (latitude - JET_SOUTH) * (latitude - JET_NORTH), -1.0)
    highest = np.exp(-4 / (JET_NORTH - JET_SOUTH) ** 2)
    return np.where(inside, JET_SPEED / highest * np.exp(1 / product), 0.0)


@cache
def _jet_height() -> Any:
    """Height in balance with the jet as a function of latitude, m; 10 km on average over the sphere."""
    # Here: only this case needs splines.
    from scipy.interpolate import CubicSpline

    latitude = np.linspace(-np.pi / 2, np.pi / 2, 20001)
    speed = _jet(latitude)
    slope = speed * (2 * RADIUS * ROTATION * np.sin(latitude) + np.tan(latitude) * speed)
    height = CubicSpline(latitude, slope).antiderivative()
    drop = height(latitude) / GRAVITY
    mean = CubicSpline(latitude, drop * np.cos(latitude)).integrate(-np.pi / 2, np.pi / 2) / 2
    return CubicSpline(latitude, 10000.0 + mean - drop)


def _jet_surface(position: np.ndarray) -> np.ndarray:
    longitude, latitude = longitude_latitude(position)
    bump = np.exp(-((3 * longitude) ** 2) - 15 * (np.pi / 4 - latitude) ** 2)
    return np.asarray(_jet_height()(latitude) + 120 * np.cos(latitude) * bump)


def _jet_velocity(position: np.ndarray) -> np.ndarray:
    _, latitude = longitude_latitude(position)
    return np.asarray(_jet(latitude)[:, None] * eastward(position))


def unstable_jet() -> Case:
    """Galewsky's jet: a small bump makes it break up into eddies within six days."""
    return Case("galewsky", 6, _jet_surface, _jet_velocity)


CASES: Mapping[str, Callable[[], Case]] = {
    "williamson-2": steady_flow,
    "williamson-5": flow_over_mountain,
    "williamson-6": rossby_haurwitz,
    "galewsky": unstable_jet,
    "rest": rest,
}


def case(name: str) -> Case:
    """A standard case by its name."""
    if name not in CASES:
        near = closest(name, CASES)
        raise InvalidRequest("case", name, "unknown" + (f"; near: {', '.join(near)}" if near else ""), ", ".join(CASES))
    return CASES[name]()

"""The diffusive energy-balance model: zonal-mean temperature over the sine of latitude, all members of an ensemble at once.

    C  dT/dt  = S(x) (1 - a(x, T)) - A - B (T - T0) + D d/dx((1 - x²) dT/dx) - g (T - Td) + F
    Cd dTd/dt = g (T - Td)

North, J. Atmos. Sci. 32, 2033 (1975) for diffusion and ice albedo; Geoffroy et al., J. Climate 26, 1841 (2013) for the deep
ocean. Bands have equal areas. Members differ in D but not in the operator, so one set of its eigenvectors serves them all:
what is linear is then solved exactly or implicitly, mode by mode. Temperatures are in °C, times in years.
"""

from dataclasses import dataclass, fields
from functools import cache
from typing import Self

import numpy as np
from scipy.linalg import eigh_tridiagonal

SUN = 1361.0 / 4  # W/m², mean over the sphere: Kopp and Lean, Geophys. Res. Lett. 38, L01706 (2011)
SUN_P2 = -0.48  # of the annual mean: North (1975)
ALBEDO_P2 = 0.078  # of an ice-free planet; as in climlab
PRESENT = 14.0  # °C, the global mean that emission is expanded about: mean of the 20th century, NOAA
# °C on either side of its ice temperature in which a band freezes over: a sharp edge would move in jumps of a band.
FREEZING = 10.0
BANDS, STEPS = 90, 4  # bands from pole to pole, steps a year
SETTLED, MOST_ITERATIONS = 1e-11, 1_000  # K
# Members solved together. Smaller groups are filled up: a member has the same bits in any company. Larger ones are slower in
# Dask's workers, which give memory back to the system at once: at 256 two thirds of the time went into page faults.
TOGETHER = 64
TRANSIENT = slice(60, 80)  # years whose mean is the transient response


@dataclass(frozen=True, eq=False)
class Parameters:
    """One value a member, each (m,)."""

    feedback: np.ndarray  # B, W/m²/K
    forcing: np.ndarray  # F of twice the CO2, W/m²
    diffusion: np.ndarray  # D, W/m²/K
    outgoing: np.ndarray  # A, W/m² at PRESENT
    albedo: np.ndarray  # mean of an ice-free planet
    ice_albedo: np.ndarray
    ice_temperature: np.ndarray  # °C, of a band that is half frozen
    mixed_layer: np.ndarray  # C, W yr/m²/K
    deep_ocean: np.ndarray  # Cd, W yr/m²/K
    exchange: np.ndarray  # g, W/m²/K

    def __len__(self) -> int:
        return len(self.feedback)

    def block(self, start: int) -> Self:
        """TOGETHER members from ``start`` on, as columns; the last is repeated where there are fewer."""
        at = np.minimum(np.arange(start, start + TOGETHER), len(self) - 1)
        return type(self)(*(getattr(self, field.name)[at, None] for field in fields(self)))


@dataclass(frozen=True, eq=False)
class Bands:
    """Bands of equal area: sines of their middles (n,), sunlight (n,), the second Legendre polynomial (n,), and diffusion's
    modes as columns (n, n) with their eigenvalues (n,), the mean first."""

    sine: np.ndarray
    sun: np.ndarray
    p2: np.ndarray
    modes: np.ndarray
    rates: np.ndarray

    @property
    def latitude(self) -> np.ndarray:
        """Degrees north."""
        return np.asarray(np.degrees(np.arcsin(self.sine)))


@cache
def bands(count: int = BANDS) -> Bands:
    """The sphere cut into so many bands."""
    edges = np.linspace(-1, 1, count + 1)
    sine, width = (edges[1:] + edges[:-1]) / 2, 2 / count
    through = (1 - edges**2) / width**2
    rates, modes = eigh_tridiagonal(through[1:] + through[:-1], -through[1:-1])
    rates[0], modes[:, 0] = 0.0, count**-0.5  # exact, so that diffusion cannot change the mean
    p2 = _band_means(2, edges)
    return Bands(sine, SUN * (1 + SUN_P2 * p2), p2, modes, rates)


def _band_means(degree: int, edges: np.ndarray) -> np.ndarray:
    """Means of a Legendre polynomial over bands."""
    whole = np.polynomial.Legendre.basis(degree).integ()
    return np.asarray(np.diff(whole(edges)) / np.diff(edges))


def absorbed(sphere: Bands, p: Parameters, temperature: np.ndarray | None) -> np.ndarray:
    """Sunlight taken up, W/m² (m, n), at temperatures (m, n); ice-free where there are none."""
    free = p.albedo + ALBEDO_P2 * sphere.p2
    if temperature is None:
        return np.asarray(sphere.sun * (1 - free))
    warmth = np.clip((temperature - p.ice_temperature) / (2 * FREEZING) + 0.5, 0.0, 1.0)
    thawed = warmth * warmth * (3 - 2 * warmth)
    return np.asarray(sphere.sun * (1 - p.ice_albedo + thawed * (p.ice_albedo - free)))


def equilibrium(
    sphere: Bands, p: Parameters, forcing: np.ndarray, start: np.ndarray | None, ice: bool
) -> tuple[np.ndarray, np.ndarray]:
    """The steady climate under a forcing (m, 1): temperatures (m, n), and which members found one (m,).

    With the absorption of the last guess the rest is linear. More warmth never absorbs less, so the guesses go one way: down
    from the ice-free climate, which has no ``start``, to the warmest steady one; up from ``start`` to the next warmer one.
    """
    resistance = p.feedback + p.diffusion * sphere.rates

    def balanced(sunlight: np.ndarray) -> np.ndarray:
        surplus = (sunlight - p.outgoing + forcing) @ sphere.modes
        return np.asarray(PRESENT + surplus / resistance @ sphere.modes.T)

    temperature = balanced(absorbed(sphere, p, None)) if start is None or not ice else start
    settled = np.full(len(temperature), not ice)
    for _ in range(MOST_ITERATIONS):
        if settled.all():
            break
        guess = balanced(absorbed(sphere, p, temperature))
        change = np.abs(guess - temperature).max(axis=1)
        temperature = np.where(settled[:, None], temperature, guess)
        settled |= (change < SETTLED) | ~np.isfinite(change)
    return temperature, settled


def transient(
    sphere: Bands, p: Parameters, control: np.ndarray, forcing: np.ndarray, ice: bool, steps: int = STEPS
) -> np.ndarray:
    """Warming of the global mean, K, as yearly means (m, years), from a steady ``control`` (m, n).

    ``forcing`` (years * steps,): at the end of each step, in units of twice the CO2. Sunlight is of the step's start, all
    else of its end.
    """
    dt = 1 / steps
    memory = p.deep_ocean / (p.deep_ocean + dt * p.exchange)
    inertia = p.mixed_layer / dt
    resistance = inertia + p.feedback + p.exchange * memory + p.diffusion * sphere.rates
    modes = start = (control - PRESENT) @ sphere.modes
    deep, sunlight = modes, absorbed(sphere, p, control if ice else None)
    means = np.empty((len(control), len(forcing)))
    for step, level in enumerate(forcing):
        if ice and step:
            sunlight = absorbed(sphere, p, PRESENT + modes @ sphere.modes.T)
        surplus = (sunlight - p.outgoing + level * p.forcing) @ sphere.modes
        modes = (inertia * modes + p.exchange * memory * deep + surplus) / resistance
        deep = memory * deep + (1 - memory) * modes
        means[:, step] = modes[:, 0] - start[:, 0]
    yearly = means.reshape(len(means), -1, steps).mean(axis=2)
    return np.asarray(yearly * len(sphere.sine) ** -0.5)


def imbalance(sphere: Bands, p: Parameters, forcing: np.ndarray, temperature: np.ndarray, ice: bool) -> np.ndarray:
    """Global mean of what comes in less what goes out at the top, W/m² (m,)."""
    comes = absorbed(sphere, p, temperature if ice else None) + forcing
    return np.asarray((comes - p.outgoing - p.feedback * (temperature - PRESENT)).mean(axis=1))


def legendre_solution(p: Parameters, sine: np.ndarray) -> np.ndarray:
    """North's steady climate without ice, °C (m, n): each polynomial of the absorbed sunlight over its own resistance."""
    polynomial = np.polynomial.Legendre
    climates = []
    for member in range(len(p)):
        coalbedo = polynomial([1 - p.albedo[member], 0, -ALBEDO_P2])
        sunlight = (SUN * polynomial([1, 0, SUN_P2]) * coalbedo).coef
        degree = np.arange(len(sunlight))
        sunlight[0] -= p.outgoing[member]
        resistance = p.feedback[member] + p.diffusion[member] * degree * (degree + 1)
        climates.append(PRESENT + polynomial(sunlight / resistance)(sine))
    return np.array(climates)

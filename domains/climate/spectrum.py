"""Kinetic energy by total wave number: spherical harmonics of vorticity and divergence on a Gaussian grid."""

from collections.abc import Iterator

import numpy as np

from domains.climate import sampling
from domains.climate.grid import RADIUS


def kinetic_energy(vorticity: np.ndarray, divergence: np.ndarray) -> np.ndarray:
    """Mean kinetic energy per mass, m2/s2, of wave numbers 1 to n (n,), of fields (6, n, n) in 1/s.

    A wave of the last number is four cells long. Energy of a wave number l is a^2 / (2 l (l + 1)) times the mean squares of its
    vorticity and divergence (Boer and Shepherd, J. Atmos. Sci. 40 (1983) 164).
    """
    most = vorticity.shape[-1]
    sine, weight = np.polynomial.legendre.leggauss(most + 1)
    longitude = np.arange(2 * most + 2) * np.pi / (most + 1)
    points = sampling.at(most, longitude[None, :], np.arcsin(sine)[:, None])
    # (fields, latitudes, zonal wave numbers), of which each but the first stands for itself and its conjugate.
    waves = np.fft.rfft(np.stack([points(field) for field in (vorticity, divergence)]), axis=2) / len(longitude)
    square = np.zeros(most + 1)
    for m, functions in enumerate(legendre(most, sine)):
        amplitudes = 0.5 * (waves[:, :, m] * weight) @ functions.T
        square[m:] += (1 if m == 0 else 2) * np.sum(np.abs(amplitudes) ** 2, axis=0)
    number = np.arange(1, most + 1)
    return np.asarray(RADIUS**2 / (2 * number * (number + 1)) * square[1:])


def legendre(most: int, sine: np.ndarray) -> Iterator[np.ndarray]:
    """For m = 0, 1, ... the associated functions of degree m to ``most`` at sines of latitude: (most - m + 1, latitudes).

    Their squares have the mean 1 over the sphere; the recurrence is stable in this order.
    """
    cosine, first = np.sqrt(1 - sine**2), np.ones_like(sine)
    for m in range(most + 1):
        if m:
            first = first * cosine * np.sqrt((2 * m + 1) / (2 * m))
        found = np.empty((most - m + 1, len(sine)))
        found[0] = first
        for n in range(m + 1, most + 1):
            a = np.sqrt((4 * n * n - 1) / (n * n - m * m))
            found[n - m] = a * sine * found[n - m - 1]
            if n > m + 1:
                before = (4 * (n - 1) ** 2 - 1) / ((n - 1) ** 2 - m * m)
                found[n - m] -= a / np.sqrt(before) * found[n - m - 2]
        yield found

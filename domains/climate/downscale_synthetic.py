"""Made-up data to show a downscaling with: fine "observations" over a mountain range, and a coarse "model" that is wrong in known ways.

Nothing of it was measured or simulated. The model does not see the mountains, is too warm and too variable, and its seasons are too
weak; its weather is its own.
"""

import numpy as np
import xarray as xr

from domains.climate.regrid import LatLon, between

YEARS, FIRST = 20, 1991
LAT, LON = (36.0, 46.0), (2.0, 16.0)
FINE, COARSE = 0.5, 2.0  # degrees
LAPSE = 6.5e-3  # K/m
TREND = 0.03  # K a year
MODES, MEMORY = 8, 0.6  # smooth patterns of weather, and how much of a day's stays for the next
NOISE = 0.8  # K, of each fine cell on its own


def made_up(seed: int) -> tuple[xr.DataArray, xr.DataArray]:
    """The model and the observations (time, lat, lon), K."""
    rng = np.random.default_rng(seed)
    fine = _grid(LAT, LON, FINE)
    wide = _grid((LAT[0] - COARSE, LAT[1] + COARSE), (LON[0] - COARSE, LON[1] + COARSE), FINE)
    coarse = _grid((LAT[0] - COARSE, LAT[1] + COARSE), (LON[0] - COARSE, LON[1] + COARSE), COARSE)
    time = xr.date_range(f"{FIRST}-01-01", periods=YEARS * 365, calendar="noleap", use_cftime=True)
    season = -np.cos(2 * np.pi * (np.arange(len(time)) % 365 - 20) / 365)
    warming = TREND * np.arange(len(time)) / 365

    observed = _climate(fine, season, warming, 10.0, LAPSE) + _weather(fine, len(time), 2.5, rng)
    observed += NOISE * rng.normal(size=observed.shape).astype(np.float32)
    simulated = _climate(wide, season, warming, 7.0, 0.0) + _weather(wide, len(time), 4.5, rng) + np.float32(1.5)
    return (
        _array(between(wide, coarse)(simulated).astype(np.float32), time, coarse),
        _array(observed, time, fine),
    )


def _grid(lat: tuple[float, float], lon: tuple[float, float], step: float) -> LatLon:
    return LatLon(np.arange(lat[0], lat[1] + step / 2, step), np.arange(lon[0], lon[1] + step / 2, step))


def elevation(lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """A made-up mountain range, m (n, m)."""
    ridge = np.exp(-(((lat[:, None] - 42 - 0.15 * (lon - 9)) / 1.2) ** 2)) * np.exp(-(((lon - 9) / 5) ** 2))
    return np.asarray(2500 * ridge * (1 + 0.3 * np.sin(2.5 * lon) * np.cos(3.1 * lat[:, None])))


def _climate(grid: LatLon, season: np.ndarray, warming: np.ndarray, amplitude: float, lapse: float) -> np.ndarray:
    lat, lon = grid.centres
    mean = 288 - 0.7 * (lat[:, None] - 41) - lapse * elevation(lat, lon)
    return np.asarray(mean + (amplitude * season + warming)[:, None, None], np.float32)


def _weather(grid: LatLon, days: int, spread: float, rng: np.random.Generator) -> np.ndarray:
    """Smooth patterns that each remember the day before; cold spells are deeper than warm ones."""
    lat, lon = grid.centres
    wave = rng.normal(size=(MODES, 2)) * 0.25
    phase = rng.uniform(0, 2 * np.pi, MODES)
    patterns = np.cos(wave[:, :1, None] * lat[:, None] + wave[:, 1:, None] * lon + phase[:, None, None])
    series = rng.normal(size=(days, MODES)) * np.sqrt(1 - MEMORY**2)
    for day in range(1, days):
        series[day] += MEMORY * series[day - 1]
    field = np.tensordot(series, patterns, 1) * np.sqrt(2 / MODES)
    return np.asarray(spread * (field - 0.15 * (field**2 - 1)), np.float32)


def _array(values: np.ndarray, time: xr.CFTimeIndex, grid: LatLon) -> xr.DataArray:
    lat, lon = grid.centres
    coords = {
        "time": time,
        "lat": ("lat", lat, {"standard_name": "latitude", "units": "degrees_north"}),
        "lon": ("lon", lon, {"standard_name": "longitude", "units": "degrees_east"}),
    }
    attributes = {"standard_name": "air_temperature", "units": "K", "comment": "synthetic: made up for demonstration"}
    return xr.DataArray(values, coords, ("time", "lat", "lon"), "tas", attributes)

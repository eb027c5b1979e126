"""Figures of a general circulation model's climate, as SVG text."""

import numpy as np
import xarray as xr

from domains.climate.ensemble_figures import COOL, GREY, WARM
from domains.climate.gcm import global_mean
from domains.figures import as_svg, figure

SECONDS = 86400.0


def series(data: xr.Dataset) -> str:
    """Global means by day: radiation at the top with what remains of it, and precipitation."""
    day = np.arange(data.sizes["time"]) + 0.5
    longwave, sunlight = global_mean(data["rlut"]), global_mean(data["rsnt"])
    with figure(9.2, 4.6) as made:
        top, middle, bottom = made.subplots(3, 1, sharex=True, height_ratios=[2, 1.3, 1.3])
        top.plot(day, longwave, color=WARM, label="outgoing longwave")
        top.plot(day, sunlight, color=COOL, label="absorbed sunlight")
        top.set_ylabel("W m⁻²")
        top.legend(frameon=False, fontsize=8, ncols=2)
        middle.plot(day, sunlight - longwave, color=GREY)
        middle.axhline(0, color="black", linewidth=0.5)
        middle.set_ylabel("net at the top,\nW m⁻²")
        bottom.plot(day, global_mean(data["pr"]) * SECONDS, color=COOL)
        bottom.set_ylabel("precipitation,\nmm day⁻¹")
        bottom.set_xlabel("day")
        return as_svg(made)


def zonal(data: xr.Dataset) -> str:
    """Means over time and longitude: wind and temperature over latitude and height, precipitation by latitude."""
    mean = data.mean("time")
    with figure(9.2, 3.2) as made:
        wind, temperature, rain = made.subplots(1, 3)
        for axes, name, levels, colours, title in (
            (wind, "ua", np.arange(-40, 41, 5), "RdBu_r", "zonal wind, m s⁻¹"),
            (temperature, "ta", np.arange(190, 311, 10), "Spectral_r", "temperature, K"),
        ):
            drawn = axes.contourf(
                mean["lat"], mean["lev"], mean[name].transpose("lev", "lat"), levels=levels, cmap=colours, extend="both"
            )
            axes.set_ylim(1, float(mean["lev"].min()))
            axes.set_title(title, fontsize=9)
            axes.set_xticks(range(-60, 61, 30))
            made.colorbar(drawn, ax=axes, orientation="horizontal", shrink=0.9, ticks=levels[::2])
        wind.set_ylabel("sigma")
        rain.plot(mean["lat"], mean["pr"].mean("lon") * SECONDS, color=COOL)
        rain.set_title("precipitation, mm day⁻¹", fontsize=9)
        rain.set_ylim(bottom=0)
        rain.set_xticks(range(-60, 61, 30))
        for axes in (wind, temperature, rain):
            axes.set_xlabel("latitude")
        return as_svg(made)

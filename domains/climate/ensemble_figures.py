"""Figures of an ensemble of climates, as SVG text."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from domains.climate.ensemble import LEVELS, quantiles
from domains.figures import as_svg, figure

WARM, COOL, GREY = "#c4512d", "#2f6f9f", "#8a8f98"
# IPCC AR6 WG1 section 7.5.5: equilibrium sensitivity, and transient response, K: very likely range and best estimate.
ASSESSED = {"ecs": (2.0, 5.0, 3.0), "tcr": (1.2, 2.4, 1.8)}
MOST_SHOWN = 10.0  # K; the few members beyond stand in the last bin
MEDIAN = LEVELS.index(0.5)


def sensitivities(found: Mapping[str, np.ndarray]) -> str:
    """Histograms of sensitivities (K), by their name in ASSESSED, with the assessed ranges above."""
    with figure(9.2, 3.1) as made:
        all_axes = made.subplots(1, len(found), squeeze=False)[0]
        for axes, (name, values) in zip(all_axes, found.items(), strict=True):
            _histogram(axes, name, values)
        return as_svg(made)


def _histogram(axes: Axes, name: str, values: np.ndarray) -> None:
    most = min(MOST_SHOWN, float(values.max()) * 1.02)
    bins = np.linspace(min(0.9 * float(values.min()), most), most, 45).tolist()
    heights, *_ = axes.hist(
        np.minimum(values, most), bins=bins, color=WARM, alpha=0.75, edgecolor="white", linewidth=0.3
    )
    top = max(1.0, float(np.max(heights)))
    spread = quantiles(values)
    axes.plot(spread[[0, -1]], [1.1 * top] * 2, color=WARM, linewidth=3, solid_capstyle="butt")
    axes.plot(spread[MEDIAN], 1.1 * top, "o", color=WARM, markersize=6, label="ensemble: 5 to 95 %, median")
    low, high, best = ASSESSED[name]
    axes.plot([low, high], [1.2 * top] * 2, color=GREY, linewidth=3, solid_capstyle="butt")
    axes.plot(best, 1.2 * top, "o", color=GREY, markersize=6, label="IPCC AR6: very likely, best estimate")
    axes.set_ylim(0, 1.3 * top)
    beyond = f" ({MOST_SHOWN:g} and more in the last bar)" if values.max() > MOST_SHOWN else ""
    axes.set_xlabel(
        {"ecs": "equilibrium climate sensitivity, K", "tcr": "transient climate response, K"}[name] + beyond
    )
    axes.set_ylabel("members")
    axes.legend(frameon=False, fontsize=7, loc="center right")


def warming(years: np.ndarray, members: np.ndarray, scenario: str) -> str:
    """Warming of the global mean, K: median and quantiles of members (m, years)."""
    with figure(9.2, 3.2) as made:
        axes = made.subplots()
        _fan(axes, years, quantiles(members), WARM, "median")
        axes.set_xlim(0, years[-1])
        axes.set_ylim(bottom=0)
        axes.set_xlabel(f"year of {scenario}")
        axes.set_ylabel("warming of the global mean, K")
        axes.legend(frameon=False, fontsize=8, loc="upper left")
        return as_svg(made)


def zonal(latitude: np.ndarray, control: np.ndarray, doubled: np.ndarray) -> str:
    """Temperature by latitude before and after, °C (m, n), and the warming between them: medians and quantiles."""
    with figure(9.2, 3.4) as made:
        left, right = made.subplots(1, 2)
        _fan(left, latitude, quantiles(control), COOL, "unperturbed")
        _fan(left, latitude, quantiles(doubled), WARM, "twice the CO2, steady", bands=False)
        left.set_ylabel("zonal mean temperature, °C")
        _fan(right, latitude, quantiles(doubled - control), WARM, "warming, median")
        right.set_ylabel("warming at twice the CO2, K")
        right.set_ylim(bottom=0)
        for axes in (left, right):
            axes.set_xticks(range(-90, 91, 30), [_degrees(one) for one in range(-90, 91, 30)])
            axes.legend(frameon=False, fontsize=8, loc="lower center" if axes is left else "upper center")
        return as_svg(made)


def _degrees(latitude: int) -> str:
    return f"{abs(latitude)}°{'S' if latitude < 0 else 'N' if latitude else ''}"


def _fan(axes: Axes, at: np.ndarray, spread: np.ndarray, colour: str, label: str, *, bands: bool = True) -> None:
    """The median, and the ranges around it."""
    if bands:
        axes.fill_between(at, spread[0], spread[-1], color=colour, alpha=0.18, linewidth=0, label="5 to 95 %")
        axes.fill_between(at, spread[1], spread[-2], color=colour, alpha=0.3, linewidth=0, label="17 to 83 %")
    axes.plot(at, spread[MEDIAN], color=colour, linewidth=1.6, label=label)


def importance(shares: Mapping[str, Mapping[str, float]], titles: Mapping[str, str]) -> str:
    """What share of each figure's spread each parameter explains, the first figure's largest on top."""
    first = next(iter(shares.values()))
    names: Sequence[str] = sorted(first, key=lambda name: first[name])
    height = 0.8 / len(shares)
    with figure(9.2, 0.9 + 0.34 * len(names)) as made:
        axes = made.subplots()
        for number, (label, share) in enumerate(shares.items()):
            places = np.arange(len(names)) + height * ((len(shares) - 1) / 2 - number)
            axes.barh(
                places, [100 * share[name] for name in names], height, color=(WARM, COOL)[number % 2], label=label
            )
        axes.set_yticks(range(len(names)), [titles[name] for name in names])
        axes.set_xlabel("share of the spread explained, % (squared rank regression coefficient)")
        axes.legend(frameon=False, fontsize=8, loc="lower right")
        return as_svg(made)

"""Figures of an emulation, as SVG text."""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.special import ndtri

from domains.climate.emulate import METHODS, STATED
from domains.climate.ensemble_figures import COOL, GREY, WARM
from domains.figures import as_svg, figure

COLOURS = {"mean": GREY, "linear": COOL, "surrogate": WARM}


def told_and_true(figures: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]]) -> str:
    """What was told against the truth for unseen members, by the axis' label: truth, told and spread (members,)."""
    reach = ndtri((1 + STATED) / 2)
    with figure(9.2, 3.3) as made:
        all_axes = made.subplots(1, len(figures), squeeze=False)[0]
        for axes, (label, (truth, told, spread)) in zip(all_axes, figures.items(), strict=True):
            axes.errorbar(
                truth, told, reach * spread, fmt="o", color=WARM, ecolor=WARM, markersize=2.2, elinewidth=0.4, alpha=0.6
            )
            ends = [min(truth.min(), told.min()), max(truth.max(), told.max())]
            axes.plot(ends, ends, color="black", linewidth=0.7)
            axes.set_xlabel(f"{label}: the model", fontsize=8)
            axes.set_ylabel("the surrogate, 90 % bars", fontsize=8)
        return as_svg(made)


def errors(names: Sequence[str], by_method: Mapping[str, Sequence[float]]) -> str:
    """Errors of each figure relative to the mean's, logarithmic."""
    with figure(9.2, 0.9 + 0.36 * len(names)) as made:
        axes = made.subplots()
        height = 0.8 / len(METHODS)
        for number, method in enumerate(METHODS):
            share = [100 * one / whole for one, whole in zip(by_method[method], by_method["mean"], strict=True)]
            places = np.arange(len(names))[::-1] + height * (1 - number)
            axes.barh(places, share, height, color=COLOURS[method], label=method)
        axes.set_yticks(range(len(names)), list(names)[::-1], fontsize=8)
        axes.set_xscale("log")
        axes.set_xlabel("error on unseen members, % of the error of telling everyone the mean")
        axes.legend(frameon=False, fontsize=8, loc="lower left", bbox_to_anchor=(0, 1), ncols=3)
        return as_svg(made)

"""The learning curve as SVG text."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps

from domains.figures import as_svg, figure
from domains.learning.curve import Round

MOST_MARKS = 3000
FOUND, CHANCE = "#0f766e", "#94a3b8"


def curve(rounds: Sequence[Round], pool: int, unit: str) -> str:
    """What was found for how many computed candidates of the pool, and how good the predictions of each round were.

    ``unit`` names the score on the axes, such as ``Vina score, kcal/mol``.
    """
    with figure(9.2, 3.1) as made:
        found, best, foretold = made.subplots(1, 3)
        totals = np.array([one.total for one in rounds])
        _found(found, rounds, pool)
        reached = [np.nan if one.best is None else one.best for one in rounds]
        best.step(totals, reached, where="post", color=FOUND)
        best.plot(totals, reached, "o", color=FOUND, markersize=4)
        best.set(xlabel="candidates computed", ylabel=f"best so far ({unit})")
        _foretold(foretold, rounds, unit)
        return as_svg(made)


def _found(axes: Any, rounds: Sequence[Round], pool: int) -> None:
    estimated = [(one.total, 100 * one.estimate.share) for one in rounds if one.estimate]
    totals = np.array([0, rounds[-1].total if rounds else 0])
    axes.plot(totals, 100 * totals / max(1, pool), "--", color=CHANCE, label="drawn at random")
    axes.plot(*zip((0, 0.0), *estimated, strict=True), "o-", color=FOUND, markersize=4, label="this search, estimated")
    axes.set(xlabel="candidates computed", ylabel="% of the top found", ylim=(0, 105))
    axes.legend(frameon=False, fontsize=8, loc="upper left")


def _foretold(axes: Any, rounds: Sequence[Round], unit: str) -> None:
    trained = [one for one in rounds if len(one.predicted)]
    # A page of a million marks opens nowhere: past a few thousand, every n-th candidate stands for all.
    every = 1 + sum(len(one.predicted) for one in trained) // MOST_MARKS
    for place, one in enumerate(trained):
        colour = colormaps["viridis"](place / max(1, len(trained) - 1))
        ends = place in (0, len(trained) - 1)
        axes.scatter(
            one.predicted[::every],
            one.computed[::every],
            s=10,
            color=colour,
            alpha=0.7,
            linewidths=0,
            label=f"round {one.number}" if ends else None,
        )
    if trained:
        values = np.concatenate([part for one in trained for part in (one.predicted, one.computed)])
        axes.plot(*[[values.min(), values.max()]] * 2, "--", color=CHANCE)
        axes.legend(frameon=False, fontsize=8, loc="upper left")
    axes.set(xlabel=f"predicted before ({unit})", ylabel="computed")

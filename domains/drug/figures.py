"""Figures of a screen as SVG text."""

from collections.abc import Sequence

import numpy as np

from domains.figures import as_svg, figure

FULL, COARSE = "#0f766e", "#94a3b8"


def scores(full: Sequence[float], coarse: Sequence[float], heavy_atoms: Sequence[int]) -> str:
    """Score distributions (kcal/mol) of both docks, and full scores against size: docking scores grow with size."""
    with figure(9.2, 3.0) as made:
        left, right = made.subplots(1, 2)
        bins = np.histogram_bin_edges([*full, *coarse] or [0.0], bins=24)
        if coarse:
            left.hist(coarse, bins, color=COARSE, label=f"coarse ({len(coarse):,})")
        left.hist(full, bins, color=FULL, alpha=0.85, label=f"full ({len(full):,})")
        left.set(xlabel="Vina score, kcal/mol (lower is better)", ylabel="molecules")
        left.legend(frameon=False)
        right.scatter(heavy_atoms, full, s=16, color=FULL, alpha=0.7, linewidths=0)
        right.set(xlabel="heavy atoms", ylabel="Vina score, kcal/mol")
        if len(full) > 2 and len(set(heavy_atoms)) > 1 and len(set(full)) > 1:
            right.set_title(
                f"correlation with size r = {np.corrcoef(heavy_atoms, full)[0, 1]:.2f}", fontsize=9, loc="right"
            )
        return as_svg(made)

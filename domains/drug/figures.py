"""Figures of a screen as SVG text."""

import numpy as np

from domains.figures import as_svg, figure

MOST_MARKS = 3000
FULL, COARSE = "#0f766e", "#94a3b8"


def scores(full: np.ndarray, coarse: np.ndarray, heavy_atoms: np.ndarray) -> str:
    """Score distributions (kcal/mol) of both docks, and full scores against size: docking scores grow with size."""
    with figure(9.2, 3.0) as made:
        left, right = made.subplots(1, 2)
        bins = np.histogram_bin_edges(np.concatenate([full, coarse]), bins=24)
        if len(coarse):
            left.hist(coarse, bins, color=COARSE, label=f"coarse ({len(coarse):,})")
        left.hist(full, bins, color=FULL, alpha=0.85, label=f"full ({len(full):,})")
        left.set(xlabel="Vina score, kcal/mol (lower is better)", ylabel="molecules")
        left.legend(frameon=False)
        # A page of a million marks opens nowhere: past a few thousand, every n-th molecule by rank stands for all.
        every = max(1, len(full) // MOST_MARKS)
        right.scatter(heavy_atoms[::every], full[::every], s=16, color=FULL, alpha=0.7, linewidths=0)
        right.set(xlabel="heavy atoms", ylabel="Vina score, kcal/mol")
        if len(full) > 2 and np.ptp(heavy_atoms) > 0 and np.ptp(full) > 0:
            right.set_title(
                f"correlation with size r = {np.corrcoef(heavy_atoms, full)[0, 1]:.2f}", fontsize=9, loc="right"
            )
        return as_svg(made)

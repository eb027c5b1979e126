"""Figures of a variants run as SVG text."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.patches import Rectangle

from domains.drug.mutations import Variant
from domains.drug.panel import Cell
from domains.figures import as_svg, figure

TOUCHED_MOST = 24
DARK = 0.6  # shares above it need light figures


def interactions(cells: Mapping[str, Cell], variants: Sequence[Variant], names: Mapping[str, str]) -> str:
    """In what share of the docks each residue is touched, a line a variant; mutated residues are framed. "" without any.

    ``names`` gives the wild type's labels (``GLU166.A``) by place (``166.A``).
    """
    touched = [cells.get(variant.name, Cell()).touched() for variant in variants]
    most = sum(touched, start=Counter[str]()).most_common(TOUCHED_MOST)
    residues = sorted((residue for residue, _ in most), key=lambda one: (one.partition(".")[2], _number(one)))
    if not residues:
        return ""
    docks = np.array([len(cells.get(variant.name, Cell()).docks) for variant in variants])
    counts = np.array([[one[residue] for residue in residues] for one in touched])
    shares = np.divide(counts, docks[:, None], out=np.full(counts.shape, np.nan), where=docks[:, None] > 0)
    with figure(1.4 + 0.36 * len(residues), 0.9 + 0.27 * len(variants)) as made:
        axes = made.subplots()
        axes.imshow(shares, cmap="BuGn", vmin=0, vmax=1, aspect="auto")
        for line, column in np.argwhere(np.nan_to_num(shares) > 0):
            share = shares[line, column]
            colour = "white" if share > DARK else "#0f172a"
            axes.text(column, line, f"{100 * share:.0f}", ha="center", va="center", fontsize=7, color=colour)
        for line, variant in enumerate(variants):
            for column in (at for at, residue in enumerate(residues) if _number(residue) in variant.numbers):
                corner = (column - 0.5, line - 0.5)
                axes.add_patch(Rectangle(corner, 1, 1, fill=False, edgecolor="#b45309", linewidth=1.6))
        labels = [names.get(residue, residue) for residue in residues]
        axes.set_xticks(range(len(residues)), labels, rotation=60, ha="right", rotation_mode="anchor", fontsize=7.5)
        axes.set_yticks(range(len(variants)), [variant.name for variant in variants])
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        return as_svg(made)


def _number(residue: str) -> int:
    return int(residue.partition(".")[0])

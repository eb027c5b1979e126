"""Energies of a screen: evaluated against relaxed, distances to the hull, and the three volumes of the scan."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from domains.figures import as_svg, figure
from domains.materials.figures.labels import subscripted

MOST_MARKS = 3000
MOST_SCANS = 8
WIDEST = 1.0  # eV an atom: candidates farther above the hull are counted in the last bar
EVALUATED, RELAXED, LIMIT = "#94a3b8", "#0f766e", "#b45309"


@dataclass(frozen=True)
class Scan:
    """The three volumes (3,) in Å³ an atom with their energies (3,) in eV an atom, and volume and energy once relaxed."""

    formula: str
    volumes: np.ndarray
    energies: np.ndarray
    relaxed: tuple[float, float] | None = None


def scan_against_relaxed(evaluated: np.ndarray, relaxed: np.ndarray, convention: str) -> str:
    """Formation energies (n,), eV an atom, as evaluated at three volumes and after relaxation, of the same candidates."""
    with figure(9.2, 3.4) as made:
        left, right = made.subplots(1, 2)
        every = 1 + len(evaluated) // MOST_MARKS
        left.scatter(evaluated[::every], relaxed[::every], s=14, color=RELAXED, alpha=0.7, linewidths=0)
        if len(evaluated):
            ends = [min(evaluated.min(), relaxed.min()), max(evaluated.max(), relaxed.max())]
            left.plot(ends, ends, "--", color=EVALUATED)
        if len(evaluated) > 2 and np.ptp(evaluated) > 0 and np.ptp(relaxed) > 0:
            correlation = float(spearmanr(evaluated, relaxed).statistic)
            left.set_title(f"{len(evaluated):,} candidates, Spearman {correlation:.2f}", fontsize=9, loc="right")
        left.set(xlabel="evaluated at three volumes, eV/atom", ylabel=f"relaxed, eV/atom ({convention})")
        right.hist(1000 * (evaluated - relaxed), bins=30, color=RELAXED)
        right.set(xlabel="gained by relaxation, meV/atom", ylabel="candidates")
        return as_svg(made)


def hull_distances(evaluated: np.ndarray, relaxed: np.ndarray, limit: float) -> str:
    """Distances to the hull (n,) and (m,), eV an atom, of what was evaluated only and of what was relaxed; ``limit``: the cut."""
    with figure(9.2, 3.0) as made:
        axes = made.subplots()
        lowest = float(np.concatenate([evaluated, relaxed]).min(initial=0.0))
        bins = np.linspace(1000 * max(lowest, -WIDEST), 1000 * WIDEST, 41).tolist()
        for values, colour, name in (
            (evaluated, EVALUATED, "evaluated at three volumes"),
            (relaxed, RELAXED, "relaxed"),
        ):
            within = np.clip(1000 * values, bins[0], bins[-1])
            axes.hist(within, bins, color=colour, alpha=0.85, label=f"{name} ({len(values):,})")
        axes.axvline(1000 * limit, color=LIMIT, linestyle="--", label=f"cut: {1000 * limit:g} meV/atom")
        axes.set(xlabel="above the hull, meV/atom (the last bar holds all beyond)", ylabel="candidates")
        if len(evaluated) or len(relaxed):
            axes.set_yscale("log")
            axes.set_ylim(bottom=0.7)
        axes.legend(frameon=False, fontsize=8, loc="lower left", bbox_to_anchor=(0, 1), ncols=3)
        return as_svg(made)


def energy_volume(scans: Sequence[Scan]) -> str:
    """The three-volume scans of the first candidates, each with the parabola through it and where relaxation led."""
    shown = scans[:MOST_SCANS]
    columns = min(4, max(1, len(shown)))
    rows = max(1, -(-len(shown) // columns))
    with figure(9.2, 0.5 + 1.9 * rows) as made:
        plots = made.subplots(rows, columns, squeeze=False).ravel()
        for axes in plots[len(shown) :]:
            axes.set_visible(False)
        for axes, scan in zip(plots, shown, strict=False):
            _scan(axes, scan)
        made.supxlabel("volume, Å³/atom", fontsize=9)
        made.supylabel("above the lowest point, meV/atom", fontsize=9)
        if shown:
            handles, names = plots[0].get_legend_handles_labels()
            made.legend(handles, names, frameon=False, fontsize=8, loc="outside upper left", ncols=3)
        return as_svg(made)


def _scan(axes: Any, scan: Scan) -> None:
    lowest = min([*scan.energies, *([scan.relaxed[1]] if scan.relaxed else [])])
    fitted = np.polynomial.Polynomial.fit(scan.volumes, 1000 * (scan.energies - lowest), 2)
    axes.plot(*fitted.linspace(60), color=EVALUATED, linewidth=1, label="parabola through the scan")
    axes.plot(
        scan.volumes,
        1000 * (scan.energies - lowest),
        "o",
        color=EVALUATED,
        markersize=4,
        label="evaluated, nothing relaxed",
    )
    if scan.relaxed:
        volume, energy = scan.relaxed
        axes.plot(volume, 1000 * (energy - lowest), "D", color=RELAXED, markersize=5, label="relaxed")
    axes.set_title(subscripted(scan.formula), fontsize=9)
    axes.tick_params(labelsize=8)
    axes.margins(0.12)

"""Convex hulls of binary and ternary systems: what is known, what is new, and how far above the hull it lies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from scipy.spatial import ConvexHull

from domains.figures import as_svg, figure
from domains.materials.figures.labels import place_labels, subscripted
from domains.materials.formula import reduced

STABLE = 1e-3  # eV an atom: nearer to the hull than any potential can tell
FARTHEST = 200.0  # meV an atom: the ends of the colour scale
HEADROOM = 0.15  # of the hull's depth: what lies higher than this above zero is not drawn
MOST_MARKS = 3000
KNOWN, UNSTABLE, NEW, INK = "#334155", "#cbd5e1", "#0f766e", "#0f172a"
KNOWN_LINE: dict[str, Any] = {"color": "#94a3b8", "linewidth": 1.2, "zorder": 1, "label": "hull of known phases"}
NEW_LINE: dict[str, Any] = {**KNOWN_LINE, "color": NEW, "linestyle": "--", "label": "hull with the candidates"}
Tie = tuple[tuple[float, ...], tuple[float, ...]]
NO_PLOT = (
    '<p class="soft"><span lang="en">{system} has {number} elements: its hull cannot be drawn on a page. '
    'Distances to it are in the table.</span><span lang="zh">{system} 含 {number} 种元素：凸包无法在平面上绘制，距离见表。</span></p>'
)


@dataclass(frozen=True)
class Hull:
    """The lower hull of phases: their atomic ``fractions`` (n, d), ``energies`` (n,), simplices (m, d), and planes (m, d).

    A plane holds the chemical potentials of the elements, so that the hull's energy is the highest ``planes @ fractions``.
    """

    fractions: np.ndarray
    energies: np.ndarray
    simplices: np.ndarray
    planes: np.ndarray

    def at(self, fractions: np.ndarray) -> np.ndarray:
        """Energy of the hull, eV an atom, at compositions (k, d)."""
        return np.asarray(np.max(fractions @ self.planes.T, axis=1))

    @property
    def ties(self) -> set[Tie]:
        """Compositions of phases that are stable beside each other."""
        ends = [tuple(one) for one in np.round(self.fractions, 9).tolist()]
        pairs = (pair for one in self.simplices.tolist() for pair in combinations(one, 2))
        return {(min(ends[p], ends[q]), max(ends[p], ends[q])) for p, q in pairs}


def lower_hull(fractions: np.ndarray, energies: np.ndarray) -> Hull:
    """The lower hull of phases, eV an atom, over all compositions: the elements, at zero, are put before them."""
    many = fractions.shape[1]
    fractions = np.vstack([np.eye(many), fractions])
    energies = np.concatenate([np.zeros(many), energies])
    # A point above everything gives the hull a volume where no phase lies below the elements; no lower side touches it.
    apex = np.append(np.full(many - 1, 1 / many), energies.max() + 1)
    found = ConvexHull(np.vstack([np.column_stack([fractions[:, 1:], energies]), apex]))
    lower = found.equations[:, -2] < -1e-9
    sides = found.equations[lower]
    first = -sides[:, -1] / sides[:, -2]
    others = first[:, None] - sides[:, :-2] / sides[:, -2:-1]
    return Hull(fractions, energies, found.simplices[lower], np.column_stack([first, others]))


def hull_plot(
    names: Sequence[str],
    compositions: Sequence[Mapping[str, float]],
    formation: np.ndarray,
    candidate: np.ndarray,
    reference: str,
) -> str:
    """The hull of a system: SVG for two or three elements, for others a sentence in both languages.

    Of each phase its name, counts by element, formation energy (n,) in eV an atom, and whether it is a candidate (n,) bool or a
    known phase; ``reference`` says where the known ones are from. Named in the plot are stable known phases, and every candidate whose
    name is not empty, in their order. Distances are those to the hull of the known phases.
    """
    system = list(reduced({symbol: 1 for one in compositions for symbol in one}))
    if len(system) not in (2, 3):
        return NO_PLOT.format(system="-".join(system), number=len(system))
    counts = np.array([[one.get(symbol, 0) for symbol in system] for one in compositions], float)
    phases = _Phases(
        names, counts / counts.sum(axis=1, keepdims=True), np.asarray(formation, float), np.asarray(candidate, bool)
    )
    return _binary(phases, system, reference) if len(system) == 2 else _ternary(phases, system, reference)


class _Phases:
    """Phases with both hulls: of the known ones, and of all."""

    def __init__(
        self, names: Sequence[str], fractions: np.ndarray, energies: np.ndarray, candidate: np.ndarray
    ) -> None:
        self.names, self.fractions, self.energies, self.candidate = names, fractions, energies, candidate
        self.known = lower_hull(fractions[~candidate], energies[~candidate])
        self.all = lower_hull(fractions, energies)
        self.above = energies - self.known.at(fractions)
        self.stable = ~candidate & (self.above < STABLE)
        self.changed = bool((self.above[candidate] < -STABLE).any())

    def named(self) -> list[int]:
        """Candidates in their order, then stable known phases that are no elements."""
        compound = self.fractions.max(axis=1) < 1
        new = [at for at in np.flatnonzero(self.candidate).tolist() if self.names[at]]
        return [*new, *np.flatnonzero(self.stable & compound).tolist()]

    def thinned(self, which: np.ndarray) -> np.ndarray:
        """Indices of marks to draw: a page of a million marks opens nowhere, so every n-th stands for all, and all that are named."""
        found = np.flatnonzero(which)
        return np.union1d(found[:: 1 + len(found) // MOST_MARKS], np.intersect1d(found, self.named()))


def _binary(phases: _Phases, system: Sequence[str], reference: str) -> str:
    with figure(9.2, 4.4) as made:
        axes = made.subplots()
        depth = min(phases.energies.min(), -0.2)
        top = -HEADROOM * depth
        drawn = phases.energies <= top
        points = np.column_stack([phases.fractions[:, 1], phases.energies])
        for hull, look in ((phases.all, NEW_LINE), (phases.known, KNOWN_LINE)):
            corners = np.unique(hull.simplices)
            corners = corners[np.argsort(hull.fractions[corners, 1], kind="stable")]
            if hull is phases.known or phases.changed:
                axes.plot(hull.fractions[corners, 1], hull.energies[corners], **look)
        hidden = f" ({(~drawn).sum():,} phases above {top:.2f} eV/atom are not drawn)" if not drawn.all() else ""
        axes.set(
            xlabel=f"atomic fraction of {system[1]} in {system[0]}–{system[1]}{hidden}",
            ylabel="formation energy, eV/atom",
        )
        axes.set(xlim=(-0.03, 1.03), ylim=(1.12 * depth, top))
        _phases(made, axes, phases, points, drawn, reference)
        return as_svg(made)


def _ternary(phases: _Phases, system: Sequence[str], reference: str) -> str:
    with figure(9.2, 6.4) as made:
        axes = made.subplots()
        axes.set_axis_off()
        known = phases.known.ties
        for ties, look in ((known, KNOWN_LINE), (phases.all.ties - known if phases.changed else set(), NEW_LINE)):
            for number, tie in enumerate(sorted(ties)):
                label = {} if number else {"label": look["label"]}
                axes.plot(*_in_triangle(np.array(tie)).T, **{**look, "linewidth": 0.8, "label": None} | label)
        corners = _in_triangle(np.eye(3))
        axes.plot(*corners[[0, 1, 2, 0]].T, color=INK, linewidth=1.1, zorder=1)
        for symbol, (x, y), across, upward in zip(system, corners, (-0.03, 0.03, 0), (-0.03, -0.03, 0.04), strict=True):
            axes.text(x + across, y + upward, symbol, ha="center", va="center", fontsize=12, fontweight="bold")
        axes.set(xlim=(-0.14, 1.14), ylim=(-0.07, 0.93), aspect="equal")
        drawn = np.ones(len(phases.energies), bool)
        _phases(made, axes, phases, _in_triangle(phases.fractions), drawn, reference)
        return as_svg(made)


def _in_triangle(fractions: np.ndarray) -> np.ndarray:
    """Where compositions (n, 3) lie in a triangle with sides of one: first element left, second right, third on top."""
    return np.column_stack([fractions[:, 1] + fractions[:, 2] / 2, fractions[:, 2] * np.sqrt(3) / 2])


def _phases(made: Figure, axes: Axes, phases: _Phases, points: np.ndarray, drawn: np.ndarray, reference: str) -> None:
    """Marks, legend and names of the phases that are drawn; the names come last, as they go where nothing else is."""
    settled = phases.thinned(phases.stable & drawn)
    others = phases.thinned(~phases.candidate & ~phases.stable & drawn)
    new = phases.thinned(phases.candidate & drawn)
    looks: tuple[tuple[np.ndarray, dict[str, Any]], ...] = (
        (settled, {"s": 26, "color": KNOWN, "zorder": 3, "label": f"known and stable ({reference})"}),
        (others, {"s": 14, "color": UNSTABLE, "zorder": 2, "label": "known, above the hull", "marker": "s"}),
    )
    for which, look in looks:
        axes.scatter(points[which, 0], points[which, 1], linewidths=0, **look)
    if len(new):
        _candidates(made, axes, points[new], 1000 * phases.above[new])
    axes.legend(frameon=False, fontsize=8, loc="lower left", bbox_to_anchor=(0, 1), ncols=3)
    named = [at for at in phases.named() if drawn[at]]
    marks = points[np.concatenate([settled, others, new])]
    place_labels(made, axes, points[named], [subscripted(phases.names[at]) for at in named], marks)


def _candidates(made: Figure, axes: Axes, points: np.ndarray, above: np.ndarray) -> None:
    """Candidates coloured by their distance to the hull of the known phases, meV an atom; the best lie on top."""
    order = np.argsort(-above, kind="stable")
    colours = Normalize(max(-FARTHEST, min(0.0, float(above.min()))), FARTHEST)
    x, y = points[order].T
    shown = axes.scatter(
        x, y, s=34, marker="D", c=above[order], cmap="viridis", norm=colours, edgecolors="white", zorder=4
    )
    shown.set_linewidth(0.5)
    axes.scatter([], [], s=34, marker="D", color=NEW, linewidths=0, label="new candidate")
    bar = made.colorbar(shown, ax=axes, shrink=0.7, pad=0.01, extend="both")
    bar.set_label("above the hull of known phases, meV/atom")
    bar.ax.spines[:].set_visible(False)

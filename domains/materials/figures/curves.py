"""A cathode's voltage and barrier, a crystal's phonons."""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.interpolate import PchipInterpolator

from domains.figures import as_svg, figure

LINE, SOFT, WRONG = "#0f766e", "#94a3b8", "#b91c1c"
PARTS = ("#2563eb", "#d97706", "#9333ea", "#059669", "#db2777", "#64748b")


def voltage_curve(capacities: Sequence[float], volts: Sequence[float], ion: str, measured: float | None = None) -> str:
    """Voltage against charge taken out: ``capacities`` (n + 1,) in mAh/g are the ends of the steps, ``volts`` (n,) their voltages.

    ``ion`` is the metal it is measured against; ``measured`` the mean voltage of an experiment. ValueError if lengths do not match.
    """
    if len(capacities) != len(volts) + 1 or not len(volts):
        raise ValueError(f"{len(volts)} steps need {len(volts) + 1} capacities, not {len(capacities)}")
    mean = float(np.average(volts, weights=np.diff(capacities)))
    with figure(9.2, 3.2) as made:
        axes = made.subplots()
        axes.stairs(volts, capacities, baseline=None, color=LINE, linewidth=2, label="computed, step by step")
        axes.axhline(mean, color=SOFT, linestyle="--", linewidth=1, label=f"mean {mean:.2f} V")
        if measured is not None:
            axes.axhline(
                measured, color="#b45309", linestyle=":", linewidth=1.4, label=f"measured mean {measured:.2f} V"
            )
        known = [*volts, mean, *([measured] if measured is not None else [])]
        room = max(0.3, 0.25 * (max(known) - min(known)))
        axes.set(xlabel="capacity taken out, mAh/g", ylabel=f"voltage against {ion} metal, V")
        axes.set(xlim=(min(capacities), 1.02 * max(capacities)), ylim=(min(known) - room, max(known) + room))
        axes.legend(frameon=False, fontsize=8, loc="lower left", bbox_to_anchor=(0, 1), ncols=3)
        return as_svg(made)


def barrier(path: Sequence[float], energies: Sequence[float], ion: str) -> str:
    """A nudged elastic band: ``path`` (n,) in Å along the images, their ``energies`` (n,) in eV; all are drawn relative to the first.

    ValueError if lengths do not match, the path does not advance, or there are fewer than three images.
    """
    along, heights = np.asarray(path, float), np.asarray(energies, float) - energies[0]
    if len(along) != len(heights) or len(along) < 3 or not (np.diff(along) > 0).all():
        raise ValueError("a band needs three images or more, each farther along the path, and an energy for each")
    top = int(heights.argmax())
    with figure(9.2, 3.2) as made:
        axes = made.subplots()
        # Monotone between images: a cubic spline would make up barriers that no image has.
        fine = np.linspace(along[0], along[-1], 200)
        axes.plot(fine, PchipInterpolator(along, heights)(fine), color=SOFT, linewidth=1.2)
        axes.plot(along, heights, "o", color=LINE, markersize=6)
        axes.axhline(0, color="#e2e8f0", linewidth=0.8, zorder=0)
        axes.annotate(
            f"{heights[top]:.2f} eV",
            (along[top], heights[top]),
            (0, 8),
            textcoords="offset points",
            ha="center",
            fontweight="bold",
        )
        backward = heights[top] - heights[-1]
        axes.set_title(f"barrier forward {heights[top]:.2f} eV, backward {backward:.2f} eV", fontsize=9, loc="right")
        axes.set(xlabel=f"path of {ion} along the images, Å", ylabel="energy, eV")
        axes.set_ylim(top=heights[top] + 0.2 * max(0.05, np.ptp(heights)))
        return as_svg(made)


def phonon_dos(
    frequencies: np.ndarray, density: np.ndarray, parts: Mapping[str, np.ndarray], tolerance: float, potential: str
) -> str:
    """Phonon density of states (n,) over ``frequencies`` (n,) in THz, imaginary ones below zero; ``parts``: each element's share (n,).

    Those below ``-tolerance`` are marked: nearer to zero lies the noise of the acoustic modes. ``potential`` is named, as a soft one
    gives soft phonons.
    """
    imaginary = frequencies < -tolerance
    total = float(np.trapezoid(density, frequencies))
    share = float(np.trapezoid(np.where(imaginary, density, 0.0), frequencies)) / total if total > 0 else 0.0
    with figure(9.2, 3.2) as made:
        axes = made.subplots()
        axes.fill_between(
            frequencies, density, where=~imaginary, color=SOFT, alpha=0.35, linewidth=0, label="all atoms"
        )
        axes.plot(frequencies, density, color="#334155", linewidth=1)
        for (name, part), colour in zip(parts.items(), PARTS, strict=False):
            axes.plot(frequencies, part, color=colour, linewidth=1, label=name)
        if share > 0:
            axes.fill_between(
                frequencies,
                density,
                where=imaginary,
                color=WRONG,
                alpha=0.6,
                linewidth=0,
                label=f"imaginary, {100 * share:.1f} % of all",
            )
        axes.axvline(0, color="#334155", linewidth=0.8)
        axes.set(xlabel="frequency, THz (below zero: imaginary)", ylabel="states per THz", ylim=(0, None))
        axes.set_title(f"phonons by {potential}", fontsize=9, loc="right")
        axes.legend(frameon=False, fontsize=8)
        return as_svg(made)

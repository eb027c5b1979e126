"""The periodic table as a heat map."""

from bisect import bisect_right
from collections.abc import Mapping
from typing import Any

from ase.data import chemical_symbols
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, PowerNorm
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from domains.figures import as_svg, figure

ELEMENTS = 118
PERIODS = (1, 3, 11, 19, 37, 55, 87)  # atomic numbers with which the periods begin
F_BLOCK = 15  # elements of a long period that stand in a row of their own below
SERIES = {(6, 3): "57–71", (7, 3): "89–103"}
COLOURS = LinearSegmentedColormap.from_list("teal", ["#dff3f0", "#2a9d8f", "#0b3b38"])
EMPTY, INK, SOFT = "#f1f5f9", "#0f172a", "#94a3b8"
DARK = 0.55  # colours beyond it need light letters


def periodic_table(values: Mapping[int, float], label: str) -> str:
    """A value for each element by atomic number, as counts or shares; ``label`` says what they are. Elements without one are grey.

    The colours follow the square root, as a few elements are in most compounds; the colour bar shows the values themselves.
    Raises ValueError for a number that is no element's, or a value below zero.
    """
    if wrong := [number for number, value in values.items() if not 1 <= number <= ELEMENTS or not value >= 0]:
        raise ValueError(f"not a count of an element: {wrong}")
    highest = max(values.values(), default=0) or 1
    norm = PowerNorm(0.5, 0, highest)
    with figure(9.2, 4.9) as made:
        axes = made.subplots()
        axes.set(xlim=(0.4, 18.6), ylim=(9.75, 0.4), aspect="equal")
        axes.set_axis_off()
        for number in range(1, ELEMENTS + 1):
            _cell(axes, number, values.get(number, 0), norm)
        for (row, column), name in SERIES.items():
            axes.text(column, row, name, ha="center", va="center", fontsize=7, color=SOFT)
        if any(values.values()):
            bar = axes.inset_axes((3.2, 1.35, 8.6, 0.3), transform=axes.transData)
            ticks = MaxNLocator(4, integer=highest > 1).tick_values(0, highest)
            shown = [tick for tick in ticks if tick <= highest]
            made.colorbar(ScalarMappable(norm, COLOURS), cax=bar, orientation="horizontal", ticks=shown, format=_tick)
            bar.set_title(label, fontsize=9, loc="left")
            bar.tick_params(labelsize=8)
        return as_svg(made)


def place(number: int) -> tuple[float, int]:
    """Row and column, from 1, of an element; the f block has rows of its own below the table."""
    period = bisect_right(PERIODS, number)
    offset = number - PERIODS[period - 1]
    if period == 1:
        return 1, 18 if offset else 1
    if offset < 2 or period in (4, 5):
        return period, offset + 1
    if period < 4:
        return period, offset + 11
    return (period + 2.25, offset + 1) if offset < 2 + F_BLOCK else (period, offset + 2 - F_BLOCK)


def _cell(axes: Any, number: int, value: float, norm: PowerNorm) -> None:
    row, column = place(number)
    filled = COLOURS(norm(value)) if value else EMPTY
    ink = ("white" if norm(value) > DARK else INK) if value else SOFT
    axes.add_patch(Rectangle((column - 0.47, row - 0.47), 0.94, 0.94, facecolor=filled, linewidth=0))
    axes.text(column - 0.41, row - 0.26, number, ha="left", va="center", fontsize=5, color=ink)
    axes.text(column, row + 0.02, chemical_symbols[number], ha="center", va="center", fontsize=10, color=ink)
    if value:
        axes.text(column, row + 0.32, _short(value), ha="center", va="center", fontsize=5.5, color=ink)


def _tick(value: float, _: int) -> str:
    return _short(value)


def _short(value: float) -> str:
    """At most five characters: 1234, 56k, 1.2M; shares with two digits."""
    if value < 1:
        return f"{value:.2g}"
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if value >= 10 * size or (unit == "M" and value >= size):
            return f"{value / size:.3g}{unit}"
    return f"{value:.4g}"

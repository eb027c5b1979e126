"""Names beside marks that cover neither each other nor a mark."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

SIZE = 8.0
DIRECTIONS = 16
DISTANCES = (7, 13, 20, 29, 40, 55, 75)  # points from the mark; beyond the second a line leads to the name
LEADER = {"arrowstyle": "-", "color": "#94a3b8", "linewidth": 0.6, "shrinkA": 0, "shrinkB": 2}
GROUND = {"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 0.6}  # so that a name can be read across a line
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def subscripted(formula: str) -> str:
    """``LiFePO₄`` of ``LiFePO4``, for text that knows no markup."""
    return formula.translate(SUBSCRIPTS)


def place_labels(made: Figure, axes: Axes, points: np.ndarray, names: Sequence[str], avoid: np.ndarray) -> None:
    """Write ``names`` beside ``points`` (n, 2), first come first placed; ``avoid`` (m, 2): all marks. Both in data coordinates.

    Call it last: it settles the layout first. A name that finds no free place within reach is left out.
    """
    made.draw_without_rendering()
    to_pixels, pixels = axes.transData, made.dpi / 72
    within = axes.get_window_extent()
    marks = to_pixels.transform(np.reshape(avoid, (-1, 2)))
    taken: list[Bbox] = []
    for point, name in zip(points, names, strict=True):
        text = axes.annotate(name, point, (0, 0), textcoords="offset points", fontsize=SIZE, ha="center", va="center")
        extent = text.get_window_extent()
        text.remove()
        offset = _free(to_pixels.transform(point), extent, pixels, within, marks, taken)
        if offset is not None:
            _write(axes, name, point, offset)


def _free(
    at: np.ndarray, extent: Bbox, pixels: float, within: Bbox, marks: np.ndarray, taken: list[Bbox]
) -> tuple[float, float, bool] | None:
    """The nearest offset in points at which a text of this extent is free, and whether it needs a line; notes it as taken."""
    half = np.array([extent.width, extent.height]) / 2 + pixels
    for step, distance in enumerate(DISTANCES):
        for turn in range(DIRECTIONS):
            # Straight up first, then to both sides in turn.
            angle = math.pi / 2 + (-1) ** turn * math.pi * ((turn + 1) // 2) / (DIRECTIONS / 2)
            towards = np.array([math.cos(angle), math.sin(angle)])
            # The text's box touches a circle around the mark.
            centre = at + towards * (distance * pixels + np.abs(towards) @ half)
            box = Bbox([centre - half, centre + half])
            if _is_free(box, within, marks, taken):
                taken.append(box)
                x, y = (centre - at) / pixels
                return float(x), float(y), step > 1
    return None


def _is_free(box: Bbox, within: Bbox, marks: np.ndarray, taken: Sequence[Bbox]) -> bool:
    if box.x0 < within.x0 or box.x1 > within.x1 or box.y0 < within.y0 or box.y1 > within.y1:
        return False
    return not box.padded(2).count_contains(marks) and not any(box.overlaps(other) for other in taken)


def _write(axes: Any, name: str, point: np.ndarray, offset: tuple[float, float, bool]) -> None:
    x, y, led = offset
    text = axes.annotate(
        name,
        point,
        (x, y),
        textcoords="offset points",
        fontsize=SIZE,
        ha="center",
        va="center",
        arrowprops=LEADER if led else None,
        bbox=GROUND,
    )
    text.set_in_layout(False)

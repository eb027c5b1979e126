"""The look of every figure, and figures as SVG text that is the same for the same data."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "ai4s",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


@contextmanager
def figure(width: float, height: float) -> Iterator[Figure]:
    """A figure of this size in inches, in the project's style."""
    with rc_context(STYLE):
        yield Figure(figsize=(width, height), layout="constrained")


def as_svg(made: Figure) -> str:
    """The figure as SVG to stand inside a page: no XML header, no date, no random ids."""
    text = io.StringIO()
    made.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return text.getvalue()[text.getvalue().index("<svg") :]

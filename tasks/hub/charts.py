"""Charts of a simulation as SVG. They hold numbers and units only; the page says in both languages what they show."""

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from cluster.simulate.record import SHAPES, SIZES, Array, Record
from domains.figures import as_svg, figure

BINS = 240
WIDTH, HEIGHT = 5.2, 2.6
HELD, LINE, QUEUE, CAP = "#0f766e", "#0f172a", "#b45309", "#dc2626"
# Okabe and Ito: told apart with any kind of colour vision.
CAUSES = {"busy": "#0072b2", "idle": "#56b4e9", "base": "#999999", "overhead": "#e69f00"}
SERIES = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#999999")
SIZE_COLOURS = ("#e69f00", "#cc79a7", "#56b4e9", "#009e73", "#332288")
REASONS = ("chips", "preferred", "level", "shape", "hold", "power", "quota", "budget", "order")
REASON_COLOURS = dict(
    zip(
        REASONS,
        ("#0072b2", "#56b4e9", "#009e73", "#f0e442", "#e69f00", "#d55e00", "#cc79a7", "#882255", "#999999"),
        strict=True,
    )
)
MARKS = (
    (1, "1 s"),
    (10, "10 s"),
    (60, "1 min"),
    (600, "10 min"),
    (3600, "1 h"),
    (21600, "6 h"),
    (86400, "1 d"),
    (864000, "10 d"),
)
THOUSANDS = FuncFormatter(lambda value, _: f"{value:,.0f}")


@dataclass(frozen=True)
class Clock:
    """Time since the first arrival, in hours or, where it is long, in days; ``last`` is the end in that unit."""

    first: float
    last: float
    each: float
    unit: str

    @classmethod
    def of(cls, record: Record) -> "Clock":
        """The unit that suits the length of a record."""
        first = record.first or 0.0
        length = max(record.last - first, 1.0)
        each, unit = (86400.0, "d") if length > 4 * 86400 else (3600.0, "h")
        return cls(first, length / each, each, unit)

    def __call__(self, times: Array) -> Array:
        return (times - self.first) / self.each


def utilisation(record: Record) -> str:
    """Held over in service in percent; below, chips held as an area under the line of those in service."""
    course, clock = record.binned(BINS), Clock.of(record)
    time = clock(course["time"])
    with figure(2 * WIDTH + 0.4, HEIGHT) as made:
        above, below = made.subplots(2, 1, sharex=True, height_ratios=(1, 1.5))
        up = np.maximum(course["up"], 1e-9)
        above.plot(time, 100 * course["held"] / up, color=HELD, linewidth=1.2)
        above.set(ylim=(0, 104), ylabel="%", yticks=(0, 50, 100))
        below.fill_between(time, course["held"], color=HELD, alpha=0.35, linewidth=0)
        below.plot(time, course["up"], color=LINE, linewidth=1.2)
        below.set_ylim(0, max(1.0, 1.08 * course["up"].max()))
        return _finish(made, below, clock)


def queue(record: Record) -> str:
    """Gangs that wait; below, the chips they ask for."""
    course, clock = record.binned(BINS), Clock.of(record)
    time = clock(course["time"])
    with figure(WIDTH, HEIGHT) as made:
        above, below = made.subplots(2, 1, sharex=True)
        for axes, name, colour in ((above, "waiting", QUEUE), (below, "waiting_chips", SERIES[0])):
            axes.fill_between(time, course[name], color=colour, alpha=0.3, linewidth=0)
            axes.plot(time, course[name], color=colour, linewidth=1)
            axes.set_ylim(0, max(1.0, 1.08 * course[name].max()))
            axes.yaxis.set_major_formatter(THOUSANDS)
            axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
        return _finish(made, below, clock)


def power(record: Record) -> str:
    """Power in MW (kW on a small hub) by cause, and the hub's cap; nothing where the hub's file has no figures."""
    course, clock = record.binned(BINS), Clock.of(record)
    cap = record.allocator.topology.power.cap.get(record.allocator.topology.levels[0])
    cap_w = cap.value * 1000 if cap else 0.0
    most = max(float(np.sum([course[f"{name}_w"] for name in CAUSES], axis=0).max()), cap_w)
    if most < 1:
        return ""
    watts, unit = (1e6, "MW") if most >= 1e6 else (1e3, "kW")
    with figure(WIDTH, HEIGHT) as made:
        axes = made.subplots()
        lines = [course[f"{name}_w"] / watts for name in CAUSES]
        axes.stackplot(clock(course["time"]), *lines, colors=list(CAUSES.values()), linewidth=0)
        if cap:
            axes.axhline(cap_w / watts, color=CAP, linewidth=1.3, linestyle="--")
        axes.set(ylim=(0, 1.08 * most / watts), ylabel=unit)
        return _finish(made, axes, clock, plain=True)


def waits(record: Record) -> str:
    """The share of the gangs of each class of size that had started after so long."""
    with figure(WIDTH, HEIGHT) as made:
        axes = made.subplots()
        longest = 60.0
        for number, waited in enumerate(_by_size(record)):
            if not len(waited):
                continue
            share = 100 * np.arange(1, len(waited) + 1) / len(waited)
            # Who started at once lies before the first second: the axis of a logarithm has no zero.
            axes.step(
                np.append(np.maximum(waited, 1), 1e9), np.append(share, 100), where="post", color=SIZE_COLOURS[number]
            )
            longest = max(longest, float(waited[-1]))
        axes.set(xscale="log", xlim=(1, 1.5 * longest), ylim=(0, 102), ylabel="%")
        marks = [(at, text) for at, text in MARKS if at <= 1.5 * longest]
        axes.set_xticks([at for at, _ in marks], [text for _, text in marks])
        axes.minorticks_off()
        axes.grid(alpha=0.25)
        return as_svg(made)


def reasons(record: Record) -> str:
    """For each class of size the share of its gangs that waited, by what held them first."""
    rows = record.waits()
    with figure(WIDTH, HEIGHT) as made:
        axes = made.subplots()
        most = 1.0
        for at, row in enumerate(reversed(rows)):
            left = 0.0
            for code, count in row["reasons"].items():
                share = 100 * count / row["gangs"]
                axes.barh(at, share, left=left, color=REASON_COLOURS.get(code, "#999999"), height=0.7)
                left += share
            label = f"{left:.0f} %" if left >= 1 else f"{left:.1f} %"
            axes.annotate(label, (left, at), (3, 0), textcoords="offset points", va="center", fontsize=8)
            most = max(most, left)
        axes.set_yticks(range(len(rows)), [size_label(row["chips"]) for row in reversed(rows)])
        axes.set(xlim=(0, min(1.15 * most, 112)), xlabel="%")
        return as_svg(made)


def shapes(record: Record) -> list[tuple[int, int]]:
    """(place in the record, chips) of the sizes that a supernode of this hub could hold."""
    largest = record.allocator.tree.largest_supernode
    return [(number, shape) for number, shape in enumerate(SHAPES) if shape <= max(largest.values())]


def stranded(record: Record) -> str:
    """Chips that are free but of no use to gangs of a size, in percent of those in service."""
    table, clock, known = np.array(record.stranded, dtype=np.float64), Clock.of(record), shapes(record)
    if not known:
        return ""
    with figure(WIDTH, HEIGHT) as made:
        axes = made.subplots()
        for number, _ in known:
            axes.step(clock(table[:, 0]), 100 * table[:, number + 1], where="post", color=SERIES[number], linewidth=1.1)
        most = table[:, [number + 1 for number, _ in known]].max()
        axes.set(ylim=(0, max(1.0, 108 * most)), ylabel="%")
        return _finish(made, axes, clock, plain=True)


def kinds(record: Record) -> str:
    """Chips held, by kind; nothing where kinds came or went meanwhile."""
    if len({len(row) for row in record.kinds_held}) != 1:
        return ""
    times, clock = record.course()["time"], Clock.of(record)
    held = np.array(record.kinds_held, dtype=np.float64).T
    edges = np.linspace(times[0], max(times[-1], times[0] + 1), BINS + 1)
    means = [_means(times, line, edges) for line in held]
    with figure(WIDTH, HEIGHT) as made:
        axes = made.subplots()
        axes.stackplot(
            clock(edges[:-1]), *means, colors=[SERIES[n % len(SERIES)] for n in range(len(means))], linewidth=0
        )
        axes.set_ylim(0, max(1.0, 1.08 * record.course()["up"].max()))
        return _finish(made, axes, clock)


def size_label(chips: str) -> str:
    """A class of size as the record names it, in a form that is the same in all languages."""
    low, _, high = chips.removeprefix("over ").partition("-")
    if chips.startswith("over "):
        return f"≥ {int(low) + 1:,}"
    return low if low == high else f"{low}–{high}"


def _by_size(record: Record) -> list[Array]:
    """Waits in rising order by class of size."""
    found: list[list[float]] = [[] for _ in SIZES]
    for one in record.decisions.values():
        number = next(n for n, most in enumerate(SIZES) if one.chips <= most)
        found[number].append(one.started - one.submitted)
    return [np.sort(np.array(waited, dtype=np.float64)) for waited in found]


def _means(times: Array, values: Array, edges: Array) -> Array:
    """Time means between the edges of what holds until the next time."""
    total = np.concatenate([[0.0], np.cumsum(values[:-1] * np.diff(times))])
    found: Array = np.diff(np.interp(edges, times, total)) / np.diff(edges)
    return found


def _finish(made: Figure, axes: Axes, clock: Clock, *, plain: bool = False) -> str:
    """Write the axis of time, and thousands with a comma unless the numbers are small."""
    axes.set_xlabel(clock.unit)
    axes.set_xlim(0, clock.last)
    if not plain:
        axes.yaxis.set_major_formatter(THOUSANDS)
        axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    return as_svg(made)

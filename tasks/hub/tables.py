"""The page's tables: refused jobs, failures, kinds of chip, and where each figure of the hub is from."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from cluster.allocate.allocator import Allocator
from cluster.simulate.record import Record
from cluster.topology import Figure, Topology
from tasks.hub.words import PROPERTIES, percent
from tasks.words import Text

NUMBER = re.compile(r"\d[\d,.]*")


class Source(NamedTuple):
    """Figures of the hub's file, so many; ``of`` names the kinds or levels that have them, in the order of the values."""

    what: Text
    of: str
    value: str
    status: str
    source: str
    number: int


def group_refused(refused: Mapping[str, str]) -> list[tuple[int, str, str]]:
    """(count, one gang, its reason) for reasons that differ in more than names and numbers."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name, why in refused.items():
        groups[NUMBER.sub("…", why.replace(name, "…"))].append(name)
    ordered = sorted(groups.values(), key=len, reverse=True)
    return [(len(names), names[0], refused[names[0]]) for names in ordered]


def failures(record: Record, summary: Mapping[str, Any]) -> list[tuple[Text, str]]:
    """What failures cost."""
    up = record.course()["up"]
    lost, hours = summary["chip_hours_lost_to_failures"], summary["chip_hours"]
    share = f" ({percent(lost / hours)})" if hours else ""
    return [
        (Text("Restarts of gangs that had been stopped", "被中断后重启的次数"), f"{record.restarts:,}"),
        (Text("Gangs that went on with spare chips", "用备用芯片继续运行的次数"), f"{record.replaced:,}"),
        (Text("Chip-hours of work lost (share of those held)", "损失的芯片小时（占比）"), f"{lost:,.1f}{share}"),
        (Text("Chips in service, fewest and most", "在用芯片数，最少与最多"), f"{up.min():,.0f} – {up.max():,.0f}"),
    ]


def kinds(allocator: Allocator) -> list[dict[str, Any]]:
    """Each kind with its chips by state."""
    tree, ledger = allocator.tree, allocator.ledger
    return [
        {
            "name": name,
            "title": kind.title,
            "device": kind.device,
            "installed": tree.capacity[name][0],
            "out": tree.capacity[name][0] - ledger.up[name][0],
            "held": ledger.up[name][0] - ledger.free[name][0],
            "free": ledger.free[name][0],
        }
        for name, kind in allocator.topology.kinds.items()
    ]


def sources(topology: Topology) -> dict[str, list[Source]]:
    """Every figure of a hub with its status and source; figures that differ in their value alone share a line."""
    kinds, links, power = topology.kinds.items(), topology.links.items(), topology.power
    peaks = dict.fromkeys(precision for _, kind in kinds for precision in kind.tflops)
    chips = [
        *_lines("memory", [(name, kind.memory) for name, kind in kinds]),
        *_lines("memory_bandwidth", [(name, kind.memory_bandwidth) for name, kind in kinds]),
        *(row for peak in peaks for row in _lines("tflops", [(n, kind.tflops.get(peak)) for n, kind in kinds], peak)),
        *(
            row
            for field in ("power", "idle", "speed")
            for row in _lines(field, [(n, getattr(k, field)) for n, k in kinds])
        ),
    ]
    fields = ("bandwidth", "latency", "oversubscription")
    between = [row for field in fields for row in _lines(field, [(n, getattr(link, field)) for n, link in links])]
    loads = [*_lines("base", list(power.base.items())), *_lines("cap", list(power.cap.items()))]
    return {"chips": chips, "links": between, "power": [*loads, *_lines("pue", [(topology.levels[0], power.pue)])]}


def _lines(field: str, found: Sequence[tuple[str, Figure | None]], more: str = "") -> Iterator[Source]:
    what = Text(f"{PROPERTIES[field].en} {more}".strip(), f"{PROPERTIES[field].zh} {more}".strip())
    alike: dict[tuple[str, str, str], list[tuple[str, float]]] = defaultdict(list)
    for name, figure in found:
        if figure:
            alike[figure.unit, figure.status, figure.source].append((name, figure.value))
    for (unit, status, source), those in alike.items():
        values = [value for _, value in those]
        told = " / ".join(f"{value:,.6g}" for value in (values if len(set(values)) > 1 else values[:1]))
        shown = told if unit == "ratio" else f"{told} {unit}"
        yield Source(what, " / ".join(name for name, _ in those), shown, status, source, len(those))

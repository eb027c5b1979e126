"""The charts of a page with their headings, what they show and what their colours mean, in both languages."""

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from cluster.simulate.record import Record
from tasks.hub import charts
from tasks.hub.ink import size_names
from tasks.hub.words import CAUSES, reason
from tasks.words import Text


class Chart(NamedTuple):
    """A chart with its heading, what it shows, and what its colours mean."""

    heading: Text
    caption: Text
    legend: Sequence[tuple[str, Text]]
    svg: Markup
    wide: bool = False


def gallery(record: Record) -> list[Chart]:
    """Every chart of a simulation."""
    return [*_over_time(record), *_by_size(record)]


def _over_time(record: Record) -> list[Chart]:
    topology = record.allocator.topology
    cap = [(charts.CAP, Text("the hub's cap", "全站上限"))] if topology.levels[0] in topology.power.cap else []
    colours = [charts.SERIES[number % len(charts.SERIES)] for number in range(len(topology.kinds))]
    return [
        Chart(
            Text("Use over time", "占用率随时间"),
            Text("Held in % of the chips in service; below, in chips.", "在用芯片占用率（%）；下图为芯片数。"),
            [(charts.HELD, Text("held", "占用")), (charts.LINE, Text("in service", "在用"))],
            Markup(charts.utilisation(record)),
            wide=True,
        ),
        Chart(
            Text("Queue over time", "队列随时间"),
            Text("Gangs that wait; below, the chips they ask for.", "等待的作业数；下图为其请求的芯片数。"),
            [(charts.QUEUE, Text("gangs", "作业")), (charts.SERIES[0], Text("chips", "芯片"))],
            Markup(charts.queue(record)),
        ),
        Chart(
            Text("Power over time, by cause (modelled)", "功率随时间，按来源（模型估算）"),
            Text("", ""),
            [*((charts.CAUSES[name], text) for name, text in CAUSES.items()), *cap],
            Markup(charts.power(record)),
        ),
        Chart(
            Text("Chips held by kind", "按类型的占用芯片数"),
            Text("", ""),
            [(colour, Text(kind, kind)) for colour, kind in zip(colours, topology.kinds, strict=True)],
            Markup(charts.kinds(record)),
        ),
    ]


def _by_size(record: Record) -> list[Chart]:
    codes = {code for row in record.waits() for code in row["reasons"]}
    return [
        Chart(
            Text("Started within", "多久之内启动"),
            Text(
                "Share of gangs by chips; who started at once is at 1 s.",
                "各规模（芯片数）作业启动的累计比例；立即启动的计在 1 s 处。",
            ),
            [(colour, Text(size, size)) for colour, size in zip(charts.SIZE_COLOURS, size_names(), strict=True)],
            Markup(charts.waits(record)),
        ),
        Chart(
            Text("Who waits, and why", "谁在等待，原因为何"),
            Text(
                "Share of gangs of each size that were held, by the first reason.",
                "各规模作业中被搁置的比例，按首要原因。",
            ),
            [(colour, reason(code)) for code, colour in charts.REASON_COLOURS.items() if code in codes],
            Markup(charts.reasons(record)),
        ),
        Chart(
            Text("Stranded chips", "零碎闲置芯片"),
            Text(
                "Free, but no use inside one supernode to gangs of so many chips; % of those in service.",
                "空闲但单个超节点内凑不成该规模作业的芯片，占在用芯片 %。",
            ),
            [(charts.SERIES[n], Text(f"{shape:,}", f"{shape:,}")) for n, shape in charts.shapes(record)],
            Markup(charts.stranded(record)),
        ),
    ]

"""What the page is opened for: is the hub well used, who waits and why, what does it cost in energy."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from cluster.simulate.record import Record
from tasks.hub import charts
from tasks.hub.words import BOUNDS, CAUSES, duration, energy, percent, reason
from tasks.words import Text

Summary = Mapping[str, Any]


class Part(NamedTuple):
    """A part of a whole: its colour, its share, what it is, and how much where that is to be said."""

    colour: str
    share: float
    what: Text
    amount: str = ""


class Answer(NamedTuple):
    """A question that the page is opened for: the figure, what the figure is, its parts, and the sentences."""

    question: Text
    figure: str
    unit: Text
    sentences: Sequence[Text]
    parts: Sequence[Part] = ()


def answers(record: Record, summary: Summary) -> list[Answer]:
    """The three, in this order."""
    return [_use(record, summary), _waiting(summary), _energy(record, summary)]


def tiles(summary: Summary) -> list[tuple[str, Text]]:
    """Figures that are seen at a glance."""
    crossing, inside = summary["one_supernode_gangs_that_cross"], summary["one_supernode_gangs"]
    return [
        (f"{summary['finished']:,}", Text("gangs finished", "个作业完成")),
        (f"{summary['refused']:,}", Text("refused, with a reason", "个被拒绝（有原因）")),
        (f"{summary['chip_hours']:,.0f}", Text("chip-hours held", "占用芯片小时")),
        (f"{summary['mean_queue']:,.1f}", Text("gangs wait, on average", "个作业平均在等待")),
        (
            f"{crossing:,} / {inside:,}",
            Text("gangs that fit one supernode lie in several", "可放入单个超节点的作业跨越了超节点"),
        ),
    ]


def _use(record: Record, summary: Summary) -> Answer:
    bounds = summary["bounds_s"]
    which = max(bounds, key=bounds.__getitem__)
    took, least = summary["makespan_s"], bounds[which]
    found = [
        Text(
            f"{summary['finished']:,} gangs ended within {duration(took)}.",
            f"{summary['finished']:,} 个作业在 {duration(took)} 内全部结束。",
        )
    ]
    if least > 0:
        found.append(
            Text(
                f"That is {took / least:.2f} times the lower bound of {duration(least)} ({BOUNDS[which].en}).",
                f"为理论下界 {duration(least)} 的 {took / least:.2f} 倍（{BOUNDS[which].zh}）。",
            )
        )
    for _, shape in charts.shapes(record)[1:2]:
        lost = percent(summary["stranded"][str(shape)])
        found.append(
            Text(
                f"{lost} of the chips were free in pieces too small for gangs of {shape}.",
                f"平均 {lost} 的芯片虽空闲但过于零碎，放不下 {shape} 芯片的作业。",
            )
        )
    use, whole = summary["utilisation_while_gangs_arrive"], summary["utilisation"]
    parts = [Part(charts.HELD, use, Text("held", "占用")), Part("#e2e8f0", 1 - use, Text("free", "空闲"))]
    if abs(use - whole) >= 0.001:
        found.insert(
            1, Text(f"To the end of the last one it is {percent(whole)}.", f"计至最后一个作业结束为 {percent(whole)}。")
        )
    unit = Text("of the chips in service were held while gangs arrived", "作业到达期间在用芯片平均占用率")
    return Answer(Text("Is the hub well used?", "算力用得充分吗？"), percent(use), unit, found, parts)


def _waiting(summary: Summary) -> Answer:
    question = Text("Who waits, and why?", "谁在等待，为什么？")
    rows = summary["waits"]
    gangs, waited = sum(row["gangs"] for row in rows), sum(row["waited"] for row in rows)
    mean = sum(row["mean_s"] * row["gangs"] for row in rows) / gangs if gangs else 0.0
    unit = Text("mean wait of a gang", "作业平均等待")
    if not waited:
        return Answer(question, duration(mean), unit, [Text("Nobody waited.", "没有作业等待。")])
    longest = max(rows, key=lambda row: row["mean_s"])
    size, mean_long, p95 = charts.size_label(longest["chips"]), duration(longest["mean_s"]), duration(longest["p95_s"])
    held: Counter[str] = Counter()
    for row in rows:
        held.update(row["reasons"])
    parts = [
        Part(charts.REASON_COLOURS.get(code, "#999999"), n / held.total(), reason(code), percent(n / held.total()))
        for code, n in held.most_common()
    ]
    found = [
        Text(
            f"{percent(1 - waited / gangs)} of {gangs:,} gangs started at once.",
            f"{gangs:,} 个作业中 {percent(1 - waited / gangs)} 立即启动。",
        ),
        Text(
            f"Gangs of {size} chips waited longest: {mean_long} on average, 95 % of them at most {p95}.",
            f"{size} 芯片的作业等待最久：平均 {mean_long}，95% 不超过 {p95}。",
        ),
        Text("What held gangs at first:", "作业首次被搁置的原因："),
    ]
    return Answer(question, duration(mean), unit, found, parts)


def _energy(record: Record, summary: Summary) -> Answer:
    question = Text("What does it cost in energy?", "耗能多少？")
    by_cause, hours = summary["energy_kwh"], summary["chip_hours"]
    total = sum(by_cause.values())
    if not total:
        none = Text(
            "The hub's file gives no power figures, so nothing can be said.", "拓扑文件没有功耗数据，无法估算。"
        )
        return Answer(question, "–", Text("no power figures", "无功耗数据"), [none])
    parts = [
        Part(charts.CAUSES[name], kwh / total, CAUSES[name], f"{energy(kwh)}, {percent(kwh / total)}")
        for name, kwh in by_cause.items()
        if kwh
    ]
    found = []
    if hours:
        each = f"{total / hours:.2f} kWh"
        found.append(Text(f"All in all {each} for each chip-hour held.", f"折合每占用芯片小时 {each}。"))
    if not record.allocator.power.complete:
        found.append(
            Text("Some kinds have no power figures and count as nothing.", "部分芯片类型没有功耗数据，按零计。")
        )
    return Answer(question, energy(total), Text("modelled, not measured", "模型估算，非实测"), found, parts)

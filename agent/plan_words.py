"""A plan as a page of Markdown in one language: for the terminal, and for the page of the run."""

from agent.estimate import Estimate
from agent.models.curated import curated
from agent.models.schema import Words
from agent.models.state import state
from agent.placement import Placement
from agent.plan import Plan, Problem, Stated
from agent.proposal import Proposal, Proposed
from agent.wording import duration, durations, sizes, span

FROM = {
    "said": Words(en="your words", zh="来自句中"),
    "default": Words(en="default", zh="默认"),
    "changed": Words(en="changed", zh="已修改"),
}


def as_markdown(proposed: Proposed) -> str:
    """All plans of a sentence, in their order."""
    zh = proposed.chinese
    parts = [f"> {_plain(proposed.text)}", _plain(helped(proposed))]
    many = len(proposed.proposals) > 1
    for number, proposal in enumerate(proposed.proposals, 1):
        parts.append(proposal_markdown(proposal, number if many else 0, chinese=zh))
    return "\n\n".join(part for part in parts if part)


def helped(proposed: Proposed) -> str:
    """What a language model added to the reading, or why it did not; nothing where none was asked."""
    said, zh = proposed.reading.help, proposed.chinese
    if said is None:
        return ""
    if zh:
        return f"语言模型 {said.model}：{said.words.zh}" + ("。" if said.used else "；按离线规则理解。")
    return f"Language model {said.model}: {said.words.en}" + ("." if said.used else "; read by the offline rules.")


def proposal_markdown(proposal: Proposal, number: int = 0, *, chinese: bool) -> str:
    """One task of a sentence."""
    before = f"{number}. " if number else ""
    if proposal.plan is None:
        words = proposal.none
        if words is None:
            return (
                f"## {before}{proposal.task.question or proposal.task.intent}"
                if number
                else proposal.task.question or ""
            )
        lines = [f"## {before}{proposal.task.intent}", _in(words.reason, chinese)]
        if words.instead:
            lines.append("可以改为：" if chinese else "What could be done instead:")
            lines += [f"- {_in(one, chinese)}" for one in words.instead]
        return "\n\n".join([*lines[:2], "\n".join(lines[2:])]).strip()
    plan = proposal.plan
    parts = [
        f"## {before}{_in(plan.title, chinese)}",
        _settings(plan, chinese),
        _stages(plan, chinese),
        *(_cost(proposal.estimate, chinese) if proposal.estimate else ()),
        _models(plan, chinese),
        _unused(plan, chinese),
        _problems(proposal.problems, chinese),
        f"{'计划' if chinese else 'Plan'} `{plan.hash}` · {plan.pipeline}",
    ]
    return "\n\n".join(part for part in parts if part)


def _settings(plan: Plan, zh: bool) -> str:
    head = "| 设置 | 字段 | 值 | 来源 |" if zh else "| Setting | Field | Value | From |"
    return "\n".join([head, "|---|---|---|---|", *(_setting(one, zh) for one in plan.stated)])


def _setting(one: Stated, zh: bool) -> str:
    origin = _in(FROM[one.how], zh) + (f": {_in(one.note, zh)}" if one.note else "")
    return f"| {_in(one.title, zh)} | `{one.field}` | {_plain(one.value)} | {_plain(origin)} |"


def _stages(plan: Plan, zh: bool) -> str:
    head = "| 阶段 | 等待 | 行数 | 芯片·秒 |" if zh else "| Stage | After | Rows | Chip-seconds |"
    titles = {stage.name: _in(stage.title, zh) for stage in plan.stages}
    rows = [
        f"| {titles[stage.name]} | {', '.join(titles[one] for one in stage.after) or '–'} | {stage.rows:,} | {stage.chip_s:,.1f} |"
        for stage in plan.stages
    ]
    return "\n".join([head, "|---|---|---:|---:|", *rows])


def _cost(cost: Estimate, zh: bool) -> list[str]:
    chips, hours, wall = f"{cost.chips:,}", span(cost.chip_h, "chip-hours", "卡时"), durations(cost.wall_s)
    energy = (
        span(cost.kwh, "kWh", "kWh")
        if cost.kwh
        else Words(en="not known: the hub's file gives no power", zh="未知：集群文件未给出功率")
    )
    rows = [
        ("芯片" if zh else "Chips", f"{chips} ({cost.hub})"),
        ("用量" if zh else "Cost", _in(hours, zh)),
        ("时长" if zh else "Time", _in(wall, zh)),
        ("数据传输" if zh else "Data moved", sizes(cost.bytes)),
        ("能耗" if zh else "Energy", _in(energy, zh)),
    ]
    lines = ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)]
    found = ["\n".join(lines), _in(basis(cost), zh)]
    if cost.placement:
        found.append(_in(where(cost.hub, cost.placement), zh))
    if cost.busy:
        found.append(_in(when(cost.busy), zh))
    return found


def basis(cost: Estimate) -> Words:
    """What an estimate stands on."""
    if cost.runs:
        en = f"Ranges hold nine runs in ten; learned from {cost.runs} measured runs, {cost.here} of them on this machine."
        zh = f"区间覆盖十次运行中的九次；依据 {cost.runs} 次实测运行，其中 {cost.here} 次在本机。"
    else:
        en = "Ranges hold nine runs in ten; by the pipeline's own figures, as no run was measured yet."
        zh = "区间覆盖十次运行中的九次；尚无实测运行，依据流程自带的数值。"
    if cost.placement:
        en += " A chip of speed 1 is counted as one core of this machine: nothing was measured on that hub's chips."
        zh += "速度为 1 的芯片按本机一个核计：未在该集群的芯片上实测。"
    return Words(en=en, zh=zh)


def where(hub: str, found: Placement) -> Words:
    """The supernodes that would be taken."""
    if found.refused:
        return Words(
            en=f"It could never be placed on {hub}: {found.refused}", zh=f"无法在 {hub} 上放置：{found.refused}"
        )
    if not found.supernodes:
        return Words(en=f"On {hub} it would have to wait.", zh=f"在 {hub} 上需要排队。")
    parts = [f"{one.supernode} ({one.chips:,} {one.kind})" for one in found.supernodes[:6]]
    more = len(found.supernodes) - len(parts)
    en, zh = ", ".join(parts), "、".join(parts)
    return Words(
        en=f"It would take {en}{f' and {more} more supernodes' if more else ''} of {hub}.",
        zh=f"将占用 {hub} 的 {zh}{f' 等 {len(found.supernodes)} 个超节点' if more else ''}。",
    )


def when(found: Placement) -> Words:
    """When it would start on a busy day."""
    if found.wait_s is None:
        return Words(
            en="On a busy day (simulated) no start could be promised.", zh="在繁忙日（模拟）无法承诺开始时间。"
        )
    if found.supernodes:
        names = ", ".join(one.supernode for one in found.supernodes[:3])
        return Words(
            en=f"On a busy day (simulated, 85 % of the hub asked for) it would start at once, in {names}.",
            zh=f"在繁忙日（模拟，负载 85 %）可立即开始，位于 {names}。",
        )
    wait = duration(found.wait_s)
    return Words(
        en=f"On a busy day (simulated, 85 % of the hub asked for) it would wait {wait.en}.",
        zh=f"在繁忙日（模拟，负载 85 %）需等待 {wait.zh}。",
    )


def _models(plan: Plan, zh: bool) -> str:
    by_id = {one.id: one for one in curated()}
    used = [by_id[use.id] for use in plan.models]
    if not used:
        return ""
    names = "; ".join(f"{one.name} ({one.licence.weights}, {state(one)})" for one in used)
    return f"{'模型' if zh else 'Models'}: {names}"


def _unused(plan: Plan, zh: bool) -> str:
    if not plan.unused:
        return ""
    names = ", ".join(plan.unused)
    return f"⚠ 该流程用不到句中的：{names}" if zh else f"⚠ Said, but this pipeline has no use for it: {names}"


def _problems(found: tuple[Problem, ...], zh: bool) -> str:
    if not found:
        return ""
    head = "**不能按此运行：**" if zh else "**It cannot run like this:**"
    return "\n".join([head, "", *(f"- {_in(one.words, zh)}" for one in found)])


def _in(words: Words, zh: bool) -> str:
    return words.zh if zh else words.en


def _plain(text: str) -> str:
    """Text of a person inside a page: one line, no table cells, no markup."""
    escaped = " ".join(text.split())
    for mark in "\\`*_[]<>|#":
        escaped = escaped.replace(mark, f"\\{mark}")
    return escaped

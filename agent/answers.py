"""Answers to questions about plans, runs and results: from the plan, the catalogue, the allocator and the run store."""

import re

from agent.calibration import Calibration
from agent.estimate import SMALL, Estimate, estimate
from agent.facts import RunFacts
from agent.models.chips import chips_of
from agent.models.choice import Wish
from agent.models.curated import curated
from agent.models.schema import Words
from agent.models.select import select
from agent.models.state import READY
from agent.plan import Plan
from agent.plan_words import basis, where
from agent.proposal import Ground
from agent.slots.extract import extract
from agent.stages import key_of, title_of
from agent.text import normalise
from agent.wording import duration, durations, figure, joined, span

SHARES = (
    (r"\bhalf\b|一半|减半|半数", 0.5),
    (r"\bquarter\b|四分之一", 0.25),
    (r"\b(twice|double)\b|两倍|双倍|翻倍|二倍|加倍", 2.0),
    (r"\b(three times|triple)\b|三倍", 3.0),
    (r"\b(four times|quadruple)\b|四倍", 4.0),
    (r"\b(ten times|tenfold)\b|十倍", 10.0),
)


def why_models(plan: Plan, ground: Ground) -> Words:
    """For each model of a plan: what speaks for it on the hub, and why not a better one."""
    parts = [_why(use.id, use.task, ground) for use in plan.models]
    if not parts:
        return Words(en="The plan names no model of the catalogue.", zh="该计划没有用到目录中的模型。")
    return joined(parts, "\n\n", "\n\n")


def _why(model: str, task: str, ground: Ground) -> Words:
    found = select(curated(), Wish(task=task), chips_of(ground.hub))
    chosen = next((one for one in found.chosen if one.model.id == model), None)
    if chosen is None:
        said = next(one.reason for one in found.excluded if one.id == model)
        return Words(
            en=f"{model} does not fit {ground.hub.name}: {said.en}.",
            zh=f"{model} 不适合 {ground.hub.name}：{said.zh}。",
        )
    ready = sum(one.state == READY for one in found.chosen)
    reasons = chosen.why
    parts = [
        Words(
            en=f"{chosen.model.name} is what the request names; {len(found.chosen)} models of the catalogue can do this task on "
            f"{ground.hub.name}, {ready} of them ready here.",
            zh=f"请求所指定的是 {chosen.model.name}；目录中有 {len(found.chosen)} 个模型可在 {ground.hub.name} 上完成该任务，其中 {ready} 个此处可直接使用。",
        ),
        Words(
            en=f"For it: {'; '.join(one.en for one in reasons)}.", zh=f"依据：{'；'.join(one.zh for one in reasons)}。"
        ),
    ]
    best = found.chosen[0]
    if best.model.id != model and best.quality is not None and best.metric:
        mine = f"{chosen.quality:,.4g}" if chosen.quality is not None else "-"
        parts.append(
            Words(
                en=f"The best figure has {best.model.name} ({best.metric.title.en} {best.quality:,.4g}, here {mine}): {best.state}.",
                zh=f"成绩最高的是 {best.model.name}（{best.metric.title.zh} {best.quality:,.4g}，所选为 {mine}）：{best.state}。",
            )
        )
    return joined(parts)


def chips_meant(text: str, now: int) -> int | None:
    """How many chips a question supposes: a number of them, or a share of those there are."""
    plain = normalise(text).lower()
    for pattern, share in SHARES:
        if re.search(pattern, plain):
            return max(1, round(now * share))
    chips = extract(plain).slots.get("chips")
    return chips.count if chips else None


def what_if(text: str, plan: Plan, ground: Ground) -> Words:
    """The plan on another number of chips: its time and cost against now, and where it would be."""
    now = estimate(plan, ground.hub, ground.calibration, ground.machine)
    chips = chips_meant(text, now.chips)
    if chips is None:
        return Words(
            en="How many chips? For example: what if I had half the chips, what if I had 8 chips.",
            zh="多少张卡？例如：如果只有一半的卡呢，如果有 8 张卡呢。",
        )
    most = ground.hub.chips
    only = Words(
        en=f"{ground.hub.name} has {most:,} chips, not {chips:,}.",
        zh=f"{ground.hub.name} 只有 {most:,} 张卡，没有 {chips:,} 张。",
    )
    if chips > most > SMALL:
        return only
    then = estimate(plan, ground.hub, ground.calibration, ground.machine, chips)
    parts = [_compared(now, then), *([only] if chips > most else ())]
    if chips > now.chips:
        parts.append(_limits(plan))
    parts += [where(then.hub, then.placement)] if then.placement else []
    return joined([*parts, basis(then)])


def _compared(now: Estimate, then: Estimate) -> Words:
    ratio = then.wall_s.expected / now.wall_s.expected
    before, after, cost = durations(now.wall_s), durations(then.wall_s), span(then.chip_h, "chip-hours", "卡时")
    return Words(
        en=f"With {then.chips:,} {'chip' if then.chips == 1 else 'chips'} instead of {now.chips:,} it would take {after.en} instead of {before.en}: {figure(ratio)} times as "
        f"long, for {cost.en}.",
        zh=f"用 {then.chips:,} 张卡（原 {now.chips:,} 张）约需 {after.zh}，原为 {before.zh}，是原来的 {figure(ratio)} 倍；用量 {cost.zh}。",
    )


def _limits(plan: Plan) -> Words:
    """What more chips cannot hasten: the stage with the longest rows."""
    longest = max(plan.stages, key=lambda stage: stage.chip_s / max(1, stage.rows))
    each = duration(longest.chip_s / max(1, longest.rows))
    return Words(
        en=f"A row is on one chip at a time; the longest, of {longest.title.en}, take {each.en} each, and there are {longest.rows:,}.",
        zh=f"每行同一时刻只在一张卡上；最长的是「{longest.title.zh}」，每行 {each.zh}，共 {longest.rows:,} 行。",
    )


def how_is(facts: RunFacts, calibration: Calibration, machine: str) -> Words:
    """How far a run is, what it has taken, and what is left by what runs like it took."""
    done = {stage.name: stage for stage in facts.done}
    taken = sum(stage.chip_s for stage in facts.done)
    worked = duration(facts.worked_s)
    if facts.state == "finished":
        return Words(
            en=f"{facts.run} is finished: {len(done)} stages, {figure(taken)} chip-seconds in {worked.en}. Report: {facts.report}",
            zh=f"{facts.run} 已完成：{len(done)} 个阶段，用时 {worked.zh}，{figure(taken)} 芯片·秒。报告：{facts.report}",
        )
    last = facts.done[-1] if facts.done else None
    wait = duration(left_s(facts, calibration, machine) / max(1, facts.chips))
    en = f"{facts.run} is {'running' if facts.state == 'running' else 'stopped'}: {len(done)} of {len(facts.planned)} planned stages have results"
    zh = f"{facts.run} {'正在运行' if facts.state == 'running' else '已停止'}：计划的 {len(facts.planned)} 个阶段中 {len(done)} 个已有结果"
    if last:
        named = title_of(facts.pipeline, last.name)
        en += f", the last is “{named.en}” ({last.ok:,} of {last.rows:,} rows go on)"
        zh += f"，最近的是「{named.zh}」（{last.rows:,} 行中 {last.ok:,} 行通过）"
    en += f"; {figure(taken)} chip-seconds so far, about {wait.en} left."
    zh += f"；已用 {figure(taken)} 芯片·秒，约剩 {wait.zh}。"
    if facts.state == "stopped":
        en += f" Finished shards are kept. Go on with: ai4s resume {facts.run}"
        zh += f"已完成的分片会保留。继续运行：ai4s resume {facts.run}"
    return Words(en=en, zh=zh)


def left_s(facts: RunFacts, calibration: Calibration, machine: str) -> float:
    """Chip-seconds of what a run has still to do."""
    done = {stage.name: stage.rows for stage in facts.done}
    left = 0.0
    for stage in facts.planned:
        ahead = max(0, stage.rows - done.get(stage.name, 0)) / max(1, stage.rows)
        factor = calibration.stage(facts.pipeline, key_of(facts.pipeline, stage.name), stage.chip_s, machine)
        left += ahead * stage.chip_s * factor.expected
    return left


def explain_result(facts: RunFacts) -> Words:
    """What a run found, where its candidates went, and what limits it."""
    if facts.answer is None:
        return Words(en=f"{facts.run} has no result yet.", zh=f"{facts.run} 尚无结果。")
    asked = [Words(en=f"You asked: {facts.sentence}", zh=f"您问的是：{facts.sentence}")] if facts.sentence else []
    found = [*asked, facts.answer, _funnel(facts), *facts.notes]
    if facts.report:
        found.append(Words(en=f"All of it: {facts.report}", zh=f"全部内容：{facts.report}"))
    return joined(found, "\n\n", "\n\n")


def _funnel(facts: RunFacts) -> Words:
    """The stages that end most candidates."""
    ended = [
        (count, outcome, stage.name)
        for stage in facts.done
        for outcome, count in stage.outcomes.items()
        if outcome != "ok" and count
    ]
    came = facts.done[0].rows if facts.done else 0
    if not ended:
        return Words(en=f"{came:,} came in, and none ended on the way.", zh=f"输入 {came:,} 个，途中没有淘汰。")
    most = [
        (count, outcome, title_of(facts.pipeline, stage)) for count, outcome, stage in sorted(ended, reverse=True)[:4]
    ]
    en = ", ".join(f"{count:,} {outcome} ({stage.en})" for count, outcome, stage in most)
    zh = "，".join(f"{count:,} {outcome}（{stage.zh}）" for count, outcome, stage in most)
    return Words(
        en=f"{came:,} came in; most that ended on the way: {en}.", zh=f"输入 {came:,} 个；途中结束最多的：{zh}。"
    )


def what_it_costs(plan: Plan, cost: Estimate) -> Words:
    """A question of cost, answered by the plan that would run."""
    hours, wall = span(cost.chip_h, "chip-hours", "卡时"), durations(cost.wall_s)
    rows = plan.stages[0].rows
    parts = [
        Words(
            en=f"{plan.title.en}, {rows:,} rows: about {hours.en}, {wall.en} on {cost.chips:,} chips of {cost.hub}.",
            zh=f"{plan.title.zh}，{rows:,} 行：约 {hours.zh}，在 {cost.hub} 的 {cost.chips:,} 个芯片上需 {wall.zh}。",
        )
    ]
    if cost.kwh:
        energy = span(cost.kwh, "kWh", "kWh")
        parts.append(Words(en=f"Energy {energy.en}.", zh=f"能耗 {energy.zh}。"))
    parts += [where(cost.hub, cost.placement)] if cost.placement else []
    return joined([*parts, basis(cost)])

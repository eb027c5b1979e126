"""One HTML page a run: self-contained, English and Chinese, the answer first. A domain adds its own sections."""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow.compute as pc
import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from tasks.asked import ANSWER, asked
from tasks.figures import timeline
from tasks.hub.ran import by_worker, ran_map
from tasks.outcomes import OK, ShardSummary, StageSummary
from tasks.own_report import TABLE, own_table
from tasks.run import PROVENANCE, Run
from tasks.store import write_atomic, write_json
from tasks.traffic import by_level
from tasks.words import Text, duration

FLOW = "flow process"
NUMBER = re.compile(r"-?\d+(\.\d+)?(e[+-]?\d+)?")
MOST_REASONS = 5


@dataclass(frozen=True)
class Section:
    """A part of the page that a domain makes; ``first`` ones stand before the funnel."""

    en: str
    zh: str
    html: Markup
    first: bool = True


@dataclass(frozen=True)
class Tile:
    """A figure that is seen at a glance."""

    value: str
    en: str
    zh: str


@dataclass(frozen=True)
class Findings:
    """What a domain says about a finished run."""

    heading: Text
    answer: Text
    notes: Sequence[Text]
    tiles: Sequence[Tile]
    sections: Sequence[Section]
    meanings: Mapping[str, Text]
    inputs: Sequence[tuple[Text, str]]


def environment(package: str) -> Environment:
    """Templates of a package: everything is escaped unless it is Markup."""
    return Environment(loader=PackageLoader(package, ""), autoescape=True, undefined=StrictUndefined, trim_blocks=True)


def write_report(run: Run, findings: Findings) -> str:
    """Write report.html into the run's folder; returns its path."""
    run.note_traffic()
    sessions = json.loads((run.store.root / PROVENANCE).read_text())["sessions"]
    stages = run.stages
    ended = sum(stage.ended for stage in stages)
    counted = [stage for stage in stages if not stage.annotates]
    sentence = asked(run.store.root, _held(stages))
    page = (
        environment("tasks")
        .get_template("report.html.j2")
        .render(
            run=run.store,
            started=datetime.fromtimestamp(run.started, UTC).strftime("%Y-%m-%d %H:%M UTC"),
            heading=findings.heading,
            answer=findings.answer,
            asked=sentence,
            language=sentence.language if sentence else "en",
            notes=findings.notes,
            tiles=[*findings.tiles, *_cost_tiles(run)],
            sections=[*findings.sections, *_own(run)],
            stages=[_funnel_row(stage) for stage in stages],
            most_rows=max((stage.rows for stage in stages), default=1) or 1,
            total=stages[0].rows,
            added=sum(stage.added for stage in stages),
            ended=ended,
            reached=counted[-1].ok,
            failures=_failures(run, findings.meanings),
            places=_places(stages),
            timeline=Markup(timeline(stages)),
            maps=_maps(run),
            traffic=by_level(sessions, [pod.topology for pod in run.pods]),
            provenance=_provenance(run, sessions, findings.inputs),
            request_yaml=yaml.safe_dump(run.request.identity(), sort_keys=False, allow_unicode=True),
        )
    )
    said = {"answer": findings.answer._asdict(), "notes": [note._asdict() for note in findings.notes]}
    write_json(run.store.root / ANSWER, said)
    path = run.store.root / "report.html"
    write_atomic(path, page.encode())
    return str(path)


def _own(run: Run) -> list[Section]:
    """What the stage of a template said, in a run that has one."""
    if run.own is None:
        return []
    name = run.own.template
    return [Section(f"Stage of {name} ({TABLE})", f"模板 {name} 的步骤（{TABLE}）", own_table(run), first=False)]


def _funnel_row(stage: StageSummary) -> dict[str, Any]:
    ended = sorted(((name, n) for name, n in stage.outcomes.items() if name != OK), key=lambda pair: -pair[1])
    return {
        "title": stage.title,
        "title_zh": stage.title_zh,
        "rows": stage.rows,
        "parents": stage.parents,
        "annotates": stage.annotates,
        "ok": stage.ok,
        "ended": ended,
        "chip_s": stage.chip_s,
    }


def engine_share(stages: Sequence[StageSummary]) -> float:
    """Share of the chip-seconds of all shards that were spent inside an engine."""
    held = _held(stages)
    return sum(stage.engine_s for stage in stages) / held if held else 0.0


def _held(stages: Sequence[StageSummary]) -> float:
    """Chip-seconds that shards held a chip."""
    return sum(stage.chip_s for stage in stages if stage.chips_held)


def _cost_tiles(run: Run) -> list[Tile]:
    held = _held(run.stages)
    return [
        Tile(duration(_at_work(run.stages)), "at work, pauses not counted", "实际运行时长（不含中断）"),
        Tile(f"{held:,.0f}", f"chip-seconds on {run.slots} chips", f"芯片·秒（{run.slots} 个芯片）"),
        Tile(f"{100 * engine_share(run.stages):.1f} %", "of them inside the engine", "其中在引擎内"),
    ]


def _at_work(stages: Sequence[StageSummary]) -> float:
    """Seconds in which at least one shard ran: the pauses of a run that was stopped and resumed are not in it."""
    total, until = 0.0, 0.0
    for started, ended in sorted((shard.started, shard.ended) for stage in stages for shard in stage.shards):
        total += max(0.0, ended - max(started, until))
        until = max(until, ended)
    return total


def _failures(run: Run, meanings: Mapping[str, Text]) -> list[dict[str, Any]]:
    """Outcomes by stage, each with its most frequent reasons; numbers in reasons are set aside to group them."""
    rows: list[dict[str, Any]] = []
    for stage in run.stages:
        reasons: dict[str, Counter[str]] = defaultdict(Counter)
        examples: dict[tuple[str, str], str] = {}
        for table in run.store.stage(stage.name).tables(["name", "id", "outcome", "reason"], only_ok=False):
            for row in table.filter(pc.not_equal(table["outcome"], OK)).to_pylist():
                kind = NUMBER.sub("…", row["reason"] or "")
                reasons[row["outcome"]][kind] += 1
                examples.setdefault(
                    (row["outcome"], kind), f"{row['name'] or 'row ' + str(row['id'])}: {row['reason']}"
                )
        for outcome, kinds in sorted(reasons.items(), key=lambda pair: -pair[1].total()):
            shown = [(number, examples[outcome, kind][:200]) for kind, number in kinds.most_common(MOST_REASONS)]
            rows.append(
                {
                    "outcome": outcome,
                    "stage": stage.name,
                    "count": kinds.total(),
                    "meaning": meanings.get(outcome, Text("", "")),
                    "reasons": shown,
                    "more": len(kinds) - len(shown),
                }
            )
    return rows


def _places(stages: Sequence[StageSummary]) -> list[dict[str, Any]]:
    at: dict[str, list[tuple[bool, ShardSummary]]] = defaultdict(list)
    for stage in stages:
        for shard in stage.shards:
            at[shard.place.rsplit("/", 2)[0] if stage.chips_held else FLOW].append((stage.chips_held > 0, shard))
    return [
        {
            "name": name,
            "shards": len(at[name]),
            "rows": sum(shard.rows for _, shard in at[name]),
            "chip_s": sum(shard.wall_s for held, shard in at[name] if held),
            "engine_s": sum(shard.engine_s for _, shard in at[name]),
        }
        for name in sorted(at, key=lambda name: (name == FLOW, name))
    ]


def _maps(run: Run) -> list[Markup]:
    """One map for each pod; pods over hubs that are alike are drawn once, as their places have the same names."""
    ran = by_worker(shard for stage in run.stages if stage.chips_held for shard in stage.shards)
    topologies = {one.model_dump_json(): one for one in (pod.topology for pod in run.pods)}
    return [Markup(ran_map(topology, ran, _at_work(run.stages))) for topology in topologies.values()] if ran else []


def _provenance(
    run: Run, sessions: Sequence[Mapping[str, Any]], inputs: Sequence[tuple[Text, str]]
) -> list[dict[str, str]]:
    latest = sessions[-1]
    places = dict.fromkeys(f"{' + '.join(hub['title'] for hub in one['hubs'])} ({one['profile']})" for one in sessions)
    machines = dict.fromkeys(
        f"{one['machine']['cpu']}, {one['machine']['cores']} cores, {one['machine']['system']}" for one in sessions
    )
    versions = ", ".join(f"{name} {found}" for name, found in latest["packages"].items())
    rows = [
        *inputs,
        (Text("Where", "运行环境"), "; ".join(places)),
        (Text("Machine", "机器"), "; ".join(machines)),
        (Text("Sessions", "会话"), ", ".join(one["started"] for one in sessions)),
        (Text("Versions", "版本"), f"Python {latest['python']}, {versions}"),
        (Text("Folder", "目录"), str(run.store.root)),
    ]
    return [{"en": text.en, "zh": text.zh, "value": value} for text, value in rows]

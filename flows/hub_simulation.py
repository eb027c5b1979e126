"""``ai4s hub simulate``: a day, a trace or a workflow on a hub; figures, every decision, a page."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from cluster.allocate.allocator import Allocator
from cluster.allocate.decision import Decision, explain_placed
from cluster.hubfile import load
from cluster.simulate.day import PROJECTS, failures, national_day
from cluster.simulate.jobs import Growth, Job
from cluster.simulate.record import Record
from cluster.simulate.simulator import simulate
from cluster.simulate.traces import read_trace
from cluster.topology import Topology, TopologyError
from cluster.tree import build

SUMMARY, DECISIONS, PAGE = "summary.json", "decisions.parquet", "report.html"
HOUR = 3600.0


@dataclass(frozen=True)
class Options:
    """What to simulate: ``trace`` is ``day`` or a file, ``growth`` a time in hours and the hub from then on."""

    trace: str
    hub: str
    load: float = 0.85
    seed: int = 0
    scale: int = 0
    copies: int = 1
    speedup: float = 1.0
    breaks: bool = True
    preemption: bool = False
    growth: tuple[float, str] | None = None
    language: Literal["en", "zh"] = "en"


def run_simulation(options: Options, folder: Path, progress: Callable[[int, int], None]) -> dict[str, Any]:
    """Simulate, write figures, decisions and page into ``folder``, return the figures."""
    topology = load(options.hub)
    jobs, about, projects = _jobs(options, topology)
    if not jobs:
        raise TopologyError(f"trace {options.trace}: gives no job on {topology.name}")
    span = max(job.submit for job in jobs)
    folder.mkdir(parents=True, exist_ok=True)
    maps: list[tuple[str, str]] = []
    record = simulate(
        topology,
        jobs,
        projects=projects,
        failures=failures(topology, seconds=span, seed=options.seed) if options.breaks else (),
        growth=_growth(options, topology),
        preemption=options.preemption,
        looks=[(hour * HOUR, _draw(maps, hour)) for hour in _hours(span)],
        progress=lambda done: progress(done, len(jobs)),
    )
    summary = {"trace": options.trace, **about, **record.summary()}
    _write(record, summary, maps, folder, options)
    return summary


def _jobs(options: Options, topology: Topology) -> tuple[list[Job], dict[str, Any], Any]:
    if options.trace == "day":
        jobs = list(national_day(topology, load=options.load, seed=options.seed))
        return jobs, {"jobs": len(jobs), "load": options.load, "seed": options.seed}, PROJECTS
    trace = read_trace(options.trace)
    chips = build(topology).capacity["any"][0]
    scale = options.scale or max(1, chips // max(trace.size * options.copies, 1))
    jobs = list(trace.jobs(topology, scale=scale, copies=options.copies, speedup=options.speedup))
    about = {"jobs": len(jobs), "left_out": dict(trace.left_out), "scale": scale, "copies": options.copies}
    return jobs, {**about, "speedup": options.speedup, "seed": options.seed}, None


def _growth(options: Options, topology: Topology) -> list[Growth]:
    if options.growth is None:
        return []
    hours, name = options.growth
    grown = load(name)
    if grown.levels != topology.levels:
        raise TopologyError(f"growth: {grown.name} has other levels than {topology.name}: it is not the same hub grown")
    return [Growth(hours * HOUR, grown)]


def _hours(span: float) -> list[float]:
    """When to draw the map: at the third quarter of the arrivals, when the hub is as full as it gets."""
    return [round(span * 0.75 / HOUR, 1)]


def _draw(maps: list[tuple[str, str]], hour: float) -> Callable[[Allocator], None]:
    def look(allocator: Allocator) -> None:
        from tasks.hub.map import hub_map

        maps.append((f"{hour:g} h", hub_map(allocator)))

    return look


def _write(
    record: Record, summary: dict[str, Any], maps: list[tuple[str, str]], folder: Path, options: Options
) -> None:
    from tasks.hub.page import write_simulation

    (folder / SUMMARY).write_text(json.dumps(summary, indent=2, ensure_ascii=False) + "\n")
    tree = record.allocator.tree
    rows = [
        {**asdict(one), "ended": record.ends.get(one.name), "explained": " ".join(explain_placed(one, tree))}
        for one in record.decisions.values()
    ]
    rows += [_not_run(name, f"{name} was refused: {reason}") for name, reason in record.refused.items()]
    rows += [_not_run(name, f"{name} still waits: {reason}") for name, reason in record.still_waiting.items()]
    if rows:
        pq.write_table(pa.Table.from_pylist(rows), folder / DECISIONS)
    about = {
        key: f"{value:,}" if isinstance(value, int) else str(value) for key, value in summary.items() if key in _ABOUT
    }
    trace = "A national day" if options.trace == "day" else Path(options.trace).name
    title = f"{trace} on {record.allocator.topology.title}"
    write_simulation(record, folder / PAGE, title=title, about=about, language=options.language, maps=maps)


_ABOUT = ("trace", "jobs", "load", "seed", "scale", "copies", "speedup", "left_out")


def _not_run(name: str, why: str) -> dict[str, Any]:
    empty = Decision(name, 0, (), 0, 0, 0, 0, 0.0, 0.0, "", ())
    return {**asdict(empty), "ended": None, "explained": why}


def explained(folder: Path, name: str) -> str:
    """What was decided about a gang of a simulation."""
    path = folder / DECISIONS
    if not path.exists():
        raise TopologyError(f"{folder}: has no {DECISIONS}; give the folder that 'ai4s hub simulate' wrote")
    found = pq.read_table(path, columns=["explained"], filters=[("name", "=", name)]).to_pylist()
    if not found:
        known = pq.read_table(path, columns=["name"]).column("name").to_pylist()
        near = get_close_matches(name, known, n=5) or known[:5]
        raise TopologyError(f"no gang {name!r} among the {len(known):,} of {folder}; there is {', '.join(near)}")
    return str(found[0]["explained"])


def run_workflow(path: str, hub: str) -> dict[str, Any]:
    """Every policy on a recorded workflow, against the lower bound."""
    from cluster.dag import Machine, bounds, portfolio, read

    graph, machine = read(Path(path)), Machine(build(load(hub)))
    limit = bounds(graph, machine)
    candidates = portfolio(graph, machine)
    return {
        "workflow": Path(path).name,
        "hub": hub,
        "tasks": len(graph.tasks),
        "chips": len(machine),
        "bound_s": limit.unshared,
        "bound": limit.binding,
        "policies": [
            {
                "policy": one.policy.name,
                "makespan_s": one.schedule.makespan,
                "over bound": one.schedule.makespan / limit.unshared,
            }
            for one in candidates
        ],
    }

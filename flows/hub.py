"""``ai4s hub``: what hubs there are, what fits on them, and what a day on one would be."""

import json
from pathlib import Path
from typing import Any, Literal

import click

from flows.hub_files import export_hub, import_hub
from flows.terminal import print_table, user_errors

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def hub() -> None:
    """Hubs: list, draw, import and export them; place gangs on one, simulate a day of one."""


@hub.command("list")
@as_json
def list_hubs(as_json: bool) -> None:
    """List the hubs that come with ai4s, and this machine."""
    from cluster.hubfile import load, presets

    with user_errors():
        found = [load(name) for name in ("laptop", *presets())]
    rows = [
        {
            "hub": one.name,
            "chips": one.chips,
            "kinds": len(one.kinds),
            "levels": " > ".join(one.levels),
            "title": one.title,
        }
        for one in found
    ]
    _print(rows, as_json)


@hub.command()
@click.argument("name")
@click.option(
    "--map", "page", type=click.Path(path_type=Path), metavar="FILE", help="Write a page with the map and all figures."
)
@click.option("--language", type=click.Choice(["en", "zh"]), default="en", help="Of the page.")
@as_json
def show(name: str, page: Path | None, language: Literal["en", "zh"], as_json: bool) -> None:
    """Show a hub: levels, kinds, links. NAME is a preset, laptop, or a hub file."""
    from cluster.allocate.allocator import Allocator
    from cluster.hubfile import load
    from cluster.tree import build

    with user_errors():
        topology = load(name)
        if page:
            from tasks.hub.page import write_map

            write_map(Allocator(topology), page, language)
    if as_json:
        click.echo(topology.model_dump_json(indent=2, exclude_defaults=True))
        return
    tree = build(topology)
    click.echo(f"{topology.title}: {topology.chips:,} chips{_machine() if name == 'laptop' else ''}\n")
    levels = []
    for level, domains in zip(tree.levels, tree.at_level, strict=True):
        link = topology.links.get(level)
        levels.append(
            {
                "level": level,
                "domains": len(domains),
                "chips each": max(tree.capacity["any"][domain] for domain in domains),
                "GB/s a chip": _figure(link.bandwidth if link else None),
                "latency us": _figure(link.latency if link else None),
            }
        )
    _print(levels)
    click.echo()
    _print(
        [
            {
                "kind": key,
                "chips": tree.capacity[key][0],
                "memory GiB": _figure(kind.memory),
                "peak TFLOPS": ", ".join(f"{name} {_figure(value)}" for name, value in kind.tflops.items()),
                "W": _figure(kind.power),
                "speed": _figure(kind.speed),
                "title": kind.title,
            }
            for key, kind in topology.kinds.items()
        ]
    )
    click.echo("\np public, d derived, a assumed, m measured." + (f"\nMap      {page}" if page else ""))


def _machine() -> str:
    """What is in this machine."""
    from cluster.discover import machine

    found = machine()
    gpus = ", ".join(gpu.name for gpu in found.gpus) or "no GPU"
    numa = f"{len(found.numa)} NUMA node{'s' if len(found.numa) != 1 else ''}"
    return f"; {found.cores} cores in {numa}, {found.memory:,.0f} GiB, {gpus}"


def _figure(figure: Any) -> str:
    return "" if figure is None else f"{figure.value:,g} {figure.status[0]}"


@hub.command()
@click.argument("file")
def validate(file: str) -> None:
    """Check a hub file; what is wrong is named by line and key."""
    from cluster.hubfile import load

    with user_errors():
        topology = load(file)
    click.echo(f"{file} is a hub: {topology.name}, {topology.chips:,} chips of {', '.join(topology.kinds)}.")


@hub.command()
@click.argument("request", required=False)
@click.option("--hub", "name", default="", help="Another hub than the file names.")
@click.option("--map", "page", type=click.Path(path_type=Path), metavar="FILE", help="Write a page with the map.")
@click.option("--example", is_flag=True, help="Print a request to start from.")
@as_json
def place(request: str | None, name: str, page: Path | None, example: bool, as_json: bool) -> None:
    """Place the gangs of a request file on a hub, and say why each is where it is, or what holds it."""
    from cluster.allocate.decision import explain
    from cluster.simulate.request import EXAMPLE, read_request

    if example or not request:
        click.echo(EXAMPLE, nl=False)
        return
    with user_errors():
        wanted = read_request(request)
        allocator = _placed(wanted, name)
        if page:
            from tasks.hub.page import write_map

            write_map(allocator, page, "en")
    found = {
        gang.name: (allocator.state(gang.name), [*explain(allocator, gang.name, 0), *_repacked(allocator, gang)])
        for gang in wanted.gangs
    }
    if as_json:
        content = {gang: {"state": state, "why": lines} for gang, (state, lines) in found.items()}
        click.echo(json.dumps(content, indent=2, ensure_ascii=False))
        return
    for lines in (lines for _, lines in found.values()):
        click.echo("\n  ".join(lines))
    if page:
        click.echo(f"\nMap      {page}")


def _repacked(allocator: Any, gang: Any) -> list[str]:
    """How others could move aside for a gang that waits for room in one domain."""
    from cluster.allocate.repack import advise

    level = gang.required or gang.preferred
    if level is None or allocator.state(gang.name) != "waiting":
        return []
    advice = advise(allocator, level, gang.chips, next(iter(gang.kinds), None))
    return advice.lines() if advice else []


def _placed(wanted: Any, name: str) -> Any:
    from cluster.allocate.allocator import Allocator
    from cluster.allocate.change import fail
    from cluster.hubfile import load

    allocator = Allocator(load(name or wanted.hub), wanted.projects, preemption=wanted.preemption)
    for path in wanted.down:
        fail(allocator, path, 0)
    for gang in wanted.gangs:
        allocator.submit(gang, 0)
        allocator.schedule(0)
    return allocator


@hub.command()
@click.argument("gang")
@click.argument("folder", type=click.Path(path_type=Path))
def explain(gang: str, folder: Path) -> None:
    """Say why a gang of a simulation ran where and when it did. FOLDER is what 'ai4s hub simulate' wrote."""
    from flows.hub_simulation import explained

    with user_errors():
        click.echo(explained(folder, gang))


@hub.command()
@click.argument("trace")
@click.option("--hub", "name", default="zhengzhou-60k", show_default=True, help="A preset, laptop, or a hub file.")
@click.option(
    "--load",
    type=click.FloatRange(0.01, 5),
    default=0.85,
    show_default=True,
    help="Of the hub's chips that a day asks for.",
)
@click.option("--seed", default=0, show_default=True, help="Of the day and of what breaks.")
@click.option(
    "--scale",
    type=click.IntRange(0),
    default=0,
    help="Chips for each of the trace's; default: as the sizes of hub and trace.",
)
@click.option("--copies", type=click.IntRange(1), default=1, help="Of the trace, shifted in time.")
@click.option("--speedup", type=click.FloatRange(0.001), default=1.0, help="Of the trace's arrivals.")
@click.option(
    "--breaks/--no-breaks", default=True, show_default=True, help="Chips, hosts and supernodes fail and are repaired."
)
@click.option("--preemption/--no-preemption", default=False, help="High priority may stop low.")
@click.option("--grow", nargs=2, type=(float, str), metavar="HOURS HUB", help="From then on it is that hub.")
@click.option("--language", type=click.Choice(["en", "zh"]), default="en", help="Of the page.")
@click.option("--out", type=click.Path(path_type=Path), metavar="FOLDER", help="Default: simulate-TRACE-HUB.")
@as_json
def simulate(
    trace: str, name: str, out: Path | None, as_json: bool, grow: tuple[float, str] | None, **options: Any
) -> None:
    """Simulate TRACE on a hub: 'day' (a synthetic national day), a job trace (.swf, .csv) or a workflow (.json).

    Job traces and workflows may be gzipped. Writes figures, every decision, and a page with charts and the map.
    """
    if trace.removesuffix(".gz").endswith(".json"):
        _simulate_workflow(trace, name, as_json)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from flows.hub_simulation import PAGE, Options, run_simulation

    folder = out or Path(f"simulate-{Path(trace).name.split('.')[0]}-{Path(name).stem}")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with user_errors(), Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        line = bar.add_task(f"{trace} on {name}", total=None)
        shown = -1

        def progress(done: int, total: int) -> None:
            nonlocal shown
            if done * 200 // total != shown:
                shown = done * 200 // total
                bar.update(line, completed=done, total=total)

        summary = run_simulation(Options(trace, name, growth=grow, **options), folder, progress)
    if as_json:
        click.echo(json.dumps(summary, indent=2, ensure_ascii=False))
        return
    _show_summary(summary)
    click.echo(f"\nPage     {folder / PAGE}\nWhy      ai4s hub explain GANG {folder}")


def _show_summary(summary: dict[str, Any]) -> None:
    bound = max(summary["bounds_s"].values())
    energy = sum(summary["energy_kwh"].values()) / 1000
    click.echo(
        f"{summary['finished']:,} gangs ran, {summary['refused']:,} were refused, {summary['restarts']:,} started anew, "
        f"{summary['still_waiting']:,} still wait.\n"
        f"Utilisation {summary['utilisation_while_gangs_arrive']:.1%} while gangs arrived, {summary['utilisation']:.1%} to the end; all done after {summary['makespan_s'] / 3600:,.1f} h, "
        f"{summary['makespan_s'] / max(bound, 1e-9):.2f} of the lower bound.\n"
        f"{summary['one_supernode_gangs_that_cross']:,} of {summary['one_supernode_gangs']:,} gangs that fit one supernode lie in several.\n"
        f"Energy {energy:,.1f} MWh ({summary['energy_status']}).\n"
    )
    _print([{**row, "reasons": ", ".join(f"{k} {v}" for k, v in row["reasons"].items())} for row in summary["waits"]])


def _simulate_workflow(trace: str, name: str, as_json: bool) -> None:
    from flows.hub_simulation import run_workflow

    with user_errors():
        found = run_workflow(trace, name)
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    click.echo(
        f"{found['workflow']}: {found['tasks']:,} tasks on {found['chips']:,} chips of {name}; no schedule takes less than "
        f"{found['bound_s']:,.1f} s ({found['bound'].replace('_', ' ')}).\n"
    )
    _print(found["policies"])


def _print(rows: list[dict[str, Any]], as_json: bool = False) -> None:
    if as_json:
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
    else:
        print_table(rows)


hub.add_command(import_hub)
hub.add_command(export_hub)

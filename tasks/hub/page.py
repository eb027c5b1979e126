"""One HTML page on a hub: what a simulation says of it, or its map and the figures it is made of."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from cluster.allocate.allocator import Allocator
from cluster.simulate.record import Record
from cluster.topology import Topology
from tasks.hub.answers import answers, tiles
from tasks.hub.charts import size_label
from tasks.hub.gallery import gallery
from tasks.hub.map import hub_map
from tasks.hub.tables import failures, group_refused, kinds, sources
from tasks.hub.words import GROUPS, LEVELS, STATUS, duration, percent, reason
from tasks.store import write_atomic
from tasks.words import Text

Language = Literal["en", "zh"]


def write_simulation(
    record: Record,
    path: str | Path,
    *,
    title: str,
    about: Mapping[str, str],
    language: Language = "en",
    maps: Sequence[tuple[str, str]] = (),
) -> None:
    """Write what a simulation says: use, waits and energy first, then charts, tables, maps and where figures are from.

    ``about`` says what was simulated; ``maps`` are (caption, svg of ``hub_map``).
    """
    if not record.rows:
        raise ValueError("the record is empty: nothing was simulated")
    summary, topology = record.summary(), record.allocator.topology
    _write(
        path,
        language,
        title=Text(title, title),
        topology=topology,
        about=about,
        answers=answers(record, summary),
        tiles=tiles(summary),
        charts=gallery(record),
        waits=[{**row, "size": size_label(row["chips"])} for row in summary["waits"]],
        maps=[(caption, Markup(svg)) for caption, svg in maps],
        refused=group_refused(record.refused),
        failures=failures(record, summary),
        kinds=[],
    )


def write_map(allocator: Allocator, path: str | Path, language: Language = "en") -> None:
    """Write the map of a hub, its kinds of chip, and where each figure is from."""
    topology, tree = allocator.topology, allocator.tree
    size = [(f"{topology.chips:,}", Text("chips", "芯片"))]
    for level, domains in zip(tree.levels[1:], tree.at_level[1:], strict=True):
        there = sum(any(tree.capacity[kind][domain] for kind in tree.kinds) for domain in domains)
        size.append((f"{there:,}", Text(f"{level}s", LEVELS.get(level, level))))
    _write(
        path,
        language,
        title=Text(topology.title, topology.title),
        topology=topology,
        about={},
        answers=[],
        tiles=[*size, (percent(allocator.utilisation()), Text("of the chips in service are held", "在用芯片占用率"))],
        charts=[],
        waits=[],
        maps=[("", Markup(hub_map(allocator)))],
        refused=[],
        failures=None,
        kinds=kinds(allocator),
    )


def _write(path: str | Path, language: Language, *, topology: Topology, **content: Any) -> None:
    pages = Environment(
        loader=PackageLoader("tasks.hub", ""), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    pages.globals.update(duration=duration, percent=percent, reason=reason, status=STATUS)
    groups = sources(topology)
    every = [row for rows in groups.values() for row in rows]
    page = pages.get_template("page.html.j2").render(
        language=language,
        hub=topology,
        groups=[(GROUPS[name], rows) for name, rows in groups.items()],
        assumed=sum(row.number for row in every if row.status == "assumed"),
        figures=sum(row.number for row in every),
        **content,
    )
    write_atomic(Path(path), page.encode(errors="replace"))

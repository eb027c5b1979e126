"""From a pipeline's list of stages to a graph: who waits for whom follows from what each takes and gives."""

from collections.abc import Mapping, Sequence
from typing import Any

from agent.models.schema import Words
from agent.plan import Stage
from agent.resource import read_data
from domains.templates import Planned


def key_of(pipeline: str, stage: str) -> str:
    """The name under which the cost of a stage is learned: the table's, which one kind of stages shares."""
    known = read_data("stages").get(pipeline, {})
    if stage in known:
        return stage
    wild = [name for name in known if name.endswith("*") and stage.startswith(name[:-1])]
    return max(wild, key=len, default=stage)


def title_of(pipeline: str, stage: str) -> Words:
    """What a stage is called in both languages."""
    key = key_of(pipeline, stage)
    return _title(read_data("stages").get(pipeline, {}).get(key), stage, key)


def graph(pipeline: str, planned: Sequence[Planned]) -> tuple[Stage, ...]:
    """The stages with their inputs, outputs and predecessors, in the order of the pipeline."""
    made: list[Stage] = []
    for one in planned:
        figures: Mapping[str, Any] = one.as_dict()
        name = str(figures["name"])
        key = key_of(pipeline, name)
        row = read_data("stages").get(pipeline, {}).get(key)
        takes, gives = _ports(row, name, made)
        made.append(
            Stage(
                name=name,
                key=key,
                title=_title(row, name, key),
                takes=takes,
                gives=gives,
                after=tuple(before.name for before in made if before.gives in takes),
                rows=int(figures["rows"]),
                chip_s=round(one.chip_s, 6),
            )
        )
    return tuple(made)


def _ports(row: Mapping[str, Any] | None, name: str, before: Sequence[Stage]) -> tuple[tuple[str, ...], str]:
    if row is None:
        return ((before[-1].gives,) if before else ()), name
    there = {stage.gives for stage in before}
    takes = (next((kind for kind in wanted.split("|") if kind in there), wanted) for wanted in row.get("takes", ()))
    return tuple(takes), row["gives"]


def _title(row: Mapping[str, Any] | None, name: str, key: str) -> Words:
    if row is None:
        plain = name.replace("-", " ").capitalize()
        return Words(en=plain, zh=plain)
    rest = name.removeprefix(key[:-1]).upper() if key.endswith("*") else ""
    en, zh = (text.replace("{}", rest) for text in row["title"])
    return Words(en=en, zh=zh)

"""Requests as people write them, read and planned by the agent: one, or a file of them."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from domains.errors import InvalidRequest

if TYPE_CHECKING:
    from agent.proposal import Ground, Proposed


def proposed(
    text: str, on: "Ground | None" = None, changes: Mapping[str, Any] | None = None, *, hub: str = "", profile: str = ""
) -> "tuple[Proposed, Ground]":
    """A request with its plans, and what their estimates stand on; raises InvalidRequest where the agent is not installed."""
    try:
        from agent.proposal import propose  # here: it brings RDKit and the trained recogniser
    except ModuleNotFoundError as error:
        raise InvalidRequest("request", text, f"{error.name} is not installed", "pip install 'ai4s[agent]'") from None
    from flows.proposing import ground, reader

    on = on or ground(profile, hub)
    return propose(text, on, changes, reader()), on


def plan_one(text: str, hub: str = "", on: "Ground | None" = None) -> dict[str, Any]:
    """A request as it was read, with its first plan and all of them, as JSON has it."""
    found, _ = proposed(text, on, hub=hub)
    shown = [one.as_dict() for one in found.proposals]
    first = next((one for one in shown if one["plan"]), shown[0])
    return {**found.reading.as_dict(), **first, "plans": shown}


def plan_batch(path: Path, hub: str = "") -> Iterator[dict[str, Any]]:
    """Read and plan every line of a file; all are looked at before the first is read."""
    from flows.proposing import ground

    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest("batch", str(path), f"cannot be read ({error})", "a file of JSON lines") from None
    rows = [_row(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]
    on = ground(hub=hub)
    return ({"id": row.get("id"), **plan_one(row["text"], on=on)} for row in rows)


def show(text: str, hub: str = "") -> None:
    """Print what was understood, then the plan."""
    import click
    from rich.console import Console
    from rich.markdown import Markdown

    from agent.plan_words import as_markdown, helped

    found, _ = proposed(text, hub=hub)
    row = found.reading.as_dict()
    click.echo(f"{row['action']}: {row['intent'] or row['domain']}")
    for name, value in row["slots"].items():
        click.echo(f"  {name}: {json.dumps(value, ensure_ascii=False)}")
    if row["question"]:
        click.echo(row["question"])
        if words := helped(found):
            click.echo(words)
    if any(one.plan or one.none for one in found.proposals):
        Console().print(Markdown(as_markdown(found)))


def _row(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise InvalidRequest(
            "batch", f"{path}, line {number}", f"is not JSON ({error.msg})", '{"text": "..."}'
        ) from None
    if not isinstance(row, dict) or not isinstance(row.get("text"), str):
        raise InvalidRequest("batch", f"{path}, line {number}", "has no 'text'", '{"text": "..."}')
    return row

"""Requests as people write them, read by the agent: one, or a file of them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from domains.errors import InvalidRequest


def read_one(text: str) -> dict[str, Any]:
    """What a request asks for, as JSON would have it."""
    try:
        from agent.read import read  # here: it brings RDKit and the trained recogniser
    except ModuleNotFoundError as error:
        raise InvalidRequest("plan", text, f"{error.name} is not installed", "pip install 'ai4s[agent]'") from None
    return dict(read(text).as_dict())


def read_batch(path: Path) -> Iterator[dict[str, Any]]:
    """Read every line of a file; all are looked at before the first is read."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest("batch", str(path), f"cannot be read ({error})", "a file of JSON lines") from None
    rows = [_row(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]
    return ({"id": row.get("id"), **read_one(row["text"])} for row in rows)


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

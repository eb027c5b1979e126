"""The reviewed list of models for science: one file for each field, every row with where its facts were read."""

from functools import cache
from typing import Any

from pydantic import TypeAdapter

from agent.models.data import read
from agent.models.schema import Model

FIELDS = ("drug", "materials", "climate", "energy", "genomics")
ORIGIN = "curated"


@cache
def curated() -> tuple[Model, ...]:
    """All rows, in the order of the files."""
    return TypeAdapter(tuple[Model, ...]).validate_python([row for field in FIELDS for row in _rows(read(field))])


def _rows(content: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of a file, its sources written out."""
    sources: dict[str, dict[str, Any]] = content["sources"]
    made = []
    for row in content["models"]:
        facts = {name: value for name, value in row.items() if name != "from"}
        read_in = [{**sources[key], "url": sources[key]["url"] + path} for key, path in row["from"].items()]
        made.append({**facts, "domain": content["domain"], "origin": ORIGIN, "sources": read_in})
    return made

"""Hub files: presets and a user's own YAML, with errors that name file, line and key."""

import gzip
import re
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from cluster.topology import Topology, TopologyError

# The C parser is ten times as fast, and not built everywhere.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def presets() -> list[str]:
    """Names of the hubs that come with the project."""
    return sorted(
        entry.name.removesuffix(".yaml")
        for entry in (files("cluster") / "hubs").iterdir()
        if entry.name.endswith(".yaml")
    )


def load(name: str) -> Topology:
    """Load a preset by name, or a hub file by path; raises TopologyError. ``laptop`` is this machine."""
    if name == "laptop":
        from cluster.discover import laptop

        return laptop()
    origin, text = _text(name)
    return parse(text, origin)


def _text(name: str) -> tuple[str, str]:
    if name.endswith((".yaml", ".yml")):
        return name, read_text(name, "hub file ")
    if name in presets():
        return f"{name}.yaml", (files("cluster") / "hubs" / f"{name}.yaml").read_text()
    raise TopologyError(f"unknown hub {name!r}; choose one of laptop, {', '.join(presets())}, or give a .yaml file")


def read_text(path: str, what: str = "") -> str:
    """A text file, gzipped where its name says so; raises TopologyError in one line that begins with ``what``."""
    try:
        return gzip.decompress(Path(path).read_bytes()).decode() if path.endswith(".gz") else Path(path).read_text()
    except (OSError, UnicodeDecodeError, EOFError) as error:
        raise TopologyError(f"{what}{path}: {getattr(error, 'strerror', None) or 'is not text'}") from None


def parse(text: str, origin: str) -> Topology:
    """Build a topology from YAML text; ``origin`` names it in errors.

    A file may start from a preset with ``extends: NAME``; its own keys replace the preset's.
    """
    return parse_as(Topology, text, origin, lambda content: _extended(content, origin))


Parsed = TypeVar("Parsed", bound=BaseModel)


def parse_as(
    model: type[Parsed],
    text: str,
    origin: str,
    complete: Callable[[dict[str, Any]], dict[str, Any]] = lambda content: content,
) -> Parsed:
    """Build a model from YAML text; raises TopologyError that names file, line and key."""
    try:
        root = yaml.compose(text, Loader=_LOADER)
        content = yaml.load(text, Loader=_LOADER)
    except yaml.YAMLError as error:
        raise TopologyError(f"{origin}: {error}") from None
    if not isinstance(content, dict):
        needed = [name for name, field in model.model_fields.items() if field.is_required()]
        raise TopologyError(f"{origin}, line 1: the file has no keys; it needs {', '.join(needed)}")
    for key, line in _repeated(root):
        raise TopologyError(f"{origin}, line {line}: {key}: is given twice")
    try:
        return model.model_validate(complete(content))
    except ValidationError as error:
        first = error.errors()[0]
        where, message = first["loc"], first["msg"].removeprefix("Value error, ")
        if ": " in message:  # a rule over several keys names its key itself
            key, rest = message.split(": ", 1)
            named = tuple(int(step) if step.isdigit() else step for step in key.split("."))
            if all(re.fullmatch(r"\w+", str(step)) for step in named):
                where, message = (*where, *named), rest
        key = ".".join(map(str, where)) or "the file"
        raise TopologyError(f"{origin}, line {_line(root, where)}: {key}: {message}") from None


def _extended(content: dict[str, Any], origin: str) -> dict[str, Any]:
    if "extends" not in content:
        return content
    name = content["extends"]
    if name not in presets():
        raise TopologyError(f"{origin}: extends: unknown hub {name!r}; choose one of {', '.join(presets())}")
    own = {key: value for key, value in content.items() if key != "extends"}
    return {**yaml.load(_text(name)[1], Loader=_LOADER), **own}


def dump(topology: Topology) -> str:
    """The topology as a hub file; parsing it gives the same topology."""
    content = topology.model_dump(mode="json", exclude_defaults=True)
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120)


def _repeated(node: yaml.Node | None) -> Iterator[tuple[str, int]]:
    """Keys that stand twice in one mapping: YAML would keep the last and say nothing."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                yield key.value, key.start_mark.line + 1
            seen.add(key.value)
            yield from _repeated(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _repeated(value)


def _line(node: yaml.Node | None, path: tuple[int | str, ...]) -> int:
    """The line (from 1) of the deepest node that a path reaches."""
    for step in path:
        child: yaml.Node | None = None
        if isinstance(node, yaml.MappingNode):
            child = next((value for key, value in node.value if key.value == str(step)), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            child = node.value[step]
        if child is None:
            break
        node = child
    return 1 if node is None else node.start_mark.line + 1

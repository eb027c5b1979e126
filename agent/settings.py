"""Dotted paths into a request: read, written, and named in both languages."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from agent.models.schema import Words
from domains.errors import InvalidRequest, closest
from domains.model import Frozen

NAMED = re.compile(r"(\w+) = (.+?)(?:: | (?=is |are ))(.+)", re.DOTALL)


def at(content: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path; None where the way there is not."""
    found: Any = content
    for step in path.split("."):
        found = found.get(step) if isinstance(found, Mapping) else None
    return found


def put(content: dict[str, Any], path: str, value: Any) -> None:
    """Set the value at a dotted path, making the way there."""
    *parents, last = path.split(".")
    for step in parents:
        inner = content.get(step)
        content[step] = inner = dict(inner) if isinstance(inner, Mapping) else {}
        content = inner
    content[last] = value


def title(model: type[BaseModel], path: str) -> Words:
    """What a field is called in both languages; a field of a part with the part's name before it."""
    name, _, rest = path.partition(".")
    field = model.model_fields[name]
    en, _, zh = (field.title or name.replace("_", " ")).partition(" / ")
    zh = zh or en
    if not rest:
        return Words(en=en, zh=zh)
    inner = next((one for one in (field.annotation, *get_args(field.annotation)) if isinstance(one, type)), None)
    below = title(inner, rest) if inner and issubclass(inner, BaseModel) else Words(en=rest, zh=rest)
    return Words(en=f"{en}: {below.en}", zh=f"{zh}：{below.zh}")


def shown(value: Any) -> str:
    """A value as it is read."""
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "-"}[value]
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {shown(one)}" for name, one in value.items())
    return f"{value:,}" if isinstance(value, int) else str(value)


def checked(model: type[Frozen], content: Mapping[str, Any]) -> Frozen:
    """The request of these values; raises InvalidRequest that names the first field that does not fit."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(str(step) for step in first["loc"] if isinstance(step, str))
        message = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            names = list(_paths(model))
            near = closest(path, names)
            message, valid = "unknown field", ", ".join(near or names)
        else:
            valid = ""
        if not path and (named := NAMED.match(message)) and named[1] in model.model_fields:
            raise InvalidRequest(named[1], named[2], named[3]) from None  # a rule between fields says itself which
        raise InvalidRequest(path or "request", first.get("input") if path else dict(content), message, valid) from None


def _paths(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield prefix + name
        for inner in (field.annotation, *get_args(field.annotation)):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                yield from _paths(inner, f"{prefix}{name}.")

"""The fields of a request by their dotted names, and what is wrong with a request, said field by field."""

import types
from collections.abc import Iterator
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from domains.errors import closest
from domains.model import Frozen

BOUNDS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}


def submodel(annotation: Any) -> type[Frozen] | None:
    """The model inside ``Model`` or ``Model | None``."""
    if get_origin(annotation) in (Union, types.UnionType):
        annotation = next((part for part in get_args(annotation) if part is not type(None)), None)
    return annotation if isinstance(annotation, type) and issubclass(annotation, Frozen) else None


def leaves(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every field that holds a value, with its dotted name."""
    for name, field in model.model_fields.items():
        inner = submodel(field.annotation)
        if inner is None:
            yield prefix + name, field
        else:
            yield from leaves(inner, f"{prefix}{name}.")


def choices(field: FieldInfo) -> list[str]:
    """The words that a field may hold, in a list or alone; none where it is open."""
    return [str(one) for one in _words(field.annotation)]


def _words(annotation: Any) -> Iterator[Any]:
    if get_origin(annotation) is Literal:
        yield from get_args(annotation)
    for part in get_args(annotation) if get_origin(annotation) in (tuple, Union, types.UnionType) else ():
        yield from _words(part)


def limits(field: FieldInfo) -> str:
    """The numbers that a field may hold, as people write them; empty where it is open."""
    said = []
    for one in field.metadata:
        for name, words in BOUNDS.items():
            if (bound := getattr(one, name, None)) is not None:
                said.append(f"{words} {bound:,}")
    return " and ".join(said)


def explain(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """One line for each thing wrong with a request: field = value: what is wrong."""
    return [_line(one["loc"], one["type"], one["msg"], one.get("input"), model) for one in error.errors()]


def _line(loc: tuple[int | str, ...], kind: str, message: str, value: object, model: type[BaseModel]) -> str:
    field = ".".join(str(part) for part in loc)
    if kind == "extra_forbidden":
        names = [name for name, _ in leaves(model)] + list(model.model_fields)
        near = closest(field, names, most=2)
        return f"{field}: unknown field" + (
            f"; did you mean {' or '.join(near)}?" if near else f"; fields are {', '.join(model.model_fields)}"
        )
    message = message.removeprefix("Value error, ")
    return f"{field} = {value!r}: {message}" if field else message

"""From what a person typed to a request: options, YAML, and errors that name the field."""

import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from domains.errors import InvalidRequest, closest
from domains.model import Frozen
from domains.templates import Pipeline


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


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """``{"a.b": 1}`` to ``{"a": {"b": 1}}``."""
    made: dict[str, Any] = {}
    for path, value in values.items():
        *parents, last = path.split(".")
        at = made
        for parent in parents:
            at = at.setdefault(parent, {})
        at[last] = value
    return made


def parsed(name: str, text: str, field: FieldInfo) -> Any:
    """An option's text as a value: ``1,2,3`` for a tuple, YAML for the rest, and text for text."""
    if field.annotation is str or str in get_args(field.annotation):
        return text
    try:
        if get_origin(field.annotation) is tuple:
            return [yaml.safe_load(part) for part in text.strip("[]()").split(",") if part.strip()]
        return yaml.safe_load(text)
    except yaml.YAMLError:
        raise InvalidRequest(name, text, "cannot be read as a value", field.description or "") from None


def read_yaml(path: Path) -> tuple[str, dict[str, Any]]:
    """Read a request file: the pipeline's name and the request's fields, not yet checked."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InvalidRequest(
            "request file",
            str(path),
            " ".join(str(error).split()),
            "a YAML file; make one with: ai4s template drug-screening",
        ) from None
    if not isinstance(content, dict) or "pipeline" not in content:
        raise InvalidRequest(
            "request file", str(path), "has no key 'pipeline'", "pipeline: drug-screening, then the request's fields"
        )
    return str(content.pop("pipeline")), content


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


def as_template(found: Pipeline) -> str:
    """A YAML request with every field, its default and its help as comments."""
    lines = [
        f"# {found.title}",
        f"# {found.title_zh}",
        "# Run it with: ai4s run THIS-FILE.yaml",
        f"pipeline: {found.name}",
    ]
    lines += _template_lines(found.request, "")
    return "\n".join(lines) + "\n"


def _template_lines(model: type[BaseModel], indent: str) -> list[str]:
    lines: list[str] = []
    for name, field in model.model_fields.items():
        lines += (
            ["", f"{indent}# {field.description or field.title or name}"]
            if not indent
            else [f"{indent}# {field.description or name}"]
        )
        inner = submodel(field.annotation)
        default = field.get_default(call_default_factory=True)
        if inner is not None and default is not None:
            lines += [f"{indent}{name}:", *_template_lines(inner, indent + "  ")]
        elif inner is not None:
            lines += [f"{indent}# {name}:", *(f"{indent}# {line}" for line in _template_lines(inner, "  "))]
        else:
            required = field.is_required()
            lines.append(f"{indent}{name}: {_yaml((field.examples or [None])[0] if required else default)}")
    return lines


def _yaml(value: object) -> str:
    plain = list(value) if isinstance(value, tuple) else value
    return yaml.safe_dump(plain, default_flow_style=True, allow_unicode=True).removesuffix("\n").removesuffix("\n...")

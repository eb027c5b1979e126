"""From what a person typed to a request: options, YAML, and a YAML request with its help as comments."""

import textwrap
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from domains.errors import InvalidRequest
from domains.fields import choices, limits, submodel
from domains.templates import Pipeline

WIDTH = 110


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
            "a YAML file; make one with: ai4s template show drug-screening",
        ) from None
    if not isinstance(content, dict) or "pipeline" not in content:
        raise InvalidRequest(
            "request file", str(path), "has no key 'pipeline'", "pipeline: drug-screening, then the request's fields"
        )
    return str(content.pop("pipeline")), content


def as_template(found: Pipeline) -> str:
    """A YAML request with every field, its default and its help as comments."""
    lines = [
        f"# {found.title}",
        f"# {found.title_zh}",
        "# Run it with: ai4s run THIS-FILE.yaml",
        f"pipeline: {found.name}",
        "",
        *commented(found.request),
    ]
    return "\n".join(lines) + "\n"


def commented(model: type[BaseModel], indent: str = "", leave_out: Collection[str] = ()) -> list[str]:
    """The fields of a model as YAML lines: over each its title, its help, what it may be; a blank line between the outer ones."""
    lines: list[str] = []
    for name, field in model.model_fields.items():
        if name in leave_out:
            continue
        inner = submodel(field.annotation)
        default = field.get_default(call_default_factory=True)
        lines += [f"{indent}# {line}" for line in _help(name, field, nothing=inner is not None and default is None)]
        if inner is not None and default is not None:
            lines += [f"{indent}{name}:", *commented(inner, indent + "  ")]
        elif inner is not None:
            lines += [f"{indent}# {name}:", *(f"{indent}# {line}" for line in commented(inner, "  "))]
        else:
            required = field.is_required()
            lines.append(f"{indent}{name}: {_yaml((field.examples or [None])[0] if required else default)}")
        lines += [] if indent else [""]
    return lines if indent else lines[:-1]


def _help(name: str, field: FieldInfo, *, nothing: bool) -> Iterator[str]:
    """What stands over a field."""
    yield from textwrap.wrap(f"{field.title or name}. {field.description or ''}", WIDTH)
    allowed = ", ".join(choices(field)) or limits(field)
    if allowed:
        yield f"Valid / 可选: {allowed}"
    if nothing:
        yield "Not set. Take the comment signs off to set it. 未设置；去掉注释符号即可设置。"


def _yaml(value: object) -> str:
    plain = list(value) if isinstance(value, tuple) else value
    return yaml.safe_dump(plain, default_flow_style=True, allow_unicode=True).removesuffix("\n").removesuffix("\n...")

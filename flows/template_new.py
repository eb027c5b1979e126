"""A new template: a folder that works as it is, to be changed by the scientist who owns it."""

import textwrap
from pathlib import Path

import pyarrow as pa
from jinja2 import Environment, PackageLoader, StrictUndefined

from domains.errors import InvalidRequest
from domains.own_stages import place, places
from domains.templates import PIPELINES, Pipeline
from domains.user_templates import FILE, README, STAGE_FILE, TEST_FILE
from flows.requests import commented

# Not of the request's own: the template fills one in, and a run's name is made of its request.
LEFT_OUT = ("own_stage", "name")


def make(root: Path, name: str, found: Pipeline, after: str | None) -> Path:
    """Write the folder of a template; with a stage of its own where one is to follow ``after``. Raises InvalidRequest."""
    if name in PIPELINES:
        raise InvalidRequest("NAME", name, "is the name of a pipeline already", "a name of its own")
    folder = root / name
    example = place(found.name, after) if after else None
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise InvalidRequest(
            "NAME", name, f"{folder.absolute()} is there already", "another name or --folder"
        ) from None
    except OSError as error:
        raise InvalidRequest("--folder", str(root), f"cannot be written: {error.strerror}") from None
    words = {
        "name": name,
        "pipeline": found,
        "after": after,
        "places": list(places(found.name)),
        "request": textwrap.indent("\n".join(commented(found.request, leave_out=LEFT_OUT)), "  "),
        "columns": _columns(example) if example is not None else {},
        "example": example.to_pydict() if example is not None else {},
        "judged": _judged(example) if example is not None else "",
    }
    files = {FILE: "template.yaml.j2", README: "readme.md.j2"}
    if after:
        files |= {STAGE_FILE: "stage.py.j2", TEST_FILE: "test_stage.py.j2"}
    made = Environment(
        loader=PackageLoader("flows", "template_files"), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        keep_trailing_newline=True,
    )  # fmt: skip
    for file, source in files.items():
        (folder / file).write_text(made.get_template(source).render(words), encoding="utf-8")
    return folder


def _columns(example: pa.Table) -> dict[str, str]:
    return {field.name: str(field.type) for field in example.schema}


def _judged(example: pa.Table) -> str:
    """The column that the example function judges by: the first number."""
    numbers = (pa.types.is_floating, pa.types.is_integer)
    columns: list[str] = [field.name for field in example.schema if any(one(field.type) for one in numbers)]
    return next(name for name in columns if name != "id")

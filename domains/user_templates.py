"""Templates that people own: a folder with a request, perhaps a schedule, perhaps a stage of its author's.

    <templates>/<name>/template.yaml  README.md  [stage.py  test_stage.py]

``load`` reads one and checks all that can be checked without running anything; the first mistake is an InvalidRequest.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import yaml
from pydantic import Field, ValidationError

from domains.errors import InvalidRequest, closest
from domains.fields import explain
from domains.model import Frozen, paths_from
from domains.own_stages import check_source, place
from domains.schedule import Schedule
from domains.templates import pipeline

FILE, STAGE_FILE, TEST_FILE, README = "template.yaml", "stage.py", "test_stage.py", "README.md"
NAME = r"^[a-z0-9][a-z0-9-]{0,49}$"
NAME_WORDS = "small letters, digits and dashes, at most 50"

Name = Annotated[str, Field(pattern=NAME)]


class OwnStage(NamedTuple):
    """A stage of the template's author: the stage that it follows, and its source."""

    after: str
    source: str


class _Stage(Frozen):
    after: str


class _File(Frozen):
    """What template.yaml may hold."""

    name: Name
    title: str = Field(min_length=1, max_length=200)
    pipeline: str
    request: dict[str, Any] = Field({})
    schedule: Schedule | None = None
    stage: _Stage | None = None


@dataclass(frozen=True)
class Template:
    """A template that can run. ``request`` holds all fields of the pipeline's request, fit for JSON, paths absolute."""

    folder: Path
    name: str
    title: str
    pipeline: str
    request: Mapping[str, Any] = field(repr=False)
    schedule: Schedule | None
    stage: OwnStage | None


def load(folder: Path) -> Template:
    """Read the template of a folder; raises InvalidRequest naming what is wrong and what would be right."""
    content = _content(folder / FILE)
    try:
        written = _File.model_validate(content)
    except ValidationError as error:
        raise _wrong(folder, explain(error, _File)) from None
    if written.name != folder.absolute().name:
        problem = f"the folder is called {folder.absolute().name}"
        raise InvalidRequest("name", written.name, problem, "the folder's own name: templates are found by it")
    found = pipeline(written.pipeline)
    stage = _own_stage(folder, written) if written.stage else None
    values = {**written.request, **({"own_stage": written.name} if stage else {})}
    try:
        with paths_from(folder):
            request = found.request.model_validate(values)
    except ValidationError as error:
        raise _wrong(folder, [f"request.{line}" for line in explain(error, found.request)]) from None
    return Template(
        folder.absolute(),
        written.name,
        written.title,
        found.name,
        request.model_dump(mode="json"),
        written.schedule,
        stage,
    )


def _wrong(folder: Path, lines: list[str]) -> InvalidRequest:
    return InvalidRequest("template", str(folder / FILE), "; ".join(lines))


def _content(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        problem = f"has no {path.name}"
        raise InvalidRequest("template", str(path.parent), problem, "ai4s template new NAME --from PIPELINE") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InvalidRequest("template", str(path), " ".join(str(error).split()), "a YAML file") from None
    if not isinstance(content, dict):
        raise InvalidRequest("template", str(path), "is not a mapping", "name, title, pipeline, request")
    return content


def _own_stage(folder: Path, written: _File) -> OwnStage:
    assert written.stage is not None
    if "own_stage" in written.request:
        raise InvalidRequest("request.own_stage", written.request["own_stage"], "is set by the template itself")
    place(written.pipeline, written.stage.after)
    path = folder / STAGE_FILE
    try:
        source = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest("stage file", str(path), f"cannot be read: {error}") from None
    check_source(source, str(path))
    return OwnStage(written.stage.after, source)


def folders(root: Path) -> list[Path]:
    """The template folders in a folder, by name; none where there is no such folder."""
    return sorted(path.parent for path in root.glob(f"*/{FILE}"))


def find(root: Path, name: str) -> Template:
    """Load the template of this name; raises InvalidRequest with the closest names. A name is no path."""
    if not re.fullmatch(NAME, name):
        raise InvalidRequest("template", name, "is no name of a template", NAME_WORDS)
    if not (root / name / FILE).exists():
        known = [path.name for path in folders(root)]
        near = closest(name, known) or known[:5]
        raise InvalidRequest(
            "template",
            name,
            f"no such template in {root.absolute()}",
            ", ".join(near) or "none yet; make one with: ai4s template new NAME --from PIPELINE",
        )
    return load(root / name)

"""``ai4s template``: templates that scientists own: list, show, make and check them."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flows.terminal import print_table, user_errors

if TYPE_CHECKING:
    from domains.user_templates import Template


@click.group()
def template() -> None:
    """Templates: a request, its schedule, perhaps a stage of your own, in a folder that you own."""


@template.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def list_(as_json: bool) -> None:
    """List the templates here (AI4S_TEMPLATES, default ./templates), and whether each is in order."""
    from domains.user_templates import folders

    rows = [_row(folder) for folder in folders(_root())]
    if as_json:
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
    elif rows:
        print_table(rows)
    else:
        click.echo(f"No templates in {_root().absolute()}. Make one: ai4s template new NAME --from PIPELINE")


def _root() -> Path:
    from tasks.settings import Settings

    return Settings().templates.expanduser()


def _row(folder: Path) -> dict[str, Any]:
    from domains.errors import InvalidRequest
    from domains.user_templates import load

    try:
        found = load(folder)
    except InvalidRequest as error:
        return {
            "template": folder.name, "pipeline": "", "title": "", "schedule": "", "own stage": "", "state": str(error.problem)
        }  # fmt: skip
    return {
        "template": found.name,
        "pipeline": found.pipeline,
        "title": found.title,
        "schedule": found.schedule.words if found.schedule else "",
        "own stage": f"after {found.stage.after}" if found.stage else "",
        "state": "in order",
    }


@template.command()
@click.argument("name", metavar="PIPELINE|NAME")
def show(name: str) -> None:
    """Print a pipeline's request with every field, its help and its default, or a template of yours."""
    from domains.errors import InvalidRequest, closest
    from domains.templates import PIPELINES
    from domains.user_templates import FILE, folders
    from flows.requests import as_template

    own = {folder.name: folder for folder in folders(_root())}
    with user_errors():
        if name in PIPELINES:
            click.echo(as_template(PIPELINES[name]), nl=False)
        elif name in own:
            click.echo((own[name] / FILE).read_text(encoding="utf-8"), nl=False)
        else:
            known = [*PIPELINES, *own]
            near = ", ".join(closest(name, known) or known)
            raise InvalidRequest("template", name, "no pipeline and no template of this name", near)


@template.command()
@click.argument("name")
@click.option("--from", "pipeline_name", required=True, metavar="PIPELINE", help="What it runs.")
@click.option("--after", metavar="STAGE", help="Write a stage of your own too, to follow this one.")
@click.option("--folder", type=click.Path(path_type=Path), help="Where to make it; default: AI4S_TEMPLATES.")
def new(name: str, pipeline_name: str, after: str | None, folder: Path | None) -> None:
    """Make a folder with a template that runs as it is: change it, check it, run it."""
    import re

    from domains.errors import InvalidRequest
    from domains.templates import pipeline
    from domains.user_templates import NAME, NAME_WORDS
    from flows.template_new import make

    with user_errors():
        if not re.fullmatch(NAME, name):
            raise InvalidRequest("NAME", name, "is no name of a template", NAME_WORDS)
        made = make(folder or _root(), name, pipeline(pipeline_name), after)
    click.echo(f"{made}\nNext: edit {made / 'template.yaml'}, then: ai4s template check {made}")


@template.command()
@click.argument("folder", type=click.Path(path_type=Path))
def check(folder: Path) -> None:
    """See that a template can run: its request, its schedule, its own stage, and the files that it names."""
    from domains.user_templates import load

    with user_errors():
        found = load(folder)
        for name, words in _checked(found).items():
            click.echo(f"{name:<10}{words}")


def _checked(found: "Template") -> dict[str, str]:
    """What a template will do; raises InvalidRequest where it cannot."""
    from domains.templates import pipeline
    from tasks.own import tried

    line = pipeline(found.pipeline)
    told = {"template": f"{found.name}: {found.title}", "pipeline": found.pipeline}
    if found.stage:
        adds = ", ".join(name for name, _ in tried(found.pipeline, *found.stage).adds)
        told["own stage"] = f"after {found.stage.after}; adds {adds or 'no column'}"
    told["request"] = line.check(line.request.model_validate(found.request)).summary
    if found.schedule:
        told["schedule"] = found.schedule.words
    return told


def request_of(folder: Path) -> tuple[str, dict[str, Any]]:
    """Pipeline and request of a template folder, which from now on is where this process finds it by its name."""
    from domains.user_templates import load

    found = load(folder)
    os.environ["AI4S_TEMPLATES"] = str(found.folder.parent)
    return found.pipeline, dict(found.request)


def folder_of(name: str = "") -> Path:
    """The folder of the template of this name; raises InvalidRequest with the closest names."""
    from domains.user_templates import find

    return find(_root(), name).folder

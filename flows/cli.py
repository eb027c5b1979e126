"""``ai4s``: run pipelines and look at runs.

Heavy imports wait until a command needs them: every worker process imports this module again when it starts.
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from domains.errors import InvalidRequest
from flows.asking import ask
from flows.hub import hub
from flows.models import models
from flows.serving import serve
from flows.template import template
from flows.terminal import print_table, user_errors

if TYPE_CHECKING:
    from domains.templates import Pipeline

EPILOG = "Docs: README.md and docs/. Where runs are kept: AI4S_RUNS (default ./runs). Where they compute: AI4S_PROFILE (default laptop)."


@click.group(epilog=EPILOG)
@click.version_option(package_name="ai4s")
def main() -> None:
    """An AI-for-Science hub: scientific pipelines, placed on chips, every candidate counted."""


@main.command(context_settings={"ignore_unknown_options": True}, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def run(context: click.Context, arguments: tuple[str, ...]) -> None:
    """Run a pipeline: ai4s run PIPELINE --option value ..., ai4s run REQUEST.yaml, or ai4s run TEMPLATE_FOLDER."""
    if not arguments or arguments[0] in ("-h", "--help"):
        _show_pipelines()
        return
    first, *rest = arguments
    with user_errors():
        from domains.templates import PIPELINES, pipeline

        if first == "--template":
            from flows.template import folder_of

            first, rest = str(folder_of(*rest[:1])), rest[1:]
        if first not in PIPELINES and (first.endswith((".yaml", ".yml")) or "/" in first or Path(first).is_dir()):
            _run_written(Path(first), rest)
        else:
            _pipeline_command(pipeline(first).name).main(rest, prog_name=f"ai4s run {first}", standalone_mode=True)


def _run_written(path: Path, rest: list[str]) -> None:
    """Run a request file or a template's folder."""
    from flows.requests import read_yaml
    from flows.template import request_of

    unknown = [word for word in rest if word != "--json"]
    if unknown:
        raise click.UsageError(f"what is written down takes only --json, not {unknown[0]}: put the value into {path}")
    is_file = path.suffix in (".yaml", ".yml")
    _validate_and_run(*(read_yaml(path) if is_file else request_of(path)), as_json="--json" in rest)


def _show_pipelines() -> None:
    from domains.templates import PIPELINES

    click.echo(
        "ai4s run PIPELINE --option value ...    (ai4s run PIPELINE --help lists its options)\nai4s run REQUEST.yaml\n"
        "ai4s run TEMPLATE_FOLDER, or ai4s run --template NAME    (ai4s template --help)\n\nPipelines:"
    )
    for found in PIPELINES.values():
        click.echo(f"  {found.name:<18} {found.title}\n  {'':<18} {found.title_zh}")


def _pipeline_command(name: str) -> click.Command:
    """A command whose options are the fields of the pipeline's request."""
    from domains.fields import leaves
    from domains.templates import pipeline
    from flows.requests import nested, parsed

    found = pipeline(name)
    fields = dict(leaves(found.request))
    options: list[click.Parameter] = []
    for path, field in fields.items():
        help_text = f"{field.description or path}"
        if field.annotation is bool:
            options.append(
                click.Option([f"--{path}/--no-{path}", path.replace(".", "__")], default=None, help=help_text)
            )
        else:
            options.append(
                click.Option([f"--{path.replace('_', '-')}", path.replace(".", "__")], metavar="VALUE", help=help_text)
            )
    options.append(click.Option(["--json", "as_json"], is_flag=True, help="Print the result as JSON."))

    def start(as_json: bool, **given: Any) -> None:
        values = {}
        with user_errors():
            for parameter, value in given.items():
                path = parameter.replace("__", ".")
                if value is not None:
                    values[path] = parsed(path, value, fields[path]) if isinstance(value, str) else value
            _validate_and_run(name, nested(values), as_json)

    return click.Command(name, params=options, callback=start, help=found.title)


def _validate_and_run(name: str, content: dict[str, Any], as_json: bool) -> None:
    from pydantic import ValidationError

    from domains.fields import explain
    from domains.templates import pipeline

    found = pipeline(name)
    try:
        request = found.request.model_validate(content)
    except ValidationError as error:
        for line in explain(error, found.request):
            click.secho(f"error: {line}", fg="red", err=True)
        sys.exit(2)
    from flows.launch import execute

    result = execute(found, request)
    if as_json:
        click.echo(json.dumps(result, indent=2, ensure_ascii=False))
    else:
        _show_result(found, result)


def _show_result(pipeline: "Pipeline", result: dict[str, Any]) -> None:
    from rich.console import Console

    console = Console(markup=False)
    rows, files = result[pipeline.table], pipeline.files
    print_table(rows[:10], f"{pipeline.table_title} of {result['run']}")
    if len(rows) > 10:
        console.print(f"... and {len(rows) - 10} more in {files[0]}")
    console.print(
        f"\nReport   {result['report']}\nFolder   {result['folder']}   ({', '.join(files)}, outcomes.parquet)",
        highlight=False,
        soft_wrap=True,
    )


def _table_command(rows: Callable[..., list[dict[str, Any]]], empty: str) -> Callable[..., None]:
    def show(as_json: bool, **arguments: Any) -> None:
        with user_errors():
            found = rows(**arguments)
        if as_json:
            click.echo(json.dumps(found, indent=2, ensure_ascii=False))
        elif found:
            print_table(found)
        else:
            click.echo(empty)

    show.__doc__ = rows.__doc__
    return click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")(show)


def _runs() -> list[dict[str, Any]]:
    """List the runs here, newest first."""
    from flows.runs import list_runs

    return list_runs()


def _targets() -> list[dict[str, Any]]:
    """List the targets known by name, then the shipped receptors, with their docking boxes."""
    from domains.drug.receptors import load, shipped
    from domains.drug.targets import catalogue

    known = [
        {
            "target": one.name,
            "what": one.title,
            "variants": "yes",
            "center (Å)": f"ligand {one.site.ligand} of its structure",
            "size (Å)": ", ".join([f"{one.site.edge:g}"] * 3),
        }
        for one in catalogue().targets
    ]
    ready = [
        {
            "target": one.name,
            "what": "shipped receptor",
            "variants": "",
            "center (Å)": ", ".join(f"{x:g}" for x in one.center),
            "size (Å)": ", ".join(f"{x:g}" for x in one.size),
        }
        for one in map(load, shipped())
    ]
    return [*known, *ready]


def _engines() -> list[dict[str, Any]]:
    """List the engines and trained models of the pipelines, and what each still needs here."""
    from domains.drug import admet, boltz
    from domains.drug.engines import ENGINES

    try:
        admet.installed()
        missing = ""
    except InvalidRequest:
        missing = "needs weights: pip install 'ai4s[admet]'"
    docking = [{"engine": name, "what": one.title, "state": one.state or "ready"} for name, one in ENGINES.items()]
    return [
        *docking,
        {"engine": "admet", "what": "ADMET-AI 2.0.1, 41 endpoints", "state": missing or "ready"},
        {"engine": "boltz-2", "what": "structure and affinity prediction", "state": boltz.state() or "ready"},
    ]


main.add_command(ask)
main.add_command(hub)
main.add_command(models)
main.add_command(template)
main.add_command(serve)
main.command("engines")(_table_command(_engines, ""))
main.command("runs")(_table_command(_runs, "No runs here yet. Start one: ai4s run drug-screening --sample 50"))
main.command("targets")(_table_command(_targets, ""))


@main.command()
@click.argument("text", required=False)
@click.option("--batch", type=click.Path(path_type=Path), metavar="FILE", help="JSON lines, each with a 'text'.")
@click.option("--hub", default="", help="Estimate for this hub: a preset, laptop, or a hub file.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def plan(text: str | None, batch: Path | None, hub: str, as_json: bool) -> None:
    """Read a request in English or Chinese and plan it: what it would do, take and need. Runs nothing."""
    from flows.reading import plan_batch, plan_one, show

    if (text is None) == (batch is None):
        raise click.UsageError("give a request as text, or --batch FILE.jsonl")
    with user_errors():
        if batch is not None:
            for row in plan_batch(batch, hub):
                click.echo(json.dumps(row, ensure_ascii=False))
        elif as_json:
            click.echo(json.dumps(plan_one(text or "", hub), indent=2, ensure_ascii=False))
        else:
            show(text or "", hub)


@main.command()
@click.argument("run_name", metavar="RUN")
@click.option("--json", "as_json", is_flag=True, help="Print the path as JSON.")
def report(run_name: str, as_json: bool) -> None:
    """Say where a run's report is, and open it where there is a browser."""
    from flows.runs import report_of

    with user_errors():
        path = report_of(run_name)
    click.echo(json.dumps({"run": run_name, "report": str(path)}) if as_json else str(path))
    if not as_json and sys.stdout.isatty() and (os.environ.get("DISPLAY") or sys.platform == "darwin"):
        click.launch(str(path))


@main.command()
@click.argument("run_name", metavar="RUN")
@click.option("--profile", default="", help="Where to go on; default: the configured place.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def resume(run_name: str, profile: str, as_json: bool) -> None:
    """Go on with a run that was stopped: finished shards are kept."""
    from flows.runs import request_of

    with user_errors():
        name, content = request_of(run_name)
        _validate_and_run(name, {**content, "name": run_name, "profile": profile}, as_json)


if __name__ == "__main__":
    main()

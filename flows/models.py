"""``ai4s models``: the catalogue of open models: list them, show one, select those that fit a hub, sync from a model hub."""

import json
from typing import TYPE_CHECKING, Any, Literal

import click

from flows.terminal import user_errors

if TYPE_CHECKING:
    from agent.models.choice import Selection
    from agent.models.schema import Model

Language = Literal["en", "zh"]
SHOWN = 40
ABOVE_0, FROM_1 = click.FloatRange(0, min_open=True), click.IntRange(1)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
language = click.option(
    "--language", type=click.Choice(["en", "zh"]), default="en", help="Of descriptions and reasons."
)


@click.group()
def models() -> None:
    """The catalogue of open models: list, show, select those that fit a hub, sync from a model hub."""


@models.command("list")
@click.option("--task", help="A task, or a workflow such as materials.phonons.")
@click.option("--domain", help="drug, materials, climate, energy, genomics or general.")
@click.option("--licence", help="An SPDX identifier, or commercial-ok.")
@click.option("--max-params", "most_parameters", type=ABOVE_0, metavar="N", help="At most so many parameters.")
@click.option("--memory", "memory_gib", type=ABOVE_0, metavar="GIB", help="What one chip of so much memory holds.")
@click.option("--search", default="", help="Words of the name or the description.")
@click.option("--all", "whole", is_flag=True, help=f"Print all rows, not the first {SHOWN}.")
@language
@as_json
def list_models(whole: bool, language: Language, as_json: bool, **wanted: Any) -> None:
    """List models: what each is for, its size, its licence, and whether it can run here."""
    from agent.models.catalogue import load
    from agent.models.filters import filtered

    with user_errors():
        catalogue, notes = load()
        found = filtered(catalogue.models, **wanted)
    if as_json:
        click.echo(json.dumps([_row(model) for model in found], indent=2, ensure_ascii=False))
        return
    _print_lines([_line(model, language) for model in (found if whole else found[:SHOWN])])
    origins = ", ".join(f"{count:,} {origin}" for origin, count in catalogue.origins.items())
    click.echo(f"\n{len(found):,} of {len(catalogue.models):,} models ({origins}).", nl=False)
    click.echo(" --all prints every row." if len(found) > SHOWN and not whole else "")
    for note in notes:
        click.echo(note)


@models.command()
@click.argument("name")
@language
@as_json
def show(name: str, language: Language, as_json: bool) -> None:
    """Show a model: everything that is known of it, and where that was read. NAME is an id, a name or an alias."""
    from agent.models.catalogue import load

    with user_errors():
        model = load().catalogue.find(name)
    if as_json:
        click.echo(json.dumps(_row(model), indent=2, ensure_ascii=False))
        return
    for label, value in _facts(model, language):
        click.echo(f"{label:<14} {value}")


@models.command()
@click.option("--task", required=True, help="A task, or a workflow such as materials.phonons.")
@click.option("--hub", "name", default="laptop", help="A preset, laptop, or a hub file; default: laptop.")
@click.option("--chip", help="One kind of the hub's chips, or what they run: cpu, cuda, rocm, dcu, ascend, tpu.")
@click.option("--licence", help="An SPDX identifier, or commercial-ok.")
@click.option("--precision", type=click.Choice(["fp32", "bf16", "fp16", "fp8", "int8"]), help="Of the release.")
@click.option("--max-params", "most_parameters", type=ABOVE_0, metavar="N", help="At most so many parameters.")
@click.option("--max-chips", "most_chips", type=FROM_1, metavar="N", help="At most so many chips.")
@click.option("--context", type=FROM_1, metavar="N", help="Tokens or bases that it must take.")
@click.option("--batch", type=FROM_1, metavar="N", default=1, help="Sequences at a time.")
@click.option("--ready", is_flag=True, help="Only what runs on this machine now.")
@click.option("--budget", "budget_chip_h", type=ABOVE_0, metavar="H", help="Chip-hours; needs --units.")
@click.option(
    "--units",
    type=ABOVE_0,
    metavar="N",
    help="Units of work that the budget is for: ligands, structures, 1,000 tokens.",
)
@click.option("--top", default=10, type=FROM_1, metavar="N", help="Rows to print; default: 10.")
@click.option("--excluded", is_flag=True, help="Print why each of the others is excluded.")
@language
@as_json
def select(name: str, top: int, excluded: bool, language: Language, as_json: bool, **wanted: Any) -> None:
    """Select the models that can do a task on a hub, best first, with the reasons for and against each."""
    from agent.models.catalogue import load
    from agent.models.chips import chips_of
    from agent.models.choice import Wish
    from agent.models.select import select as choose
    from cluster.hubfile import load as load_hub

    if (wanted["budget_chip_h"] is None) != (wanted["units"] is None):
        raise click.UsageError(
            "--budget and --units belong together: chip-hours, and the units of work that they are for"
        )
    with user_errors():
        catalogue, notes = load()
        found = choose(catalogue.models, Wish(**wanted), chips_of(load_hub(name)))
    if as_json:
        click.echo(json.dumps({"hub": name, **found.as_dict()}, indent=2, ensure_ascii=False))
        return
    _show_selection(found, name, top, excluded, language)
    for note in notes:
        click.echo(note)


@models.command()
@click.option(
    "--author", "authors", multiple=True, help="An organisation, more than once if need be; default: all known."
)
@click.option("--site", default="", help="A model hub, or a mirror of it; default: Hugging Face.")
@click.option(
    "--limit", "most", default=200, type=FROM_1, metavar="N", help="Models of each organisation; default: 200."
)
@as_json
def sync(authors: tuple[str, ...], site: str, most: int, as_json: bool) -> None:
    """Ask a model hub for the models that it has today. Offline nothing changes."""
    from agent.models.sync import SITE
    from agent.models.sync import sync as ask

    with user_errors():
        done = ask(authors, site or SITE, most)
    if as_json:
        click.echo(json.dumps(done._asdict()))
        return
    click.echo(
        f"{done.listed:,} entries, {done.kept:,} kept of which {done.new:,} new; {done.total:,} synced models in all."
    )


def _print_lines(rows: list[dict[str, str]]) -> None:
    """Columns for more rows than a rich table lays out in a second; Chinese signs take two columns."""
    from rich.cells import cell_len

    lines = [list(rows[0]), *(list(row.values()) for row in rows)] if rows else []
    widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell + " " * (width - cell_len(cell)) for cell, width in zip(line, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


def _row(model: "Model") -> dict[str, Any]:
    from agent.models.licences import commercial
    from agent.models.memory import by_precision
    from agent.models.state import state

    return {
        **model.model_dump(mode="json", exclude_none=True),
        "commercial": commercial(model.licence),
        "tensor_parallel": list(model.tensor_parallel),
        "need_gib": {precision: round(gib, 2) for precision, gib in by_precision(model).items()},
        "state": state(model),
    }


def _line(model: "Model", language: Language) -> dict[str, str]:
    from agent.models.licences import commercial
    from agent.models.state import state
    from agent.models.tasks import tasks

    return {
        "model": model.id,
        "for": ", ".join(getattr(tasks()[task].title, language) for task in model.tasks),
        "size": _short(model.parameters),
        "licence": model.licence.weights.removeprefix("LicenseRef-"),
        "commercial": commercial(model.licence),
        "here": state(model).split(":")[0],
    }


def _short(count: int | None) -> str:
    """A number of parameters as people write it."""
    if count is None:
        return ""
    for unit, size in (("T", 1e12), ("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if count >= size:
            return f"{count / size:.3g}{unit}"
    return str(count)


def _facts(model: "Model", language: Language) -> list[tuple[str, str]]:
    """The lines of ``show``."""
    from agent.models.licences import commercial, parts
    from agent.models.memory import by_precision
    from agent.models.state import state
    from agent.models.tasks import tasks

    own = [tasks()[task] for task in model.tasks]
    need = ", ".join(f"{gib:,.3g} GiB {precision}" for precision, gib in by_precision(model).items())
    basis = model.memory and f" ({model.memory.basis}" + (f": {model.memory.note})" if model.memory.note else ")")
    facts = [
        ("model", f"{model.name}   ({model.id})"),
        ("about", getattr(model.about, language) if model.about else ""),
        ("for", "; ".join(getattr(task.title, language) for task in own)),
        ("input", "; ".join(dict.fromkeys(getattr(task.input, language) for task in own))),
        ("output", "; ".join(dict.fromkeys(getattr(task.output, language) for task in own))),
        ("parameters", f"{model.parameters:,}" if model.parameters else "not known"),
        ("active", f"{model.active_parameters:,}" if model.active_parameters else ""),
        ("context", f"{model.context:,}" if model.context else ""),
        ("released", str(model.released or "")),
        ("licence", f"{' + '.join(parts(model.licence))}; commercial use: {commercial(model.licence)}"),
        ("runs on", ", ".join(f"{backend} ({how})" for backend, how in model.runs_on.items())),
        ("released in", ", ".join(model.precisions)),
        ("memory", (need or "not known") + (basis or (" (estimated)" if need else ""))),
        ("splits over", ", ".join(map(str, model.tensor_parallel)) + " chips" if model.attention else ""),
        ("weights", f"{model.weights.how}: {model.weights.where}"),
        ("here", state(model)),
        *(("quality", f"{one.metric} {one.value:g}") for one in model.quality),
        *(("speed", f"{one.seconds:g} s on {one.chip} ({one.source})") for one in model.speed),
        *(("source", f"{one.url}   {one.what} (seen {one.seen})") for one in model.sources),
    ]
    return [(label, value) for label, value in facts if value]


def _show_selection(found: "Selection", hub: str, top: int, excluded: bool, language: Language) -> None:
    rows = [
        {
            "model": one.model.id,
            "chips": f"{one.placement.chips} x {one.placement.chip.kind}",
            "GiB each": f"{one.placement.need_gib:,.1f}",
            "quality": ""
            if one.quality is None
            else _short(int(one.quality))
            if one.quality > 1e3
            else f"{one.quality:.3f}",
            "licence": one.model.licence.weights.removeprefix("LicenseRef-"),
            "here": one.state.split(":")[0],
            "efficient": "*" if one.efficient else "",
        }
        for one in found.chosen[:top]
    ]
    fit = "1 model fits" if len(found.chosen) == 1 else f"{len(found.chosen):,} models fit"
    click.echo(f"{fit} {hub}" + (", best first:\n" if rows else "."))
    _print_lines(rows)
    if found.chosen:
        best = found.chosen[0]
        click.echo(f"\nWhy {best.model.id}:")
        for words in best.why:
            click.echo(f"  {getattr(words, language)}")
        click.echo(f"  here: {best.state}")
    click.echo("\nExcluded: " + (", ".join(f"{count:,} {rule}" for rule, count in found.counts.items()) or "none"))
    for one in found.excluded if excluded else [one for one in found.excluded if one.rule != "task"][:top]:
        click.echo(f"  {one.id}: {getattr(one.reason, language)}")
    if len(rows) > 1:
        click.echo("* no better model needs fewer chips.")

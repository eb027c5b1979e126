"""``ai4s hub import`` and ``export``: other systems' descriptions of a hub."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from flows.terminal import user_errors


@click.command("import")
@click.argument("format_name", metavar="FORMAT")
@click.argument("paths", nargs=-1, metavar="FILE...")
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="FILE", help="Write the hub file here, not to the screen."
)
def import_hub(format_name: str, paths: tuple[str, ...], out: Path | None) -> None:
    """Turn other systems' files into a hub file.

    FORMAT is slurm, topograph, kubernetes, kueue, volcano or nodes (a CSV list), or a place to ask: here (this machine),
    slurm-site, kubernetes-site.
    """
    from cluster.hubfile import dump

    with user_errors():
        text = dump(_imported(format_name, paths))
        if out:
            out.write_text(text)
    click.echo(f"wrote {out}" if out else text, nl=bool(out))


def _imported(format_name: str, paths: tuple[str, ...]) -> Any:
    from cluster.discover import machine, workstation
    from cluster.hubfile import read_text
    from cluster.interchange import read
    from cluster.sites import kubernetes_cluster, slurm_site

    places: dict[str, Callable[[], Any]] = {
        "here": lambda: workstation(machine()),
        "slurm-site": slurm_site,
        "kubernetes-site": kubernetes_cluster,
    }
    if format_name in places:
        return places[format_name]()
    return read(format_name, {path: read_text(path) for path in paths})


@click.command("export")
@click.argument("format_name", metavar="FORMAT")
@click.argument("name", metavar="HUB")
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="FOLDER", help="Write the files here, not to the screen."
)
def export_hub(format_name: str, name: str, out: Path | None) -> None:
    """Write a hub as slurm, slurm-block, slurm-yaml, topograph, kueue or volcano."""
    from cluster.hubfile import load
    from cluster.interchange import write

    with user_errors():
        files = write(format_name, load(name))
        if out:
            out.mkdir(parents=True, exist_ok=True)
            for file, text in files.items():
                (out / file).write_text(text)
    if out:
        click.echo(f"wrote {', '.join(str(out / file) for file in files)}")
        return
    for file, text in files.items():
        click.echo(f"# {file}\n{text}" if len(files) > 1 else text, nl=False)

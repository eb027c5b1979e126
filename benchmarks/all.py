"""Every benchmark in turn, each in its own process; writes docs/benchmarks.md."""

import argparse
import ast
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.bench import COLUMNS, ROOT, Row, environment

SCRIPTS = (
    "demo",
    "redocking",
    "versus_easydock",
    "active_learning",
    "enrichment",
    "variants",
    "nightly_screen",
    "enumeration",
    "volumes",
    "materials_rate",
    "versus_orchestrators",
    "materials_accuracy",
    "hull_ranking",
    "dft_saved",
    "shallow_water",
    "tiles",
    "tile_placement",
    "ensemble",
    "emulation",
    "downscaling",
    "gcm",
    "store_faults",
    "agent_accuracy",
    "agent_latency",
    "estimates",
    "orchestration",
    "front_end",
    "engine_share",
    "hub_allocation",
    "hub_replay",
    "dag_makespan",
    "scheduler_scale",
    "gangs",
    "fabric",
    "slurm_screen",
    "serving_load",
    "serving_faults",
)
DOCUMENT = ROOT / "docs" / "benchmarks.md"

Result = Mapping[str, Any] | None


def result_of(name: str, results: Path, quick: bool) -> Result:
    """The figures of one benchmark: those that are there, else it is run now; None when it gives none."""
    path = results / f"{name}.json"
    if not path.exists():
        command = [sys.executable, "-m", f"benchmarks.{name}", "--json", str(path), *(["--quick"] if quick else [])]
        subprocess.run(command, cwd=ROOT)  # its exit status says no more than its rows do
    if not path.exists():
        return None
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def about(name: str) -> str:
    """The first line of a script's docstring."""
    text = ast.get_docstring(ast.parse((ROOT / "benchmarks" / f"{name}.py").read_text())) or ""
    return text.splitlines()[0].replace("``", "`")


def markdown_row(cells: Sequence[str]) -> str:
    """A line of a Markdown table."""
    return " | ".join(["", *(cell.replace("|", "/") for cell in cells), ""]).strip()


def section(name: str, result: Result) -> list[str]:
    """The part of the document about one benchmark."""
    head = [f"## {name}", "", about(name), ""]
    if result is None:
        return [*head, f"**Failed**: `python -m benchmarks.{name}` ended without figures.", ""]
    command = f"python -m benchmarks.{name}{' --quick' if result['quick'] else ''}"
    kind = " (quick: a smaller version)" if result["quick"] else ""
    rows = [Row(**row) for row in result["rows"]]
    return [
        *head,
        f"`{command}`{kind}, {result['date']}; the machine was {result['busy_percent']:.0f} % busy before.",
        "",
        markdown_row(COLUMNS),
        markdown_row(["---", "---:", "---", "---", "---", "---"]),
        *(markdown_row(row.cells) for row in rows),
        "",
    ]


def document(results: Mapping[str, Result]) -> str:
    """The whole document."""
    now = environment()
    machine, versions = now["machine"], now["versions"]
    used = f"{machine['cpu']}, {machine['usable_cores']} cores, {machine['memory_gib']:g} GiB, {machine['system']}"
    other = sorted({shown for result in results.values() if result for shown in [_machine(result)]} - {_machine(now)})
    lines = [
        "# Benchmarks",
        "",
        "Written by `make bench`. `met` is empty where there is no target, or where it is not judged.",
        "",
        f"- Machine: {used}",
        f"- Date: {now['date']}",
        f"- Versions: {', '.join(f'{name} {version}' for name, version in versions.items())}",
        *(f"- Some figures were taken elsewhere: {one}" for one in other),
        "",
    ]
    for name, result in results.items():
        lines += section(name, result)
    return "\n".join(lines)


def _machine(content: Mapping[str, Any]) -> str:
    machine = content["machine"]
    return f"{machine['cpu']}, {machine['usable_cores']} cores, {machine['system']}"


def missed(result: Result) -> bool:
    """True when a benchmark failed or a target of it was missed."""
    return result is None or any(row["met"] is False for row in result["rows"])


def main() -> None:
    """Run what was asked for and write the document; exit status 1 where something failed or was missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.all", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the smaller version of each")
    parser.add_argument("--only", nargs="+", choices=SCRIPTS, default=SCRIPTS, metavar="NAME", help=", ".join(SCRIPTS))
    parser.add_argument(
        "--results", type=Path, metavar="DIR", help="use DIR/NAME.json where it is there, else write it"
    )
    parser.add_argument("--out", type=Path, default=DOCUMENT, metavar="FILE", help="the document to write")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ai4s-bench-") as folder:
        results = (arguments.results or Path(folder)).absolute()
        results.mkdir(parents=True, exist_ok=True)
        found = {name: result_of(name, results, arguments.quick) for name in SCRIPTS if name in arguments.only}
    arguments.out.write_text(document(found))
    print(f"wrote {arguments.out}")
    sys.exit(1 if any(map(missed, found.values())) else 0)


if __name__ == "__main__":
    main()

"""What all benchmarks share: rows with targets, the arguments, the table, the JSON file and the exit status."""

import argparse
import json
import operator
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn, Self

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parent.parent
COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
}
BUSY_PERCENT = 15.0
WORDS = {True: "yes", False: "NO", None: ""}


@dataclass(frozen=True)
class Row:
    """One figure. ``met`` is None where there is no target, or where it is not judged."""

    name: str
    value: float | None
    unit: str = ""
    target: str = ""
    met: bool | None = None
    note: str = ""

    @classmethod
    def judged(cls, name: str, value: float, unit: str, target: str, note: str = "", *, not_judged: str = "") -> Self:
        """A row with a target such as ``>= 95``; ``not_judged`` says why the target does not apply this time."""
        if not_judged:
            return cls(name, value, unit, target, None, "; ".join(filter(None, (note, f"not judged: {not_judged}"))))
        sign, bound = target.split()
        value = float(value)  # of NumPy's numbers neither they nor what they compare to can be written as JSON
        return cls(name, value, unit, target, COMPARE[sign](value, float(bound.replace(",", ""))), note)

    @property
    def cells(self) -> tuple[str, ...]:
        """The row as text for a table."""
        return (self.name, shown(self.value), self.unit, self.target, WORDS[self.met], self.note)


COLUMNS = ("measure", "value", "unit", "target", "met", "note")


def shown(value: float | None) -> str:
    """A number in about three digits, without an exponent."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


def print_rows(title: str, rows: Sequence[Row]) -> None:
    """Print the rows as a table."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for name in COLUMNS:
        table.add_column(name, justify="right" if name == "value" else "left", overflow="fold")
    for row in rows:
        table.add_row(*row.cells, style="red" if row.met is False else None)
    # A log has no width of its own: do not break lines at 80 there.
    Console(width=None if sys.stdout.isatty() else 160, highlight=False).print(table)


def data_folders() -> list[Path]:
    """Where public data may lie: AI4S_DATA, then beside the checkout."""
    return [*(Path(named) for named in (os.environ.get("AI4S_DATA"),) if named), ROOT.parent / "shared" / "data"]


def environment() -> dict[str, Any]:
    """Machine, cores, date and versions."""
    # Here: every worker of a pod imports the script again, and needs none of this.
    import psutil

    from cluster.discover import cores, laptop
    from tasks.provenance import package_version, provenance

    found = provenance(time.time(), "laptop", [laptop()])
    return {
        "date": found["started"],
        "machine": {
            **found["machine"],
            "usable_cores": cores(),
            "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        },
        "versions": {
            "python": found["python"],
            **found["packages"],
            **{name: package_version(name) for name in ("easydock", "rich")},
        },
    }


def busy_percent() -> float:
    """How busy the machine is now: this script has not begun."""
    import psutil

    return psutil.cpu_percent(interval=1.0)


def main(
    measure: Callable[[argparse.Namespace], Sequence[Row]],
    about: str | None,
    extend: Callable[[argparse.ArgumentParser], None] = lambda parser: None,
) -> NoReturn:
    """Run a benchmark from the command line: exit status 1 where a target is missed."""
    name = Path(sys.argv[0]).stem
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=about)
    parser.add_argument("--quick", action="store_true", help="a smaller version, about a minute at most")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here as well")
    extend(parser)
    arguments = parser.parse_args()
    busy = busy_percent()
    rows = measure(arguments)
    print_rows(f"{name}{' (quick)' if arguments.quick else ''}", rows)
    if busy > BUSY_PERCENT:
        print(f"Others kept {busy:.0f} % of the CPU busy before the start: times are too long.")
    if arguments.json:
        content = {"script": name, "quick": arguments.quick, "busy_percent": busy, **environment()}
        content["rows"] = [asdict(row) for row in rows]
        arguments.json.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    sys.exit(1 if any(row.met is False for row in rows) else 0)


@contextmanager
def scratch(kept: Path | None = None) -> Iterator[Path]:
    """A folder that holds runs and a Prefect database; enter it before Prefect is imported. Temporary, unless one is named."""
    with ExitStack() as stack:
        if kept is None:
            # The temporary Prefect server ends with this process and may still write while the folder goes.
            made = tempfile.TemporaryDirectory(prefix="ai4s-bench-", ignore_cleanup_errors=True)
            folder = Path(stack.enter_context(made))
        else:
            folder = kept.absolute()
            folder.mkdir(parents=True, exist_ok=True)
        os.environ.pop("PREFECT_API_URL", None)
        os.environ.update(AI4S_RUNS=str(folder / "runs"), PREFECT_HOME=str(folder / "prefect"))
        from flows.launch import prepare_environment

        prepare_environment()
        yield folder

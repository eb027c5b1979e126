"""The demo: the command of ``make demo`` from an empty database, timed to its first lines and to its end."""

import argparse
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.bench import ROOT, Row, main, scratch
from tasks.expansion import STRIDE

QUICK = ["--sample", "20", "--top", "5", "--redock", "5", "--search.exhaustiveness", "1"]
NOT_JUDGED = "quick, 20 molecules"

Lines = list[tuple[float, str]]


def demo_options() -> list[str]:
    """The arguments of ``ai4s`` in the Makefile's demo target."""
    recipe = re.search(r"^demo:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    if recipe is None:
        raise RuntimeError("the Makefile has no target demo")
    return shlex.split(recipe[1].replace("\\\n", " "))[1:]


def watch(command: Sequence[str]) -> tuple[float, Lines]:
    """Run a command to its end: its seconds, and the lines of its standard error with the second each came."""
    started = time.perf_counter()
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        lines = [(time.perf_counter() - started, line.rstrip()) for line in process.stderr]
    if process.returncode:
        raise RuntimeError("the demo failed:\n" + "\n".join(line for _, line in lines[-20:]))
    return time.perf_counter() - started, lines


def second_of(lines: Lines, text: str) -> float:
    """When the first line with this text came."""
    return next(second for second, line in lines if text in line)


def outcome_rows(runs: Path) -> tuple[int, int]:
    """Molecules in the outcomes of the only run, whatever their states, and rows that are there twice."""
    (path,) = runs.glob("*/outcomes.parquet")
    ids = pq.read_table(path, columns=["id"])["id"]
    return len({one % STRIDE for one in ids.to_pylist()}), len(ids) - len(ids.unique())


def measure(arguments: argparse.Namespace) -> list[Row]:
    options = demo_options() + (QUICK if arguments.quick else [])
    sample = max(at for at, option in enumerate(options) if option == "--sample") + 1
    with scratch() as folder:
        seconds, lines = watch([sys.executable, "-m", "flows.cli", *options])
        ended, twice = outcome_rows(folder / "runs")
    return [
        Row.judged("demo, start to end", seconds, "s", "< 300", not_judged=NOT_JUDGED if arguments.quick else ""),
        Row.judged("first line (the plan)", second_of(lines, "Screening "), "s", "<= 20"),
        Row.judged("first finished stage (Library: done)", second_of(lines, "Library: done"), "s", "<= 20"),
        Row("molecules", float(options[sample])),
        Row.judged("molecules in outcomes.parquet", ended, "", f"== {options[sample]}", "every one ends somewhere"),
        Row.judged("rows that are there twice", twice, "", "== 0", "a state of a molecule is a row of its own"),
    ]


if __name__ == "__main__":
    main(measure, __doc__)

"""The front end: reading, standardising, deduplicating and filtering a library; its speed, and memory by its size."""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import pyarrow as pa

from benchmarks.bench import ROOT, Row, main, scratch
from benchmarks.molecules import products, write_library
from benchmarks.runs import PeakMemory, bare_run, in_flow
from domains.drug.filters import FilterSettings, drug_like
from domains.drug.library import open_library
from domains.drug.request import ScreeningRequest
from domains.drug.standardise import StandardiseSettings, standardise

SIZES, QUICK_SIZES = (100_000, 1_000_000), (1_000, 4_000)
BOUND_ROWS, QUICK_BOUND_ROWS = 4_000, 500
MIB = 2**20


@dataclass(frozen=True)
class Taken:
    """What the front end took for one library; memory is the peak of resident bytes."""

    rows: int
    left: int
    cores: int
    wall_s: float
    flow: int
    worker: int
    everything: int

    @property
    def rate(self) -> float:
        """Molecules a second a core."""
        return self.rows / (self.wall_s * self.cores)


def front_end(path: Path, folder: Path) -> Taken:
    """Read, standardise, deduplicate and filter a library file through the real stages."""

    def flow() -> Taken:
        from tasks import drug

        request = ScreeningRequest(library=str(path))
        with bare_run(folder / "front-end") as run, PeakMemory(run.pods[0]) as peak:
            started = time.perf_counter()
            library = open_library(str(path))
            records = drug.read_library(run, library, request)
            unique = drug.deduplicated(run, drug.standardised(run, records))
            left = drug.drug_like(run, unique, request).rows
            wall_s = time.perf_counter() - started
        return Taken(library.rows, left, run.slots, wall_s, peak.flow, peak.worker, peak.everything)

    return in_flow("front-end", flow)


def measure_one(rows: int, result: Path) -> None:
    """One library, in a process of its own."""
    with scratch() as folder:
        path = folder / "library.smi"
        write_library(path, rows)
        result.write_text(json.dumps(asdict(front_end(path, folder))))


def in_own_process(rows: int) -> Taken:
    """Measure one library size in a new process: memory that an earlier size has freed would count for a later one."""
    with tempfile.TemporaryDirectory(prefix="ai4s-bench-") as folder:
        result = Path(folder) / "result.json"
        command = [sys.executable, "-m", "benchmarks.front_end", "--one", str(rows), str(result)]
        subprocess.run(command, cwd=ROOT, check=True)
        return Taken(**json.loads(result.read_text()))


def bound(rows: int) -> float:
    """Molecules a second of the same two functions in this one process."""
    batch = pa.table({"id": range(rows), "structure": list(islice(products(rows), rows))})
    drug_like(standardise(batch.slice(0, 1), StandardiseSettings()), FilterSettings())  # builds the alert catalogues
    started = time.perf_counter()
    made = standardise(batch, StandardiseSettings())
    drug_like(made.filter(made["smiles"].is_valid()), FilterSettings())
    return rows / (time.perf_counter() - started)


def rate_rows(taken: Taken, judge: str) -> list[Row]:
    """Speed at one size."""
    name = f"{taken.rows:,} molecules"
    note = f"{taken.wall_s:,.0f} s on {taken.cores} cores, {taken.left:,} left"
    return [Row.judged(name, taken.rate, "molecules/s/core", ">= 80", note, not_judged=judge)]


def memory_rows(name: str, small: Taken, large: Taken, field: str, target: str, judge: str) -> list[Row]:
    """A peak at both sizes, and their ratio."""
    low, high = getattr(small, field), getattr(large, field)
    label = f"peak memory, {name}"
    rows = [Row(f"{label}, {taken.rows:,}", getattr(taken, field) / MIB, "MiB") for taken in (small, large)]
    if not target:
        return [*rows, Row(f"{label}, ratio", high / low, "x")]
    return [*rows, Row.judged(f"{label}, ratio", high / low, "x", target, not_judged=judge)]


def measure(arguments: argparse.Namespace) -> list[Row]:
    sizes = arguments.sizes or (QUICK_SIZES if arguments.quick else SIZES)
    single = bound(QUICK_BOUND_ROWS if arguments.quick else BOUND_ROWS)
    small, large = (in_own_process(rows) for rows in sorted(sizes))
    skip = f"sizes are not {SIZES[0]:,} and {SIZES[1]:,}" if sorted(sizes) != list(SIZES) else ""
    return [
        *rate_rows(small, "start-up weighs too much" if small.rows < SIZES[0] else ""),
        *rate_rows(large, "start-up weighs too much" if large.rows < SIZES[0] else ""),
        Row("bound: standardise and filter in one process", single, "molecules/s/core", note="one core busy, no files"),
        Row(f"{large.rows:,} molecules / bound", 100 * large.rate / single, "%"),
        *memory_rows("flow process", small, large, "flow", "<= 1.25", skip),
        *memory_rows("fullest worker with its child", small, large, "worker", "<= 1.25", skip),
        *memory_rows("all processes", small, large, "everything", "", skip),
    ]


def extend(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sizes", type=int, nargs=2, metavar="N", help="library sizes, default 100,000 and 1,000,000")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        measure_one(int(sys.argv[2]), Path(sys.argv[3]))
    else:
        main(measure, __doc__, extend)

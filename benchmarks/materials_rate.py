"""Rate: distinct candidates evaluated at three volumes by CHGNet, through the real stage runner on this machine's cores.

What is measured is minutes; a day is extrapolated from it. Evaluated is not relaxed: `versus_orchestrators` times relaxations.
"""

import argparse
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil
import pyarrow as pa

from benchmarks.bench import Row, main, scratch
from benchmarks.runs import bare_run, cpu_seconds
from domains.materials import candidates, scan
from domains.materials.check import SCAN_S
from domains.materials.elements import elements
from domains.materials.potential import Identity
from tasks.shard import Stage

POTENTIAL, SEED, DAY_S = "chgnet", 1, 86_400
SECONDS, QUICK_SECONDS = 1000.0, 20.0
WARM_UP = 200  # candidates, so that every worker has its model
# What a screen of everything is made of: no noble gas, nothing beyond bismuth.
LEFT_OUT = {"He", "Ne", "Ar", "Kr", "Xe"}
NAMED = [one.symbol for one in elements().values() if one.number <= 83 and one.symbol not in LEFT_OUT]


class Taken(NamedTuple):
    """What a stage took; ``engine_s`` are the CPU seconds inside the stage's function."""

    wall_s: float
    cpu_s: float
    engine_s: float
    outcomes: dict[str, int]
    slots: int
    worker_bytes: int


def stage(name: str, cost: float) -> Stage:
    """The scan as the flow has it."""
    return Stage(
        name,
        "Scan",
        "评估",
        scan.scan_rows,
        scan.ScanStage(potential=Identity.of(POTENTIAL)),
        version="1",
        reads=("prototype", "species"),
        carries=("name", "formula", "atoms"),
        output=scan.OUTPUT,
        cost=cost,
    )


def scanned(seconds: float) -> tuple[pa.Table, Taken]:
    """Scan for about so long; the candidates and what they took."""
    from tasks.stage import Rows, run_stage

    with scratch() as folder, bare_run(folder / "rate") as run:
        warm = candidates.candidates(NAMED, WARM_UP, SEED + 1)
        run_stage(run, stage("warm", 60.0 / WARM_UP), Rows(warm))
        per_second = WARM_UP / sum(shard.cpu_s for shard in run.stages[0].shards) * run.slots
        table = candidates.candidates(NAMED, int(seconds * per_second), SEED)
        started, cpu = time.perf_counter(), cpu_seconds()
        run_stage(run, stage("scan", SCAN_S[POTENTIAL]), Rows(table))
        wall, cpu = time.perf_counter() - started, cpu_seconds() - cpu
        done = run.stages[1]
        engine = sum(shard.cpu_s for shard in done.shards)
        fullest = max(map(peak_bytes, run.pods[0].worker_processes()))
        return table, Taken(wall, cpu, engine, dict(done.outcomes), run.slots, fullest)


def peak_bytes(pid: int) -> int:
    """The most that a process and those below it ever held, each at its own time; asked of the kernel, not sampled."""
    process = psutil.Process(pid)
    return sum(_high_water(one.pid) for one in (process, *process.children(recursive=True)))


def _high_water(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def measure(arguments: argparse.Namespace) -> list[Row]:
    table, taken = scanned(QUICK_SECONDS if arguments.quick else SECONDS)
    n = len(table)
    keys = zip(table["prototype"].to_pylist(), table["species"].to_pylist(), strict=True)
    distinct = len({(prototype, *species) for prototype, species in keys})
    per_s = n / taken.wall_s
    skip = "quick" if arguments.quick else ""
    ended = ", ".join(f"{name} {count:,}" for name, count in sorted(taken.outcomes.items(), key=lambda one: -one[1]))
    return [
        Row("candidates", n, note=f"{taken.wall_s:.0f} s on {taken.slots} workers; {ended}"),
        Row.judged("distinct (prototype, species)", distinct, "", f"== {n}"),
        Row.judged("mean atoms", float(np.mean(table["atoms"].to_numpy())), "", ">= 8"),
        Row("rate", per_s, "1/s", note="wall"),
        Row.judged("evaluated a day", per_s * DAY_S, "", ">= 1,000,000", "extrapolated from the rate", not_judged=skip),
        Row.judged("CPU a candidate", 1e3 * taken.cpu_s / n, "ms", "<= 40", "flow, scheduler, workers and children"),
        Row.judged("orchestration / all CPU", 100 * (1 - taken.engine_s / taken.cpu_s), "%", "<= 2", not_judged=skip),
        Row.judged("peak memory of a worker", taken.worker_bytes / 1e9, "GB", "< 2", "with its child"),
    ]


if __name__ == "__main__":
    main(measure, __doc__)

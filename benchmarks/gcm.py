"""The general circulation model: a year at T31, its climate beside what is observed, and a restart bit for bit.

Needs jcm: AI4S_JCM names the Python that has it. ``--folder`` keeps the year, so that a stopped measurement goes on.
"""

import argparse
import os
import resource
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import xarray as xr

from benchmarks.bench import Row, main
from domains.climate import gcm
from domains.climate.gcm_request import Resolution

YEAR, CHUNK, QUICK = 365, 30, 4
SPIN_UP = 60
SECONDS = 86400.0


def run(folder: Path, days: int, chunk: int, resolution: Resolution) -> float:
    """Run to the end; returns the CPU seconds that it took now."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    settings = gcm.GcmSettings(
        days=days,
        chunk_days=chunk,
        resolution=resolution,
        jcm=gcm.version(),
        folder=folder,
        python=gcm.interpreter(),
        limit_s=6 * 3600,
    )
    found = gcm.Engine(settings)({})
    if found["outcome"] != "ok":
        sys.exit(f"{found['outcome']}: {found['reason']}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def restarted(folder: Path, resolution: Resolution) -> float:
    """The largest difference between two days run at once and the same two days after a restart; they must be the same bits."""
    run(folder / "whole", QUICK, QUICK // 2, resolution)
    parted = folder / "parted"
    shutil.copytree(folder / "whole", parted)
    for name in ("chunk-1.npz", "state-1.ckpt"):
        (parted / name).unlink()
    run(parted, QUICK, QUICK // 2, resolution)
    with np.load(folder / "whole" / "chunk-1.npz") as one, np.load(parted / "chunk-1.npz") as other:
        return max(float(np.abs(one[name] - other[name]).max()) for name in one.files)


def means(data: xr.Dataset) -> dict[str, float]:
    """Global means after spin-up: radiation in W/m², rain in mm/day, the strongest zonal wind in m/s."""
    settled = data.isel(time=slice(SPIN_UP, None))
    found = {name: float(gcm.global_mean(settled[name]).mean()) for name in ("rlut", "rsnt", "pr", "tas")}
    return {**found, "pr": found["pr"] * SECONDS, "jet": float(settled["ua"].mean("time").max())}


def measure(arguments: argparse.Namespace) -> list[Row]:
    if missing := gcm.state():
        sys.exit(missing)
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    with tempfile.TemporaryDirectory(prefix="ai4s-bench-") as name:
        resolution: Resolution = "T21" if arguments.quick else "T31"
        apart = restarted(Path(name), resolution)
        rows = [
            Row.judged(
                "restart: largest difference",
                apart,
                "",
                "== 0",
                f"{resolution}, two days after a restart; 0: the same bits",
            )
        ]
        if arguments.quick:
            return rows
        folder = arguments.folder or Path(name) / "year"
        earlier = len(list(folder.glob("chunk-*.npz")))
        cpu = run(folder, YEAR, CHUNK, "T31")
        found = means(gcm.dataset(folder, "", "", ""))
    # A year that was partly there has no price.
    cost = [] if earlier else [Row("a year at T31, CPU", cpu, "s", note="compiling included")]
    return [
        *rows,
        *cost,
        Row.judged("outgoing longwave, at least", found["rlut"], "W/m²", ">= 235", f"days {SPIN_UP} to {YEAR}"),
        Row.judged("outgoing longwave, at most", found["rlut"], "W/m²", "<= 242"),
        Row.judged("precipitation, at least", found["pr"], "mm/day", ">= 2.4"),
        Row.judged("precipitation, at most", found["pr"], "mm/day", "<= 3.1"),
        Row("absorbed sunlight", found["rsnt"], "W/m²"),
        Row("near-surface temperature", found["tas"], "K"),
        Row("strongest zonal mean wind", found["jet"], "m/s"),
    ]


def extend(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--folder", type=Path, help="keeps the year")


if __name__ == "__main__":
    main(measure, __doc__, extend)

"""The drug screen through real SLURM jobs on eight emulated hosts, one of which is lost in the middle."""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.bench import Row, main, scratch
from tasks.expansion import STRIDE
from tests.cluster.launch.slurm_site import HOSTS, SlurmSite, missing, slurm_site

NAME = "slurm"
CARDS = 2
LIMIT_S = 1800.0


def measure(arguments: argparse.Namespace) -> Sequence[Row]:
    """Run the screen, kill a host whose engine is at work, and count."""
    if why := missing():
        return [Row("rows that come out of the screen", None, "rows", "", None, f"not judged: {why}")]
    sample = 24 if arguments.quick else 200
    with scratch() as folder, slurm_site(CARDS) as site:
        begun = time.monotonic()
        lost = _screen(site, folder, sample)
        seconds = time.monotonic() - begun
        jobs = site.ask("squeue", "--noheader", "--states=all", "--format=%i").split()
        left = site.ask("squeue", "--noheader", "--states=PENDING,RUNNING", "--format=%i").split()
        ids = pq.read_table(folder / "runs" / NAME / "outcomes.parquet")["id"].to_pylist()
    where = f"{HOSTS} hosts under two switches, {CARDS} counted cards each; {lost} lost while it docked"
    return [
        Row.judged(
            "records that come out of the screen", len({one % STRIDE for one in ids}), "", f"== {sample}", where
        ),
        Row("candidates, with the states of molecules", len(ids)),
        Row.judged("candidates that come out twice", len(ids) - len(set(ids)), "", "== 0"),
        Row.judged("jobs left behind", len(left), "jobs", "== 0"),
        Row("jobs submitted", len(jobs), "jobs", note="one for each supernode; one more where its first host was lost"),
        Row("the whole command", seconds, "s"),
    ]


def _screen(site: SlurmSite, folder: Path, sample: int) -> str:
    """Run the screen to its end; returns the host that was lost."""
    words = f"--sample {sample} --top 4 --redock 8 --search.exhaustiveness 1 --profile slurm:ai --name {NAME}"
    command = [sys.executable, "-m", "flows.cli", "run", "drug-screening", *words.split()]
    lost = ""
    with (folder / "output").open("w+") as output:
        environment = {**os.environ, **site.environment}
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
        try:
            ends = time.monotonic() + LIMIT_S
            while process.poll() is None and time.monotonic() < ends:
                docking = (folder / "runs" / NAME / "dock-coarse" / "stage.json").exists()
                if docking and not lost and (busy := site.busy_host()):
                    site.kill_host(busy)
                    lost = busy
                time.sleep(0.1)
        finally:
            process.kill()
            process.wait()
        output.seek(0)
        if process.returncode or not lost:
            raise RuntimeError(f"the screen ended with {process.returncode}, lost {lost or 'no host'}: {output.read()}")
    return lost


if __name__ == "__main__":
    main(measure, __doc__)

"""A flow whose work can be counted: some steps, each committed to the run store once, each noted as often as it is done."""

import os
import time
from pathlib import Path

import pyarrow as pa
from prefect import flow, task

from tasks.outcomes import ShardSummary
from tasks.store import RunStore, StageStore, commit_shard

NOTES = "done.txt"


@flow(name="counted")
def counted(name: str, steps: int = 5, seconds: float = 0.3) -> int:
    """Do the steps that are not there yet; returns how many there are."""
    store = RunStore(Path(os.environ["AI4S_RUNS"]) / name).open({"steps": steps})
    try:
        stage = store.stage("steps")
        stage.begin({"steps": steps}, seconds)
        return work(stage, steps, seconds)
    finally:
        store.close()


@task
def work(stage: StageStore, steps: int, seconds: float) -> int:
    """The stage: one shard a step."""
    for number in range(steps):
        path = stage.shard_path(f"{number:04d}")
        if path.exists():
            continue
        started = time.time()
        time.sleep(seconds)
        summary = ShardSummary(f"{number:04d}", 1, {"ok": 1}, seconds, 0.0, 0.0, started, time.time(), "here")
        commit_shard(path, pa.table({"id": [number]}), summary)
        with (stage.path.parent / NOTES).open("a") as notes:
            notes.write(f"{number}\n")
    return len(list(stage.path.glob("shard-*")))

"""A search in a process of its own that is killed in the middle of round 2: run by test_learning."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

from cluster.launch import start
from tasks.progress import RunProgress
from tasks.run import Run
from tasks.store import RunStore
from tests.tasks.test_learning import search


def kill_when_begun(stage: Path) -> None:
    while not list(stage.glob("shard-*.parquet")):
        time.sleep(0.005)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    root = Path(sys.argv[1])
    store = RunStore(root).open({"request": root.name})
    threading.Thread(target=kill_when_begun, args=(root / "compute-r2",), daemon=True).start()
    with start("emulated:two-supernodes") as pod:
        search(Run("test", None, store, [pod], RunProgress()))  # type: ignore[arg-type]

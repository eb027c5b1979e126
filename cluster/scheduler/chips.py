"""Which chips a task may use: Dask counts chips, this worker plugin hands out their numbers.

The numbers are data for the environment of the task's own process. They are never set for the worker, as the threads of
one worker share its environment.
"""

import math
import os
from collections.abc import Collection, Hashable
from time import time
from typing import Any

from distributed import get_worker
from distributed.diagnostics.plugin import WorkerPlugin

NAME = "chips"
# The kind of chip that is a CPU core, on hosts that no hub file describes.
CORES = ("core",)
VARIABLES = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ASCEND_RT_VISIBLE_DEVICES")
# What a worker tells the scheduler when the thread of a task that was given up has ended.
FREED = "chips-freed"
# States in which a task's thread may still run.
BUSY = {"executing", "long-running", "cancelled", "resumed"}


def _given(count: int) -> list[str]:
    """The chips this worker may use: those that its own environment names (SLURM sets it), or all of them."""
    for name in VARIABLES:
        if os.environ.get(name):
            return os.environ[name].split(",")
    return [str(number) for number in range(count)]


class ChipNumbers(WorkerPlugin):  # type: ignore[misc]
    """Gives each running task numbers of chips that no other running task of the worker has."""

    name = NAME

    def __init__(self, cores: Collection[str] = CORES) -> None:
        self.cores = frozenset(cores)
        self.devices = True
        self.held: dict[Hashable, list[str]] = {}
        self.free: list[str] = []

    def setup(self, worker: Any) -> None:
        """Find the worker's chips."""
        self.worker = worker
        resources = worker.state.total_resources
        kinds = {name.removeprefix("chip.") for name in resources if name.startswith("chip.")}
        self.devices = not kinds or not kinds <= self.cores
        self.free = _given(int(resources.get("chip", 0)))

    def _count(self, key: Hashable) -> int:
        restrictions = self.worker.state.tasks[key].resource_restrictions or {}
        wanted = [n for name, n in restrictions.items() if name == "chip" or name.startswith("chip.")]
        return math.ceil(max(wanted, default=0))

    def transition(self, key: Hashable, start: str, finish: str, **kwargs: Any) -> None:
        """Hand out at the start of a run, take back when its thread is done."""
        if finish == "released" and start != "memory" and self._count(key):
            self.worker.batched_send({"op": FREED, "key": key, "stimulus_id": f"{FREED}-{time()}"})
        if start not in BUSY and finish == "executing":
            if count := self._count(key):
                self.held[key], self.free = self.free[:count], self.free[count:]
        elif start in BUSY and finish not in BUSY:
            self.free = sorted(self.free + self.held.pop(key, []), key=lambda chip: (len(chip), chip))


def visible() -> dict[str, str]:
    """Environment of a child of the running task that shows it the task's chips; empty where it holds no device.

    A CPU core is no device: hiding a machine's accelerators from what runs on its cores would only disturb it.
    """
    try:
        worker = get_worker()
    except ValueError:
        return {}
    plugin = worker.plugins.get(NAME)
    held = plugin.held.get(worker.get_current_task(), []) if plugin and plugin.devices else []
    return dict.fromkeys(VARIABLES, ",".join(held)) if held else {}

"""What ran where and when, and the check that it could have."""

from dataclasses import dataclass

from cluster.dag.graph import TaskGraph
from cluster.dag.machine import Machine

SLACK = 1e-9  # relative, for the rounding of sums


class ScheduleError(ValueError):
    """A schedule that cannot be, or a graph that cannot run; the message names the task."""


@dataclass(frozen=True, slots=True)
class Run:
    """A task on a chip, from start to end; ``placed`` is when its place was chosen. All in seconds."""

    task: int
    chip: int
    placed: float
    start: float
    end: float


@dataclass(frozen=True)
class Schedule:
    """The runs of all tasks in order, the runs that a failed chip cut short, and when chips failed."""

    graph: TaskGraph
    machine: Machine
    runs: tuple[Run, ...]
    lost: tuple[Run, ...] = ()
    failures: tuple[tuple[float, int], ...] = ()

    @property
    def makespan(self) -> float:
        """The end of the last task, in seconds."""
        return max(run.end for run in self.runs)

    @property
    def bytes_by_level(self) -> dict[str, float]:
        """Bytes that went along edges by the level where their ways met; on one chip none go."""
        found = dict.fromkeys(self.machine.tree.levels, 0.0)
        for run in self.runs:
            for parent, size in self.graph.parents[run.task]:
                level = self.machine.level(self.runs[parent].chip, run.chip)
                if level < len(self.machine.tree.levels):
                    found[self.machine.tree.levels[level]] += size
        return found


def check(schedule: Schedule) -> None:
    """Raise ScheduleError where a task starts before its inputs, a chip does two things at once, or a dead one works."""
    graph, machine = schedule.graph, schedule.machine
    slack = SLACK * max(schedule.makespan, 1e-300)
    if [run.task for run in schedule.runs] != list(range(len(graph.tasks))):
        raise ScheduleError("not every task has one run")
    for run in schedule.runs:
        name = graph.tasks[run.task].id
        if not 0 <= run.placed <= run.start + slack or run.end < run.start:
            raise ScheduleError(f"task {name}: placed at {run.placed}, started at {run.start}, ended at {run.end}")
        if machine.seconds(graph.tasks[run.task])[machine.kind[run.chip]] == float("inf"):
            raise ScheduleError(f"task {name}: runs on a kind that cannot run it")
        for parent, size in graph.parents[run.task]:
            sent = max(schedule.runs[parent].end, run.placed)
            if sent + machine.cost(schedule.runs[parent].chip, run.chip, size) > run.start + slack:
                raise ScheduleError(f"task {name}: starts before the bytes of {graph.tasks[parent].id} are there")
    died = {chip: time for time, chip in schedule.failures}
    last: dict[int, Run] = {}
    # A task of no length may stand where another one starts.
    for run in sorted((*schedule.runs, *schedule.lost), key=lambda run: (run.start, run.end)):
        name = graph.tasks[run.task].id
        if run.chip in last and last[run.chip].end > run.start + slack:
            raise ScheduleError(f"task {name}: chip {run.chip} still runs {graph.tasks[last[run.chip].task].id}")
        if run.end > died.get(run.chip, run.end) + slack:
            raise ScheduleError(f"task {name}: runs on chip {run.chip} after it failed")
        last[run.chip] = run

"""What happened in a simulation: the course of the hub over time, every gang's wait, energy, bounds."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from cluster.allocate.allocator import Allocator
from cluster.allocate.change import Affected
from cluster.allocate.decision import Decision
from cluster.allocate.queue import Pending
from cluster.allocate.repack import stranded
from cluster.allocate.running import Allocation
from cluster.simulate.bounds import Work, makespan_bounds
from cluster.simulate.jobs import Job

Array = npt.NDArray[np.float64]
COURSE = ("time", "held", "up", "waiting", "waiting_chips", "busy_w", "idle_w", "base_w", "overhead_w")
SHAPES = (8, 64, 640)
SAMPLE_S = 600.0
# Classes of size for tables: up to so many chips.
SIZES = (1, 8, 64, 640, 10**9)


@dataclass
class Record:
    """Filled while a simulation runs; ``course`` has one row for each time at which something happened."""

    allocator: Allocator
    rows: list[tuple[float, ...]] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    still_waiting: dict[str, str] = field(default_factory=dict)
    restarts: int = 0
    stopped: int = 0
    replaced: int = 0
    finished: int = 0
    held_chip_s: float = 0.0
    used_chip_s: float = 0.0
    lost_chip_s: float = 0.0
    stranded: list[tuple[float, ...]] = field(default_factory=list)
    ends: dict[str, float] = field(default_factory=dict)
    work: Work = field(default_factory=Work)
    first: float | None = None
    last_arrival: float = 0.0
    last: float = 0.0
    kinds_held: list[tuple[int, ...]] = field(default_factory=list)
    _table: Array | None = None

    def note(self, now: float) -> None:
        """Keep the state of the hub from now on."""
        allocator = self.allocator
        if self.first is None:
            self.first = now
        draw = allocator.power.draw(allocator.ledger)
        ledger = allocator.ledger
        held = tuple(ledger.up[kind][0] - ledger.free[kind][0] for kind in allocator.tree.kinds)
        up = sum(counts[0] for counts in ledger.up.values())
        queue = allocator.queue
        self.rows.append((now, sum(held), up, len(queue), queue.chips, draw.busy, draw.idle, draw.base, draw.overhead))
        self.kinds_held.append(held)
        if not self.stranded or now - self.stranded[-1][0] >= SAMPLE_S:
            self.stranded.append((now, *(stranded(ledger, allocator.tree, shape) for shape in SHAPES)))

    def refuse(self, job: Job, reason: str) -> None:
        """Count a job that the hub cannot hold."""
        self.refused[job.gang.name] = reason

    def leave_waiting(self, gangs: Iterable[Pending]) -> None:
        """Count gangs that wait for a budget that is spent."""
        for one in gangs:
            self.still_waiting[one.gang.name] = one.bound.text if one.bound else "nothing frees what it needs"

    def started(self, allocation: Allocation, *, again: bool) -> None:
        """Count a start."""
        self.restarts += again

    def ended(self, allocation: Allocation, now: float) -> None:
        """Count a job that has run to its end."""
        self.finished += 1
        self.ends[allocation.gang.name] = now
        self.held_chip_s += allocation.held * (now - allocation.started)
        self.used_chip_s += allocation.gang.chips * (now - allocation.started)
        self.work.add(allocation, now)

    def affected(self, one: Affected) -> None:
        """Count a gang that lost chips."""
        self.replaced += one.what == "replaced"

    def lost(self, allocation: Allocation, now: float, seconds: float) -> None:
        """Count work that must be done again, and the chips that were held for it."""
        self.stopped += 1
        self.lost_chip_s += allocation.gang.chips * seconds / allocation.speed
        self.held_chip_s += allocation.held * (now - allocation.started)

    def close(self, now: float) -> "Record":
        """End the record."""
        self.last = now
        return self

    @property
    def decisions(self) -> dict[str, Decision]:
        """Every placement by name; of a gang that started anew the last one."""
        return self.allocator.decisions

    def course(self) -> dict[str, Array]:
        """Columns over time; a value holds until the next time."""
        if self._table is None or len(self._table) < len(self.rows):
            self._table = np.array(self.rows, dtype=np.float64).reshape(-1, len(COURSE))
        return dict(zip(COURSE, self._table.T, strict=True))

    def binned(self, bins: int) -> dict[str, Array]:
        """Time means of the columns in equal intervals; ``time`` is each interval's start."""
        course = self.course()
        times, first = course["time"], self.first or 0.0
        edges = np.linspace(first, max(self.last, first + 1), bins + 1)
        found = {"time": edges[:-1]}
        for name in COURSE[1:]:
            total = np.concatenate([[0.0], np.cumsum(course[name][:-1] * np.diff(times))])
            found[name] = np.diff(np.interp(edges, times, total)) / np.diff(edges)
        return found

    def mean(self, name: str, until: float | None = None) -> float:
        """Time mean of a column, of the whole record or of its beginning."""
        course = self.course()
        times = np.minimum(course["time"], self.last if until is None else until)
        length = times[-1] - times[0]
        return float(np.sum(course[name][:-1] * np.diff(times)) / length) if length else 0.0

    def used(self, until: float) -> float:
        """Chips held over chips in service, from the first arrival to a time."""
        up = self.mean("up", until)
        return self.mean("held", until) / up if up else 0.0

    def waits(self) -> list[dict[str, Any]]:
        """Who waited and why: a row for each class of size."""
        found = []
        for low, high in zip((0, *SIZES), SIZES, strict=False):
            those = [one for one in self.decisions.values() if low < one.chips <= high]
            if not those:
                continue
            waits = np.array([one.started - one.submitted for one in those])
            reasons = Counter(one.first_bound for one in those if one.first_bound)
            found.append(
                {
                    "chips": f"{low + 1}-{high}" if high < SIZES[-1] else f"over {low}",
                    "gangs": len(those),
                    "mean_s": float(waits.mean()),
                    "p95_s": float(np.quantile(waits, 0.95)),
                    "waited": int((waits > 0).sum()),
                    "reasons": dict(reasons.most_common()),
                }
            )
        return found

    def crossing(self) -> tuple[int, int]:
        """Gangs that fit one supernode: how many lie in more than one, and how many there are."""
        those = [one for one in self.decisions.values() if one.fewest == 1]
        return sum(one.spans > 1 for one in those), len(those)

    def energy_kwh(self) -> dict[str, float]:
        """Energy by cause, kWh, modelled."""
        hours = (self.last - (self.first or 0.0)) / 3600
        return {name: self.mean(f"{name}_w") * hours / 1000 for name in ("busy", "idle", "base", "overhead")}

    def summary(self) -> dict[str, Any]:
        """The figures of the run, for JSON and the report."""
        first = self.first or 0.0
        crossed, inside = self.crossing()
        return {
            "hub": self.allocator.topology.name,
            "finished": self.finished,
            "refused": len(self.refused),
            "still_waiting": len(self.still_waiting),
            "restarts": self.restarts,
            "stopped_by_failures": self.stopped,
            "chips_replaced_in": self.replaced,
            "makespan_s": self.last - first,
            "bounds_s": makespan_bounds(self.work, self.allocator.tree, first),
            "utilisation": self.used(self.last),
            "utilisation_while_gangs_arrive": self.used(self.last_arrival),
            "mean_queue": self.mean("waiting"),
            "stranded": {
                str(shape): float(np.mean([row[number] for row in self.stranded])) if self.stranded else 0.0
                for number, shape in enumerate(SHAPES, start=1)
                if shape <= max(self.allocator.tree.largest_supernode.values())
            },
            "one_supernode_gangs": inside,
            "one_supernode_gangs_that_cross": crossed,
            "energy_kwh": self.energy_kwh(),
            "energy_status": "modelled" if self.allocator.power.complete else "modelled; some kinds have no figures",
            "chip_hours": self.held_chip_s / 3600,
            "chip_hours_lost_to_failures": self.lost_chip_s / 3600,
            "waits": self.waits(),
        }

"""Recorded job traces: Standard Workload Format, and the CSV of the open GPU cluster trace of 2023 (openb)."""

import csv
import gzip
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cluster.allocate.gang import Gang
from cluster.simulate.jobs import Job
from cluster.topology import Topology, TopologyError
from cluster.tree import build


@dataclass(frozen=True, slots=True)
class Line:
    """One job of a trace: seconds, and chips as the trace counts them (processors, GPUs)."""

    name: str
    submit: float
    chips: int
    seconds: float
    limit: float
    project: str = "default"
    kinds: tuple[str, ...] = ()


@dataclass
class Trace:
    """The jobs of a trace that ran, and why others are left out; ``size`` is the machine it was recorded on."""

    title: str
    size: int
    lines: list[Line] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)

    def jobs(self, topology: Topology, *, scale: int = 1, copies: int = 1, speedup: float = 1.0) -> Iterator[Job]:
        """The jobs on a hub: ``scale`` chips for each of the trace's, ``copies`` of it shifted in time, faster arrivals.

        A gang that fits one supernode prefers it and waits a day for it. Kinds are kept where the hub has them.
        """
        largest = max(build(topology).largest_supernode.values())
        kinds = set(topology.kinds)
        first = min((line.submit for line in self.lines), default=0.0)
        # A copy that runs over the end begins again; the last arrival has its own gap, so that it is not the first.
        span = max((line.submit for line in self.lines), default=0.0) - first
        period = span * (1 + 1 / max(len(self.lines), 1)) or 1.0
        for copy in range(copies):
            # Golden-ratio steps spread any number of copies evenly over the trace's week and day.
            shift = period * (copy * 0.6180339887 % 1.0)
            for line in self.lines:
                chips = line.chips * scale
                gang = Gang(
                    name=f"{line.name}.{copy}" if copies > 1 else line.name,
                    chips=chips,
                    kinds=dict.fromkeys(line.kinds, 1.0) if kinds.issuperset(line.kinds) else {},
                    preferred="supernode" if chips <= largest else None,
                    max_wait_s=86400,
                    duration_s=line.limit,
                    project=line.project,
                )
                yield Job(((line.submit - first + shift) % period) / speedup, gang, line.seconds)


def read_trace(path: str) -> Trace:
    """Read a trace by its file's name (.swf or .csv, gzipped or not); raises TopologyError in one line."""
    readers: dict[str, Callable[[str, Iterator[str]], Trace]] = {".swf": _swf, ".csv": _openb}
    suffix = Path(path.removesuffix(".gz")).suffix
    if suffix not in readers:
        raise TopologyError(
            f"trace {path}: unknown type {suffix or 'without a suffix'!r}; give .swf or .csv, gzipped or not"
        )
    try:
        with gzip.open(path, "rt") if path.endswith(".gz") else Path(path).open() as stream:
            trace = readers[suffix](path, iter(stream))
    except (OSError, UnicodeDecodeError, EOFError) as error:
        raise TopologyError(f"trace {path}: {getattr(error, 'strerror', None) or 'is not text'}") from None
    if not trace.lines:
        raise TopologyError(f"trace {path}: no job in it ran ({dict(trace.left_out) or 'it is empty'})")
    return trace


def _swf(path: str, stream: Iterator[str]) -> Trace:
    """18 fields a line, -1 where unknown; header comments start with a semicolon (Feitelson's SWF 2.2)."""
    trace = Trace(Path(path).name, 0)
    for number, text in enumerate(stream, start=1):
        if text.startswith(";"):
            key, _, value = text.lstrip("; ").partition(":")
            if key in ("MaxProcs", "MaxNodes") and value.strip().isdigit():
                trace.size = max(trace.size, int(value)) if key == "MaxNodes" else int(value)
            continue
        try:
            values = [float(word) for word in text.split()]
        except ValueError:
            raise TopologyError(
                f"trace {path}, line {number}: has a field that is not a number: {text.strip()[:60]}"
            ) from None
        if not values:
            continue
        if len(values) < 18:
            raise TopologyError(f"trace {path}, line {number}: has {len(values)} fields; the format has 18")
        seconds, chips = values[3], int(values[4] if values[4] > 0 else values[7])
        if seconds <= 0 or chips <= 0:
            trace.left_out["no run time" if seconds <= 0 else "no processors"] += 1
            continue
        limit = max(values[8], seconds)
        user = int(values[11])
        trace.lines.append(
            Line(f"job{int(values[0])}", values[1], chips, seconds, limit, f"user{user}" if user > 0 else "default")
        )
    trace.size = trace.size or max((line.chips for line in trace.lines), default=0)
    return trace


def _openb(path: str, stream: Iterator[str]) -> Trace:
    """Pods with their GPUs; a pod that shares a GPU counts as one chip, as nothing here is smaller."""
    reader = csv.DictReader(stream)
    needed = {"name", "num_gpu", "gpu_spec", "qos", "creation_time", "deletion_time", "scheduled_time"}
    if missing := sorted(needed - set(reader.fieldnames or ())):
        raise TopologyError(f"trace {path}, line 1: column {missing[0]} is missing; it is not the openb pod list")
    trace = Trace(Path(path).name, 0)
    for row in reader:
        try:
            chips, submit = int(row["num_gpu"]), float(row["creation_time"])
            started = float(row["scheduled_time"] or row["creation_time"])
            seconds = float(row["deletion_time"] or "nan") - started
        except ValueError:
            raise TopologyError(f"trace {path}, line {reader.line_num}: a number cannot be read: {row}") from None
        if chips <= 0 or not seconds > 0:
            trace.left_out["no GPU" if chips <= 0 else "no end"] += 1
            continue
        kinds = tuple(filter(None, row["gpu_spec"].split("|")))
        trace.lines.append(Line(row["name"], submit, chips, seconds, seconds, row["qos"] or "default", kinds))
    trace.size = 6212  # GPUs of that cluster, by its authors
    return trace

"""What a simulation replays: jobs with the time they really take, and what happens to the hub meanwhile."""

from dataclasses import dataclass

from cluster.allocate.gang import Gang
from cluster.topology import Topology


@dataclass(slots=True)
class Job:
    """A gang that arrives at ``submit`` (seconds) and runs ``seconds`` on chips of speed 1.

    After a failure it loses what it did since its last checkpoint; 0 means all of it.
    """

    submit: float
    gang: Gang
    seconds: float
    checkpoint_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Failure:
    """A domain goes out of service for a while, or the first ``chips`` chips of a host do."""

    time: float
    path: str
    repair_s: float
    chips: int | None = None


@dataclass(frozen=True, slots=True)
class Growth:
    """From this time on the hub is what the topology says."""

    time: float
    topology: Topology

"""A pod of SLURM jobs: one for each supernode's slice of a partition."""

import itertools
import logging
import shutil
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import dask
from distributed.deploy.cluster import Cluster

from cluster import sites
from cluster.discover import run
from cluster.errors import ClusterError
from cluster.interchange.hosts import present
from cluster.launch.pod import Pod, allotment, start_cluster
from cluster.launch.worker import Seats, seats_of
from cluster.topology import Topology

COMMANDS = ("sinfo", "squeue", "sbatch", "scancel", "scontrol")
ASK_EVERY_S = 2.0
# SLURM holds such a job until somebody changes a limit or the job: waiting does not help.
_HELD = ("Assoc", "QOS", "Qos", "InvalidQOS", "InvalidAccount", "Partition", "BadConstraints", "JobHeld", "Account")

# What may still bring a worker, and what SLURM does to a job that did nothing wrong.
_ALIVE = {"PENDING", "CONFIGURING", "RUNNING"}
_TAKEN = {"NODE_FAIL", "TIMEOUT", "PREEMPTED", "FAILED JobLaunchFailure", "FAILED NodeDown"}

log = logging.getLogger("ai4s.slurm")


@dataclass(frozen=True)
class Slice:
    """Equal hosts of one supernode, for one job."""

    supernode: str
    nodes: tuple[str, ...]
    gres: str  # as SLURM counts it, such as dcu:k100:8; empty where a node's cores are its chips
    seats: tuple[Seats, ...]


def resolve(partition: str) -> Topology:
    """The site's topology with the partition's working hosts; all others are absent."""
    return _look(partition)[0]


def slices(topology: Topology, gres: Mapping[str, str]) -> list[Slice]:
    """The hosts that are there by supernode, split where hosts of a supernode differ."""
    found: dict[tuple[str, str, tuple[Seats, ...]], list[str]] = defaultdict(list)
    for place in present(topology):
        node = place.path[-1]
        found[place.supernode, gres[node], tuple(seats_of(place, topology.kinds))].append(node)
    return [Slice(supernode, tuple(nodes), cards, seats) for (supernode, cards, seats), nodes in found.items()]


def start(partition: str) -> Pod:
    """Submit a job for each slice and wait for the first worker; raises ClusterError with SLURM's reason."""
    topology, gres = _look(partition)
    _import_jobs()
    jobs = _Jobs(partition, "topology/block" in (run("scontrol show config") or ""))
    workers = dict(jobs.spec(piece) for piece in slices(topology, gres))
    interface = dask.config.get("jobqueue.slurm.interface")  # the site's own, as for any dask-jobqueue
    pod = SlurmPod(topology, start_cluster(topology, workers, interface=interface), jobs)
    try:
        pod.wait()
    except BaseException:
        pod.cluster.close()
        raise
    return pod


def _import_jobs() -> None:
    """Import dask-jobqueue without its handler of SIGINT: Ctrl-C is the flow's, and threads may not set one."""
    taken, signal.signal = signal.signal, lambda *_: None
    try:
        import cluster.launch.slurm_job  # noqa: F401
    except ImportError:
        raise ClusterError("profile slurm needs dask-jobqueue; install it with: pip install 'ai4s[slurm]'") from None
    finally:
        signal.signal = taken


class _Jobs:
    """Specifications of jobs, each under a name of its own."""

    def __init__(self, partition: str, blocks: bool) -> None:
        self.partition, self.blocks, self._numbers = partition, blocks, itertools.count()

    def spec(self, piece: Slice) -> tuple[str, dict[str, Any]]:
        """A name and the job that asks for a slice."""
        from cluster.launch.slurm_job import SliceJob

        options = {"piece": piece, "partition": self.partition, "blocks": self.blocks}
        return f"slice{next(self._numbers)}", {"cls": SliceJob, "options": options}


class SlurmPod(Pod):
    """A pod whose jobs SLURM may end before the work is done: a slice that was taken away is asked for again."""

    def __init__(self, topology: Topology, cluster: Cluster, jobs: _Jobs) -> None:
        super().__init__(topology, cluster)
        self._jobs = jobs
        self._left = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="slurm-keeper", daemon=True)

    def __enter__(self) -> Self:
        self._keeper.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self._left.set()
        self._keeper.join()
        super().__exit__(*error)

    def wait(self) -> None:
        """Wait until a worker is there: hours in a full queue, and not at all where SLURM says never."""
        said = ""
        while not self.cluster.scheduler.workers:
            if (states := self._states()) is not None:
                reasons = {reason for state, reason in states.values() if state in _ALIVE}
                if not reasons:
                    raise ClusterError(f"the jobs ended before a worker came: {self._last_words()}")
                waiting = ", ".join(sorted(reasons - {"None"}))
                if all(reason.startswith(_HELD) for reason in reasons):
                    raise ClusterError(
                        f"SLURM holds the jobs: {waiting}. That is a limit of your account, of its quota or of the "
                        "partition; set SBATCH_ACCOUNT, SBATCH_QOS or SBATCH_TIMELIMIT, or choose another partition"
                    )
                if waiting and said != (said := waiting):
                    log.info("waiting for SLURM: %d jobs, %s", len(states), said)
            time.sleep(ASK_EVERY_S)

    def _states(self) -> dict[str, tuple[str, str]] | None:
        """State and reason of each job by its name in the cluster; None while SLURM does not answer."""
        names = {str(job.job_id): name for name, job in self.cluster.workers.items()}
        told = run(f"squeue --noheader --states=all --jobs={','.join(names)} --format=%i|%T|%r")
        if told is None:
            return None
        rows = (line.split("|") for line in told.splitlines())
        return {names[number]: (state, reason) for number, state, reason in rows}

    def _keep(self) -> None:
        """Ask again for slices that time limits, preemption or a lost first host took away, as far as they are up."""
        while not self._left.wait(ASK_EVERY_S * 5):
            states = self._states() or {}
            taken = [name for name, words in states.items() if words[0] in _TAKEN or " ".join(words) in _TAKEN]
            try:
                if taken:
                    self._ask_again(taken)
            except ClusterError as error:
                log.info("a slice is gone for now: %s", error)

    def _ask_again(self, names: list[str]) -> None:
        now = {(piece.supernode, piece.gres, piece.seats): piece for piece in slices(*_look(self._jobs.partition))}
        for name in names:
            old = self.cluster.workers[name].piece
            if again := now.get((old.supernode, old.gres, old.seats)):
                new, spec = self._jobs.spec(again)
                del self.cluster.worker_spec[name]
                self.cluster.worker_spec[new] = spec
        self.cluster.sync(self.cluster._correct_state)

    def _last_words(self) -> str:
        for job in self.cluster.workers.values():
            path = Path(job.log_file.replace("%j", job.job_id))
            lines = path.read_text(errors="replace").split("\n") if path.exists() else []
            if said := [line for line in lines if line.strip()]:
                return f"{said[-1]} (all of it is in {path})"
        return "their hosts wrote nothing; 'scontrol show job' may know more"


def _look(partition: str) -> tuple[Topology, dict[str, str]]:
    """The topology as far as the partition goes, and what each of its nodes counts as generic resources."""
    for command in COMMANDS:
        if shutil.which(command) is None:
            raise ClusterError(
                f"profile slurm:{partition} needs SLURM's commands, and there is no {command} here; "
                "run this on a login node of the site, or take profile laptop"
            )
    nodes = _partitions(partition)
    site = sites.slurm_site()
    up = {str(place) for place in site.places() if place.path[-1] in nodes} - set(site.health)
    topology = allotment(site, up)
    if not topology.chips:
        raise ClusterError(f"partition {partition} has no host that is up; see what 'sinfo -R' says of its nodes")
    return topology, nodes


def _partitions(partition: str) -> dict[str, str]:
    """Generic resources by node of the partition."""
    told = run("sinfo --all --noheader --Node --format=%R|%N|%G")
    if told is None:
        raise ClusterError(f"profile slurm:{partition}: SLURM does not answer; 'sinfo' says why")
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for name, node, gres in (line.strip().split("|") for line in told.splitlines()):
        # Sockets and shares stand in brackets and are not part of a request.
        cards = [item.split("(")[0] for item in gres.split(",")]
        found[name][node] = ",".join(card for card in cards if card and card != "null")
    if partition not in found:
        raise ClusterError(f"unknown partition {partition!r}; choose one of {', '.join(sorted(found))}")
    return found[partition]

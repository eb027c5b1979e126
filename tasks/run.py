"""A run: its store, its pod, its progress, and the stages it has finished."""

import hashlib
import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Protocol

from cluster.hub import loads_of
from cluster.launch import Pod, resolve, start
from cluster.need import Need
from cluster.topology import Topology
from domains.templates import Checked, packages_of
from tasks.outcomes import StageSummary
from tasks.progress import RunProgress
from tasks.provenance import provenance
from tasks.settings import Settings
from tasks.store import RunStore, write_json
from tasks.traffic import add_up

PROVENANCE = "provenance.json"


class Request(Protocol):
    """What every pipeline's request model has."""

    @property
    def name(self) -> str | None: ...

    @property
    def profile(self) -> str: ...

    def identity(self) -> dict[str, object]: ...


class Run:
    """What the stages of one run share. A plain class, so that Prefect does not look into it for futures."""

    def __init__(
        self,
        pipeline: str,
        request: Request,
        store: RunStore,
        pods: Sequence[Pod],
        progress: RunProgress,
        budgets_chip_s: Sequence[float | None] = (),
    ) -> None:
        self.pipeline, self.request, self.store, self.pods, self.progress = pipeline, request, store, pods, progress
        self.loads = loads_of(pods, budgets_chip_s)
        self.started = time.time()
        self.stages: list[StageSummary] = []

    @property
    def slots(self) -> int:
        """How many one-chip shards run at a time, in all pods."""
        return sum(pod.slots for pod in self.pods)

    @property
    def accelerator(self) -> Need:
        """One chip of the first kind there is that is no CPU core; one chip of any kind where there is none."""
        kinds = [name for pod in self.pods for name, kind in pod.topology.kinds.items() if kind.device != "cpu"]
        return Need(kind=kinds[0]) if kinds else Need()

    def note_traffic(self) -> None:
        """Write into this session's provenance what its pods have moved so far."""
        told = [moved for pod in self.pods if (moved := pod.traffic()) is not None]
        if told:
            path = self.store.root / PROVENANCE
            noted = json.loads(path.read_text())
            noted["sessions"][-1]["traffic"] = add_up(told)._asdict()
            write_json(path, noted)


def run_name(pipeline: str, label: str, request: Request) -> str:
    """The name of a request's run: its own, or made of what it asks for, so that the same request finds its run again."""
    if request.name:
        return request.name
    digest = hashlib.sha256(json.dumps(request.identity(), sort_keys=True).encode()).hexdigest()[:8]
    plain = re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-")[:30] or "own"
    return f"{pipeline}-{plain}-{digest}"


def _note_session(store: RunStore, session: Mapping[str, Any]) -> None:
    """Add this session to the run's provenance: a resumed run rests on all of them."""
    path = store.root / PROVENANCE
    earlier = json.loads(path.read_text())["sessions"] if path.exists() else []
    write_json(path, {"sessions": [*earlier, session]})


def open_store(pipeline: str, request: Request, checked: Checked) -> RunStore:
    """Open or take up the run of a request; raises Refused when it cannot be. The facts are checked like the request."""
    store = RunStore(Settings().runs.expanduser().absolute() / run_name(pipeline, checked.label, request))
    store.open({"pipeline": pipeline, "request": request.identity(), "facts": checked.facts})
    write_json(
        store.root / "plan.json", {"pipeline": pipeline, "stages": [stage.as_dict() for stage in checked.plan()]}
    )
    return store


def place_of(request: Request) -> tuple[str, list[Topology]]:
    """The profile where a request runs, and the topology of each of its pods: parts joined by ``+`` are pods of their own."""
    profile = request.profile or Settings().profile
    return profile, [resolve(part) for part in profile.split("+")]


@contextmanager
def open_run(pipeline: str, request: Request, checked: Checked) -> Iterator[Run]:
    """Open or take up the run of a request, start its pod, and end both whatever happens."""
    profile, topologies = place_of(request)
    store = open_store(pipeline, request, checked)
    try:
        with ExitStack() as stack:
            parts = profile.split("+")
            pods = [stack.enter_context(start(part)) for part in parts]
            hours = Settings().budgets
            budgets = [3600 * hours[part] if part in hours else None for part in parts]
            run = Run(pipeline, request, store, pods, stack.enter_context(RunProgress()), budgets)
            _note_session(store, provenance(run.started, profile, topologies, packages_of(pipeline)))
            for pod in pods:
                if pod.hub_map:
                    run.progress.tell(f"hub map: {pod.hub_map}")
            try:
                yield run
            finally:
                run.note_traffic()
            store.write_manifest([(stage.name, stage.shards) for stage in run.stages])
    finally:
        store.close()

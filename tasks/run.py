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
from tasks.landing import Landing
from tasks.outcomes import StageSummary
from tasks.own import Own, own_of
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
        own: Own | None = None,
    ) -> None:
        self.own = own  # the stage of a template that this run has besides the pipeline's
        self.landing: Landing | None = None
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


def facts_of(pipeline: str, request: Request, checked: Checked) -> dict[str, str]:
    """Checksums of all that a request refers to, the stage of its template with it."""
    own = own_of(pipeline, request)
    return {**checked.facts, **(own.facts if own else {})}


def run_name(pipeline: str, checked: Checked, request: Request) -> str:
    """The name of a request's run: its own, or made of what it asks for and refers to.

    So the same request finds its run again, and one whose files have changed since, as a scheduled one's may, gets a new run.
    """
    if request.name:
        return request.name
    told = json.dumps([request.identity(), facts_of(pipeline, request, checked)], sort_keys=True)
    plain = re.sub(r"[^a-z0-9]+", "-", checked.label.lower()).strip("-")[:30] or "own"
    return f"{pipeline}-{plain}-{hashlib.sha256(told.encode()).hexdigest()[:8]}"


def _note_session(store: RunStore, session: Mapping[str, Any]) -> None:
    """Add this session to the run's provenance: a resumed run rests on all of them."""
    path = store.root / PROVENANCE
    earlier = json.loads(path.read_text())["sessions"] if path.exists() else []
    write_json(path, {"sessions": [*earlier, session]})


def open_store(pipeline: str, request: Request, checked: Checked) -> RunStore:
    """Open or take up the run of a request; raises Refused when it cannot be. The facts are checked like the request."""
    own = own_of(pipeline, request)
    store = RunStore(Settings().runs.expanduser().absolute() / run_name(pipeline, checked, request))
    facts = facts_of(pipeline, request, checked)
    store.open({"pipeline": pipeline, "request": request.identity(), "facts": facts})
    if own:
        own.note(store.root)
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
    landing: Landing | None = None
    try:
        with ExitStack() as stack:
            parts = profile.split("+")
            pods = [stack.enter_context(start(part)) for part in parts]
            hours = Settings().budgets
            budgets = [3600 * hours[part] if part in hours else None for part in parts]
            progress, own = stack.enter_context(RunProgress()), own_of(pipeline, request)
            run = Run(pipeline, request, store, pods, progress, budgets, own)
            _note_session(store, provenance(run.started, profile, topologies, packages_of(pipeline)))
            for pod in pods:
                if pod.hub_map:
                    run.progress.tell(f"hub map: {pod.hub_map}")
            run.landing = landing = Landing(run, checked.summary, len(checked.plan()))
            run.progress.watch = landing.stage
            try:
                yield run
            finally:
                run.note_traffic()
            store.write_manifest([(stage.name, stage.shards) for stage in run.stages])
    except BaseException as error:
        if landing is not None:  # the chips are free by now: a server that does not answer holds none
            landing.stopped(error)
        raise
    finally:
        store.close()

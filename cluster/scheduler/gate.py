"""Chip tasks on the scheduler: who gets chips, who waits for them, and who never will.

A task that gets no chips stays in Dask's state no-worker, and is offered again when chips may be free.
"""

from collections import defaultdict
from time import monotonic
from typing import Any

from cluster.scheduler.gangs import Gang, Gangs
from cluster.scheduler.held import Held
from cluster.scheduler.ledger import Ledger
from cluster.scheduler.place import Path
from cluster.scheduler.wish import UnmetNeed, Wish, read, terms, wants_chips

# Holders of a task's inputs that are tried before their supernodes.
HOLDERS = 4
DOOMED = "its gang {} cannot start: member {!r} failed before"


class Gate:
    """Gives chips to tasks, one holder each."""

    def __init__(self, scheduler: Any) -> None:
        self.s = scheduler
        self.ledger = Ledger()
        self.gangs = Gangs(self.ledger, monotonic)
        self.held = Held()
        self._refused: dict[Any, str] = {}
        self._doomed: dict[str, Any] = {}

    def decide(self, ts: Any) -> Any | None:
        """A worker whose chips the task may have now, or None to hold it."""
        try:
            return self._gang(ts) if (ts.annotations or {}).get("gang") else self._single(ts)
        except (ValueError, KeyError, TypeError) as error:
            self._refused[ts.key] = str(error)
            return None

    def _gang(self, ts: Any) -> Any | None:
        known = self.gangs.of(ts.key)
        if known is not None and (worker := known.running.get(ts.key)) is not None:
            place = "/".join(known.domain) or "the pod"
            drained = ", whose hosts it drained" if known.drained else ""
            self.s.why = f"gang {known.id}: all {known.size} members start now in {place}{drained}"
            return worker
        about = ts.annotations["gang"]
        if (failed := self._doomed.get(str(about["id"]))) is not None:
            raise ValueError(DOOMED.format(about["id"], failed))
        ask = read(ts, self.s.fabric).ask
        gang = self.gangs.arrive(ts.key, ask, str(about["id"]), int(about["size"]), terms(ts, self.s.fabric))
        self.s.log.note(ts.key, f"waits: gang {gang.id} has {len(gang.ready)} of {gang.size} members ready, or no room")
        return None

    def _single(self, ts: Any) -> Any | None:
        s, wish = self.s, read(ts, self.s.fabric)
        ledger, ask = self.ledger, wish.ask
        if wish.restricted and (s.valid_workers(ts) or not ts.loose_restrictions):
            return self._among(ts, wish, s.valid_workers(ts) or ())

        haunted = ledger.haunted(ts.key)

        def accept(ws: Any) -> bool:
            return ws not in haunted and all(
                ws.resources.get(name, 0) - ws.used_resources.get(name, 0) >= n for name, n in wish.others
            )

        for path in wish.near:
            ws = ledger.fit(ask, path, accept)
            if ws is not None:
                s.why = f"{wish.text} free in {'/'.join(path)}, where it wants to be"
                return ws
        if ts.dependencies:
            workers, domains = self._holders(ts, wish.under)
            for ws in workers:
                if ledger.fits(ws, ask) and accept(ws):
                    s.why = f"{wish.text} free where its inputs are"
                    return ws
            for path in domains:
                ws = ledger.fit(ask, path, accept)
                if ws is not None:
                    s.why = f"{wish.text} free in {'/'.join(path)}, where its inputs are"
                    return ws
        ws = ledger.fit(ask, wish.under, accept)
        if ws is not None:
            s.why = f"tightest fit for {wish.text}"
        return ws

    def _among(self, ts: Any, wish: Wish, workers: Any) -> Any | None:
        fitting = [ws for ws in workers if self.ledger.fits(ws, wish.ask) and ws not in self.ledger.haunted(ts.key)]
        self.s.why = f"{wish.text} free on a worker it is restricted to"
        return min(
            fitting, key=lambda ws: (self.s.get_comm_cost(ts, ws), self.ledger.free(ws), ws.address), default=None
        )

    def _holders(self, ts: Any, under: Path) -> tuple[list[Any], list[Path]]:
        """Workers and then domains that hold the inputs, those with the most bytes first, the narrow ones first."""
        paths = self.s.fabric.path
        on: defaultdict[Any, int] = defaultdict(int)
        domains: defaultdict[Path, int] = defaultdict(int)
        for dependency in ts.dependencies:
            for ws in dependency.who_has or ():
                path = paths.get(ws, ())
                if path[: len(under)] == under:
                    on[ws] += dependency.get_nbytes()
                    for depth in range(len(under) + 1, len(path) + 1):
                        domains[path[:depth]] += dependency.get_nbytes()
        return (
            sorted(on, key=lambda ws: -on[ws])[:HOLDERS],
            sorted(domains, key=lambda path: (-len(path), -domains[path])),
        )

    def take(self, ts: Any, ws: Any) -> None:
        """Book the chips of a task that starts; a gang's are booked already."""
        if ts.resource_restrictions and wants_chips(ts):
            self.ledger.take(ts.key, ws, read(ts, self.s.fabric).ask)

    def transition(self, ts: Any, start: str, finish: str) -> None:
        """Follow a chip task's states."""
        if finish == "no-worker" and not (ts.annotations or {}).get("gang"):
            wish = None if ts.key in self._refused else read(ts, self.s.fabric)
            self.held.add(ts.key, wish, ts.priority)
            self.s.log.note(ts.key, "waits for chips" if wish is None else f"waits: {wish.text} not free")
        elif start == "no-worker":
            self.held.discard(ts.key)
        if about := (ts.annotations or {}).get("gang"):
            self._gang_transition(ts, str(about["id"]), start, finish)

    def _gang_transition(self, ts: Any, gang: str, start: str, finish: str) -> None:
        if finish == "erred" and start != "processing":
            self._doomed.setdefault(gang, ts.key)
            if gang in self.gangs.gangs:
                waiting = (key for key in self.gangs.gangs[gang].ready if key != ts.key)
                self._refused.update(dict.fromkeys(waiting, DOOMED.format(gang, ts.key)))
        elif finish == "forgotten" and self._doomed.get(gang) == ts.key:
            del self._doomed[gang]
        if self.gangs.of(ts.key) is not None:
            if finish == "forgotten":
                self.gangs.forget(ts.key)
            elif finish in ("memory", "erred"):
                self.gangs.finish(ts.key)
            elif start == "processing":
                self.gangs.stop(ts.key)
            elif start == "no-worker" and finish != "processing":
                self.gangs.leave(ts.key)

    def offer(self, stimulus_id: str) -> None:
        """Start what fits now: gangs first, then single tasks by priority."""
        s = self.s
        while self._refused:
            key, reason = self._refused.popitem()
            self.fail(key, reason, stimulus_id)
        if self.gangs:
            back = [key for key in self.gangs.recall() if s.tasks[key].state == "processing"]
            if back:
                s.transitions(dict.fromkeys(back, "released"), stimulus_id)
            for gang in self.gangs.grant():
                self._start(gang, stimulus_id)
        blocked: set[object] = set()
        while self.held:
            first = self.held.first(blocked)
            if first is None:
                return
            wish, key = first
            s.transitions({key: "processing"}, stimulus_id)
            if key in self.held:
                blocked.add(wish)

    def _start(self, gang: Gang, stimulus_id: str) -> None:
        self.s.transitions(dict.fromkeys(gang.running, "processing"), stimulus_id)

    def fail(self, key: Any, reason: str, stimulus_id: str) -> None:
        """End a held task with an error that says why."""
        ts = self.s.tasks.get(key)
        if ts is not None and ts.state == "no-worker":
            self.s.fail_held(ts, UnmetNeed(key, reason), stimulus_id)

    def unmet(self, ts: Any) -> str | None:
        """Why no worker of the pod could ever run a held task; None where it waits its turn."""
        gang = self.gangs.of(ts.key)
        if gang is not None:
            if gang.complete and not self.gangs.possible(gang):
                level = self.s.fabric.level(gang.terms.required)
                return f"no {level} of this pod has room for the {gang.size} members of gang {gang.id}. Ask for less, or allow a wider level."
            return None
        wish = read(ts, self.s.fabric)
        if wish.restricted:
            return (
                None
                if any(
                    self.ledger.capacity(ws, wish.ask.kind) >= wish.ask.chips for ws in self.s.valid_workers(ts) or ()
                )
                else ("none of the workers it is restricted to has the chips.")
            )
        if self.ledger.ever(wish.ask, wish.under):
            return None
        where = f" in {'/'.join(wish.under)}" if wish.under else ""
        most = max((self.ledger.capacity(ws, wish.ask.kind) for ws in self.ledger.under(wish.under)), default=0)
        return f"it asks for {wish.ask} on one worker; the largest worker{where} has {most:g} such chips. Ask for less, or for a gang."

    def judge(self, before: float, now: float, stimulus_id: str) -> set[Any]:
        """Fail tasks held since before a time that can never run; the clock of the others starts again."""
        old = []
        for ts, since in self.s.unrunnable.items():
            if since > before:
                break
            if wants_chips(ts):
                old.append(ts)
        failed: set[Any] = set()
        for ts in old:
            reason = self.unmet(ts)
            if reason is not None:
                self.fail(ts.key, reason, stimulus_id)
                failed.add(ts.key)
            elif ts in self.s.unrunnable:
                del self.s.unrunnable[ts]
                self.s.unrunnable[ts] = now
        if failed:
            self.offer(stimulus_id)  # the other members of a gang
        return failed

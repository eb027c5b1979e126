"""The live hub map: ``/hub`` and ``/hub.json`` on the scheduler's own web server, the same for every pod.

Computed only when somebody asks, and then at most so often that all who watch take a twentieth of the scheduler's time.
"""

from collections import deque
from collections.abc import Mapping
from pathlib import Path as File
from time import monotonic, time
from typing import Any, ClassVar, Self
from weakref import WeakKeyDictionary

from distributed.http.utils import RequestHandler

from cluster.scheduler import census
from cluster.scheduler.census import HELD, STATES, Use
from cluster.scheduler.place import Path, parse
from cluster.scheduler.traffic import Moved

# Beyond so many hosts supernodes are told as wholes, and the hosts of one where they are asked for.
MOST_HOSTS = 400
EVERY_S, MOST_SHARE = 1.0, 0.05
# Rates are means over this time.
RATE_OVER_S = 10.0

_HTML = File(__file__).with_name("page.html").read_text(encoding="utf-8")
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; img-src data:"


class View:
    """What is shown of one scheduler, kept until it is too old."""

    _of: ClassVar[WeakKeyDictionary[Any, "View"]] = WeakKeyDictionary()

    def __init__(self, scheduler: Any) -> None:
        self.s = scheduler
        self._hosts: dict[Path, dict[str, Use]] = {}
        self._about: dict[str, Any] = {}
        self._until = 0.0
        self._earlier: deque[tuple[float, Moved]] = deque()

    @classmethod
    def of(cls, scheduler: Any) -> Self:
        """The one of a scheduler."""
        found = cls._of.get(scheduler)
        if found is None:
            found = cls._of[scheduler] = cls(scheduler)
        assert isinstance(found, cls)
        return found

    def numbers(self, under: str = "") -> dict[str, Any]:
        """All that the page shows, for JSON; ``under`` names a supernode to see its hosts. Raises KeyError if unknown."""
        if monotonic() > self._until:
            self._look()
        every = [_supernode(path, hosts, len(self._hosts) <= MOST_HOSTS) for path, hosts in _grouped(self._hosts)]
        if not under:
            return {**self._about, "supernodes": every}
        here = {path: use for path, use in self._hosts.items() if path[:-1] == parse(under)}
        if not here:
            raise KeyError(under)
        return {**self._about, "supernodes": every, "under": _supernode(parse(under), here, True)}

    def _look(self) -> None:
        started, s = monotonic(), self.s
        self._hosts = census.hosts(s)
        topology = s.fabric.topology
        self._about = {
            "hub": {"name": topology.name, "title": topology.title} if topology else {"name": "", "title": ""},
            "time": time(),
            "levels": list(s.fabric.levels),
            "kinds": _kinds(self._hosts),
            "gangs": census.gangs(s),
            "tasks": census.tasks(s),
            "traffic": self._traffic(s.wire.moved(s.stream_comms)),
        }
        every_s = max(EVERY_S, (monotonic() - started) / MOST_SHARE)
        self._about["every_s"] = every_s
        self._until = monotonic() + 0.9 * every_s  # a page that comes back in time finds something new

    def _traffic(self, moved: Moved) -> dict[str, Any]:
        now = monotonic()
        while len(self._earlier) > 1 and self._earlier[0][0] < now - RATE_OVER_S:
            self._earlier.popleft()
        then, before = self._earlier[0] if self._earlier else (now, moved)
        self._earlier.append((now, moved))

        def line(nbytes: int, earlier: int) -> dict[str, Any]:
            return {"bytes": nbytes, "rate": (nbytes - earlier) / (now - then) if now > then else None}

        return {
            "levels": [{"level": level, **line(n, before.levels.get(level, 0))} for level, n in moved.levels.items()],
            "tasks": line(moved.tasks, before.tasks),
            "results": line(moved.results, before.results),
        }


def _grouped(hosts: Mapping[Path, dict[str, Use]]) -> list[tuple[Path, dict[Path, dict[str, Use]]]]:
    found: dict[Path, dict[Path, dict[str, Use]]] = {}
    for path, kinds in hosts.items():
        found.setdefault(path[:-1], {})[path] = kinds
    return list(found.items())


def _supernode(path: Path, hosts: Mapping[Path, dict[str, Use]], whole: bool) -> dict[str, Any]:
    total: Use = {}
    for kinds in hosts.values():
        for use in kinds.values():
            for what, chips in use.items():
                total[what] = total.get(what, 0) + chips
    about = {"path": "/".join(path), "hosts": len(hosts), "chips": _runs(total)}
    about["kinds"] = sorted({kind for kinds in hosts.values() for kind in kinds})
    if whole:
        about["each"] = [
            {"name": host[-1], "chips": {kind: _runs(use) for kind, use in kinds.items()}}
            for host, kinds in hosts.items()
        ]
    return about


def _runs(use: Use) -> list[list[Any]]:
    """State, gang and count of equal chips: those of gangs first, then by state."""
    order = sorted(use, key=lambda each: (STATES.index(each[0]), not each[1], each[1]))
    return [[state, gang, _plain(use[state, gang])] for state, gang in order if use[state, gang]]


def _kinds(hosts: Mapping[Path, dict[str, Use]]) -> dict[str, dict[str, float]]:
    """Chips by kind and state; ``gangs`` are those of the held ones that gangs have."""
    found: dict[str, dict[str, float]] = {}
    for kinds in hosts.values():
        for kind, use in kinds.items():
            sums = found.setdefault(kind, dict.fromkeys((*STATES, "gangs"), 0.0))
            for (state, gang), chips in use.items():
                sums[state] += chips
                sums["gangs"] += chips if state == HELD and gang else 0
    return {kind: {name: _plain(chips) for name, chips in sums.items()} for kind, sums in found.items()}


def _plain(chips: float) -> float:
    return int(chips) if chips == int(chips) else round(chips, 3)


class HubPage(RequestHandler):  # type: ignore[misc]
    """The page. It holds no data: it asks for them."""

    def get(self) -> None:
        self.set_header("Content-Security-Policy", _POLICY)
        self.set_header("X-Content-Type-Options", "nosniff")
        self.write(_HTML)


class HubNumbers(RequestHandler):  # type: ignore[misc]
    """What the page shows."""

    def get(self) -> None:
        self.set_header("Cache-Control", "no-store")
        under = self.get_argument("under", "")
        try:
            self.write(View.of(self.server).numbers(under))
        except KeyError:
            self.set_status(404)
            self.write({"error": f"there is no supernode {under!r} here"})


# In the form in which Dask's web server takes its routes.
routes: list[tuple[str, type, dict[str, Any]]] = [("hub", HubPage, {}), ("hub.json", HubNumbers, {})]

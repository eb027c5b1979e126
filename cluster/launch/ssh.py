"""A pod on hosts that SSH reaches, with this file system and this Python: no batch system in between.

The file names the hosts and their places::

    hub: two-supernodes                   # a preset or a hub file
    hosts:
      node17: {place: sn0/host0}
      me@node18: {place: sn1/host0}

Without ``hub`` each host also says its chips: ``node17: {place: rack0/node17, chips: {core: 8}}``.
"""

import asyncio
import os
import re
import shlex
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Self

from distributed.deploy.spec import ProcessInterface
from pydantic import Field, model_validator

from cluster.errors import ClusterError
from cluster.hubfile import load, parse_as, read_text
from cluster.interchange.hosts import Host, grow, present
from cluster.launch.pod import Pod, allotment, start_cluster
from cluster.launch.worker import READY, Seats, command, seats_of
from cluster.model import Frozen
from cluster.topology import Topology, TopologyError

# Never a question that nobody answers; the user's own SSH configuration decides the rest.
_OPTIONS = ("-o", "BatchMode=yes", "-o", "ConnectTimeout=15")
START_LIMIT_S = 120


class _Host(Frozen):
    place: str = Field(pattern=r"^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)+$")
    chips: dict[str, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)


class SshFile(Frozen):
    """What an SSH file says."""

    hub: str | None = None
    hosts: dict[Annotated[str, Field(pattern=r"^[^\s-]\S*$")], _Host] = Field(min_length=1)

    @model_validator(mode="after")
    def _chips_once(self) -> Self:
        for name, host in self.hosts.items():
            if bool(host.chips) == bool(self.hub):
                told = "the hub says what it has: leave chips out" if self.hub else "give its chips, or name a hub"
                raise ValueError(f"hosts.{name}: {told}")
        places = [host.place for host in self.hosts.values()]
        if twice := sorted({place for place in places if places.count(place) > 1}):
            raise ValueError(f"hosts: place {twice[0]} is given twice; a host has a place of its own")
        return self


def resolve(file: str) -> Topology:
    """The hub with the file's hosts; all its others are absent."""
    return _topology(_read(file), file)


def start(file: str) -> Pod:
    """Start the workers of every host; raises ClusterError with the host that cannot be reached and why."""
    if shutil.which("ssh") is None:
        raise ClusterError(
            f"profile ssh:{file} needs the ssh command, and there is none here; install OpenSSH's client"
        )
    hosts = _read(file)
    topology = _topology(hosts, file)
    places = {str(place): place for place in present(topology)}
    workers = {
        name: {"cls": SshHost, "options": {"place": host.place, "seats": seats_of(places[host.place], topology.kinds)}}
        for name, host in hosts.hosts.items()
    }
    return Pod(topology, start_cluster(topology, workers))


def _read(file: str) -> SshFile:
    return parse_as(SshFile, read_text(file, "ssh file "), file)


def _topology(given: SshFile, file: str) -> Topology:
    if given.hub is None:
        name = re.sub(r"[^A-Za-z0-9_.-]", "-", Path(file).stem)
        hosts = [Host(tuple(host.place.split("/")), host.chips) for host in given.hosts.values()]
        return grow(name, hosts, {}, file)
    beside = Path(file).parent / given.hub
    hub = load(str(beside) if beside.suffix in (".yaml", ".yml") else given.hub)
    known = [str(place) for place in hub.places()]
    used = {host.place for host in given.hosts.values()}
    if strange := sorted(used - set(known)):
        raise TopologyError(
            f"{file}: hub {hub.name} has no host {strange[0]}; its hosts are {', '.join(known[:4])}"
            f"{' ...' if len(known) > 4 else ''}"
        )
    return allotment(hub, used)


class SshHost(ProcessInterface):  # type: ignore[misc]
    """The workers of one host: they live as long as the connection."""

    def __init__(self, scheduler: str, name: str, place: str, seats: Sequence[Seats]) -> None:
        super().__init__(scheduler=scheduler, name=name)
        self.host = name
        words = command(scheduler, seats, "--place", place, "--tied")
        code = {"PYTHONPATH": os.environ["PYTHONPATH"]} if os.environ.get("PYTHONPATH") else {}
        given = [f"{key}={value}" for key, value in code.items()]
        self.command = f"cd {shlex.quote(str(Path.cwd()))} && exec {shlex.join(['env', *given, *words])}"
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Connect, and wait until the workers are ready."""
        with tempfile.TemporaryFile() as said:
            self.process = await asyncio.create_subprocess_exec(
                *("ssh", *_OPTIONS, self.host, self.command),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=said,
                start_new_session=True,  # Ctrl-C in the terminal is for the flow, which then closes this
            )
            try:
                await asyncio.wait_for(self._ready(), START_LIMIT_S)
            except (EOFError, TimeoutError):
                await self.close()
                said.seek(0)
                lines = said.read().decode(errors="replace").strip().splitlines() or ["it did not answer"]
                raise ClusterError(
                    f"host {self.host}: {lines[-1]}. 'ssh {self.host}' must work without a question, and see this "
                    "folder and this Python"
                ) from None
        await super().start()

    async def _ready(self) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        while (line := await self.process.stdout.readline()).decode(errors="replace").strip() != READY:
            if not line:
                raise EOFError

    async def close(self) -> None:
        """Close the connection: the host then ends its processes at once."""
        if self.process is not None and self.process.returncode is None:
            assert self.process.stdin is not None
            self.process.stdin.close()
            try:
                await asyncio.wait_for(self.process.wait(), 5)
            except TimeoutError:
                self.process.kill()
        await super().close()

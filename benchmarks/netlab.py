"""A small fabric of network namespaces: hosts on a bridge for each supernode, slow trunks between them. Needs root."""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Self

# Names every object of the lab, so that all of it can be found again.
PREFIX = "ai4s"
HEAD = "10.77.0.1"


@dataclass(frozen=True)
class Host:
    """A host of the lab: its namespace, its address, and its place in the tree."""

    namespace: str
    address: str
    place: str


def missing() -> str:
    """What keeps the lab from being set up here; empty where nothing does."""
    if os.geteuid() != 0:
        return "needs root, for network namespaces"
    return next((f"needs the command {name}" for name in ("ip", "tc") if not shutil.which(name)), "")


def _run(*words: str, check: bool = True) -> str:
    done = subprocess.run(words, text=True, capture_output=True)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def _ip(words: str, check: bool = True) -> str:
    return _run("ip", *words.split(), check=check)


class Lab:
    """Supernodes of hosts; the head node, for scheduler and client, sits on the fabric between them.

    With ``interleaved`` addresses the order of addresses says nothing about the supernodes.
    """

    def __init__(
        self, *, supernodes: int = 2, hosts: int = 2, trunk: str = "200mbit", interleaved: bool = True
    ) -> None:
        self.supernodes, self.per_supernode, self.trunk, self.interleaved = supernodes, hosts, trunk, interleaved
        self.hosts: list[Host] = []

    def __enter__(self) -> Self:
        self._clear()
        _ip(f"link add {PREFIX}F type bridge")
        _ip(f"link set {PREFIX}F up")
        self._veth(f"{PREFIX}r0", f"{PREFIX}r1", f"{PREFIX}F")
        _ip(f"addr add {HEAD}/16 dev {PREFIX}r0")
        for supernode in range(self.supernodes):
            self._supernode(supernode)
        return self

    def __exit__(self, *error: object) -> None:
        self._clear()

    def _veth(self, one: str, other: str, bridge: str) -> None:
        _ip(f"link add {one} type veth peer name {other}")
        _ip(f"link set {other} master {bridge}")
        for end in (one, other):
            _ip(f"link set {end} up")

    def _supernode(self, supernode: int) -> None:
        bridge, near, far = f"{PREFIX}B{supernode}", f"{PREFIX}t{supernode}", f"{PREFIX}u{supernode}"
        _ip(f"link add {bridge} type bridge")
        _ip(f"link set {bridge} up")
        self._veth(near, far, f"{PREFIX}F")
        _ip(f"link set {near} master {bridge}")
        for end in (near, far):  # one end limits what leaves the supernode, the other what enters it
            _run(*f"tc qdisc add dev {end} root tbf rate {self.trunk} burst 512kb latency 200ms".split())
        for host in range(self.per_supernode):
            interleaved = host * self.supernodes + supernode
            number = interleaved if self.interleaved else supernode * self.per_supernode + host
            self._host(number, bridge, f"sn{supernode}/h{host}")

    def _host(self, number: int, bridge: str, place: str) -> None:
        namespace, outside, inside = f"{PREFIX}{number}", f"{PREFIX}v{number}", f"{PREFIX}p{number}"
        address = f"10.77.0.{10 + number}"
        _ip(f"netns add {namespace}")
        _ip(f"link add {outside} type veth peer name {inside}")
        _ip(f"link set {inside} netns {namespace}")
        _ip(f"link set {outside} master {bridge}")
        _ip(f"link set {outside} up")
        for words in (f"addr add {address}/16 dev {inside}", f"link set {inside} up", "link set lo up"):
            _ip(f"-n {namespace} {words}")
        self.hosts.append(Host(namespace, address, place))

    def bytes_across(self) -> int:
        """Bytes that have left all supernodes so far, as the kernel counts them."""
        counters = (f"/sys/class/net/{PREFIX}t{supernode}/statistics/rx_bytes" for supernode in range(self.supernodes))
        # What arrives at a trunk's near end from the fabric is what the others have sent.
        return sum(int(Path(counter).read_text()) for counter in counters)

    def _clear(self) -> None:
        for line in _ip("netns list", check=False).splitlines():
            namespace = line.split()[0]
            if namespace.startswith(PREFIX):
                for pid in _ip(f"netns pids {namespace}", check=False).split():
                    _run("kill", "-9", pid, check=False)
                _ip(f"netns del {namespace}", check=False)
        for link in json.loads(_ip("-j link", check=False) or "[]"):
            if link["ifname"].startswith(PREFIX):
                _ip(f"link del {link['ifname']}", check=False)

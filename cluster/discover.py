"""The machine we stand on: cores, NUMA nodes, memory and GPUs, and its topology."""

import platform
import re
import shlex
import shutil
import subprocess
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dask.system import CPU_COUNT
from distributed.system import MEMORY_LIMIT

from cluster.topology import ChipKind, Domain, Figure, Link, Topology

_NVIDIA = "nvidia-smi --query-gpu=name,memory.total,power.limit --format=csv,noheader,nounits"
_SMI = "{} --showproductname --showmeminfo vram --json"


@dataclass(frozen=True)
class Gpu:
    """A GPU or DCU, as its maker's command tells it."""

    name: str
    memory: float  # GiB
    power: float | None = None  # W, the limit that is set


@dataclass(frozen=True)
class Machine:
    """What is in this machine; ``numa`` lists the cores of each NUMA node."""

    cores: int
    memory: float  # GiB
    numa: tuple[tuple[int, ...], ...]
    gpus: tuple[Gpu, ...]


def cores() -> int:
    """CPU cores this process may use: affinity and container quotas counted, not only what the machine has."""
    return int(CPU_COUNT)


def laptop() -> Topology:
    """This machine as a hub of one supernode with one host; its chips are the cores this process may use."""
    return _hub("laptop", "This machine", {"core": _core()}, {"core": cores()})


def workstation(machine: Machine) -> Topology:
    """A machine as a hub whose chips are its GPUs; without any it is the laptop."""
    if not machine.gpus:
        return laptop()
    kinds = {re.sub(r"[^A-Za-z0-9_.-]+", "-", gpu.name): gpu for gpu in machine.gpus}
    count = Counter(re.sub(r"[^A-Za-z0-9_.-]+", "-", gpu.name) for gpu in machine.gpus)
    told = "the maker's command on this machine"
    chips = {
        kind: ChipKind(
            title=gpu.name,
            device="gpu",
            memory=Figure(value=gpu.memory, unit="GiB", status="measured", source=told),
            power=Figure(value=gpu.power, unit="W", status="measured", source=told) if gpu.power else None,
        )
        for kind, gpu in kinds.items()
    }
    return _hub("workstation", "This machine and its GPUs", chips, dict(count))


def _core() -> ChipKind:
    memory = round(MEMORY_LIMIT / 2**30 / cores(), 2)
    source = "memory this process may use / cores"
    figure = Figure(value=memory, unit="GiB", status="measured", source=source)
    return ChipKind(title=f"CPU core ({platform.machine()})", device="cpu", memory=figure)


def _hub(name: str, title: str, kinds: dict[str, ChipKind], chips: dict[str, int]) -> Topology:
    source = "shared memory of one machine"
    assumed = Link(
        bandwidth=Figure(value=20, unit="GB/s", status="assumed", source=source),
        latency=Figure(value=1, unit="us", status="assumed", source=source),
    )
    tree = (Domain(name="sn0", of=(Domain(name="host0", chips=chips),)),)
    return Topology(name=name, title=title, kinds=kinds, links={"host": assumed}, tree=tree)


def machine() -> Machine:
    """What is in this machine, asked of the system and of the makers' commands that are installed."""
    lists = [path.read_text() for path in sorted(Path("/sys/devices/system/node").glob("node[0-9]*/cpulist"))]
    gpus = nvidia(run(_NVIDIA) or "")
    for command in ("hy-smi", "rocm-smi"):  # a DCU's host may have both, and both show the same cards
        gpus = gpus or rocm(run(_SMI.format(command)) or "")
    return Machine(cores(), round(MEMORY_LIMIT / 2**30, 2), numa(lists), tuple(gpus))


def numa(cpu_lists: Sequence[str]) -> tuple[tuple[int, ...], ...]:
    """Cores of each NUMA node from the system's lists such as ``0-15,32-47``; nodes of memory alone left out."""
    nodes = []
    for text in cpu_lists:
        spans = [part.split("-") for part in text.strip().split(",") if part]
        nodes.append(tuple(core for span in spans for core in range(int(span[0]), int(span[-1]) + 1)))
    return tuple(node for node in nodes if node)


def nvidia(text: str) -> list[Gpu]:
    """GPUs from nvidia-smi's table of name, memory in MiB and power limit in W."""
    found = []
    for line in text.splitlines():
        name, memory, power = ([part.strip() for part in line.rsplit(",", 2)] + ["", ""])[:3]
        if memory.isdigit():  # a card that has failed says so in words
            limit = float(power) if re.fullmatch(r"[0-9.]+", power) else None
            found.append(Gpu(name, round(int(memory) / 1024, 2), limit))
    return found


def rocm(text: str) -> list[Gpu]:
    """GPUs or DCUs from the JSON of rocm-smi or hy-smi.

    hy-smi leaves out commas, so that no JSON parser reads it: what is needed is looked for card by card.
    """
    _, *cards = re.split(r'"card(?=\d+"\s*:)', text)
    found = []
    for card in sorted(cards, key=lambda card: int(card.split('"', 1)[0])):
        name = re.search(r'"Card [Ss]eries"\s*:\s*"([^"]+)"', card) or re.search(
            r'"Card [Mm]odel"\s*:\s*"([^"]+)"', card
        )
        memory = re.search(r'"vram total memory \((B|MiB)\)"\s*:\s*"?(\d+)', card, re.IGNORECASE)
        if name and memory:
            size = int(memory[2]) / (2**30 if memory[1].upper() == "B" else 2**10)
            found.append(Gpu(name[1].strip(), round(size, 2)))
    return found


def run(command: str) -> str | None:
    """What a command prints, or None where it is not installed, fails or hangs."""
    program, *arguments = shlex.split(command)
    if shutil.which(program) is None:
        return None
    try:
        done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60, check=False)
    except subprocess.TimeoutExpired:
        return None
    return done.stdout if done.returncode == 0 else None

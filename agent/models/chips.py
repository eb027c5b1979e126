"""The chips of a hub, as a model sees them: what they run, their memory, and how many meet inside a host and a supernode."""

import re

from agent.models.schema import BYTES, Backend, Precision
from cluster.topology import ChipKind, Topology
from cluster.tree import build
from domains.model import Frozen

# The maker as it stands in the title of a kind. What names none is a GPU or NPU of which nothing is known.
MAKERS: tuple[tuple[str, Backend], ...] = (
    (r"nvidia|geforce|\bH[12]00\b|\bA[18]00\b|\bGB?[23]00\b", Backend.CUDA),
    (r"\bamd\b|instinct|radeon|\bMI[23]\d\d", Backend.ROCM),
    (r"hygon|\bdcu\b|海光", Backend.DCU),
    (r"ascend|huawei|昇腾", Backend.ASCEND),
    (r"\btpu", Backend.TPU),
)
# Every accelerator has them; what a hub file does not give a rate for is not relied on.
ALWAYS: frozenset[Precision] = frozenset(("fp32", "bf16", "fp16"))


class Chip(Frozen):
    """A kind of chip on a hub; ``backend`` is None where the hub file does not say what it is."""

    kind: str
    title: str
    device: str
    backend: Backend | None
    memory_gib: float
    bandwidth_gbps: float | None = None
    precisions: frozenset[Precision] = ALWAYS
    host: int
    supernode: int
    total: int


def backend_of(kind: ChipKind) -> Backend | None:
    """What programs a kind of chip runs, from its title."""
    if kind.device == "cpu":
        return Backend.CPU
    return next((backend for maker, backend in MAKERS if re.search(maker, kind.title, re.IGNORECASE)), None)


def chips_of(hub: Topology) -> tuple[Chip, ...]:
    """The kinds of a hub that it has chips of, in the order of its file."""
    tree = build(hub)
    made = []
    for name, kind in hub.kinds.items():
        capacity = tree.capacity[name]
        if not capacity[0]:
            continue
        declared = frozenset(one for one in BYTES if one in kind.tflops)
        made.append(
            Chip(
                kind=name,
                title=kind.title,
                device=kind.device,
                backend=backend_of(kind),
                memory_gib=kind.memory.value,
                bandwidth_gbps=kind.memory_bandwidth.value if kind.memory_bandwidth else None,
                precisions=ALWAYS | declared,
                host=max(capacity[host] for host in tree.hosts),
                supernode=tree.largest_supernode[name],
                total=capacity[0],
            )
        )
    return tuple(made)

"""Other systems' descriptions of a hub, in and out: every format is a set of files, name to text."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cluster.interchange import kubernetes, nodes, slurm, topograph, volcano
from cluster.topology import Topology, TopologyError


@dataclass(frozen=True)
class Format:
    """How a format is read and written, where it can be."""

    title: str
    reader: Callable[[Mapping[str, str]], Topology] | None = None
    writer: Callable[[Topology], dict[str, str]] | None = None


FORMATS = {
    "slurm": Format("SLURM topology.conf (tree) and gres.conf", slurm.read, slurm.write_tree),
    "slurm-block": Format("SLURM topology.conf (block) and gres.conf", slurm.read, slurm.write_block),
    "slurm-yaml": Format("SLURM 25.05 topology.yaml and gres.conf", slurm.read, slurm.write_yaml),
    "topograph": Format("topograph model", topograph.read, topograph.write),
    "kubernetes": Format("Kubernetes nodes with labels of levels", kubernetes.read),
    "kueue": Format("Kueue Topology, ResourceFlavors and node labels", kubernetes.read, kubernetes.write),
    "nodes": Format("CSV node list of the open GPU traces", nodes.read),
    "volcano": Format("Volcano HyperNodes and node labels", volcano.read, volcano.write),
}


def read(name: str, files: Mapping[str, str]) -> Topology:
    """Read a hub from files of a format, each by its name; raises TopologyError."""
    reader = _format(name).reader
    if reader is None:
        can = ", ".join(known for known, found in FORMATS.items() if found.reader)
        raise TopologyError(f"format {name} cannot be read; choose one of {can}")
    if not files:
        raise TopologyError(f"format {name}: give at least one file; {name} is {_format(name).title}")
    for file, text in files.items():
        if not text.strip():
            raise TopologyError(f"{file}: the file is empty; {name} is {_format(name).title}")
    return reader(files)


def write(name: str, topology: Topology) -> dict[str, str]:
    """The files of a format that say what a topology is, by name; the same topology gives the same text."""
    writer = _format(name).writer
    if writer is None:
        can = ", ".join(known for known, found in FORMATS.items() if found.writer)
        raise TopologyError(f"format {name} cannot be written; choose one of {can}")
    return writer(topology)


def _format(name: str) -> Format:
    if name not in FORMATS:
        raise TopologyError(f"unknown format {name!r}; choose one of {', '.join(FORMATS)}")
    return FORMATS[name]

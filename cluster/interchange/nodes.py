"""Node lists of the open GPU traces: one host a line, its GPUs and their model. Nothing is known of their network."""

import csv
import io
import re
from collections.abc import Mapping
from pathlib import Path

from cluster.topology import ChipKind, Domain, Figure, Topology, TopologyError

# What the two published lists call their columns: host, GPUs, model.
_COLUMNS = (("sn", "gpu", "model"), ("node_name", "gpu_capacity_num", "gpu_model"))


def read(files: Mapping[str, str]) -> Topology:
    """A hub from one node list; each host is a supernode of its own, as the lists do not say which hosts are close."""
    if len(files) != 1:
        raise TopologyError(f"format nodes: give one file, got {len(files)}")
    ((file, text),) = files.items()
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", Path(file).name.split(".")[0])
    rows = list(csv.DictReader(io.StringIO(text)))
    given = set(rows[0]) if rows else set()
    columns = next((found for found in _COLUMNS if given.issuperset(found)), None)
    if columns is None:
        wanted = " or ".join(",".join(found) for found in _COLUMNS)
        raise TopologyError(f"{file}: is not a node list; it needs the columns {wanted}")
    host, chips, model = columns
    try:
        hosts = [(row[host], int(row[chips]), row[model]) for row in rows if int(row[chips]) > 0]
    except ValueError:
        raise TopologyError(f"{file}: column {chips} has something that is not a count") from None
    unknown = Figure(value=16, unit="GiB", status="assumed", source="the list does not say")
    kinds = {
        kind: ChipKind(title=kind, device="gpu", memory=unknown) for kind in sorted({kind for _, _, kind in hosts})
    }
    tree = tuple(
        Domain(name=f"node-{node}" if node.isdigit() else node, of=(Domain(name="host", chips={kind: count}),))
        for node, count, kind in hosts
    )
    return Topology(name=name, title=f"{len(hosts):,} hosts of a node list", kinds=kinds, tree=tree)

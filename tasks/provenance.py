"""What a result rests on: versions, machine, place and time, in a file beside it."""

import os
import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from cluster.topology import Topology

PACKAGES = ("ai4s", "prefect", "dask", "distributed", "pyarrow", "numpy", "scipy")


def package_version(name: str) -> str:
    """Installed version of a package, or ``not installed``."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _cpu() -> str:
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as lines:
            return next(
                (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor()
            )
    except OSError:
        return platform.processor()


def provenance(
    started: float, profile: str, topologies: Sequence[Topology], packages: Sequence[str] = ()
) -> dict[str, Any]:
    """Versions, machine, place and time of a run as a JSON-ready mapping; ``packages`` are those of its science."""
    return {
        "started": datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds"),
        "python": sys.version.split()[0],
        "packages": {name: package_version(name) for name in (*PACKAGES, *packages)},
        "machine": {"system": platform.platform(), "cpu": _cpu(), "cores": os.cpu_count()},
        "profile": profile,
        "hubs": [one.model_dump(mode="json", include={"name", "title", "tree"}) for one in topologies],
    }

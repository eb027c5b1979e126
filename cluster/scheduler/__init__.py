"""Dask's scheduler with places, chips and gangs; Dask's own where its version is not tested."""

import distributed

from cluster.scheduler.events import explain
from cluster.scheduler.spread import broadcast
from cluster.scheduler.version import StockScheduler, is_tested, warn

if is_tested(distributed.__version__):
    from cluster.scheduler.scheduler import TopologyScheduler
else:
    warn(distributed.__version__)
    TopologyScheduler = StockScheduler  # type: ignore[misc]

__all__ = ["TopologyScheduler", "broadcast", "explain"]

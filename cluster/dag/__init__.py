"""Tasks of a workflow on unlike chips: graphs, the machine, policies, simulation and bounds."""

from cluster.dag.bounds import Bounds, bounds
from cluster.dag.graph import Edge, GraphError, Task, TaskGraph
from cluster.dag.heft import Slot, heft, upward_ranks
from cluster.dag.machine import Machine
from cluster.dag.policy import Online, Plain
from cluster.dag.portfolio import Candidate, Static, portfolio
from cluster.dag.schedule import Run, Schedule, ScheduleError, check
from cluster.dag.simulate import Conditions, Policy, State, simulate
from cluster.dag.wfformat import read

__all__ = [
    "Bounds",
    "Candidate",
    "Conditions",
    "Edge",
    "GraphError",
    "Machine",
    "Online",
    "Plain",
    "Policy",
    "Run",
    "Schedule",
    "ScheduleError",
    "Slot",
    "State",
    "Static",
    "Task",
    "TaskGraph",
    "bounds",
    "check",
    "heft",
    "portfolio",
    "read",
    "simulate",
    "upward_ranks",
]

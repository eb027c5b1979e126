"""The versions of ``distributed`` that the scheduler is tested with: it overrides what upstream may change any day."""

import warnings
from typing import Any

from distributed import Scheduler

TESTED = ("2026.7", "2026.8")


def is_tested(version: str) -> bool:
    """Whether a version of distributed is in the tested range."""
    return ".".join(version.split(".")[:2]) in TESTED


class StockScheduler(Scheduler):  # type: ignore[misc]
    """Dask's own scheduler under the arguments of ours: no chips are kept, no place is known."""

    def __init__(self, *, topology: Any = None, **options: Any) -> None:
        super().__init__(**options)


def warn(version: str) -> None:
    """Say that the stock rules are in force, and what to do."""
    warnings.warn(
        f"distributed {version} is not tested with this scheduler: tasks are placed by stock Dask's rules, without "
        f"supernodes, chips and gangs. Install one of {', '.join(f'{each}.*' for each in TESTED)}.",
        RuntimeWarning,
        stacklevel=3,
    )

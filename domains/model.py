"""The base of every request and settings model, and the protocol of an engine."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict

_folder: ContextVar[Path | None] = ContextVar("folder", default=None)


def absolute_path(text: str) -> str:
    """A path as a user writes it, made absolute; an unknown ``~name`` stays as it is."""
    named = os.path.expanduser(text)  # noqa: PTH111 (Path.expanduser raises there)
    return os.path.abspath(os.path.join(_folder.get() or "", named))  # noqa: PTH100, PTH118


@contextmanager
def paths_from(folder: Path) -> Iterator[None]:
    """Within this, a path that does not start at the root starts at this folder, and not where the process is."""
    token = _folder.set(folder.absolute())
    try:
        yield
    finally:
        _folder.reset(token)


class Frozen(BaseModel):
    """Settings that cannot change after they were checked; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class Engine(Protocol):
    """Physics code that holds the GIL, crashes or hangs, and so runs in a supervised child.

    Built once per process from its settings (maps, models), then called with one row at a time.
    A call returns ``outcome``, ``reason`` where it is not ok, and its output columns. It may return ``engine_s``: the
    wall seconds spent inside the engine proper, as opposed to reading and packing.
    """

    def __init__(self, settings: Any) -> None: ...

    def __call__(self, row: Mapping[str, Any]) -> dict[str, Any]: ...

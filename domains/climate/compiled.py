"""Functions compiled to machine code once for a machine and kept on disk; numba takes a second to import."""

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit
from numba.core.compiler import Compiler

F = TypeVar("F", bound=Callable[..., Any])


class _Apart(Compiler):
    """Arrays given to a function do not overlap. Without this, loops of fewer than about 50 cells are not vectorised."""

    def define_pipelines(self) -> Any:
        self.state.flags.noalias = True
        return super().define_pipelines()  # type: ignore[no-untyped-call]


def compiled(function: F) -> F:
    """Compile without fast-math: sums stay in the order written, no matter how loops are cut."""
    options: dict[str, Any] = {"error_model": "numpy", "nogil": True, "pipeline_class": _Apart}
    try:
        return njit(cache=True, **options)(function)  # type: ignore[no-any-return]
    except RuntimeError:  # no place to write: neither beside the source nor in the user's cache
        return njit(**options)(function)  # type: ignore[no-any-return]

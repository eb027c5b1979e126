"""What a run store knows of a run, as far as questions about it need it; gathered by whoever can read the store."""

from typing import Any, Literal

from agent.models.schema import Words
from domains.model import Frozen


class StageDone(Frozen):
    """A stage that has rows: how many went in, how they ended, and what it took."""

    name: str
    rows: int
    outcomes: dict[str, int]
    chip_s: float

    @property
    def ok(self) -> int:
        """Rows that go on."""
        return self.outcomes.get("ok", 0)


class StageAhead(Frozen):
    """A stage as it was planned."""

    name: str
    rows: int
    chip_s: float


class RunFacts(Frozen):
    """A run: what was asked, what was planned, how far it is, and what it found."""

    run: str
    pipeline: str
    state: Literal["running", "stopped", "finished"]
    request: dict[str, Any]
    planned: tuple[StageAhead, ...]
    done: tuple[StageDone, ...]
    worked_s: float
    chips: int
    sentence: str | None = None
    answer: Words | None = None
    notes: tuple[Words, ...] = ()
    report: str | None = None

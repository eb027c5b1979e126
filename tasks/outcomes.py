"""What comes out of a stage: one row for each row that went in, and a summary that adds up."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

OK = "ok"


class ContractBroken(RuntimeError):
    """A stage function that lost, added or reordered rows: a programming error, never a user's."""


def check_rows(stage: str, given: pa.Table, made: pa.Table) -> None:
    """Raise ContractBroken unless there is exactly one row out for each row in, in order, with an outcome."""
    if not given["id"].combine_chunks().equals(made["id"].combine_chunks()):
        raise ContractBroken(f"stage {stage}: {len(given)} rows went in and {len(made)} came out, or their ids differ")
    if made["outcome"].null_count:
        raise ContractBroken(f"stage {stage}: {made['outcome'].null_count} rows have no outcome")


def count(table: pa.Table) -> dict[str, int]:
    """Rows by outcome."""
    return {entry["values"]: entry["counts"] for entry in pc.value_counts(table["outcome"]).to_pylist()}


@dataclass(frozen=True)
class ShardSummary:
    """What a committed shard tells: it travels to the flow and stands in the shard file's footer."""

    key: str
    rows: int
    outcomes: Mapping[str, int]
    wall_s: float
    cpu_s: float
    engine_s: float
    started: float
    ended: float
    place: str

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True)
class StageSummary:
    """One line of the funnel."""

    name: str
    title: str
    title_zh: str
    rows: int
    outcomes: Mapping[str, int]
    shards: tuple[ShardSummary, ...] = field(repr=False)
    chips_held: int
    rows_before: int  # rows that an earlier session had finished
    parents: int | None = None  # rows of the stage before that these were made of, where one became several
    annotates: bool = False  # beside the funnel: a row that fails here still goes on

    @property
    def ok(self) -> int:
        """Rows that go on."""
        return self.outcomes.get(OK, 0)

    @property
    def added(self) -> int:
        """Rows there are more than went on before: what a funnel must count on its way in."""
        return 0 if self.parents is None else self.rows - self.parents

    @property
    def ended(self) -> int:
        """Candidates that end here."""
        return 0 if self.annotates else self.rows - self.ok

    @property
    def engine_s(self) -> float:
        """Wall seconds inside the engine, all slots together."""
        return sum(shard.engine_s for shard in self.shards)

    @property
    def chip_s(self) -> float:
        """Chip-seconds its shards held."""
        return sum(shard.wall_s for shard in self.shards)


def summarise(
    name: str,
    title: str,
    title_zh: str,
    rows: int,
    shards: Iterable[ShardSummary],
    chips_held: int,
    rows_before: int,
    parents: int | None = None,
    annotates: bool = False,
) -> StageSummary:
    """Add shards up to a stage; raises ContractBroken when rows went missing on the way."""
    shards = tuple(sorted(shards, key=lambda shard: shard.key))
    outcomes: Counter[str] = Counter()
    for shard in shards:
        outcomes.update(shard.outcomes)
    if outcomes.total() != rows:
        raise ContractBroken(f"stage {name}: {rows} rows went in, {outcomes.total()} came out")
    return StageSummary(
        name, title, title_zh, rows, dict(outcomes), shards, chips_held, rows_before, parents, annotates
    )

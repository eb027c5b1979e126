"""Cut rows into shards of about equal predicted work, the longest rows first.

Costs spread 30 to 60 times between candidates: equal counts would leave one slot working while the others wait.
The cut depends on the rows, their costs and the shard length only, never on workers or time, so that a resumed run
cuts the same shards and finds them by name.
"""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pyarrow as pa

# Work of one shard in seconds: long enough that its overhead vanishes, short enough that a kill costs little.
LONGEST_SHARD_S = 60.0
SHORTEST_SHARD_S = 1.0
SHARDS_PER_SLOT = 16
# A shard travels through the scheduler: many cheap rows, or large ones, make more shards and not larger messages.
MAX_SHARD_ROWS, MAX_SHARD_BYTES = 10_000, 4 * 2**20
WINDOW_ROWS = 100_000


def shard_seconds(total_s: float, slots: int) -> float:
    """Work of one shard: a sixteenth of a slot's share, so that small runs balance too, 1 to 60 s."""
    return min(max(total_s / (slots * SHARDS_PER_SLOT), SHORTEST_SHARD_S), LONGEST_SHARD_S)


def cut(tables: Iterable[pa.Table], cost: Callable[[pa.Table], np.ndarray], seconds: float) -> Iterator[pa.Table]:
    """Yield the rows of each shard, the longest rows first within each window of WINDOW_ROWS rows.

    Memory holds one window, whatever the number of rows.
    """
    for window in _windows(tables):
        costs = cost(window)
        order = np.argsort(-costs, kind="stable")
        most = max(1, min(MAX_SHARD_ROWS, MAX_SHARD_BYTES * len(window) // max(1, window.nbytes)))
        for start, stop in _spans(costs[order], seconds, most):
            yield window.take(pa.array(order[start:stop]))


def _windows(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    held: list[pa.Table] = []
    for table in tables:
        held.append(table)
        if sum(map(len, held)) >= WINDOW_ROWS:
            joined = pa.concat_tables(held)
            whole = len(joined) - len(joined) % WINDOW_ROWS
            for start in range(0, whole, WINDOW_ROWS):
                yield joined.slice(start, WINDOW_ROWS).combine_chunks()
            held = [joined.slice(whole)] if whole < len(joined) else []
    if held:
        yield pa.concat_tables(held).combine_chunks()


def _spans(costs: np.ndarray, seconds: float, most: int) -> Iterator[tuple[int, int]]:
    """Consecutive spans whose costs add up to about ``seconds``, at least one row and at most ``most`` each."""
    ends = np.cumsum(costs)
    start, before = 0, 0.0
    while start < len(costs):
        stop = int(np.searchsorted(ends, before + seconds, side="right"))
        stop = min(max(stop, start + 1), start + most)
        yield start, stop
        start, before = stop, float(ends[stop - 1])

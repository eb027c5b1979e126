"""Coarser runs of a case whose solution is known: how fast the error falls."""

import pyarrow as pa

from domains.climate import run
from domains.climate.cases import DAY, case
from domains.climate.grid import Tiling
from domains.climate.tiles import TileGroup
from domains.climate.verify import norms
from domains.model import Frozen

OUTPUT = pa.schema([("l1", pa.float64()), ("l2", pa.float64()), ("greatest", pa.float64())])


class ConvergenceSettings(Frozen):
    """What decides an error besides the resolution: steps are in proportion to the spacing."""

    case: str
    days: float
    steps: int  # in all, at ``cells``
    cells: int


def run_coarser(batch: pa.Table, settings: ConvergenceSettings) -> pa.Table:
    """Run whole spheres. In: id and cells along a panel's side; out: id, OUTPUT (relative errors of depth), outcome, reason."""
    rows = []
    for number, cells in zip(batch["id"].to_pylist(), batch["cells"].to_pylist(), strict=True):
        group = TileGroup(Tiling(cells), case(settings.case))
        exact, steps = group.state[:, 0].copy(), -(-settings.steps * cells // settings.cells)
        last = list(run.run([group], settings.days * DAY / steps, steps, steps))[-1]
        found = norms(group.state[:, 0], exact, group.metric.area)
        ended = {"outcome": "diverged" if last.problem else "ok", "reason": last.problem or None}
        rows.append({"id": number, "l1": found.l1, "l2": found.l2, "greatest": found.greatest, **ended})
    return pa.Table.from_pylist(
        rows, schema=pa.schema([("id", pa.int64()), *OUTPUT, ("outcome", pa.string()), ("reason", pa.string())])
    )

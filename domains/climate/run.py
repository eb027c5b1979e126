"""Groups of tiles stepped in one process, with the checks that any runtime makes before the start and between chunks."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from domains.climate.cases import Case
from domains.climate.dynamics import STAGES
from domains.climate.grid import Tiling, metric
from domains.climate.tiles import TileGroup
from domains.climate.verify import Budget, budgets, courant_per_second, health, total
from domains.errors import InvalidRequest

# The linear limit of the scheme in one dimension is 1.40. At C24 one of six standard cases blew up within 500 steps at 1.55, and
# none at 1.5; at 1.8 all of them did, within 60.
STABLE, HOPELESS = 1.40, 1.8
CHOSEN = 1.0
SAMPLE = 24  # cells along a panel's side, to learn the speed of the fastest wave


def longest_step(case: Case, cells: int, courant: float = CHOSEN) -> float:
    """The longest step, s, that divides an hour and whose Courant number at the start is at most ``courant``."""
    return 3600 / math.ceil(3600 * _courant_per_second(case, cells) / courant)


def refuse_hopeless(case: Case, cells: int, dt: float) -> None:
    """Refuse a step that is certain to blow up."""
    courant = dt * _courant_per_second(case, cells)
    if not 0 < courant < HOPELESS:
        most = longest_step(case, cells, STABLE)
        problem = f"its Courant number is {courant:.2f}: the flow would blow up" if courant > 0 else "no time passes"
        raise InvalidRequest("time step, s", dt, problem, f"up to {most:.6g}; {longest_step(case, cells):.6g} is usual")


def _courant_per_second(case: Case, cells: int) -> float:
    # On a coarse sphere: speeds differ little from those at any resolution, and it costs milliseconds.
    sample = Tiling(SAMPLE)
    geometry = metric(sample, np.arange(6))
    return courant_per_second(case.state(geometry.position), geometry, sample.spacing) * cells / SAMPLE


@dataclass(frozen=True)
class Progress:
    """After a chunk: steps done, what the sphere holds, and why it cannot go on, or nothing."""

    step: int
    budget: Budget
    problem: str


def step(groups: Sequence[TileGroup], dt: float) -> None:
    """A step of all groups of a sphere."""
    for stage in range(len(STAGES)):
        begin(groups, stage)
        for group in groups:
            group.advance_inner(stage, dt)
            group.advance_outer(stage, dt)


def begin(groups: Sequence[TileGroup], stage: int = 0) -> None:
    """Begin a stage and carry all messages; after it budgets and vorticity may be asked for."""
    for group in groups:
        group.begin(stage)
    for group in groups:
        for peer in group.peers:
            groups[peer].unpack(group.group, group.pack(peer))


def run(groups: Sequence[TileGroup], dt: float, steps: int, every: int) -> Iterator[Progress]:
    """Take ``steps`` steps of ``dt`` seconds, and report before the first and after every ``every``; ends where it cannot go on."""
    start = held(groups)
    yield Progress(groups[0].step_number, start, health(start, start))
    for done in range(0, steps, every):
        for _ in range(min(every, steps - done)):
            step(groups, dt)
        now = held(groups)
        problem = health(start, now)
        yield Progress(groups[0].step_number, now, problem)
        if problem:
            return


def held(groups: Sequence[TileGroup]) -> Budget:
    """What the sphere holds."""
    begin(groups)
    return total(part for group in groups for part in budgets(group))

"""What a plan would take: chip-hours, wall time, bytes, energy, each as a range, and where on a hub."""

import math

from agent.calibration import BYTES_A_ROW, CHILD_S, Calibration, Factor, held_s, workers
from agent.placement import Placement, kinds_named, largest_supernode, place, place_on_a_busy_day
from agent.plan import Plan, Stage
from cluster.energy import PowerModel
from cluster.topology import Topology
from cluster.tree import build
from domains.model import Frozen

SMALL = 256  # a hub of so many chips is a machine or a partition that the run has for itself
WORK_A_CHIP_S = 600.0  # on a larger one a run takes as many chips as give each about ten minutes of work


class Range(Frozen):
    """Nine in ten runs should lie between low and high."""

    low: float
    expected: float
    high: float

    def scaled(self, by: float) -> "Range":
        """Each figure multiplied."""
        return Range(low=self.low * by, expected=self.expected * by, high=self.high * by)


class Estimate(Frozen):
    """The cost of a plan on a hub. ``kwh`` is None where the hub's file gives no power; ``runs`` were measured for it."""

    plan: str
    hub: str
    chips: int
    chip_h: Range
    wall_s: Range
    bytes: Range
    kwh: Range | None
    runs: int
    here: int
    placement: Placement | None = None
    busy: Placement | None = None


def estimate(
    plan: Plan, hub: Topology, calibration: Calibration, machine: str, chips: int | None = None, *, busy: bool = False
) -> Estimate:
    """What a plan takes on a hub.

    A chip of speed 1 is taken to do the work of a core of ``machine``, where the stages were measured: no engine was
    measured on the chips of the large hubs. ``busy`` asks the simulator for the wait on a busy day as well.
    """
    wanted = chips or chips_for(plan, hub)
    costs = [(stage, held_s(stage.rows, stage.chip_s, wanted)) for stage in plan.stages]
    alike: dict[str, float] = {}
    for stage, held in costs:
        alike[stage.key] = alike.get(stage.key, 0.0) + held
    factors = [calibration.stage(plan.pipeline, stage.key, alike[stage.key], machine) for stage, _ in costs]
    more = 1 + calibration.unforeseen(plan.pipeline)
    start_s = calibration.start_s(plan.pipeline)
    chip_s = _sum([held for _, held in costs], factors).scaled(more)
    at_work = _sum([_wall(stage, wanted) for stage in plan.stages], factors).scaled(more)
    where = later = None
    if hub.chips > SMALL:
        named = plan.bounds.kind
        kinds = kinds_named(hub, named) if named else None
        where = place(hub, wanted, at_work.high + start_s, kinds)
        later = place_on_a_busy_day(hub, wanted, at_work.high + start_s, kinds) if busy else None
        at_work, chip_s = at_work.scaled(1 / where.speed), chip_s.scaled(1 / where.speed)
    rows = sum(stage.rows for stage in plan.stages)
    moved = calibration.bytes_a_row(plan.pipeline, rows)
    ran = calibration.of(plan.pipeline)
    return Estimate(
        plan=plan.hash,
        hub=hub.name,
        chips=wanted,
        chip_h=chip_s.scaled(1 / 3600),
        wall_s=Range(low=at_work.low + start_s, expected=at_work.expected + start_s, high=at_work.high + start_s),
        bytes=_sum([rows * BYTES_A_ROW], [moved]),
        kwh=_energy(hub, where, chip_s),
        runs=len(ran),
        here=sum(one.machine == machine for one in ran),
        placement=where,
        busy=later,
    )


def chips_for(plan: Plan, hub: Topology) -> int:
    """The chips that a plan takes: those asked for; else a small hub whole, and of a large one as many as have work."""
    bounds = plan.bounds
    if bounds.chips:
        return bounds.chips
    if bounds.supernodes:
        return bounds.supernodes * largest_supernode(hub)
    if hub.chips <= SMALL:
        return hub.chips
    wanted = plan.chip_s / WORK_A_CHIP_S
    if bounds.deadline_h:
        wanted = max(wanted, 2 * plan.chip_s / (3600 * bounds.deadline_h))
    widest = max(stage.rows for stage in plan.stages)
    return max(1, min(math.ceil(wanted), widest, hub.chips))


def _wall(stage: Stage, chips: int) -> float:
    """Seconds of a stage on so many chips: a row is on one chip at a time."""
    if not stage.chip_s:
        return 0.0
    return stage.chip_s / workers(stage.rows, stage.chip_s, chips) + CHILD_S


def _sum(values: list[float], factors: list[Factor]) -> Range:
    """The parts are taken to be wrong together: ranges add."""
    parts = list(zip(values, factors, strict=True))
    return Range(
        low=sum(value * factor.low for value, factor in parts),
        expected=sum(value * factor.expected for value, factor in parts),
        high=sum(value * factor.high for value, factor in parts),
    )


def _energy(hub: Topology, where: Placement | None, chip_s: Range) -> Range | None:
    """Energy of the busy chips with the hub's overhead; base loads are drawn whether or not we run."""
    power = PowerModel(build(hub))
    kinds = where.kinds if where and where.kinds else tuple(hub.kinds)
    if not power.complete or not kinds:
        return None
    return chip_s.scaled(max(power.kwh({kind: 1}, 1.0) for kind in kinds) * power.pue)

"""Climate ensemble: 10^4 energy-balance members through the real flow, and how near theory they are.

The peer is the textbook's way: one member at a time, a banded solve each step, on the same grid with the same steps.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.linalg import solve_banded

from benchmarks.bench import Row, main, scratch
from domains.climate import ebm
from domains.climate.ensemble_check import members, parameters
from domains.climate.ensemble_request import ClimateEnsembleRequest, Perturbed
from domains.climate.members import MemberSettings, concentration, run_members

MEMBERS, QUICK_MEMBERS, PEER_MEMBERS = 10_000, 1_000, 4
SEEDS = (1, 2, 3)
SETTINGS = MemberSettings(scenario="1pctCO2", years=140, ice=True, tolerance=2.5)
BARE = SETTINGS.model_copy(update={"ice": False, "tolerance": 50.0})


def whole_flow(count: int) -> tuple[float, float, dict[str, Any]]:
    """Wall seconds of the flow and of its members, and the flow's result, of a run on this machine's cores."""
    from flows.climate_ensemble import climate_ensemble
    from tasks.store import StageStore

    request = ClimateEnsembleRequest(members=count, profile="laptop", name="bench")
    started = time.perf_counter()
    result = climate_ensemble(request)
    whole = time.perf_counter() - started
    shards = StageStore(Path(result["folder"]) / "members").committed().values()
    return whole, max(one.ended for one in shards) - min(one.started for one in shards), result


def theory(count: int, seed: int) -> tuple[float, float]:
    """Without ice: the largest relative error of a sensitivity against forcing over feedback, and imbalance, W/m²."""
    rows = members(ClimateEnsembleRequest(members=count, seed=seed, ice=False))
    made, p = run_members(rows, BARE), parameters(rows)
    good = np.array([one == "ok" for one in made["outcome"].to_pylist()])
    expected = (p.forcing / p.feedback)[good]
    found = made["ecs"].to_numpy()[good]
    return float(np.abs(found / expected - 1).max()), float(np.abs(made["imbalance"].to_numpy()[good]).max())


def north_error() -> float:
    """Largest difference to North's closed form, K, of the central member."""
    rows = members(ClimateEnsembleRequest(members=1, parameters=_central(), ice=False))
    p = parameters(rows)
    block, sphere = p.block(0), ebm.bands()
    found, _ = ebm.equilibrium(sphere, block, 0 * block.forcing, None, ice=False)
    return float(np.abs(found[0] - ebm.legendre_solution(p, sphere.sine)[0]).max())


def _central() -> Perturbed:
    """Each parameter at its median."""
    middle = {name: str(float(one.quantile(np.array([0.5]))[0])) for name, one in Perturbed().distributions().items()}
    return Perturbed.model_validate(middle)


def textbook(p: ebm.Parameters, member: int, control: np.ndarray) -> np.ndarray:
    """The warming of one member year by year, K: the same steps, each a tridiagonal solve."""
    one = ebm.Parameters(*(getattr(p, name)[member : member + 1, None] for name in ebm.Parameters.__dataclass_fields__))
    sphere, dt = ebm.bands(), 1 / ebm.STEPS
    value = {name: float(getattr(one, name)[0, 0]) for name in ebm.Parameters.__dataclass_fields__}
    edges = np.linspace(-1, 1, len(sphere.sine) + 1)
    through = value["diffusion"] * (1 - edges**2) * (len(sphere.sine) / 2) ** 2
    memory = value["deep_ocean"] / (value["deep_ocean"] + dt * value["exchange"])
    inertia = value["mixed_layer"] / dt
    bands = np.zeros((3, len(sphere.sine)))
    bands[0, 1:] = bands[2, :-1] = -through[1:-1]
    bands[1] = inertia + value["feedback"] + value["exchange"] * memory + through[1:] + through[:-1]
    above = deep = control - ebm.PRESENT
    means = []
    for level in concentration(SETTINGS):
        sunlight = ebm.absorbed(sphere, one, ebm.PRESENT + above[None])[0]
        surplus = sunlight - value["outgoing"] + level * value["forcing"]
        above = solve_banded((1, 1), bands, inertia * above + value["exchange"] * memory * deep + surplus)
        deep = memory * deep + (1 - memory) * above
        means.append((above - (control - ebm.PRESENT)).mean())
    return np.asarray(np.reshape(means, (-1, ebm.STEPS)).mean(axis=1))


def against_textbook(seed: int) -> tuple[float, float]:
    """CPU of a member's warming there over ours, and the largest difference, K."""
    p, sphere, forcing = (
        parameters(members(ClimateEnsembleRequest(members=ebm.TOGETHER, seed=seed))),
        ebm.bands(),
        concentration(SETTINGS),
    )
    block = p.block(0)
    control, _ = ebm.equilibrium(sphere, block, 0 * block.forcing, None, ice=True)
    cpu = time.process_time()
    ours = ebm.transient(sphere, block, control, forcing, ice=True)
    per_member = (time.process_time() - cpu) / ebm.TOGETHER
    cpu = time.process_time()
    theirs = [textbook(p, at, control[at]) for at in range(PEER_MEMBERS)]
    theirs_s = (time.process_time() - cpu) / PEER_MEMBERS
    return theirs_s / per_member, float(np.abs(np.array(theirs) - ours[:PEER_MEMBERS]).max())


def spread(values: Sequence[float]) -> str:
    """Lowest and highest over the seeds."""
    return f"{len(values)} seeds: {min(values):.3g} to {max(values):.3g}"


def measure(arguments: argparse.Namespace) -> list[Row]:
    count = QUICK_MEMBERS if arguments.quick else MEMBERS
    with scratch():
        whole, stage, result = whole_flow(count)
    exact = [theory(256, seed) for seed in SEEDS]
    peer = [against_textbook(seed) for seed in SEEDS]
    ecs = next(row for row in result["sensitivity"] if row["figure"] == "ecs")
    skip = "quick" if arguments.quick else ""
    return [
        Row("members", count, note=f"{result['members']:,} with a climate like today's; 140 years of 1pctCO2"),
        Row.judged("members, wall", stage, "s", "<= 60", "from the first shard's start to the last one's end", not_judged=skip),
        Row("whole flow, wall", whole, "s", note="with Prefect, Dask, store and report"),
        Row("equilibrium sensitivity, median", ecs["50%"], "K", note=f"5 to 95 %: {ecs['5%']:.2f} to {ecs['95%']:.2f}"),
        Row.judged("sensitivity against F/B, no ice", max(one[0] for one in exact), "", "<= 0.001", spread([one[0] for one in exact])),
        Row.judged("imbalance of energy, no ice", max(one[1] for one in exact), "W/m²", "<= 1e-11", spread([one[1] for one in exact])),
        Row.judged("against North's closed form", north_error(), "K", "<= 0.01", f"largest of {ebm.BANDS} bands"),
        Row.judged("CPU, one at a time / together", min(one[0] for one in peer), "x", ">= 5", spread([one[0] for one in peer])),
        Row.judged("largest difference between the two", max(one[1] for one in peer), "K", "<= 1e-9", spread([one[1] for one in peer])),
    ]  # fmt: skip


if __name__ == "__main__":
    main(measure, __doc__)

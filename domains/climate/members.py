"""The batch function of an ensemble: each member's unperturbed climate, its sensitivity, and its warming in a scenario."""

import time

import numpy as np
import pyarrow as pa

from domains.climate import ebm
from domains.climate.ensemble_check import parameters
from domains.climate.outcomes import Outcome
from domains.model import Frozen

WARMEST = 60.0  # °C of a global mean: emission is no straight line that far from today
POLAR = 60.0  # degrees; poleward of it is the polar cap

OUTPUT = pa.schema(
    [
        ("control_mean", pa.float64()),  # °C
        ("ecs", pa.float64()),  # K
        ("tcr", pa.float64()),  # K; none outside of 1pctCO2
        ("ice_edge", pa.float64()),  # degrees of latitude, unperturbed
        ("polar_amplification", pa.float64()),
        ("imbalance", pa.float64()),  # W/m², unperturbed: how well energy is conserved
        ("warming", pa.list_(pa.float32())),  # K a year, global mean
        ("control", pa.list_(pa.float32())),  # °C a band
        ("doubled", pa.list_(pa.float32())),  # °C a band, steady at twice the CO2
    ]
)
VERDICT = [("outcome", pa.string()), ("reason", pa.string())]


class MemberSettings(Frozen):
    """What decides a member's result besides its parameters."""

    scenario: str
    years: int
    ice: bool
    tolerance: float


def concentration(settings: MemberSettings) -> np.ndarray:
    """Forcing at the end of each step (years * steps,), in units of twice the CO2."""
    steps = np.arange(1, settings.years * ebm.STEPS + 1)
    if settings.scenario == "1pctCO2":
        return np.asarray(np.log2(1.01) * steps / ebm.STEPS)
    return np.full(len(steps), 2.0)


def run_members(batch: pa.Table, settings: MemberSettings) -> pa.Table:
    """Run every member. In: id and the parameters; out: id, OUTPUT, outcome, reason, engine_s."""
    started = time.perf_counter()
    p = parameters(batch)
    rows: list[dict[str, object]] = []
    # What no planet has may divide by zero: it ends as such, and its neighbours are not touched.
    with np.errstate(all="ignore"):
        for start in range(0, len(p), ebm.TOGETHER):
            rows += _block(p.block(start), settings)[: len(p) - start]
    seconds = (time.perf_counter() - started) / max(1, len(rows))
    made = [{"id": number, **row} for number, row in zip(batch["id"].to_pylist(), rows, strict=True)]
    table = pa.Table.from_pylist(made, schema=pa.schema([("id", pa.int64()), *OUTPUT, *VERDICT]))
    return table.append_column("engine_s", pa.array([seconds] * len(rows), pa.float64()))


def _block(p: ebm.Parameters, settings: MemberSettings) -> list[dict[str, object]]:
    sphere, none = ebm.bands(), np.zeros_like(p.forcing)
    control, found = ebm.equilibrium(sphere, p, none, None, settings.ice)
    doubled, also = ebm.equilibrium(sphere, p, p.forcing, control, settings.ice)
    warming = ebm.transient(sphere, p, control, concentration(settings), settings.ice)
    ecs = doubled.mean(axis=1) - control.mean(axis=1)
    cap = np.abs(sphere.latitude) > POLAR
    columns = {
        "control_mean": control.mean(axis=1),
        "ecs": ecs,
        "tcr": warming[:, ebm.TRANSIENT].mean(axis=1) if settings.scenario == "1pctCO2" else None,
        "ice_edge": ice_edge(sphere, control, p.ice_temperature),
        "polar_amplification": (doubled - control)[:, cap].mean(axis=1) / ecs,
        "imbalance": ebm.imbalance(sphere, p, none, control, settings.ice),
        "warming": warming,
        "control": control,
        "doubled": doubled,
    }
    verdicts = _verdicts(p, settings, control, found & also, doubled, warming)
    return [
        {name: None if values is None else values[at] for name, values in columns.items()}
        | {"outcome": outcome, "reason": reason}
        if outcome == Outcome.ok
        else {"outcome": outcome, "reason": reason}
        for at, (outcome, reason) in enumerate(verdicts)
    ]


def ice_edge(sphere: ebm.Bands, temperature: np.ndarray, freezing: np.ndarray) -> np.ndarray:
    """Degrees of latitude where temperatures (m, n), symmetric about the equator, fall below ``freezing`` (m, 1); 90 if nowhere."""
    north = sphere.sine > 0
    sine, warm = sphere.sine[north], temperature[:, north] - freezing
    last = np.clip((warm > 0).sum(axis=1) - 1, 0, len(sine) - 2)
    member = np.arange(len(warm))
    above, below = warm[member, last], warm[member, last + 1]
    share = above / (above - below)
    edge = np.degrees(np.arcsin(np.clip(sine[last] + share * (sine[last + 1] - sine[last]), -1, 1)))
    return np.where(warm[:, -1] > 0, 90.0, np.where(warm[:, 0] <= 0, 0.0, edge))


def _verdicts(
    p: ebm.Parameters,
    settings: MemberSettings,
    control: np.ndarray,
    found: np.ndarray,
    doubled: np.ndarray,
    warming: np.ndarray,
) -> list[tuple[Outcome, str | None]]:
    """How each member ended: the first that holds, the gravest first."""
    mean = control.mean(axis=1)
    warmest = np.maximum(mean + warming.max(axis=1), doubled.mean(axis=1))
    equator = control.max(axis=1) - p.ice_temperature[:, 0]
    verdicts: list[tuple[Outcome, str | None]] = []
    for at, problem in enumerate(_impossible(p, settings.ice)):
        if problem:
            verdicts.append((Outcome.unphysical, problem))
        elif not (np.isfinite(warmest[at]) and np.isfinite(warming[at]).all()):
            verdicts.append((Outcome.diverged, "temperatures are not finite"))
        elif not found[at]:
            verdicts.append((Outcome.no_equilibrium, f"still changing after {ebm.MOST_ITERATIONS} iterations"))
        elif settings.ice and equator[at] < 0:
            verdicts.append((Outcome.snowball, f"{mean[at]:.1f} °C, ice down to the equator"))
        elif abs(mean[at] - ebm.PRESENT) > settings.tolerance:
            verdicts.append((Outcome.implausible_climate, f"unperturbed global mean of {mean[at]:.1f} °C"))
        elif warmest[at] > WARMEST:
            verdicts.append((Outcome.diverged, f"global mean of {warmest[at]:.0f} °C"))
        else:
            verdicts.append((Outcome.ok, None))
    return verdicts


def _impossible(p: ebm.Parameters, ice: bool) -> list[str]:
    """What is wrong with each member's parameters; empty where nothing is."""
    problems = [""] * len(p)
    for name, bad in (
        ("feedback", p.feedback <= 0),
        ("diffusion", p.diffusion < 0),
        ("mixed layer", p.mixed_layer <= 0),
        ("deep ocean", p.deep_ocean <= 0),
        ("exchange", p.exchange < 0),
        ("albedo", (p.albedo - ebm.ALBEDO_P2 / 2 < 0) | (p.albedo + ebm.ALBEDO_P2 > 1)),
        ("ice albedo", ice & ((p.ice_albedo <= p.albedo + ebm.ALBEDO_P2) | (p.ice_albedo > 1))),
    ):
        values = getattr(p, name.replace(" ", "_"))
        for at in np.flatnonzero(bad):
            problems[at] = problems[at] or f"{name} of {values[at, 0]:.3g}"
    return problems

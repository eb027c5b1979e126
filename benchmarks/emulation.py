"""Emulation of the energy-balance ensemble: errors on members never seen beside the mean and linear regression, coverage, time."""

import argparse
import time
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from benchmarks.bench import Row, main
from domains.climate.emulate import Emulated, emulate
from domains.climate.emulate_check import check
from domains.climate.emulate_request import ClimateEmulationRequest
from domains.climate.ensemble import stacked
from domains.climate.members import MemberSettings, run_members

SEEDS, QUICK_SEEDS = (1, 2, 3), (1,)
FIGURES = {"ecs": "equilibrium sensitivity", "tcr": "transient response", "warming": "warming, year by year"}


def emulated(seed: int) -> tuple[dict[str, Emulated], float]:
    """Each figure's surrogate over an ensemble of its own, and CPU seconds of the model for a member."""
    asked = check(ClimateEmulationRequest(seed=seed))
    settings = MemberSettings(**asked.request.model_dump(include=set(MemberSettings.model_fields)))
    began = time.process_time()
    made = run_members(asked.ensemble.rows, settings)
    member_s = (time.process_time() - began) / len(made)
    good = np.array([one == "ok" for one in made["outcome"].to_pylist()])
    x = np.stack([asked.ensemble.rows[name].to_numpy() for name in asked.ensemble.varied], axis=1)[good]
    training = np.zeros(len(x), bool)
    training[np.random.default_rng(seed).permutation(len(x))[: asked.request.training]] = True
    kept = made.filter(pa.array(good))
    values = {name: stacked(kept[name]) if name == "warming" else kept[name].to_numpy() for name in FIGURES}
    return {name: emulate(x, y, training, seed) for name, y in values.items()}, member_s


def spread(values: Sequence[float]) -> str:
    return f"{len(values)} seeds: {min(values):.3g} to {max(values):.3g}"


def measure(arguments: argparse.Namespace) -> list[Row]:
    runs = [emulated(seed) for seed in (QUICK_SEEDS if arguments.quick else SEEDS)]
    rows = []
    for name, words in FIGURES.items():
        errors = [run[name].errors() for run, _ in runs]
        mean, linear, ours = ([one[method] for one in errors] for method in ("mean", "linear", "surrogate"))
        gains = [theirs / mine for theirs, mine in zip(linear, ours, strict=True)]
        covered = [run[name].coverage for run, _ in runs]
        rows += [
            Row(f"{words}: error of the mean", float(np.mean(mean)), "K", note=spread(mean)),
            Row(f"{words}: error of a linear regression", float(np.mean(linear)), "K", note=spread(linear)),
            Row(f"{words}: error of the surrogate", float(np.mean(ours)), "K", note=spread(ours)),
            Row.judged(f"{words}: smaller than linear by", min(gains), "x", ">= 2", spread(gains)),
            Row.judged(f"{words}: truths inside the 90 % range", min(covered), "", ">= 0.8", spread(covered)),
        ]
    model, told = [one for _, one in runs], [sum(one.member_s for one in run.values()) for run, _ in runs]
    return [
        *rows,
        Row("the model, CPU a member", 1e3 * float(np.mean(model)), "ms", note=spread([1e3 * one for one in model])),
        Row("the surrogates, CPU a member", 1e3 * float(np.mean(told)), "ms", note=spread([1e3 * one for one in told])),
        Row("faster by", float(np.mean(np.array(model) / told)), "x", note=spread((np.array(model) / told).tolist())),
        Row("training, CPU", float(np.mean([sum(one.training_s for one in run.values()) for run, _ in runs])), "s"),
    ]


if __name__ == "__main__":
    main(measure, __doc__)

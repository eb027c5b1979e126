"""Downscaling on made-up data: errors in years held out beside trivial corrections, speed, and memory beside the data's size.

All data are synthetic (domains/climate/downscale_synthetic.py): they say whether the method does what it should, not how good it is
for any real model. That the mapping is xsdba's is a test, against recorded values.
"""

import argparse
import time
from collections.abc import Sequence

import numpy as np

from benchmarks.bench import Row, main
from domains.climate.downscale import METHODS, by_month, quantile_delta_mapping
from domains.climate.downscale_blocks import Block, BlockSettings
from domains.climate.downscale_check import ClimateDownscaling, check
from domains.climate.downscale_request import ClimateDownscalingRequest

SEEDS, QUICK_SEEDS = (1, 2, 3), (1,)
BESIDE = "of interpolation alone"


def scored(seed: int) -> tuple[dict[str, float], dict[str, float], float]:
    """Quantile errors and errors of the annual maximum by method, K, and CPU seconds a million cell-days, of all blocks."""
    asked = check(ClimateDownscalingRequest(seed=seed))
    block, rows = engine(asked), asked.rows.to_pylist()
    began = time.process_time()
    made = [block(row) for row in rows]
    cpu = time.process_time() - began
    errors = [
        {name: float(np.mean(np.concatenate([one[f"{measure}_{name}"] for one in made]))) for name in METHODS}
        for measure in ("quantiles", "maximum")
    ]
    cells = sum(one["cells"] for one in made)
    return errors[0], errors[1], cpu / (cells * asked.pair.model.sizes["time"] / 1e6)


def engine(asked: ClimateDownscaling) -> Block:
    request = asked.request
    settings = BlockSettings(
        model=request.model, observations=request.observations, fingerprints=asked.facts, variable=request.variable, seed=request.seed,
        training=asked.training, held_out=asked.held_out,
    )  # fmt: skip
    return Block(settings)


def scalar_ratio() -> tuple[float, float]:
    """CPU of one cell at a time over all together, and the largest difference, K: the same arithmetic."""
    rng = np.random.default_rng(0)
    days, cells = 3650, 64
    months = np.tile(np.repeat(np.arange(1, 13), 31)[:365], 10)
    reference, model = rng.normal(280, 4, (days, cells)), rng.normal(283, 6, (days, cells))
    training = np.arange(days) < 0.8 * days

    def corrected(some: slice) -> np.ndarray:
        periods = [training, ~training]
        wanted = reference[training][:, some], months[training]
        return by_month(quantile_delta_mapping, wanted, (model[:, some], months), training, periods, True)

    began = time.process_time()
    together = corrected(slice(None))
    between = time.process_time()
    alone = np.concatenate([corrected(slice(at, at + 1)) for at in range(cells)], axis=1)
    ended = time.process_time()
    return (ended - between) / (between - began), float(np.abs(alone - together).max())


def spread(values: Sequence[float]) -> str:
    return f"{len(values)} seeds: {min(values):.3g} to {max(values):.3g}"


def measure(arguments: argparse.Namespace) -> list[Row]:
    runs = [scored(seed) for seed in (QUICK_SEEDS if arguments.quick else SEEDS)]
    ratio, apart = scalar_ratio()
    rows = []
    for at, what in enumerate(("quantiles", "annual maximum")):
        for method in METHODS:
            values = [one[at][method] for one in runs]  # type: ignore[index]
            rows.append(Row(f"error of {what}, {method}", float(np.mean(values)), "K", note=spread(values)))
    shares = [one[0]["qdm"] / one[0]["interpolation"] for one in runs]
    extremes = [one[1]["qdm"] / one[1]["mean"] for one in runs]
    return [
        *rows,
        Row.judged(f"quantiles: error of qdm / {BESIDE}", max(shares), "", "<= 0.5", spread(shares)),
        Row.judged("annual maximum: error of qdm / of mean correction", max(extremes), "", "<= 1", spread(extremes)),
        Row(
            "CPU a million cell-days",
            float(np.mean([one[2] for one in runs])),
            "s",
            note="three methods, scores and indices",
        ),
        Row("CPU, one cell at a time / together", ratio, "x"),
        Row.judged("largest difference between the two", apart, "K", "<= 1e-9"),
    ]


if __name__ == "__main__":
    main(measure, __doc__)

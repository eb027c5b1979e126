"""What runs really took against what was predicted, kept in a small file, and the correction that follows from it.

The logarithm of measured over predicted is taken as normal. Before any run its mean is 0, and nine in ten stages lie within a
factor of two of their prediction, as the pipelines say of their figures. Every run moves the mean and narrows the range; a run
counts the less, the further its size is from what is asked, and little where it ran on another machine.
"""

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from domains.model import Frozen

Z90 = 1.645  # nine in ten of a normal distribution lie within so many standard deviations
PRIOR_SD = math.log(2) / Z90
NOISE_SD = 0.2  # of one run about the mean of its like
FADE = math.log(10)  # a run ten times as large or small counts 1/e
ELSEWHERE = 0.1  # weight of a run on another machine
CHILD_S = 1.0  # a stage starts a process on each chip it uses
START_S = 5.0  # of a run in which no stage works, before it was measured
BYTES_A_ROW = 5_000.0  # a row on its way to a worker and back, before it was measured
MOST_RUNS = 300


def workers(rows: int, chip_s: float, chips: int) -> int:
    """How many chips a stage uses: no more than it has rows, nor than it has seconds of work."""
    return max(1, min(chips, rows, math.ceil(chip_s)))


def held_s(rows: int, chip_s: float, chips: int) -> float:
    """Chip-seconds that a stage holds its chips, by the pipeline's own figure; 0 for one that holds none."""
    return chip_s + CHILD_S * workers(rows, chip_s, chips) if chip_s > 0 else 0.0


class Ran(Frozen):
    """A finished run: chip-seconds by kind of stage as predicted and as measured (``""``: stages that were not foreseen)."""

    run: str
    pipeline: str
    machine: str
    chips: int
    predicted: dict[str, float]
    measured: dict[str, float]
    rows: int
    bytes: int | None = None
    start_s: float | None = None

    @property
    def totals(self) -> tuple[float, float]:
        """Predicted and measured chip-seconds."""
        return sum(self.predicted.values()), sum(self.measured.values())


class Factor(NamedTuple):
    """What a prediction is to be multiplied by: a log-normal with this median and spread."""

    mean: float
    sd: float

    @property
    def expected(self) -> float:
        """The median."""
        return math.exp(self.mean)

    @property
    def low(self) -> float:
        """One in twenty is lower."""
        return math.exp(self.mean - Z90 * self.sd)

    @property
    def high(self) -> float:
        """One in twenty is higher."""
        return math.exp(self.mean + Z90 * self.sd)


def learned(samples: Iterable[tuple[float, float, float]], now: float) -> Factor:
    """The correction of a prediction ``now`` from (predicted, measured, weight) of others."""
    prior, noise = 1 / PRIOR_SD**2, 1 / NOISE_SD**2
    precision, weighted = prior, 0.0
    for predicted, measured, weight in samples:
        if predicted <= 0 or measured <= 0:
            continue
        near = weight * noise * math.exp(-abs(math.log(max(now, 1e-9) / predicted)) / FADE)
        precision += near
        weighted += near * math.log(measured / predicted)
    return Factor(weighted / precision, math.sqrt(1 / precision + NOISE_SD**2))


class Calibration(Frozen):
    """The runs that were measured, oldest first."""

    runs: tuple[Ran, ...] = ()

    def of(self, pipeline: str) -> list[Ran]:
        """The runs of a pipeline."""
        return [one for one in self.runs if one.pipeline == pipeline]

    def stage(self, pipeline: str, key: str, chip_s: float, machine: str) -> Factor:
        """The correction of a kind of stage of a pipeline; all of the kind are predicted to take so long."""
        samples = [
            (one.predicted[key], one.measured[key], _weight(one, machine))
            for one in self.of(pipeline)
            if key in one.predicted and key in one.measured
        ]
        return learned(samples, chip_s)

    def unforeseen(self, pipeline: str) -> float:
        """Measured chip-seconds of stages that no plan names, as a share of the others."""
        shares = [
            one.measured[""] / foreseen
            for one in self.of(pipeline)
            if "" in one.measured and (foreseen := one.totals[1] - one.measured[""]) > 0
        ]
        return sum(shares) / len(shares) if shares else 0.0

    def start_s(self, pipeline: str) -> float:
        """Seconds of a run in which no stage works: the median."""
        found = sorted([START_S, *(one.start_s for one in self.of(pipeline) if one.start_s is not None)])
        return found[len(found) // 2]

    def bytes_a_row(self, pipeline: str, rows: int) -> Factor:
        """The correction of BYTES_A_ROW."""
        samples = [(one.rows * BYTES_A_ROW, float(one.bytes), 1.0) for one in self.of(pipeline) if one.bytes]
        return learned(samples, rows * BYTES_A_ROW)

    def with_run(self, ran: Ran) -> "Calibration":
        """With one run more; what was known of a run of this name is replaced."""
        others = [one for one in self.runs if one.run != ran.run]
        return Calibration(runs=tuple([*others, ran][-MOST_RUNS:]))


def _weight(one: Ran, machine: str) -> float:
    return 1.0 if one.machine == machine else ELSEWHERE


def load(path: Path) -> Calibration:
    """The calibration in a file; an empty one where there is none that can be read."""
    try:
        return Calibration.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return Calibration()


def dump(calibration: Calibration) -> Mapping[str, object]:
    """For the file."""
    content: Mapping[str, object] = json.loads(calibration.model_dump_json())
    return content

"""What a screen will do and about how long it takes, said before it starts."""

from dataclasses import asdict, dataclass

from domains.drug.request import ScreeningRequest, Search

# Seconds a molecule on one core, and the share that goes on: averages over the shipped NCI set, EGFR, one thread.
STANDARDISE_S, FILTER_S, PREPARE_S = 1.5e-3, 2.5e-3, 0.02
KEPT_BY_FILTER = 0.9
FULL_S_PER_EXHAUSTIVENESS, COARSE_S, MAPS_S = 1.3, 0.3, 4.0


@dataclass(frozen=True)
class PlannedStage:
    """A stage with the rows it should see and the chip-seconds they should take."""

    name: str
    rows: int
    chip_s: float

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)


def plan(request: ScreeningRequest, records: int) -> list[PlannedStage]:
    """The stages of a screen of this many records; times are extrapolated from averages, good to a factor of two."""
    rows = min(request.sample or records, records)
    kept = round(rows * KEPT_BY_FILTER)
    stages = [
        PlannedStage("library", rows, 0.0),
        PlannedStage("standardise", rows, rows * STANDARDISE_S),
        PlannedStage("deduplicate", rows, 0.0),
        PlannedStage("filter", rows, rows * FILTER_S),
        PlannedStage("prepare", kept, kept * PREPARE_S),
    ]
    last = kept
    if request.coarse:
        last = min(kept, request.redocked)
        stages += [PlannedStage("dock-coarse", kept, MAPS_S + kept * COARSE_S), PlannedStage("select", kept, 0.0)]
    return [*stages, PlannedStage("dock", last, MAPS_S + last * dock_seconds(request.search))]


def dock_seconds(search: Search) -> float:
    """Seconds an average molecule docks on one core."""
    return FULL_S_PER_EXHAUSTIVENESS * search.exhaustiveness

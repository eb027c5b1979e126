"""What a screen will do and about how long it takes, said before it starts."""

from domains.drug.request import ScreeningRequest, Search
from domains.request import PlannedStage

# Seconds a molecule on one core, and the share that goes on: averages over the shipped NCI set, EGFR, one thread.
STANDARDISE_S, FILTER_S, STATES_S, PREPARE_S = 1.5e-3, 2.5e-3, 0.015, 0.02
KEPT_BY_FILTER, STATES_A_MOLECULE = 0.9, 2.0
FEATURISE_S, CHECK_S, REFINE_S, ADMET_S, LOAD_S = 1e-3, 3.0, 7.0, 0.015, 5.5
FULL_S_PER_EXHAUSTIVENESS, COARSE_S, MAPS_S = 1.3, 0.3, 4.0


def plan(request: ScreeningRequest, records: int) -> list[PlannedStage]:
    """The stages of a screen of this many records; times are extrapolated from averages, good to a factor of two."""
    rows = min(request.sample or records, records)
    kept = round(rows * KEPT_BY_FILTER)
    pool = round(kept * (STATES_A_MOLECULE if request.states else 1))
    docked = request.learning.counts(pool)[0] if request.learning else pool
    full_s = dock_seconds(request.search)
    first_s = COARSE_S if request.coarse else full_s
    stages = [
        PlannedStage("library", rows, 0.0),
        PlannedStage("standardise", rows, rows * STANDARDISE_S),
        PlannedStage("deduplicate", rows, 0.0),
        PlannedStage("filter", rows, rows * FILTER_S),
        *([PlannedStage("states", kept, kept * STATES_S)] if request.states else []),
        *([PlannedStage("featurise", pool, pool * FEATURISE_S)] if request.learning else []),
        PlannedStage("prepare", docked, docked * PREPARE_S),
        PlannedStage("dock-coarse" if request.coarse else "dock", docked, MAPS_S + docked * first_s),
    ]
    last = kept
    if request.coarse:
        last = min(kept, request.redocked)
        stages += [PlannedStage("select", kept, 0.0), PlannedStage("dock", last, MAPS_S + last * full_s)]
    return [*stages, *_final(request, min(last, request.finalists))]


def _final(request: ScreeningRequest, finalists: int) -> list[PlannedStage]:
    again = (request.seeds - 1) * finalists
    wanted = [
        (
            again,
            PlannedStage("other-seeds", again, (request.seeds - 1) * MAPS_S + again * dock_seconds(request.search)),
        ),
        (request.check_poses, PlannedStage("check-poses", finalists, finalists * CHECK_S)),
        (request.admet, PlannedStage("admet", finalists, LOAD_S + finalists * ADMET_S)),
        (request.refine, PlannedStage("refine", request.top, request.top * REFINE_S)),
    ]
    return [stage for is_wanted, stage in wanted if is_wanted]


def dock_seconds(search: Search) -> float:
    """Seconds an average molecule docks on one core."""
    return FULL_S_PER_EXHAUSTIVENESS * search.exhaustiveness

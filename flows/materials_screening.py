"""Materials screening: chemical systems to stable crystals, listed with what speaks for and against each."""

from typing import Any

from prefect import flow

from domains.materials.check import check
from domains.materials.request import MaterialsRequest
from tasks import materials
from tasks import materials_final as final
from tasks.learning import Acquired
from tasks.run import open_run
from tasks.stage import Source

PIPELINE = "materials-screening"


@flow(
    name=PIPELINE,
    flow_run_name="materials-{request.potential}",
    description="Search chemical systems for stable crystals with neural potentials.",
)
def materials_screening(request: MaterialsRequest = MaterialsRequest()) -> dict[str, Any]:
    """Search chemical systems for stable crystals with neural potentials.

    The elements are put on the sites of known structure types wherever charges balance. Every candidate is evaluated at three
    volumes; each formula keeps its best structure. The lowest above the hull of known compounds are relaxed, or those that a
    model which learns from the relaxed ones expects there. What stays near the hull is judged by a second potential, the
    best are tested for imaginary phonons, and the list comes with structures and inputs for density-functional codes.

    Args:
        request: Which elements, how many candidates, and how thoroughly. 哪些元素、多少候选、做到多细。

    Raises:
        InvalidRequest: before anything starts, when the request cannot run.
    """
    search = check(request)
    with open_run(PIPELINE, request, search) as run:
        listed = materials.listed(run, search)
        evaluated = materials.scanned(run, search, listed)
        formulas = materials.best_structures(run, evaluated)
        pool = materials.scanned_hull(run, search, formulas)
        acquired: Acquired | None = None
        relaxed: Source
        if request.learning:
            acquired = materials.learned(run, search, pool)
            relaxed = acquired.survivors
        else:
            relaxed = materials.best_relaxed(run, search, pool)
        stable = materials.stable(run, search, relaxed)
        ranked = final.ranked(run, search, stable, pool)
        ranked = final.with_phonons(run, search, ranked)
        top = final.chosen(run, search, stable, ranked)
        return final.deliver(run, search, pool, relaxed, ranked, top, acquired)

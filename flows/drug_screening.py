"""Virtual screening: from a library of molecules to docked, ranked hits in a report."""

from typing import Any

from prefect import flow

from domains.drug.check import check
from domains.drug.request import ScreeningRequest
from tasks import drug
from tasks import drug_final as final
from tasks.learning import Acquired
from tasks.run import open_run
from tasks.stage import Source

PIPELINE = "drug-screening"


@flow(
    name=PIPELINE,
    flow_run_name="screen-{request.target}",
    description="Screen a library of molecules against a receptor by docking.",
)
def drug_screening(request: ScreeningRequest = ScreeningRequest()) -> dict[str, Any]:
    """Screen a library of molecules against a receptor by docking.

    Every molecule is standardised, compared with the others, filtered by its properties, and given its states and their
    3D shapes. All, or those that active learning picks, are docked with a short search; the best of these are docked again
    with the full one. The finalists are looked at closely, and the hits are chosen among them.

    Args:
        request: What to screen, against what, and how thoroughly. 筛选什么、针对哪个靶点、做到多细。

    Raises:
        InvalidRequest: before anything starts, when the request cannot run.
    """
    screen = check(request)
    library = screen.library
    with open_run(PIPELINE, request, screen) as run:
        receptor = drug.place_receptor(run, screen.receptor)
        records = drug.read_library(run, library, request)
        molecules = drug.standardised(run, records)
        unique = drug.deduplicated(run, molecules)
        candidates = drug.drug_like(run, unique, request)
        pool = drug.in_states(run, candidates, request.states) if request.states else candidates
        search: Acquired | None = None
        ligands: Source
        docked: Source
        if request.learning:
            search, ligands = drug.learned(run, pool, receptor, request)
            docked = search.survivors
        else:
            ligands = drug.prepared(run, pool, request)
            docked = drug.docked_first(run, ligands, receptor, request)
        if request.states:
            docked = drug.best_states(run, docked, request)
        if request.coarse:
            chosen = drug.selected(run, docked, request.redocked)
            docked = drug.docked(run, ligands, chosen, receptor, request)
        best, finalists = final.finalists(run, docked, ligands, candidates, request)
        best = final.docked_again(run, best, receptor, request)
        if request.check_poses:
            best = final.checked(run, best, receptor)
        if request.admet:
            best = final.with_admet(run, best)
        hits = final.listed(run, best, finalists, request)
        if request.refine:
            hits = final.refined(run, hits, receptor)
        return final.deliver(run, library, receptor, request, docked, hits, search)

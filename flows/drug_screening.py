"""Virtual screening: from a library of molecules to docked, ranked hits in a report."""

from typing import Any

from prefect import flow

from domains.drug.check import check
from domains.drug.request import ScreeningRequest
from tasks import drug
from tasks.run import open_run
from tasks.stage import Narrowed

PIPELINE = "drug-screening"


@flow(
    name=PIPELINE,
    flow_run_name="screen-{request.target}",
    description="Screen a library of molecules against a receptor by docking.",
)
def drug_screening(request: ScreeningRequest = ScreeningRequest()) -> dict[str, Any]:
    """Screen a library of molecules against a receptor by docking.

    Every molecule is standardised, compared with the others, filtered by its properties and given a 3D shape. All are
    docked with a short search; the best of these are docked again with the full one, ranked and reported.

    Args:
        request: What to screen, against what, and how thoroughly.

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
        ligands = drug.prepared(run, candidates, request)
        chosen = ligands
        if request.coarse:
            coarse = drug.docked_coarsely(run, ligands, receptor, request)
            chosen = drug.selected(run, coarse, request.redocked)
        docked = drug.docked(run, Narrowed(ligands, chosen), receptor, request)
        return drug.deliver(run, library, receptor, request, candidates, ligands, docked)

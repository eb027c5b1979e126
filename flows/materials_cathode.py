"""Cathodes: hosts to voltage curves, capacities and migration barriers."""

from typing import Any

from prefect import flow

from domains.materials.battery import OUTPUT
from domains.materials.cathode_request import CathodeRequest, check
from domains.materials.references import choose
from tasks import materials_cathode as cathode
from tasks.run import open_run

PIPELINE = "materials-cathode"


@flow(
    name=PIPELINE,
    flow_run_name="cathode-{request.potential}",
    description="Voltage curve, volume change and migration barrier of insertion hosts.",
)
def materials_cathode(request: CathodeRequest = CathodeRequest()) -> dict[str, Any]:
    """Voltage curve, volume change and migration barrier of insertion hosts.

    The working ion is taken out of each host step by step. At each charge the arrangements of the ions that are left with the
    lowest Ewald energies are relaxed, and the lowest is kept. Energies against the ion's metal give the voltages; the full and
    the empty host are compared with the hull of known compounds. A nudged elastic band gives the barrier of the ion's hops.

    Args:
        request: Which hosts, which ion, and how thoroughly. 哪些宿主材料、哪种离子、做到多细。

    Raises:
        InvalidRequest: before anything starts, when the request cannot run.
    """
    study = check(request)
    with open_run(PIPELINE, request, study) as run:
        references = choose(study.potential.convention, study.potential.name)
        steps = cathode.charged(run, study)
        heights = cathode.above_hull(run, study, steps, references)
        hops = cathode.barriers(run, study, steps) if request.barrier else []
        rows = list(steps.ended((*cathode.FACTS, *OUTPUT.names)).values())
        return cathode.deliver(run, study, references, rows, heights, hops)

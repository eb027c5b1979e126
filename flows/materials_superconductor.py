"""Superconductors: metals to stable lattices, electron-phonon coupling, and a Tc only where that was computed."""

from typing import Any

from prefect import flow

from domains.materials.superconductor_request import SuperconductorRequest, check
from tasks import materials_superconductor as superconductor
from tasks.run import open_run

PIPELINE = "materials-superconductor"


@flow(
    name=PIPELINE,
    flow_run_name="superconductor-{request.phonon_potential}",
    description="Order metals by what is learnt of Tc, test their lattices, compute or hand off their coupling.",
)
def materials_superconductor(request: SuperconductorRequest = SuperconductorRequest()) -> dict[str, Any]:
    """Order metals by what is learnt of Tc, test their lattices, compute or hand off their electron-phonon coupling.

    A model of measured Tc orders the materials where such data are there. The best are tested for imaginary modes by a neural
    potential. For the stable ones ph.x computes the electron-phonon coupling where it is installed, and Tc follows by Allen
    and Dynes; elsewhere its inputs are written. A frequency or a prediction is never called Tc.

    Args:
        request: Which materials, and how far to go. 哪些材料、计算到哪一步。

    Raises:
        InvalidRequest: before anything starts, when the request cannot run.
    """
    study = check(request)
    with open_run(PIPELINE, request, study) as run:
        listed = superconductor.listed(run, study)
        predictions = superconductor.predicted(run, study, listed) if study.surrogate else {}
        chosen = superconductor.selected(run, study, listed, predictions)
        tested = superconductor.with_phonons(run, study, chosen)
        couplings = superconductor.coupled(run, study, tested)
        return superconductor.deliver(run, study, chosen, predictions, tested, couplings)

"""Variants: ligands docked into mutants of a target, and how often each keeps the pose it has in the wild type."""

from typing import Any

from prefect import flow

from domains.drug.variants import VariantsRequest, check
from tasks import drug
from tasks import drug_variants as variants
from tasks.drug_variants_report import deliver
from tasks.run import open_run

PIPELINE = "drug-variants"


@flow(
    name=PIPELINE,
    flow_run_name="variants-{request.target}",
    description="Dock ligands into mutants of a target and see which keep their pose.",
)
def drug_variants(request: VariantsRequest = VariantsRequest()) -> dict[str, Any]:
    """Dock ligands into mutants of a target and see which keep their pose.

    Each variant is built from the biological assembly of a crystal structure: mutations on every chain, what was missing added,
    what was invented relaxed. Every ligand is docked into every variant with several seeds. A ligand keeps its pose where one
    of the best nine poses lies within 2 Å of the crystal's, or of the one that most seeds agree on in the wild type.

    Args:
        request: Which ligands, which variants of which target, and how thoroughly. 哪些配体、哪个靶点的哪些变体、做到多细。

    Raises:
        InvalidRequest: before anything starts, when the request cannot run.
    """
    panel = check(request)
    with open_run(PIPELINE, request, panel) as run:
        records = variants.read_ligands(run, panel)
        molecules = drug.standardised(run, records)
        unique = drug.deduplicated(run, molecules)
        candidates = drug.drug_like(run, unique, request.front)
        ligands = drug.prepared(run, candidates, request.front)
        receptors = variants.receptors(run, panel, variants.built(run, panel))
        docks = {name: variants.docked(run, panel, receptor, ligands) for name, receptor in receptors.items()}
        references = variants.referenced(run, panel, ligands, docks)
        compared = variants.compared(run, panel, receptors, ligands, references, docks)
        return deliver(run, panel, candidates, ligands, receptors, references, compared)

"""A variants run that is real and takes seconds: ``python -m tests.flows.small_variants FOLDER NAME``."""

import sys
from pathlib import Path
from typing import Any

from tests.domains.drug.mpro import small_target

LIGANDS = """Cc1ccncc1NC(=O)Cc1cccc(Cl)c1 pyridine
CC(=O)Nc1ccc(C=O)cc1 aldehyde
C1CC broken
CC(=O)Nc1ccc(C=O)cc1 again
"""
TABLES = ("conservation.csv", "poses.sdf", "outcomes.parquet")


def request(folder: Path, **changes: object) -> dict[str, Any]:
    """Two ligands and the control, two variants, two seeds, a short search."""
    library = folder / "ligands.smi"
    library.write_text(LIGANDS)
    return {
        "variants": "E166V",
        "library": str(library),
        "seeds": 2,
        "search": {"exhaustiveness": 1, "max_evals": 3000, "n_poses": 9},
        "profile": "emulated:two-supernodes",
        **changes,
    }


def main(folder: Path, name: str) -> None:
    """Run it to the end, in AI4S_RUNS."""
    from domains.drug.variants import VariantsRequest
    from flows.drug_variants import drug_variants

    with small_target(folder):
        drug_variants(VariantsRequest.model_validate(request(folder, name=name)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])

"""What a variants run delivers: tables, poses, receptors, the report page, and the same as Prefect artifacts."""

from typing import Any

import pyarrow as pa
from prefect import task
from prefect.cache_policies import NO_CACHE
from rdkit import Chem

from domains.csv_table import as_csv
from domains.drug import panel
from domains.drug.compare import OUTPUT as COMPARED
from domains.drug.variants import Panel
from domains.drug.warheads import warheads
from tasks.artifacts import publish
from tasks.drug_variants_page import Page, Receptors, score_range
from tasks.report import write_report
from tasks.results import write_outcomes
from tasks.run import Run
from tasks.stage import Survivors
from tasks.store import write_atomic

DOCK = ("ligand", "variant", "seed", "score", *(name for name in COMPARED.names))


@task(name="deliver", cache_policy=NO_CACHE)
def deliver(
    run: Run,
    asked: Panel,
    candidates: Survivors,
    ligands: Survivors,
    receptors: Receptors,
    references: Survivors,
    compared: Survivors,
) -> dict[str, Any]:
    """Write everything into the run's folder and publish the artifacts; returns what the flow's caller sees."""
    found = panel.cells(compared.tables(list(DOCK)))
    shown = _ligands(candidates, ligands, references)
    built = [variant for variant in asked.variants if variant.name in receptors]
    rows = panel.table(shown, built, found, asked.request.seeds)
    root = run.store.root
    write_outcomes(run.store, run.stages)
    write_atomic(root / "conservation.csv", as_csv(rows))
    write_atomic(root / "poses.sdf", panel.as_sdf(shown, built, found).encode())
    page = Page(asked, shown, built, receptors, found)
    report = write_report(run, page.findings())
    publish(run, page.answer(), report, _brief(rows), "conservation", "Pose conservation")
    return {
        "run": run.store.name,
        "folder": str(root),
        "report": report,
        "target": asked.target.name,
        "conservation": _brief(rows),
    }


def _ligands(candidates: Survivors, prepared: Survivors, references: Survivors) -> list[dict[str, Any]]:
    """Every ligand that has a reference pose, the control first, then as in the library."""
    smiles = candidates.by_id(["name", "smiles"])
    shapes = prepared.by_id(["mol", "atom_map"])
    rows = []
    for table in references.tables(["id", "reference", "reference_kind", "support", "seeds"]):
        for row in table.to_pylist():
            known = smiles[row["id"]]
            groups = warheads(Chem.MolFromSmiles(known["smiles"]))
            name = known["name"] or f"row {row['id']}"
            rows.append({**row, **known, **shapes[row["id"]], "name": name, "warheads": groups})
    return sorted(rows, key=lambda row: (row["reference_kind"] != "crystal", row["id"]))


def _brief(rows: pa.Table) -> list[dict[str, Any]]:
    return [
        {
            "ligand": row["ligand"],
            "variant": row["variant"],
            "conserved": f"{row['conserved']}/{row['docked']}",
            "nearest (Å)": None if row["nearest_rmsd"] is None else round(row["nearest_rmsd"], 2),
            "scores (kcal/mol)": score_range(row["best_score"], row["worst_score"]),
        }
        for row in rows.to_pylist()
    ]

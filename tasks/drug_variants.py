"""The stages of a variants run as Prefect tasks: what screening has as well comes from ``tasks.drug``."""

import hashlib
from collections.abc import Mapping
from functools import partial
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from rdkit import Chem

from domains.drug import build, compare, conservation, prepared, replicas, standardise, structure, variants, vina
from domains.drug.mutations import WILD_TYPE
from domains.drug.variants import Panel
from domains.model import Frozen
from tasks.drug import NOTHING
from tasks.drug_variants_rows import SHAPE, Docks, LigandRows, Referenced, Replicas, VariantRows, WithWildType
from tasks.provenance import package_version
from tasks.run import Run
from tasks.shard import Stage
from tasks.stage import Survivors, run_stage, run_stage_here
from tasks.store import write_atomic


class LigandSettings(Frozen):
    """Which records of which file, and which control."""

    sha256: str
    sample: int | None
    seed: int
    control: str


@task(name="library", cache_policy=NO_CACHE)
def read_ligands(run: Run, panel: Panel) -> Survivors:
    """Read the ligands into the run, each with its row number."""
    request = panel.request
    settings = LigandSettings(
        sha256=panel.library.sha256 if panel.library else "",
        sample=request.sample,
        seed=request.seed,
        control=panel.target.reference.smiles if request.control else "",
    )
    stage = Stage(
        "library",
        "Ligands",
        "配体",
        standardise.accept,
        settings,
        version="1",
        reads=("structure", "problem"),
        carries=("name", "structure"),
        output=NOTHING,
        cost=1e-6,
    )
    return run_stage_here(run, stage, LigandRows(panel))


@task(name="build", cache_policy=NO_CACHE)
def built(run: Run, panel: Panel) -> Survivors:
    """Mutate, complete, relax and type each variant of the biological assembly."""
    path = run.store.root / "structure.pdb"
    write_atomic(path, panel.pdb.encode(), replace=False)
    stage = Stage(
        "build",
        "Build receptor variants",
        "构建受体变体",
        build.Build,
        prepared.settings(panel.target, path),
        version=prepared.versions(),
        reads=("mutations",),
        output=build.OUTPUT,
        cost=variants.BUILD_S,
        limit_s=900.0,
        annotates=True,
    )
    return run_stage(run, stage, VariantRows(panel))


def receptors(run: Run, panel: Panel, variants_built: Survivors) -> dict[str, dict[str, Any]]:
    """Write each built variant into the run's folder; its row by name, in the order of the request."""
    folder = run.store.root / "receptors"
    folder.mkdir(exist_ok=True)
    rows = [row for table in variants_built.tables(["name", *build.OUTPUT.names]) for row in table.to_pylist()]
    for row in rows:
        for kind in ("pdb", "pdbqt"):
            row[f"{kind}_path"] = folder / f"{row['name']}.{kind}"
            write_atomic(row[f"{kind}_path"], row[kind].encode())
    order = variants.ranks(panel.variants)
    return {row["name"]: row for row in sorted(rows, key=lambda row: order[row["name"]])}


@task(name="dock", cache_policy=NO_CACHE)
def docked(run: Run, panel: Panel, receptor: Mapping[str, Any], ligands: Survivors) -> Survivors:
    """Dock every ligand into one variant, once for each seed."""
    name, request = receptor["name"], panel.request
    settings = vina.DockSettings(
        receptor=f"{panel.target.name} {name}",
        receptor_sha256=receptor["sha256"],
        path=receptor["pdbqt_path"],
        center=panel.box.center,
        size=panel.box.size,
        search=request.search,
        seed=request.seed,
    )
    stage = Stage(
        variants.dock_stage(name),
        f"Dock into {name}",
        f"对接 {name}",
        replicas.DockReplica,
        settings,
        version=f"1; vina {package_version('vina')}",
        reads=("pdbqt", "seed"),
        carries=("name", "ligand", "variant", "seed", "heavy_atoms", "torsions"),
        output=replicas.OUTPUT,
        cost=partial(vina.cost, search=request.search),
        limit_s=300.0,  # the first dock of each seed computes its maps
    )
    rank = variants.ranks(panel.variants)[name]
    return run_stage(run, stage, Replicas(ligands, name, rank, request.docking_seeds))


@task(name="reference", cache_policy=NO_CACHE)
def referenced(run: Run, panel: Panel, ligands: Survivors, docks: Docks) -> Survivors:
    """The pose that each ligand is compared with."""
    target = panel.target
    model = structure.assembly(panel.pdb, target.chains)
    crystal = structure.posed_ligand(
        structure.ligand(model, target.site.chain, target.site.ligand), target.reference.smiles
    )
    stage = Stage(
        "reference",
        "Reference poses",
        "参考构象",
        conservation.references,
        conservation.ReferenceSettings(crystal=Chem.MolToMolBlock(crystal)),
        version=f"2; rdkit {package_version('rdkit')}",
        reads=(*SHAPE, "wild_type"),
        output=conservation.OUTPUT,
        cost=variants.REFERENCE_S,
        annotates=True,
    )
    return run_stage(run, stage, WithWildType(ligands, docks.get(WILD_TYPE)))


@task(name="compare", cache_policy=NO_CACHE)
def compared(
    run: Run,
    panel: Panel,
    receptors_built: Mapping[str, Mapping[str, Any]],
    ligands: Survivors,
    references: Survivors,
    docks: Docks,
) -> Survivors:
    """Is the reference pose among each dock's poses, and what does the nearest of them touch."""
    structures = tuple(
        compare.VariantStructure(
            name=name, path=row["pdb_path"], sha256=hashlib.sha256(row["pdb"].encode()).hexdigest()
        )
        for name, row in receptors_built.items()
    )
    stage = Stage(
        "compare",
        "Compare with the reference pose",
        "与参考构象比较",
        compare.Compare,
        compare.CompareSettings(structures=structures),
        version=f"2; prolif {package_version('prolif')}; rdkit {package_version('rdkit')}",
        reads=("variant", *SHAPE, "poses", "scores", "reference"),
        carries=("name", "ligand", "variant", "seed", "score"),
        output=compare.OUTPUT,
        cost=variants.COMPARE_S,
    )
    return run_stage(run, stage, Referenced(ligands, references, docks))

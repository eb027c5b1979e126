"""Redocking: crystal ligands docked back from their SMILES: imatinib into ABL1 (1IEP), an inhibitor into the Mpro dimer."""

import argparse
import gzip
import tempfile
import time
from pathlib import Path

from rdkit import Chem
from rdkit.Chem import rdMolAlign
from rdkit.Chem.MolStandardize import rdMolStandardize

from benchmarks.bench import Row, data_folders, main
from benchmarks.docking import SEED, prepare_and_dock, settings
from benchmarks.variants import SEEDS, TARGET, read_structure, redock
from domains.drug import targets
from domains.drug.hits import posed
from domains.drug.request import Search

RECEPTOR, LIGAND = "drug/1iep_receptorH.pdb.gz", "drug/1iep_ligand.sdf"
EDGE = 22.0


def data_folder() -> Path | None:
    """Where the public data lies: AI4S_DATA, then ../shared/data."""
    return next((one for one in data_folders() if (one / RECEPTOR).exists() and (one / LIGAND).exists()), None)


def receptor_pdbqt(pdb: str) -> str:
    """Type a receptor that has its hydrogens; raises RuntimeError rather than drop a residue."""
    from meeko import MoleculePreparation, PDBQTWriterLegacy, Polymer, ResidueChemTemplates

    # The file has one hydrogen of its last residue at its head: put every residue's atoms together again.
    atoms = [line for line in pdb.splitlines() if line.startswith("ATOM")]
    atoms.sort(key=lambda line: (line[21], int(line[22:26])))
    templates = ResidueChemTemplates.create_from_defaults()
    polymer = Polymer.from_pdb_string("\n".join([*atoms, "END", ""]), templates, MoleculePreparation())
    pdbqt, _ = PDBQTWriterLegacy.write_from_polymer(polymer)
    given, made = heavy_atoms(atoms), heavy_atoms(pdbqt.splitlines())
    if made != given:
        raise RuntimeError(f"the receptor has {given} heavy atoms, its PDBQT {made}")
    return str(pdbqt)


def heavy_atoms(lines: list[str]) -> int:
    """Atoms that are not hydrogen in lines of PDB or PDBQT."""
    return sum(line.startswith("ATOM") and not line[12:16].strip().lstrip("123").startswith("H") for line in lines)


def crystal_ligand(path: Path) -> Chem.Mol:
    """The ligand as in the crystal, protonated as its authors did, without hydrogens."""
    return Chem.RemoveHs(Chem.MolFromMolFile(str(path)))


def neutral(mol: Chem.Mol) -> Chem.Mol:
    """The same without its charge, as our standardise stage has it."""
    return rdMolStandardize.Uncharger().uncharge(mol)


def dock_back(crystal: Chem.Mol, receptor: Path, exhaustiveness: int, seed: int) -> tuple[float, float]:
    """RMSD (Å) and score (kcal/mol) of the top pose, from SMILES: of the crystal's pose only the centre goes in."""
    x, y, z = crystal.GetConformer().GetPositions().mean(axis=0).tolist()
    dock = settings(receptor, (x, y, z), EDGE, Search(exhaustiveness=exhaustiveness, n_poses=9), seed)
    (row,) = prepare_and_dock([Chem.MolToSmiles(crystal)], dock)
    if row["outcome"] != "ok":
        raise RuntimeError(f"imatinib ended as {row['outcome']}: {row['reason']}")
    return float(rdMolAlign.CalcRMS(posed(row), crystal)), float(row["score"])


def figures(data: Path, exhaustiveness: int, quick: bool) -> list[Row]:
    """The control with the default seed; unless quick, what another seed and another protonation make of it."""
    crystal = crystal_ligand(data / LIGAND)
    with tempfile.TemporaryDirectory(prefix="ai4s-bench-") as folder:
        receptor = Path(folder, "1iep.pdbqt")
        receptor.write_text(receptor_pdbqt(gzip.decompress((data / RECEPTOR).read_bytes()).decode()))
        started = time.perf_counter()
        rmsd, score = dock_back(crystal, receptor, exhaustiveness, SEED)
        seconds = time.perf_counter() - started
        others = () if quick else (("neutral", neutral(crystal), SEED), *((f"seed {n}", crystal, n) for n in (1, 2)))
        more = [(name, dock_back(mol, receptor, exhaustiveness, seed)) for name, mol, seed in others]
    skip = "quick, exhaustiveness 1" if quick else ""
    note = f"heavy atoms, symmetric ones exchanged, not aligned; exhaustiveness {exhaustiveness}, seed {SEED}"
    return [
        Row.judged("RMSD of the top pose to the crystal", rmsd, "Å", "<= 1", note, not_judged=skip),
        Row("score of the top pose", score, "kcal/mol"),
        Row("prepare and dock, one core", seconds, "s"),
        *(Row(f"RMSD, {name}", other, "Å", note=f"score {best:.2f}; not judged") for name, (other, best) in more),
    ]


def dimer(quick: bool) -> list[Row]:
    """The main protease as the dimer it is: its first pose is a matter of the seed, so the best nine are judged."""
    target = targets.chosen(TARGET)
    text = read_structure(target)
    if text is None:
        return [Row("Mpro dimer: skipped", None, note=f"no {target.file} in AI4S_DATA or ../shared/data")]
    search, seeds = Search(exhaustiveness=1 if quick else 8, n_poses=9), SEEDS[:1] if quick else SEEDS
    found = redock(target, text, ["WT"], search, seeds)["WT"]
    missed = [f"seed {seed}: {rmsd[0]:.2f} Å" for seed, rmsd in zip(seeds, found.rmsd, strict=True) if rmsd[0] > 2]
    note = f"exhaustiveness {search.exhaustiveness}; nearest: {', '.join(f'{best:.2f}' for best in found.best)} Å"
    skip = "quick, one seed, exhaustiveness 1" if quick else ""
    return [
        Row.judged(
            "Mpro dimer: seeds with a pose within 2 Å in the top 9", found.conserved, "", ">= 3", note, not_judged=skip
        ),
        Row("Mpro dimer: top poses that miss (over 2 Å)", len(missed), note="; ".join(missed) or "none"),
    ]


def measure(arguments: argparse.Namespace) -> list[Row]:
    data = data_folder()
    first = (
        figures(data, 1 if arguments.quick else 4, arguments.quick)
        if data is not None
        else [Row("skipped", None, note=f"no {RECEPTOR} and {LIGAND} in AI4S_DATA or ../shared/data")]
    )
    return [*first, *dimer(arguments.quick)]


if __name__ == "__main__":
    main(measure, __doc__)

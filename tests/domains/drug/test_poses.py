"""Pose checks, interactions and relaxation on a crystal complex, and what is said where chemistry is not known."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdkit import Chem
from rdkit.Chem import rdDistGeom, rdMolAlign, rdMolTransforms

from domains.drug import hits, interactions, pocket, poses, prepare, protein, receptors, refine
from domains.drug.outcomes import MEANINGS, Outcome
from tasks.child import Answer, Child
from tests.domains.drug.abl1 import crystal, crystal_row, receptor_pdb, receptor_settings, shifted


@pytest.fixture(scope="module")
def row():
    return crystal_row()


@pytest.fixture(scope="module")
def receptor(tmp_path_factory):
    return receptor_settings(tmp_path_factory.mktemp("abl1"))


# ------------------------------------------------------------------------------------------------ the receptor


def test_every_shipped_pocket_is_read_with_bonds_and_hydrogens():
    omitted = set()
    for name in receptors.shipped():
        receptor = receptors.load(name)
        residues = protein.read(receptor.path.read_text())
        site = pocket.cut(residues, np.array([receptor.center]), 8.0)
        omitted |= {residue.name for residue in site.omitted}
        assert len(site.residues) > 5, name
        assert all(atom.GetNumRadicalElectrons() == 0 for atom in site.mol.GetAtoms()), name
        assert all(atom.GetPDBResidueInfo() is not None for atom in site.mol.GetAtoms())
    assert omitted == {"HEM", "NDP", "NAP", "FAD", "ADP"}


def test_template_bonds_are_bonds_in_a_crystal():
    residues = protein.read(receptor_pdb())
    assert {residue.kind for residue in residues} == set(protein.templates()) - {"ACE", "NMA"}
    for residue in residues:
        for one, other, _ in protein.templates()[residue.kind].bonds:
            assert 1.1 < np.linalg.norm(np.diff(residue.at(one, other), axis=0)) < 1.95, (residue.label, one, other)


def test_polar_hydrogens_or_all_of_them_give_the_same_molecule(row):
    around = np.array(row["pose"]).reshape(-1, 3)
    everything = protein.read(receptor_pdb())
    polar = [_with_polar_hydrogens_only(residue) for residue in everything]
    one, two = (pocket.cut(residues, around, 5.0).mol for residues in (everything, polar))
    assert one.GetNumAtoms() == two.GetNumAtoms()
    assert Chem.GetFormalCharge(one) == Chem.GetFormalCharge(two)
    assert Chem.MolToSmiles(Chem.RemoveHs(one)) == Chem.MolToSmiles(Chem.RemoveHs(two))


def _with_polar_hydrogens_only(residue):
    kept = []
    for at, element in enumerate(residue.elements):
        apart = np.linalg.norm(residue.at(*residue.heavy) - residue.xyz[at], axis=1)
        holder = residue.heavy[int(np.argmin(apart))]
        kept.append(element != "H" or not holder.startswith("C"))
    names, elements = zip(
        *((n, e) for n, e, keep in zip(residue.names, residue.elements, kept, strict=True) if keep), strict=True
    )
    return protein.Residue(residue.name, residue.number, residue.chain, names, elements, residue.xyz[kept])


def written(name, residue, number, xyz, location=" ", element="C"):
    """An atom's line in a PDB file; the number may end with an insertion code."""
    place = f"{number:>4} " if number[-1].isdigit() else f"{number:>5}"
    shown = "".join(f"{value:8.3f}" for value in xyz)
    return f"HETATM    1 {name:<4}{location}{residue} A{place}   {shown}  1.00  0.00          {element:>2}"


def test_one_alternative_location_of_each_residue_is_read():
    lines = [
        written(" CA ", "SER", "7", (0, 0, 0)), written(" OG ", "SER", "7", (1, 0, 0), "B", "O"),
        written(" OG ", "SER", "7", (2, 0, 0), "C", "O"), written(" CB ", "ALA", "8", (5, 0, 0), "A"),
        written(" CB ", "GLY", "8", (6, 0, 0), "B"),
    ]  # fmt: skip
    serine, alanine = protein.read("\n".join(lines))
    assert serine.names == ("CA", "OG")
    assert serine.at("OG")[0, 0] == 1
    assert (alanine.name, len(alanine.names)) == ("ALA", 1)


def test_insertion_codes_and_elements_without_their_column_are_read():
    lines = [written("ZN  ", " ZN", "60", (0, 0, 0), element=""), written(" CA ", "TYR", "60A", (9, 0, 0), element="")]
    lines += [
        written(" CA ", "TYR", "60", (20, 0, 0), element=""),
        written("HG11", "VAL", "61", (30, 0, 0), element=""),
    ]
    residues = protein.read("\n".join(lines))
    assert [residue.label for residue in residues] == ["ZN60.A", "TYR60A.A", "TYR60.A", "VAL61.A"]
    assert [residue.elements[0] for residue in residues] == ["Zn", "C", "C", "H"]


def test_a_thiolate_keeps_its_charge_and_a_disulfide_its_other_half():
    cyp = protein.read(receptors.load("CYP2C9").path.read_text())
    thiolate = next(residue for residue in cyp if residue.name == "CYM")
    site = pocket.cut(cyp, thiolate.at("SG"), 1.0)
    (sulfur,) = [atom for atom in site.mol.GetAtoms() if atom.GetSymbol() == "S"]
    assert (sulfur.GetFormalCharge(), sulfur.GetTotalNumHs(includeNeighbors=True)) == (-1, 0)
    ache = protein.read(receptors.load("ACHE").path.read_text())
    half, other = next((one, two) for one, two, ends in pocket._disulfides(ache) if ends == ("SG", "SG"))
    site = pocket.cut(ache, half.at("CB"), 0.5)
    assert other not in protein.near(ache, half.at("CB"), 0.5)
    assert site.mol.HasSubstructMatch(Chem.MolFromSmarts("[#6]-S-S-[#6]"))


# ------------------------------------------------------------------------------------------------ PoseBusters


def test_the_crystal_passes_and_a_pose_inside_the_protein_does_not(row, receptor):
    checker = poses.CheckPose(receptor)
    good = checker(row)
    assert good["outcome"] is Outcome.ok
    assert good["failed_checks"] == []
    assert set(good["bust"]) == set(poses.CHECKS)
    assert checker(row) == good
    bad = checker(shifted(row, (3.0, 0.0, 0.0)))
    assert bad["outcome"] is Outcome.ok  # a flag, not a filter
    assert "minimum_distance_to_protein" in bad["failed_checks"]
    assert "bond_lengths" not in bad["failed_checks"]
    far = checker(shifted(row, (500.0, 0.0, 0.0)))
    assert far["outcome"] is Outcome.engine_error


def test_a_clash_with_a_cofactor_is_told_apart_from_the_protein():
    ligand = crystal_row()
    receptor = receptors.load("CYP2C9")
    haem = next(residue for residue in protein.read(receptor.path.read_text()) if residue.name == "HEM")
    middle = np.array(ligand["pose"]).reshape(-1, 3).mean(axis=0)
    moved = shifted(ligand, (haem.xyz.mean(axis=0) - middle).tolist())
    checker = poses.CheckPose(poses.ReceptorSettings(receptor_sha256=receptor.sha256, path=receptor.path))
    assert "minimum_distance_to_organic_cofactors" in checker(moved)["failed_checks"]


def test_engines_of_poses_run_in_a_child_as_stages_use_them(row, receptor):
    child = Child(6 * 2**30)
    try:
        child.open(interactions.Interactions, receptor)
        answer = child.call(row, 120)
    finally:
        child.close()
    assert isinstance(answer, Answer)
    assert answer.result["interactions_by"] == interactions.PROLIF


def test_another_receptor_than_the_run_began_with_is_refused(receptor):
    with pytest.raises(ValueError, match="is not the receptor that the run began with"):
        interactions.Interactions(receptor.model_copy(update={"receptor_sha256": "0" * 64}))


# ------------------------------------------------------------------------------------------------ consensus of seeds


@pytest.fixture(scope="module")
def benzoate():
    """A molecule with symmetric atoms, as a docked row whose pose may be any."""
    mol = Chem.AddHs(Chem.MolFromSmiles("O=C([O-])c1ccccc1"))
    rdDistGeom.EmbedMolecule(mol, randomSeed=1)
    return {"mol": mol.ToBinary(), "atom_map": list(range(mol.GetNumAtoms()))}, mol.GetConformer().GetPositions()


def replica(xyz, *offsets, best=-8.0):
    return {
        "poses": [(xyz + np.array(offset)).ravel().tolist() for offset in offsets],
        "scores": [best + 0.5 * at for at in range(len(offsets))],
    }


def test_symmetric_atoms_are_no_distance(benzoate):
    ligand, xyz = benzoate
    mol = Chem.Mol(ligand["mol"])
    turned = Chem.Mol(mol)
    axis = np.eye(4)
    half = xyz[1] - xyz[3]
    unit = half / np.linalg.norm(half)
    axis[:3, :3] = 2 * np.outer(unit, unit) - np.eye(3)  # half a turn around the bond to the ring
    axis[:3, 3] = xyz[1] - axis[:3, :3] @ xyz[1]
    rdMolTransforms.TransformConformer(turned.GetConformer(), axis)
    apart = poses.rmsd_matrix([Chem.RemoveHs(mol), Chem.RemoveHs(turned)])
    assert apart[0, 1] < 0.2
    assert np.linalg.norm(turned.GetConformer().GetPositions() - xyz, axis=1).max() > 2


@pytest.mark.parametrize(
    "smiles", ["O=S(=O)([O-])c1ccc(C(=O)O)cc1", "NC(=[NH2+])c1ccccc1C(F)(F)F", "CC(C)(C)Oc1ccncc1"]
)
def test_distances_between_poses_are_those_of_rdkit(smiles):
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    rdDistGeom.EmbedMultipleConfs(mol, 5, randomSeed=3)
    plain = Chem.RemoveHs(mol)
    mols = [Chem.Mol(plain, confId=conformer.GetId()) for conformer in plain.GetConformers()]
    assert len(mols) == 5
    expected = [[rdMolAlign.CalcRMS(Chem.Mol(one), other) for other in mols] for one in mols]
    assert np.allclose(poses.rmsd_matrix(mols), expected, atol=1e-5)


def test_consensus_counts_seeds_whose_best_pose_agrees(benzoate):
    ligand, xyz = benzoate
    agree = [
        replica(xyz, (0, 0, 0), (9, 0, 0)),
        replica(xyz, (0.5, 0, 0), (0, 9, 0)),
        replica(xyz, (9, 9, 9), (0, 0.5, 0)),
    ]
    found = poses.consensus(ligand, agree)
    assert (found.seeds, found.clusters) == (3, 4)
    assert found.share == pytest.approx(2 / 3)
    assert found.reached == 1.0
    assert found.best == (0, 0)
    assert (found.score_mean, found.score_range) == (-8.0, 0.0)
    alone = poses.consensus(ligand, agree[:1])
    assert (alone.share, alone.reached) == (1.0, 1.0)


def test_a_tie_goes_to_the_better_score(benzoate):
    ligand, xyz = benzoate
    found = poses.consensus(ligand, [replica(xyz, (0, 0, 0)), replica(xyz, (9, 0, 0), best=-9.0)])
    assert (found.share, found.best, found.score_range) == (0.5, (1, 0), 1.0)


@settings(max_examples=15, deadline=None)
@given(order=st.permutations(range(4)), offsets=st.lists(st.integers(0, 3), min_size=4, max_size=4))
def test_the_order_of_seeds_does_not_change_the_consensus(benzoate, order, offsets):
    ligand, xyz = benzoate
    given_rows = [replica(xyz, (5.0 * at, 0, 0), best=-8 - 0.1 * number) for number, at in enumerate(offsets)]
    one, two = poses.consensus(ligand, given_rows), poses.consensus(ligand, [given_rows[at] for at in order])
    assert (one.share, one.reached, one.clusters) == (two.share, two.reached, two.clusters)
    assert order[two.best[0]] == one.best[0]
    assert one.share == max(offsets.count(at) for at in offsets) / 4


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0, 20), min_size=1, max_size=12))
def test_poses_of_a_cluster_are_all_within_its_limit(places):
    apart = np.abs(np.subtract.outer(places, places))
    labels = poses.clusters(apart)
    for label in set(labels.tolist()):
        assert apart[np.ix_(labels == label, labels == label)].max() <= poses.SAME_POSE


# ------------------------------------------------------------------------------------------------ interactions


def test_imatinib_binds_as_the_literature_says(row, receptor):
    """The five hydrogen bonds of Nagar et al., Cancer Research 2002: Glu286, Thr315, Met318, Ile360 or His361, Asp381."""
    found = interactions.Interactions(receptor)(row)
    assert found["outcome"] is Outcome.ok
    assert found["interactions_by"] == interactions.PROLIF
    bonds = {(one["residue"], one["kind"]) for one in found["interactions"] if one["kind"].startswith("HB")}
    assert bonds >= {
        ("GLU286.A", "HBDonor"), ("THR315.A", "HBDonor"), ("MET318.A", "HBAcceptor"), ("ILE360.A", "HBDonor"),
        ("ASP381.A", "HBAcceptor"),
    }  # fmt: skip
    hinge = next(one for one in found["interactions"] if one["residue"] == "MET318.A")
    assert crystal().GetAtomWithIdx(hinge["ligand_atoms"][0]).GetSymbol() == "N"
    assert hinge["receptor_atoms"] == ["N"]
    assert 2.5 < hinge["distance"] < 3.5


def test_hydrogens_are_placed_again_where_docking_left_them_behind(row):
    mol = Chem.Mol(row["mol"])
    xyz = np.array(row["pose"]).reshape(-1, 3)
    docked_atoms = [
        atom.GetIdx()
        for atom in mol.GetAtoms()
        if atom.GetAtomicNum() > 1 or atom.GetNeighbors()[0].GetAtomicNum() != 6  # as docking programs keep them
    ]
    docked = {**row, "atom_map": docked_atoms, "pose": (xyz[docked_atoms] + 7.0).ravel().tolist()}
    made, pose = interactions.with_hydrogens(docked), hits.posed(docked)
    assert made.GetNumAtoms() == mol.GetNumAtoms()
    places = made.GetConformer().GetPositions()
    assert np.allclose(places[: pose.GetNumAtoms()], pose.GetConformer().GetPositions(), atol=1e-5)
    assert [a.GetSymbol() for a in made.GetAtoms()][: pose.GetNumAtoms()] == [a.GetSymbol() for a in pose.GetAtoms()]
    for bond in made.GetBonds():
        assert 0.9 < np.linalg.norm(places[bond.GetBeginAtomIdx()] - places[bond.GetEndAtomIdx()]) < 1.7


@pytest.mark.parametrize(
    "smiles",
    ["C[C@H](N)C(=O)N1CCC[C@H]1C(=O)O", "[2H]C([2H])([2H])Oc1ccc(C[C@@H](C)O)cc1", "[H]/N=C(\\N)c1ccc([C@@H](F)C)cc1"],
)
def test_centres_keep_their_hydrogens_and_atoms_their_numbers(smiles):
    made = prepare.Prepare(prepare.PrepareSettings(seed=1))({"smiles": smiles})
    xyz = Chem.Mol(made["mol"]).GetConformer().GetPositions()
    row = {**made, "pose": (xyz[made["atom_map"]] + 7.0).ravel().tolist()}
    whole, pose = interactions.with_hydrogens(row), hits.posed(row)
    assert whole.GetNumAtoms() == Chem.Mol(made["mol"]).GetNumAtoms()
    assert not any(atom.GetNumRadicalElectrons() for atom in whole.GetAtoms())
    count = pose.GetNumAtoms()
    assert count == pose.GetNumHeavyAtoms() == made["heavy_atoms"]
    places = whole.GetConformer().GetPositions()
    assert np.allclose(places[:count], pose.GetConformer().GetPositions(), atol=1e-5)
    assert places.min(axis=0) == pytest.approx(xyz.min(axis=0) + 7, abs=0.5)  # nothing stayed behind
    Chem.AssignStereochemistryFrom3D(whole)
    centres = Chem.FindMolChiralCenters(Chem.RemoveAllHs(whole), useLegacyImplementation=False)
    assert centres == Chem.FindMolChiralCenters(pose, useLegacyImplementation=False)
    assert len(centres) == smiles.count("[C@")


def test_an_insertion_code_stays_with_its_residue(row, tmp_path):
    text = receptor_pdb().replace("THR A 315 ", "THR A 314A").replace("THR A 319 ", "THR A 314B")
    path = tmp_path / "abl1.pdb"
    path.write_text(text)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    found = interactions.Interactions(poses.ReceptorSettings(receptor_sha256=sha256, path=path))(row)
    assert ("THR314A.A", "HBDonor") in {(one["residue"], one["kind"]) for one in found["interactions"]}
    assert ("GLU286.A", "HBDonor") in {(one["residue"], one["kind"]) for one in found["interactions"]}


def test_a_cofactor_is_touched_by_distance_and_says_so(row):
    receptor = receptors.load("CYP2C9")
    haem = next(residue for residue in protein.read(receptor.path.read_text()) if residue.name == "HEM")
    middle = np.array(row["pose"]).reshape(-1, 3).mean(axis=0)
    moved = shifted(row, (haem.xyz.mean(axis=0) - middle).tolist())
    engine = interactions.Interactions(poses.ReceptorSettings(receptor_sha256=receptor.sha256, path=receptor.path))
    found = engine(moved)["interactions"]
    assert [one["kind"] for one in found if one["residue"].startswith("HEM")] == [interactions.CONTACT]


def test_where_nothing_is_known_contacts_are_by_distance(row, tmp_path):
    """A receptor of carbon atoms only, such as a coarse model."""
    xyz = np.array(row["pose"]).reshape(-1, 3)[0] + 3.0
    path = tmp_path / "carbons.pdb"
    path.write_text(
        f"ATOM      1  C1  XXX A   7    {''.join(f'{value:8.3f}' for value in xyz)}  1.00  0.00           C\n"
    )
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    found = interactions.Interactions(poses.ReceptorSettings(receptor_sha256=sha256, path=path))(row)
    assert found["interactions_by"] == interactions.DISTANCE
    assert {one["kind"] for one in found["interactions"]} <= {interactions.CONTACT}


# ------------------------------------------------------------------------------------------------ relaxation


@pytest.mark.slow
def test_a_pushed_pose_is_relaxed_and_loses_its_clashes(row, receptor):
    engine = refine.Refine(receptor)
    pushed = shifted(row, (0.9, 0.0, 0.0))
    made = engine(pushed)
    assert made["outcome"] is Outcome.ok
    assert made["clashes_before"] > made["clashes_after"] == 0
    assert 0.05 < made["moved"] < refine.MOST_MOVED
    assert made["energy_drop"] > 0
    assert np.isfinite(made["interaction_energy"])
    # A pose as any other: bonds keep their orders and their lengths.
    mol = hits.posed({**row, "pose": made["refined"]})
    assert Chem.MolToSmiles(mol) == Chem.MolToSmiles(crystal())
    shift = np.linalg.norm(mol.GetConformer().GetPositions() - hits.posed(pushed).GetConformer().GetPositions(), axis=1)
    assert np.sqrt((shift**2).mean()) == pytest.approx(made["moved"], abs=1e-3)


def test_what_cannot_be_relaxed_is_a_named_outcome(row, receptor):
    haem = receptors.load("CYP2C9")
    place = next(residue for residue in protein.read(haem.path.read_text()) if residue.name == "HEM")
    middle = np.array(row["pose"]).reshape(-1, 3).mean(axis=0)
    engine = refine.Refine(poses.ReceptorSettings(receptor_sha256=haem.sha256, path=haem.path))
    made = engine(shifted(row, (place.xyz.mean(axis=0) - middle).tolist()))
    assert (made["outcome"], made["reason"]) == (Outcome.no_force_field, f"the pocket holds {place.label}")
    far = refine.Refine(receptor)(shifted(row, (500.0, 0.0, 0.0)))
    assert (far["outcome"], far["reason"]) == (Outcome.no_force_field, "no amino acid within 6 Å of the ligand")
    assert Outcome.no_force_field in MEANINGS


def test_dynamics_says_why_it_is_not_run():
    from openmm import Platform

    names = {Platform.getPlatform(at).getName() for at in range(Platform.getNumPlatforms())}
    gpu = names & set(refine.GPU_PLATFORMS)
    en, zh = refine.dynamics()
    assert en.endswith("no force field for ligands" if gpu else "no GPU platform here")
    assert ("力场" if gpu else "未找到 GPU") in zh

"""3D preparation and docking with the real engine."""

import numpy as np
import pytest
from rdkit import Chem

from domains.drug import hits, prepare, receptors, vina
from domains.drug.outcomes import Outcome
from domains.drug.request import Search
from tasks.child import Answer, Child

ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"
QUICK = Search(exhaustiveness=1, max_evals=4000, n_poses=3)


@pytest.fixture(scope="module")
def preparer():
    return prepare.Prepare(prepare.PrepareSettings(seed=42))


@pytest.fixture(scope="module")
def settings():
    egfr = receptors.load("EGFR", (16.8, 35.6, 91.1), (16.0, 16.0, 16.0))
    return vina.DockSettings(
        receptor=egfr.name, receptor_sha256=egfr.sha256, path=egfr.path, center=egfr.center, size=egfr.size,
        search=QUICK, seed=42,
    )  # fmt: skip


@pytest.fixture(scope="module")
def engine():
    """The engine in its child, as stages use it."""
    child = Child(6 * 2**30)
    yield child
    child.close()


def dock(engine, settings, ligand, limit_s=60):
    engine.open(vina.Dock, settings)
    return engine.call(ligand, limit_s)


def test_a_ligand_keeps_its_bonds_and_maps_every_atom(preparer):
    row = preparer({"smiles": ASPIRIN})
    mol = Chem.Mol(row["mol"])
    assert row["outcome"] is Outcome.ok
    assert row["heavy_atoms"] == 13
    assert row["torsions"] == 4
    assert Chem.MolToSmiles(Chem.RemoveHs(mol)) == ASPIRIN
    heavy = {atom.GetIdx() for atom in mol.GetAtoms() if atom.GetAtomicNum() > 1}
    assert heavy <= set(row["atom_map"])
    coordinates = receptors.atoms(row["pdbqt"])
    assert np.allclose(coordinates, mol.GetConformer().GetPositions()[row["atom_map"]], atol=2e-3)


def test_preparation_is_the_same_each_time(preparer):
    assert preparer({"smiles": ASPIRIN}) == preparer({"smiles": ASPIRIN})


@pytest.mark.parametrize(("smiles", "reason"), [("C[Hg]Cl", "Hg"), ("C[Se]c1ccccc1", "Se")])
def test_atoms_without_a_type_are_named(preparer, smiles, reason):
    row = preparer({"smiles": smiles})
    assert row["outcome"] is Outcome.no_type
    assert row["reason"] == f"no docking atom type for {reason}"


def test_a_macrocycle_has_glue_atoms_that_belong_to_no_atom(preparer):
    row = preparer({"smiles": "O=C1CCCCCCCCCCCCCC(=O)NCCN1"})
    assert row["outcome"] is Outcome.ok
    assert -1 in row["atom_map"]


def test_a_dock_is_seeded_plausible_and_in_the_box(engine, settings, preparer):
    ligand = preparer({"smiles": ASPIRIN})
    one, two = dock(engine, settings, ligand), dock(engine, settings, ligand)
    assert isinstance(one, Answer)
    assert one.result["outcome"] is Outcome.ok
    assert -12 < one.result["score"] < 0
    assert one.result["score"] == two.result["score"]
    assert one.result["scores"] == sorted(one.result["scores"])
    pose = np.array(one.result["pose"]).reshape(-1, 3)
    assert (np.abs(pose - settings.center) <= np.array(settings.size) / 2 + vina.BOX_TOLERANCE).all()
    mol = hits.posed({**ligand, **one.result})
    assert Chem.MolToSmiles(mol) == ASPIRIN
    bonds = [mol.GetConformer().GetPositions()[[b.GetBeginAtomIdx(), b.GetEndAtomIdx()]] for b in mol.GetBonds()]
    lengths = [np.linalg.norm(first - second) for first, second in bonds]
    assert 1.1 < min(lengths) <= max(lengths) < 1.7


def test_order_and_another_child_do_not_change_a_score(engine, settings, preparer):
    ligands = [preparer({"smiles": smiles}) for smiles in (ASPIRIN, "Cn1cnc2c1c(=O)n(C)c(=O)n2C", "c1ccc2[nH]ccc2c1Br")]
    there = [dock(engine, settings, ligand).result["score"] for ligand in ligands]
    other = Child(6 * 2**30)
    try:
        back = [dock(other, settings, ligand).result["score"] for ligand in reversed(ligands)]
    finally:
        other.close()
    assert there == back[::-1]


def test_an_empty_ligand_ends_the_engine_and_not_the_worker(engine, settings, preparer):
    lost = dock(engine, settings, {"pdbqt": ""})
    assert lost.outcome == "died"
    assert isinstance(dock(engine, settings, preparer({"smiles": ASPIRIN})), Answer)


def test_garbage_and_boron_are_rows(engine, settings, preparer):
    assert dock(engine, settings, {"pdbqt": "hello\n"}).result["outcome"] is Outcome.engine_error
    boron = preparer({"smiles": "OB(O)c1ccccc1"})
    assert dock(engine, settings, boron).result["outcome"] is Outcome.no_type


def test_a_hung_dock_is_stopped(engine, settings, preparer):
    slow = settings.model_copy(update={"search": Search(exhaustiveness=128)})
    ligand = preparer({"smiles": "Cc1ccc(NC(=O)c2ccc(CN3CCN(C)CC3)cc2)cc1Nc1nccc(n1)-c1cccnc1"})
    engine.open(vina.Dock, slow)
    assert engine.call(ligand, 1.0).outcome == "timeout"


@pytest.mark.parametrize(
    ("score", "shift", "outcome"),
    [
        (-8.0, 0, Outcome.ok),
        (0.0, 0, Outcome.implausible),
        (3_112_987.0, 0, Outcome.implausible),
        (-108.0, 0, Outcome.implausible),
        (float("nan"), 0, Outcome.implausible),
        (float("-inf"), 0, Outcome.implausible),
        (-8.0, 9.0, Outcome.outside_box),
    ],
)
def test_nonsense_is_named_and_never_a_result(settings, score, shift, outcome):
    pose = np.array([settings.center]) + shift
    assert vina.judge(score, pose, settings)[0] is outcome


def test_the_checksum_and_not_the_path_is_in_the_recipe(settings):
    assert "path" not in settings.model_dump()
    assert settings.model_dump()["receptor_sha256"] == receptors.load("EGFR").sha256

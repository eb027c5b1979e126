"""One contract for every docking engine that is here, and stand-ins for the programs that are not."""

import math
import sys

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import rdMolAlign

from domains.drug import engines, hits, prepare, receptors, vina
from domains.drug.outcomes import Outcome
from domains.drug.request import Search
from tests.domains.drug.abl1 import abl1_settings, crystal

FIVE = {
    "aspirin": "CC(=O)Oc1ccccc1C(=O)O",
    "caffeine": "Cn1cnc2c1c(=O)n(C)c(=O)n2C",
    "bromoindole": "Brc1c[nH]c2ccccc12",
    "sulfonamide": "NS(=O)(=O)c1ccc(N)cc1",
    "trifluoride": "FC(F)(F)c1ccccc1C#N",
}
QUICK = Search(exhaustiveness=1, max_evals=4000, n_poses=3)


@pytest.fixture(scope="module")
def ligands():
    preparer = prepare.Prepare(prepare.PrepareSettings(seed=42))
    return {name: preparer({"smiles": smiles}) for name, smiles in FIVE.items()}


@pytest.fixture(scope="module")
def settings():
    egfr = receptors.load("EGFR", (16.8, 35.6, 91.1), (16.0, 16.0, 16.0))
    return vina.DockSettings(
        receptor=egfr.name, receptor_sha256=egfr.sha256, path=egfr.path, center=egfr.center, size=egfr.size,
        search=QUICK, seed=42,
    )  # fmt: skip


@pytest.fixture(scope="module", params=list(engines.ENGINES))
def kind(request):
    engine = engines.ENGINES[request.param]
    if engine.state:
        pytest.skip(f"{request.param} {engine.state}")
    return engine.engine


@pytest.fixture(scope="module")
def engine(kind, settings):
    return kind(settings)


def test_five_ligands_dock_plausibly_inside_the_box(engine, settings, ligands):
    for name, ligand in ligands.items():
        row = engine(ligand)
        assert row["outcome"] is Outcome.ok, name
        assert vina.SCORE_FLOOR <= row["score"] < 0
        assert row["scores"] == sorted(row["scores"])
        assert row["score"] == row["scores"][0]
        assert 1 <= len(row["poses"]) == len(row["scores"]) <= QUICK.n_poses
        assert row["engine_s"] > 0
        pose = np.array(row["pose"]).reshape(-1, 3)
        assert (np.abs(pose - settings.center) <= np.array(settings.size) / 2 + vina.BOX_TOLERANCE).all()
        # The atoms are in the ligand's order: bonds keep their lengths.
        mol = hits.posed({**ligand, **row})
        assert Chem.MolToSmiles(mol) == Chem.CanonSmiles(FIVE[name])
        xyz = mol.GetConformer().GetPositions()
        lengths = [np.linalg.norm(xyz[bond.GetBeginAtomIdx()] - xyz[bond.GetEndAtomIdx()]) for bond in mol.GetBonds()]
        assert 1.05 < min(lengths) <= max(lengths) < 2.0


def test_the_same_seed_gives_the_same_result(engine, kind, settings, ligands):
    one, two = engine(ligands["aspirin"]), kind(settings)(ligands["aspirin"])
    assert (one["score"], one["pose"]) == (two["score"], two["pose"])


def test_a_bad_ligand_is_a_named_outcome(engine):
    row = engine({"pdbqt": "hello\n"})
    assert row["outcome"] is Outcome.engine_error
    assert row["reason"]


def test_another_receptor_than_the_run_began_with_is_refused(kind, settings):
    other = settings.model_copy(update={"receptor_sha256": "0" * 64})
    with pytest.raises(ValueError, match="is not the receptor that the run began with"):
        kind(other)


@pytest.mark.slow
def test_imatinib_comes_back_to_its_place(kind, tmp_path):
    """Within a few short searches: which seed finds it first is a lottery, and differs between programs."""
    reference = crystal()
    ligand = prepare.Prepare(prepare.PrepareSettings(seed=42))({"smiles": Chem.MolToSmiles(reference)})
    given = abl1_settings(tmp_path, Search(exhaustiveness=1, n_poses=9))
    closest = math.inf
    for seed in range(42, 50):
        row = kind(given.model_copy(update={"seed": seed}))(ligand)
        poses = [hits.posed({**ligand, "pose": pose}) for pose in row["poses"]]
        closest = min(closest, *(rdMolAlign.CalcRMS(pose, reference) for pose in poses))
        if closest <= 2.0:
            break
    assert closest <= 2.0


# ---------------------------------------------------------------- programs that are not here: stand-ins, not engines
# Each writes, for the ligand it was given, the files that the real one documents, moved into the box.

STAND_IN = """#!{python}
import pathlib, sys
arguments = sys.argv[1:]
pathlib.Path({log!r}).write_text("\\n".join(arguments))
given = dict(zip(arguments[::2], arguments[1::2]))
def moved(line, by):
    return line[:30] + "".join(f"{{float(line[at:at + 8]) + by:8.3f}}" for at in (30, 38, 46)) + line[54:]
lines = pathlib.Path("ligand.pdbqt").read_text().splitlines()
def model(by):
    return "\\n".join(moved(line, by) if line.startswith(("ATOM", "HETATM")) else line for line in lines)
{body}
"""
GNINA = """
head = "MODEL {0}\\nREMARK minimizedAffinity {1}\\nREMARK CNNscore {2}\\nREMARK CNNaffinity 5.1\\n"
made = [head.format(1, -6.5, 0.9) + model(0), head.format(2, -7.25, 0.4) + model(1)]
pathlib.Path(given["--out"]).write_text("".join(one + "\\nENDMDL\\n" for one in made))
"""
UNIDOCK = """
head = "MODEL {0}\\nREMARK VINA RESULT:    {1}      0.000      0.000\\n"
made = [head.format(1, -7.25) + model(1), head.format(2, -6.5) + model(0)]
pathlib.Path("ligand_out.pdbqt").write_text("".join(one + "\\nENDMDL\\n" for one in made))
"""
AUTODOCK_GPU = """
def block(number, energy, text):
    head = [f"MODEL        {number}", f"USER    Run = {number}", "USER",
        f"USER    Estimated Free Energy of Binding    =  {energy} kcal/mol  [=(1)+(2)+(3)-(4)]"]
    return "\\n".join("DOCKED: " + line for line in [*head, *text.splitlines(), "TER", "ENDMDL"])
pathlib.Path("out.dlg").write_text(block(1, "-6.50", model(0)) + "\\n\\n" + block(2, "-7.25", model(1)))
"""
AUTOGRID = """#!{python}
import pathlib
text = pathlib.Path("grid.gpf").read_text()
pathlib.Path("receptor.maps.fld").write_text(text)
"""


def stand_in(folder, name, body):
    log = folder / "arguments"
    path = folder / name
    path.write_text(STAND_IN.format(python=sys.executable, log=str(log), body=body))
    path.chmod(0o755)
    return log


@pytest.fixture
def centred(settings, ligands):
    """The box around where the prepared ligand lies."""
    ligand = ligands["aspirin"]
    middle = receptors.atoms(ligand["pdbqt"]).mean(axis=0)
    return ligand, settings.model_copy(update={"center": tuple(middle.tolist())})


@pytest.mark.parametrize(
    ("name", "program", "body", "expected"),
    [
        ("gnina", "gnina", GNINA, ["--ligand", "ligand.pdbqt", "--seed", "42", "--cpu", "1", "--num_modes", "3"]),
        ("unidock", "unidock", UNIDOCK, ["--gpu_batch", "ligand.pdbqt", "--seed", "42", "--exhaustiveness", "16"]),
        ("autodock-gpu", "autodock_gpu_64wi", AUTODOCK_GPU, ["--lfile", "ligand.pdbqt", "--seed", "42", "--nrun", "3"]),
    ],
)
def test_a_programs_documented_output_is_read(name, program, body, expected, centred, tmp_path, monkeypatch):
    ligand, settings = centred
    log = stand_in(tmp_path, program, body)
    (tmp_path / "autogrid4").write_text(AUTOGRID.format(python=sys.executable))
    (tmp_path / "autogrid4").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert engines.ENGINES[name].state == ""
    row = engines.ENGINES[name].engine(settings)(ligand)
    assert row["outcome"] is Outcome.ok
    assert row["scores"] == [-7.25, -6.5]
    start = receptors.atoms(ligand["pdbqt"])
    assert np.allclose(np.array(row["pose"]).reshape(-1, 3), start + 1, atol=2e-3)
    assert np.allclose(np.array(row["poses"][1]).reshape(-1, 3), start, atol=2e-3)
    arguments = log.read_text().splitlines()
    pairs = list(zip(arguments[::2], arguments[1::2], strict=False))
    assert all(pair in pairs for pair in zip(expected[::2], expected[1::2], strict=True))


@pytest.mark.parametrize(
    ("body", "outcome", "reason"),
    [
        ("sys.exit('cudaErrorMemoryAllocation')", Outcome.engine_error, "cudaErrorMemoryAllocation"),
        ("pass", Outcome.engine_error, "FileNotFoundError"),
        (UNIDOCK.replace("-7.25", "-108.0"), Outcome.implausible, "score -108"),
        (UNIDOCK.replace("model(1)", "model(60)"), Outcome.outside_box, "outside the box"),
        (
            UNIDOCK.replace("model(1)", "'ATOM'.join(model(1).split('ATOM')[:3])"),
            Outcome.engine_error,
            "a pose of 2 atoms",
        ),
    ],
)
def test_what_a_program_gets_wrong_is_a_named_outcome(body, outcome, reason, centred, tmp_path, monkeypatch):
    ligand, settings = centred
    stand_in(tmp_path, "unidock", body)
    monkeypatch.setenv("PATH", str(tmp_path))
    row = engines.UniDock(settings)(ligand)
    assert row["outcome"] is outcome
    assert reason in row["reason"]


def test_a_program_that_is_not_here_says_what_was_looked_for(settings, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert engines.ENGINES["vina"].state == ""
    assert engines.ENGINES["vina-cli"].state == "needs binary: no vina or autodock-vina on PATH"
    assert engines.ENGINES["autodock-gpu"].state.endswith("; needs binary: no autogrid4 on PATH")
    with pytest.raises(FileNotFoundError, match="needs binary: no gnina on PATH"):
        engines.Gnina(settings)


def test_a_pose_without_a_score_and_a_log_with_more_after_its_poses():
    with pytest.raises(ValueError, match="a pose without its score"):
        engines.models("MODEL 1\nATOM\nENDMDL\n", "REMARK VINA RESULT:")
    atom = "ATOM      1  C   LIG A   1       1.000   2.000   3.000  0.00  0.00     0.000 C "
    energy = "USER    Estimated Free Energy of Binding    =  -5.10 kcal/mol"
    log = f"DOCKED: MODEL        1\nDOCKED: {energy}\nDOCKED: {atom}\nDOCKED: ENDMDL\nsummary\n{atom}\n"
    ((score, xyz),) = engines.docked(log)
    assert (score, xyz.tolist()) == (-5.1, [[1.0, 2.0, 3.0]])


def test_autodock_refuses_a_receptor_without_charges(settings, tmp_path):
    assert engines.charged(settings.path)
    bare = tmp_path / "bare.pdbqt"
    lines = [line[:70] + " 0.000" + line[76:] for line in settings.path.read_text().splitlines() if line[:4] == "ATOM"]
    bare.write_text("\n".join(lines))
    with pytest.raises(ValueError, match="EGFR: the receptor's charges are all zero"):
        engines.grid(settings.model_copy(update={"path": bare}), tmp_path, ("C",), 0.375)


@pytest.mark.slow
def test_autogrid_makes_maps_of_a_shipped_receptor(settings, tmp_path):
    if not engines.shutil.which("autogrid4"):
        pytest.skip("no autogrid4 on PATH")
    small = settings.model_copy(update={"size": (6.0, 6.0, 6.0)})
    engines.grid(small, tmp_path, ("C", "OA", "HD"), 0.375)
    values = (tmp_path / "receptor.OA.map").read_text().splitlines()
    assert len(values) == 6 + 17**3
    assert min(map(float, values[6:])) < 0

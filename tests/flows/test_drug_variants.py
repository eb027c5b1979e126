"""A whole variants run through Prefect, Dask, OpenMM, Vina and ProLIF, as a scientist sees it."""

import json
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET

import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from rdkit import Chem

from tests.domains.drug.mpro import FILE, small_target
from tests.flows.screen import environment
from tests.flows.small_variants import TABLES, request
from tests.public_data import public_data


@pytest.fixture(scope="module")
def finished(prefect_api, tmp_path_factory):
    """One finished run; the tests look at what it left."""
    from domains.drug.variants import VariantsRequest
    from flows.drug_variants import drug_variants

    folder = tmp_path_factory.mktemp("variants")
    with small_target(folder), pytest.MonkeyPatch.context() as patch:
        patch.setenv("AI4S_RUNS", str(folder / "runs"))
        result = drug_variants(VariantsRequest.model_validate(request(folder, name="one")))
    return folder, result


def test_every_ligand_and_every_dock_has_one_end(finished):
    folder, _ = finished
    rows = pq.read_table(folder / "runs" / "one" / "outcomes.parquet").to_pylist()
    ends = [(row["stage"], row["outcome"]) for row in rows if row["stage"] != "compare"]
    assert sorted(ends) == [("deduplicate", "duplicate"), ("standardise", "bad_smiles")]
    compared = [row for row in rows if row["stage"] == "compare"]
    assert len({row["id"] for row in compared}) == len(compared) == 3 * 2 * 2
    assert {row["outcome"] for row in compared} == {"ok"}
    assert sum("/ E166V / seed 43" in row["name"] for row in compared) == 3


def test_the_table_says_how_often_each_pose_came_back(finished):
    folder, result = finished
    rows = pa_csv.read_csv(folder / "runs" / "one" / "conservation.csv").to_pylist()
    assert [(row["ligand"], row["variant"]) for row in rows[:2]] == [
        ("BEN-DND-4f474d93 (control)", "WT"), ("BEN-DND-4f474d93 (control)", "E166V"),
    ]  # fmt: skip
    assert all(row["docked"] == row["seeds"] == 2 for row in rows)
    assert all(0 <= row["conserved"] <= 2 for row in rows)
    assert all((row["nearest_rmsd"] <= 2) == (row["conserved"] > 0) for row in rows)
    assert all(row["best_score"] <= row["worst_score"] < 0 for row in rows)
    kinds = {row["ligand"]: row["reference"] for row in rows}
    assert kinds == {"BEN-DND-4f474d93 (control)": "crystal", "pyridine": "consensus", "aldehyde": "consensus"}
    # The consensus is a wild-type pose, so at least the dock that it is of has it.
    assert all(row["conserved"] >= 1 for row in rows if row["variant"] == "WT" and row["reference"] == "consensus")
    assert {row["ligand"]: row["warheads"] for row in rows}["aldehyde"] == "aldehyde"
    assert [row["ligand"] for row in result["conservation"]] == [row["ligand"] for row in rows]


def test_poses_are_molecules_in_the_frame_of_the_receptor(finished):
    folder, _ = finished
    mols = list(Chem.SDMolSupplier(str(folder / "runs" / "one" / "poses.sdf")))
    assert len(mols) == 3 * (1 + 2 * 2)
    control = [mol for mol in mols if mol.GetProp("_Name").startswith("BEN-DND")]
    assert {Chem.MolToSmiles(mol) for mol in control} == {"O=C(Nc1cncc2cnccc12)[C@@H]1CCOc2ccc(Cl)cc21"}
    for mol in mols:
        centre = mol.GetConformer().GetPositions().mean(axis=0)
        assert abs(centre - (8.55, 0.49, 21.46)).max() < 8 + 1


def test_the_built_receptors_are_kept_and_are_part_of_the_key(finished):
    import hashlib

    folder, _ = finished
    root = folder / "runs" / "one"
    for name, stage in (("WT", "dock-wt"), ("E166V", "dock-e166v")):
        text = (root / "receptors" / f"{name}.pdbqt").read_bytes()
        recipe = json.loads((root / stage / "stage.json").read_text())["recipe"]
        assert recipe["settings"]["receptor_sha256"] == hashlib.sha256(text).hexdigest()
        assert (root / "receptors" / f"{name}.pdb").exists()
    assert "VAL A 166" in (root / "receptors" / "E166V.pdb").read_text()


def test_the_report_stands_alone_and_says_its_limits_in_both_languages(finished):
    folder, _ = finished
    page = (folder / "runs" / "one" / "report.html").read_text()
    assert not re.search(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//""", page)
    for words in (
        "Biological assembly: homodimer", "同源二聚体", "crystal pose", "wild-type consensus", "非共价近似：</span>aldehyde",
        "No free energies", "不含自由能", "One structure, held rigid", "Fewer than 3 seeds", "their differences are no binding energies",
        "His163 and His172 protonated",
    ):  # fmt: skip
        assert words in page, words
    # 3 ligands were left of 5: their 12 docks are 9 more candidates, and all of these ended compared.
    assert "5 candidates came in, 9 more were made of them, 2 ended with a named outcome on the way, 12 reached" in page
    for drawing in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        ET.fromstring(drawing)
    assert page.count('aria-label="3D view of the docked pose') == 3 * 2


def test_the_same_request_again_computes_nothing(finished, monkeypatch):
    from domains.drug.variants import VariantsRequest
    from flows.drug_variants import drug_variants

    folder, result = finished
    root = folder / "runs" / "one"
    stamps = {path: path.stat().st_mtime_ns for path in root.glob("*/shard-*.parquet")}
    tables = {name: (root / name).read_bytes() for name in TABLES}
    monkeypatch.setenv("AI4S_RUNS", str(folder / "runs"))
    with small_target(folder):
        assert drug_variants(VariantsRequest.model_validate(request(folder, name="one"))) == result
    assert {path: path.stat().st_mtime_ns for path in root.glob("*/shard-*.parquet")} == stamps
    assert {name: (root / name).read_bytes() for name in TABLES} == tables


@pytest.mark.slow
def test_a_run_that_is_killed_goes_on_and_ends_like_one_that_was_not(finished, prefect_api):
    folder, _ = finished
    root = folder / "runs" / "killed"
    command = [sys.executable, "-m", "tests.flows.small_variants", str(folder), "killed"]
    process = subprocess.Popen(command, env=environment(folder / "runs", prefect_api), start_new_session=True)
    limit = time.monotonic() + 200
    while not list(root.glob("dock-*/shard-*")) and process.poll() is None and time.monotonic() < limit:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = {path: path.stat().st_mtime_ns for path in root.glob("*/shard-*")}
    assert any("build" in path.parts for path in before)
    assert not (root / "report.html").exists()
    again = subprocess.run(
        command, env=environment(folder / "runs", prefect_api), capture_output=True, text=True, timeout=400
    )
    assert again.returncode == 0, again.stderr
    assert {path: path.stat().st_mtime_ns for path in before} == before
    for name in TABLES:
        assert (root / name).read_bytes() == (folder / "runs" / "one" / name).read_bytes(), name


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--variants", "E167V"], "variants = 'E167V': residue 167 of chain A is LEU, not GLU. Valid: L167V"),
        (["--variants", "P999A"], "the structure has no residue 999"),
        (["--variants", "WT,E166"], "'E166' is not a mutation; write WT, or mutations such as E166V"),
        (["--target", "EGFR"], "variants need a target with a known structure: SARS-CoV-2-Mpro"),
        (["--target", "spike-ACE2"], "cannot be docked"),
        (["--no-control"], "there is nothing to dock; give a file of ligands"),
        (["--library", "no.smi"], "no such file"),
        (["--seeds", "0"], "seeds = 0: Input should be greater than or equal to 1"),
    ],
)
def test_a_mistake_is_one_message_and_status_2(words, message, tmp_path, monkeypatch):
    from flows.cli import main

    monkeypatch.setenv("AI4S_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("AI4S_DATA", str(public_data(FILE).parents[1]))
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["run", "drug-variants", *words])
    assert result.exit_code == 2, result.output
    assert message in " ".join(result.output.split())
    assert not (tmp_path / "runs").exists()


def test_the_form_is_filled_and_has_help_in_both_languages():
    from domains.drug.variants import VariantsRequest
    from flows.drug_variants import drug_variants

    schema = drug_variants.parameters.model_dump()
    assert schema["properties"]["request"]["default"]["variants"] == ["WT", "P132H", "E166V"]
    for name, field in VariantsRequest.model_fields.items():
        assert field.title, name
        assert re.search("[\u4e00-\u9fff]", field.title), name
        assert field.description, name


def test_variants_are_read_as_people_write_them():
    from domains.drug.variants import VariantsRequest

    read = VariantsRequest(target="新冠病毒主蛋白酶", variants="p132h， E166V+L50F、L50F+E166V").variants
    assert read == ("WT", "P132H", "E166V+L50F")

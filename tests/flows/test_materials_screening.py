"""A whole materials screen through Prefect and Dask, on a potential that takes milliseconds; once on a neural one."""

import json
import signal
import subprocess
import sys
import time
import warnings

import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from tests.flows.screen import ai4s, environment, refused

pytest.importorskip("ase")

SMALL = {
    "elements": "Al,Ni,Cu,Au",
    "potential": "emt",
    "n": 120,
    "relax": 8,
    "phonons": 1,
    "top": 3,
    "profile": "emulated:two-supernodes",
}
TABLES = ("outcomes.parquet", "candidates.csv", "relaxed.parquet")


@pytest.fixture(autouse=True)
def references_as_they_are_here():
    """What earlier tests of this process read from another folder is forgotten: a stage's own process has not read it."""
    from domains.materials import references

    references.load.cache_clear()


@pytest.fixture(scope="module")
def flow(prefect_api):
    from flows.materials_screening import materials_screening

    return materials_screening


@pytest.fixture(scope="module")
def finished(flow, tmp_path_factory):
    """One finished run; the tests look at what it left."""
    from domains.materials.request import MaterialsRequest

    folder = tmp_path_factory.mktemp("materials")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AI4S_RUNS", str(folder / "runs"))
        result = flow(MaterialsRequest.model_validate({**SMALL, "name": "one"}))
    return folder / "runs" / "one", result


def test_every_candidate_has_one_end(finished):
    run, result = finished
    rows = pq.read_table(run / "outcomes.parquet").to_pylist()
    assert sorted(row["id"] for row in rows) == list(range(120))
    ends = {(row["stage"], row["outcome"]) for row in rows}
    assert {("structures", "worse_prototype"), ("select", "not_selected"), ("list", "ok")} <= ends
    assert all(row["reason"] for row in rows if row["outcome"] not in ("ok", "overlapping_atoms", "isolated_atoms"))
    assert sum(row["outcome"] == "ok" for row in rows) == len(result["candidates"]) == 3


def test_what_is_listed_comes_with_structure_inputs_doubts_and_reasons(finished):
    from pymatgen.core import Structure

    run, result = finished
    table = pa_csv.read_csv(run / "candidates.csv").to_pylist()
    assert [row["formula"] for row in table] == [row["formula"] for row in result["candidates"]]
    assert [row["rank"] for row in table] == [1, 2, 3]
    assert [row["e_hull"] for row in table] == sorted(row["e_hull"] for row in table)
    for row in table:
        assert row["convention"] == "EMT"
        assert all(row[name] for name in ("doubts", "doubts_zh", "reasons", "reasons_zh"))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of hexagonal thirds, rounded as CIF writes them
            structure = Structure.from_file(run / row["file"])
        assert structure.composition.reduced_composition == type(structure.composition)(row["formula"])
        folder = run / "dft" / row["file"].removeprefix("structures/").removesuffix(".cif")
        assert {path.name for path in folder.rglob("*") if path.is_file()} == {
            "INCAR", "KPOINTS", "POSCAR", "POTCAR.spec", "pw.in",
        }  # fmt: skip


def test_the_page_says_what_was_evaluated_and_what_was_relaxed(finished):
    run, _ = finished
    page = (run / "report.html").read_text()
    for words in (
        "candidates evaluated at three volumes",
        "三体积评估的候选数",
        "elements only, as fcc metals in EMT",
        "Adds up: 120 candidates came in",
        "Energies are a potential&#39;s",
    ):
        assert words in page
    assert page.count("<svg") >= 6
    assert "<script src" not in page
    assert 'href="http' not in page


def test_the_same_request_learns_and_relaxes_only_what_it_may(flow, tmp_path, monkeypatch):
    from domains.materials.request import MaterialsRequest

    monkeypatch.setenv("AI4S_RUNS", str(tmp_path / "runs"))
    wanted = {**SMALL, "n": 200, "phonons": 0, "learning": {"budget": 50, "round_size": 25}, "name": "learned"}
    result = flow(MaterialsRequest.model_validate(wanted))
    run = tmp_path / "runs" / "learned"
    assert result["relaxed"] <= 50
    chosen = sorted(path.name for path in (run / "acquire").glob("round-*.parquet"))
    assert chosen == ["round-01.parquet", "round-02.parquet", "round-03.parquet"]
    assert len(pq.read_table(run / "outcomes.parquet")) == 200
    assert "主动学习" in (run / "report.html").read_text()


@pytest.mark.slow
def test_a_killed_screen_goes_on_and_ends_as_an_unbroken_one(finished, prefect_api, tmp_path):
    whole, _ = finished
    words = [word for name, value in SMALL.items() for word in (f"--{name}", str(value))]
    command = [sys.executable, "-m", "flows.cli", "run", "materials-screening", *words, "--name", "killed"]
    process = subprocess.Popen(
        command, env=environment(tmp_path, prefect_api), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    shards = tmp_path / "killed" / "scan"
    while process.poll() is None and not list(shards.glob("shard-*.parquet")):
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = {path.name: path.stat().st_mtime_ns for path in shards.glob("shard-*.parquet")}
    assert done
    resumed = ai4s("resume", "killed", runs=tmp_path, api=prefect_api)
    assert resumed.returncode == 0, resumed.stderr
    assert done.items() <= {path.name: path.stat().st_mtime_ns for path in shards.glob("shard-*.parquet")}.items()
    for name in TABLES:
        assert (tmp_path / "killed" / name).read_bytes() == (whole / name).read_bytes(), name


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--elements", "Li,Xx,O"], ["elements", "Xx", "unknown element"]),
        (["--elements", "Li,Fe"], ["elements", "metals alone have no balanced charges", "alloys"]),
        (["--elements", "Li,Fe,O", "--potential", "emt"], ["potential", "emt", "not trained on Li, O, Fe", "Al"]),
        (["--elements", "Li,Fe,O", "--potential", "mace"], ["potential", "mace", "chgnet"]),
        (["--elements", "Al,Ni,Cu,Au", "--potential", "emt", "--top", "50", "--n", "20"], ["top", "50", "candidates"]),
        (["--second", "chgnet"], ["second", "same as potential"]),
    ],
)
def test_a_mistake_gets_one_clear_error_and_leaves_nothing(words, said, tmp_path):
    message = refused("materials-screening", *words, runs=tmp_path / "runs")
    for word in said:
        assert word in message


@pytest.mark.slow
def test_neural_potentials_agree_on_rock_salt(flow, tmp_path, monkeypatch):
    pytest.importorskip("chgnet")
    pytest.importorskip("sevenn")
    from domains.materials.request import MaterialsRequest

    monkeypatch.setenv("AI4S_RUNS", str(tmp_path / "runs"))
    wanted = {"elements": "Na,Cl", "n": 80, "relax": 2, "phonons": 1, "top": 1, "most_atoms": 8, "name": "salt"}
    result = flow(MaterialsRequest.model_validate({**wanted, "profile": "emulated:two-supernodes"}))
    (salt,) = result["candidates"]
    assert (salt["formula"], salt["space group"]) == ("NaCl", "Fm-3m")
    assert (
        abs(salt["above hull (meV/atom)"]) < 60 or "elements only" in (tmp_path / "runs/salt/report.html").read_text()
    )
    provenance = json.loads((tmp_path / "runs/salt/provenance.json").read_text())
    assert {"chgnet", "sevenn"} <= set(provenance["sessions"][0]["packages"])

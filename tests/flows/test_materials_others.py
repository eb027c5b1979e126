"""A cathode and a superconductor run through Prefect and Dask."""

import json

import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from domains.materials import quantum_espresso
from tests.flows.screen import refused

pytest.importorskip("ase")


@pytest.fixture(autouse=True)
def references_as_they_are_here():
    """What earlier tests of this process read from another folder is forgotten: a stage's own process has not read it."""
    from domains.materials import references

    references.load.cache_clear()


def test_a_metal_gets_phonons_and_inputs_but_no_tc(prefect_api, tmp_path, monkeypatch):
    from domains.materials.superconductor_request import SuperconductorRequest
    from flows.materials_superconductor import materials_superconductor

    monkeypatch.setenv("AI4S_RUNS", str(tmp_path))
    monkeypatch.setenv("AI4S_DATA", str(tmp_path))
    monkeypatch.setattr(quantum_espresso, "PROGRAMS", ("pw.x-that-nobody-has",))
    wanted = {"materials": "Al", "phonon_potential": "emt", "profile": "emulated:two-supernodes", "name": "al"}
    result = materials_superconductor(SuperconductorRequest.model_validate(wanted))
    (row,) = result["materials"]
    assert row["lattice"] == "ok"
    assert row["Tc computed (K)"] is None
    assert row["Tc measured (K)"] == 1.175
    page = (tmp_path / "al" / "report.html").read_text()
    assert "No Tc was computed" in page
    assert "no Tc yet" in page
    assert "尚无 Tc" in page or "未计算 Tc" in page
    names = sorted(path.name for path in (tmp_path / "al" / "inputs").rglob("*.in"))
    ran = row["coupling"] != "handed_off"
    assert ran or names == [
        "0-relax.pw.in", "1-dense.pw.in", "2-scf.pw.in", "3-phonons.ph.in", "4-constants.q2r.in", "5-spectrum.matdyn.in",
    ]  # fmt: skip


@pytest.mark.slow
def test_a_layered_cathode_has_its_voltage_volume_and_hull(prefect_api, tmp_path, monkeypatch):
    pytest.importorskip("chgnet")
    from domains.materials.cathode_request import CathodeRequest
    from flows.materials_cathode import materials_cathode

    monkeypatch.setenv("AI4S_RUNS", str(tmp_path))
    wanted = {"host": "LiTiS2", "steps": 1, "barrier": False, "profile": "emulated:two-supernodes", "name": "lts"}
    result = materials_cathode(CathodeRequest.model_validate(wanted))
    (row,) = result["cathodes"]
    assert 1.5 < row["voltage (V)"] < 2.4
    assert row["measured (V)"] == 2.1
    assert row["capacity (mAh/g)"] == pytest.approx(225.4, abs=1)
    outcomes = pq.read_table(tmp_path / "lts" / "outcomes.parquet").to_pylist()
    assert [one["outcome"] for one in outcomes] == ["ok"] * 3
    (line,) = pa_csv.read_csv(tmp_path / "lts" / "cathodes.csv").to_pylist()
    assert line["host"] == "LiTiS2"
    page = (tmp_path / "lts" / "report.html").read_text()
    assert "they are not measured" in page
    assert len(list((tmp_path / "lts" / "structures").glob("*.cif"))) == 2
    plan = json.loads((tmp_path / "lts" / "plan.json").read_text())
    assert [stage["name"] for stage in plan["stages"]] == ["steps"]


@pytest.mark.parametrize(
    ("pipeline", "words", "said"),
    [
        ("materials-cathode", ["--host", "LiFePO5"], ["host", "LiFePO5", "LiFePO4"]),
        ("materials-cathode", ["--host", "LiFePO4", "--ion", "Na"], ["ion", "Na", "LiFePO4 has no Na", "Li"]),
        ("materials-cathode", ["--host", "nowhere.cif"], ["host", "nowhere.cif", "cannot be read"]),
        ("materials-superconductor", ["--phonon-potential", "chgnet"], ["phonon_potential", "chgnet", "too soft"]),
        ("materials-superconductor", ["--mu-star", "0.3,0.1"], ["mu_star", "no band"]),
        ("materials-superconductor", ["--materials", "Unobtainium"], ["materials", "Unobtainium"]),
    ],
)
def test_a_mistake_gets_one_clear_error(pipeline, words, said, tmp_path):
    message = refused(pipeline, *words, runs=tmp_path / "runs")
    for word in said:
        assert word in message

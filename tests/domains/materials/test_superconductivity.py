import math
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from domains.errors import InvalidRequest
from domains.materials import conductors, published, tc_surrogate
from domains.materials import quantum_espresso as espresso
from domains.materials.outcomes import Outcome
from domains.materials.superconductivity import Coupling, allen_dynes, critical_temperature
from domains.materials.superconductor_request import SuperconductorRequest, check
from tests.public_data import public_data

# What matdyn.x 6.7 wrote for aluminium on 4 x 4 x 4 q points.
RECORDED = Path(__file__).parent / "aluminium_lambda.txt"
# What pw.x 6.7 printed when it relaxed aluminium, its middle left out.
RELAXED = Path(__file__).parent / "aluminium_relax.txt"
ALUMINIUM = espresso.CouplingSettings()


def aluminium():
    return {"name": "Al", **conductors.load("Al").crystal.row()}


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """No program is found."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("AI4S_QE_BIN", raising=False)
    return tmp_path


def test_the_coupling_of_aluminium_gives_its_tc():
    found = espresso.couplings(RECORDED.read_text())
    assert [one.broadening_ry for one in found] == pytest.approx(np.arange(1, 11) * 0.005)
    critical = critical_temperature(found)
    assert critical is not None
    assert 0.36 <= critical.strength_range[0] <= critical.strength <= critical.strength_range[1] <= 0.48
    assert critical.omega_log == pytest.approx(331, abs=1)
    assert critical.lowest < 1.175 < critical.highest  # measured, K


def test_lead_by_the_textbook():
    # Allen and Dynes 1975, table I: lambda 1.55, omega_log 56 K, mu* 0.105 belongs to Tc 7.2 K, less the factors f1 f2 of 1.1.
    assert allen_dynes(1.55, 56, 0.105) == pytest.approx(7.2 / 1.1, rel=0.05)


@given(st.floats(0, 4), st.floats(1, 2000), st.floats(0, 0.3))
def test_tc_is_finite_grows_with_coupling_and_falls_with_repulsion(strength, omega, mu):
    kelvin = allen_dynes(strength, omega, mu)
    assert 0 <= kelvin < omega / 1.2
    assert allen_dynes(strength + 0.1, omega, mu) >= kelvin
    assert allen_dynes(strength, omega, mu + 0.02) <= kelvin


def test_without_coupling_there_is_no_tc():
    assert critical_temperature([]) is None
    assert critical_temperature([Coupling(0.02, -0.3, 200.0, 3.0)]) is None
    assert critical_temperature([Coupling(0.02, 0.4, math.nan, 3.0)]) is None
    assert critical_temperature([Coupling(0.005, 0.4, 300.0, 3.0)]) is None  # not on the plateau


def test_stars_and_nan_of_fortran_are_read_as_unknown():
    text = " Broadening   0.0200 lambda          NaN dos(Ef)  1.8575 omega_ln [K]    ********\n"
    (one,) = espresso.couplings(text)
    assert math.isnan(one.strength)
    assert math.isnan(one.omega_log)


def test_without_the_programs_the_inputs_are_handed_off(nowhere):
    found = espresso.ElectronPhonon(ALUMINIUM)(aluminium())
    assert found["outcome"] is Outcome.handed_off
    assert found["reason"] == "needs binary: no pw.x, ph.x, q2r.x, matdyn.x in AI4S_QE_BIN or on PATH"
    assert "tc_low" not in found
    texts = dict(found["inputs"])
    assert list(texts) == [
        "README.txt", "0-relax.pw.in", "1-dense.pw.in", "2-scf.pw.in", "3-phonons.ph.in", "4-constants.q2r.in",
        "5-spectrum.matdyn.in",
    ]  # fmt: skip
    assert "vc-relax" in texts["0-relax.pw.in"]
    assert "24 24 24" in texts["1-dense.pw.in"]
    assert "12 12 12" in texts["2-scf.pw.in"]
    assert "la2f             = .true." in texts["1-dense.pw.in"]  # Fortran does not mind the case
    assert "la2f" not in texts["2-scf.pw.in"].casefold()
    assert all(f"nq{axis} = 4" in texts["3-phonons.ph.in"] for axis in (1, 2, 3))
    assert "electron_phonon = 'interpolated'" in texts["3-phonons.ph.in"]
    pa.Table.from_pylist([{name: found.get(name) for name in espresso.OUTPUT.names}], schema=espresso.OUTPUT)


def program(folder, name, script):
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def programs(nowhere, monkeypatch):
    """Programs that print and write what Quantum ESPRESSO did."""
    for name in espresso.PROGRAMS:
        program(nowhere, name, f"/bin/cat {RELAXED}; /bin/cp {RECORDED} lambda")
    (nowhere / "Al.pz-vbc.UPF").touch()
    monkeypatch.setenv("AI4S_QE_BIN", str(nowhere))
    monkeypatch.setenv("ESPRESSO_PSEUDO", str(nowhere))
    return nowhere


def test_an_error_of_a_program_ends_the_row_with_its_words(programs):
    frame = "%" * 40
    said = f"printf '{frame}\\n   Error in routine phq_readin (1):\\n   no pseudo\\n{frame}\\n'; exit 1"
    program(programs, "ph.x", said.replace("%", "%%"))
    found = espresso.ElectronPhonon(ALUMINIUM)(aluminium())
    assert found["outcome"] is Outcome.engine_error
    assert found["reason"] == "3-phonons.ph.in: Error in routine phq_readin (1): no pseudo"


def test_programs_that_run_give_the_coupling_that_they_wrote(programs):
    found = espresso.ElectronPhonon(ALUMINIUM)(aluminium())
    assert found["outcome"] is Outcome.ok
    assert found["strength"] == pytest.approx(0.408, abs=1e-3)
    assert found["tc_low"] < 1.175 < found["tc_high"]
    texts = dict(found["inputs"])
    assert "2.02475" in texts["0-relax.pw.in"]  # half of the measured lattice constant
    assert "1.97806898" in texts["1-dense.pw.in"]  # half of the relaxed one
    assert "1.97806898" in texts["2-scf.pw.in"]
    assert "ecutwfc          = 16.0" in texts["2-scf.pw.in"]


def test_programs_without_pseudopotentials_hand_off_as_well(nowhere, monkeypatch):
    for name in espresso.PROGRAMS:
        program(nowhere, name, "exit 1")
    monkeypatch.setenv("AI4S_QE_BIN", str(nowhere))
    monkeypatch.setenv("ESPRESSO_PSEUDO", str(nowhere))
    found = espresso.ElectronPhonon(ALUMINIUM)(aluminium())
    assert found["outcome"] is Outcome.handed_off
    assert "none of Al" in found["reason"]


@pytest.mark.slow
def test_aluminium_by_quantum_espresso():
    if espresso.missing():
        pytest.skip(espresso.missing())
    if not (espresso.pseudopotential_folder() / "Al.pz-vbc.UPF").exists():
        pytest.skip("Al.pz-vbc.UPF is not here: set ESPRESSO_PSEUDO")
    found = espresso.ElectronPhonon(ALUMINIUM)(aluminium())
    assert found["outcome"] is Outcome.ok
    assert 0.36 <= found["strength"] <= 0.48


def doped(systems=40, each=10):
    """Compounds A B(x) whose Tc is a property of the system: a random split sees it, a split by system cannot."""
    from domains.materials.elements import symbols

    metals, random = symbols()[20 : 20 + systems], np.random.default_rng(0)
    kelvin = random.uniform(0, 100, systems)
    lines = [f"{metal}O{1 + 0.01 * x:.2f},{kelvin[at]:.1f}" for at, metal in enumerate(metals) for x in range(each)]
    return "\n".join(["name,Tc", *lines, "Zz9,3", "MgB2,", "MgB2,39", "MgB2,12", "Fe,-1"]) + "\n"


def test_only_a_split_by_chemical_system_tells_what_is_not_known(tmp_path):
    file = tmp_path / "tc.csv"
    file.write_text(doped())
    data = tc_surrogate.measured(file)
    assert (
        len(data.formulas) == 401
    )  # what is no formula or no temperature is left out, and the highest Tc of each stays
    assert dict(zip(data.formulas, data.kelvin, strict=True))["MgB2"] == 39
    found = tc_surrogate.trust(data, 1)
    assert (found.compositions, found.systems) == (401, 41)
    assert found.r2_random > 0.9
    assert found.r2 < 0.5
    assert found.mae > 3 * found.mae_random


def test_predictions_come_with_a_spread_and_only_from_the_file_of_the_run(tmp_path, monkeypatch):
    (tmp_path / "materials").mkdir()
    (tmp_path / tc_surrogate.FILE).write_text(doped())
    monkeypatch.setenv("AI4S_DATA", str(tmp_path))
    tc_surrogate.sha256.cache_clear()
    settings = tc_surrogate.SurrogateSettings(data_sha256=tc_surrogate.sha256(), seed=1)
    rows = tc_surrogate.predict_rows(pa.table({"id": [7], "formula": ["TiO1.03"]}), settings).to_pylist()
    assert rows[0]["id"] == 7
    assert rows[0]["predicted_error_k"] >= 0
    other = settings.model_copy(update={"data_sha256": "0"})
    with pytest.raises(ValueError, match="checksum differs"):
        tc_surrogate.predict_rows(pa.table({"id": [7], "formula": ["TiO"]}), other)
    tc_surrogate.sha256.cache_clear()


def test_without_the_file_no_tc_is_predicted_and_it_is_said(monkeypatch):
    monkeypatch.delenv("AI4S_DATA", raising=False)
    assert "put github.com/vstanev1/Supercon's file to AI4S_DATA/" in tc_surrogate.missing()
    study = check(SuperconductorRequest(materials="Al", phonon_potential="emt"))
    assert study.surrogate is None
    assert "not available" in study.without_surrogate
    tc_surrogate.sha256.cache_clear()
    with pytest.raises(InvalidRequest, match="not available"):
        check(SuperconductorRequest(materials="Al", phonon_potential="emt", surrogate=True))


@pytest.mark.slow
def test_supercon_by_chemical_system():
    found = tc_surrogate.trust(tc_surrogate.measured(public_data(tc_surrogate.FILE)), 1)
    assert found.r2 >= 0.6
    assert found.r2 < found.r2_random


@pytest.mark.parametrize("name", list(conductors.CONDUCTORS))
def test_a_known_superconductor_is_what_its_name_says(name):
    crystal = conductors.load(name).crystal
    assert crystal.to_pymatgen().composition.reduced_formula == name
    assert published.shortest(crystal) > 1.7


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"materials": "MgB"}, "unknown material 'MgB', closest: MgB2"),
        ({"mu_star": [0.13, 0.10]}, "mu_star = 0.13,0.1 is no band within 0 to 0.3"),
        ({"mu_star": [0.1, 0.9]}, "no band within 0 to 0.3"),
        ({"phonons": 2, "coupling": 3}, "coupling = 3 is more than phonons = 2"),
        ({"phonon_potential": "x"}, "'sevennet-l3i5'"),
    ],
)
def test_a_wrong_value_is_refused_with_what_is_valid(changes, message):
    with pytest.raises(ValidationError, match=message):
        SuperconductorRequest.model_validate(changes)


def test_a_request_that_cannot_run_is_refused_before_it_starts(tmp_path):
    with pytest.raises(InvalidRequest, match="far too soft"):
        check(SuperconductorRequest(materials="Al", phonon_potential="chgnet"))
    with pytest.raises(InvalidRequest, match="not trained on Nb, which Nb holds"):
        check(SuperconductorRequest(materials="Nb", phonon_potential="emt"))
    with pytest.raises(InvalidRequest, match="the folder holds 0 crystals"):
        check(SuperconductorRequest(materials=(str(tmp_path),), phonon_potential="emt"))


def test_a_folder_of_crystals_is_all_of_them_and_the_plan_names_every_stage(tmp_path, nowhere):
    for name in ("a", "b"):
        conductors.load("Al").crystal.to_ase().write(tmp_path / f"{name}.cif")
    study = check(SuperconductorRequest(materials=(str(tmp_path), "Al"), surrogate=False, phonon_potential="emt"))
    assert study.rows()["name"].to_pylist() == ["a", "b", "Al"]
    assert study.rows()["formula"].to_pylist() == ["Al", "Al", "Al"]
    assert [stage.name for stage in study.plan()] == ["materials", "phonons", "coupling"]
    assert "inputs for ph.x only (needs binary" in study.summary
    assert os.environ["PATH"] == str(nowhere)

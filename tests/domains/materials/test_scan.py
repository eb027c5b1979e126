"""Scans: the lowest point from three volumes, each candidate counted, nonsense named."""

import numpy as np
import pyarrow as pa
import pytest
from ase.build import bulk
from hypothesis import given
from hypothesis import strategies as st

from domains.materials.candidates import candidates
from domains.materials.crystal import COLUMNS, Crystal
from domains.materials.outcomes import Outcome
from domains.materials.potential import Identity, load
from domains.materials.scan import (
    BEYOND,
    EVALUATED,
    FACTORS,
    SCHEMA,
    EvaluateStage,
    ScanStage,
    evaluate_rows,
    scan,
    scan_rows,
    vertex,
)  # fmt: skip
from tasks.child import Answer, Child

METALS = ("Al", "Ni", "Cu", "Pd", "Ag", "Pt", "Au")


@given(lowest=st.floats(8, 25), depth=st.floats(-10, 2), modulus=st.floats(5, 400))
def test_the_vertex_of_a_parabola_is_found_exactly(lowest, depth, modulus):
    x0 = lowest ** (-2 / 3)
    curvature = modulus / 160.21766208 * 9 / 8 * lowest ** (7 / 3)
    volumes = lowest * np.array([0.8, 1.0, 1.3])
    found = vertex(volumes, depth + curvature * (volumes ** (-2 / 3) - x0) ** 2)
    assert found == pytest.approx((lowest, depth, modulus), rel=1e-4, abs=1e-5)


@given(energies=st.lists(st.floats(-10, 10), min_size=3, max_size=3))
def test_the_vertex_stays_near_the_volumes_whatever_the_energies(energies):
    volumes = 10 * np.array(FACTORS)
    volume, energy, _ = vertex(volumes, np.array(energies))
    assert (1 + BEYOND) ** -1.5 * 10 * 0.999 <= volume <= (1 - BEYOND) ** -1.5 * 16 * 1.001
    assert energy <= max(energies) + 1e-9


def test_a_metal_is_scanned_to_its_volume():
    start = Crystal.from_ase(bulk("Cu", a=3.3))
    (found,) = scan(load("emt"), [start])
    assert found.outcome is Outcome.ok
    assert found.volume == pytest.approx(3.59**3 / 4, rel=0.03)
    assert found.energy_per_atom == pytest.approx(-0.0057, abs=0.05)
    assert np.allclose(found.volumes, start.volume * np.array(FACTORS))


def test_bad_candidates_are_named_and_the_others_are_as_alone():
    potential = load("chgnet")
    good = Crystal.from_ase(bulk("NaCl", "rocksalt", a=5.4))
    spinel = wrong_spinel()
    lost = Crystal(np.zeros((3, 3)), np.zeros((1, 3)), np.array([29], np.uint8))
    strange = Crystal(good.lattice, good.positions, np.array([95, 17], np.uint8))
    apart = Crystal(12.0 * np.eye(3), np.zeros((1, 3)), np.array([2], np.uint8))
    found = scan(potential, [spinel, good, lost, strange, apart, good])
    assert [one.outcome for one in found] == [
        Outcome.overlapping_atoms, Outcome.ok, Outcome.overlapping_atoms, Outcome.unsupported_element,
        Outcome.isolated_atoms, Outcome.ok,
    ]  # fmt: skip
    assert found[1].energy_per_atom == pytest.approx(scan(potential, [good])[0].energy_per_atom, abs=1e-5)
    assert found[1].volume == pytest.approx(5.65**3 / 4, rel=0.05)
    assert found[0].reason.endswith("Å³ an atom")


def wrong_spinel():
    """LiMn2O4 with the positions of one choice of origin under the operations of the other."""
    from pymatgen.core import Lattice, Structure

    sites = [[0.125] * 3, [0.5] * 3, [0.2625] * 3]
    return Crystal.from_pymatgen(Structure.from_spacegroup("Fd-3m", Lattice.cubic(8.25), ["Li", "Mn", "O"], sites))


def test_every_candidate_has_a_row(tmp_path):
    table = candidates(METALS, 30, seed=1, alloys=True)
    child = Child(6 * 2**30)
    try:
        child.open(scan_rows, ScanStage(potential=Identity.of("emt")))
        answer = child.call(table, 120)
    finally:
        child.close()
    assert isinstance(answer, Answer)
    assert answer.result.schema == SCHEMA
    assert answer.result["id"].to_pylist() == table["id"].to_pylist()
    assert set(answer.result["outcome"].to_pylist()) <= {"ok", "overlapping_atoms", "isolated_atoms"}
    fine = answer.result.filter(pa.compute.equal(answer.result["outcome"], "ok"))
    assert len(fine) > 20
    assert set(fine["convention"].to_pylist()) == {"EMT"}


def test_crystals_are_evaluated_as_they_are():
    crystals = [
        Crystal.from_ase(bulk("Cu", a=3.6)),
        Crystal.from_ase(bulk("Fe")),
        Crystal.from_ase(bulk("Al", cubic=True)),
    ]
    rows = pa.Table.from_pylist(
        [{"id": at, **one.row()} for at, one in enumerate(crystals)], schema=pa.schema([("id", pa.int64()), *COLUMNS])
    )
    made = evaluate_rows(rows, EvaluateStage(potential=Identity.of("emt")))
    (aluminium,) = load("emt").evaluate(crystals[2:], "energy")
    assert made["outcome"].to_pylist() == ["ok", "unsupported_element", "ok"]
    assert made["energy_per_atom"].to_pylist()[2] == pytest.approx(aluminium.energy / 4)
    assert set(EVALUATED.names) < set(made.column_names)

"""Relaxation: to the same place as ASE's optimisers, in any batch, with a named end for what does not get there."""

import numpy as np
import pyarrow as pa
import pytest
from ase.build import bulk
from ase.filters import FrechetCellFilter
from ase.optimize import BFGS
from hypothesis import given, settings
from hypothesis import strategies as st

from domains.materials.calculator import calculator
from domains.materials.crystal import COLUMNS, Crystal
from domains.materials.descent import LONGEST_STEP, Descent
from domains.materials.outcomes import Outcome
from domains.materials.potential import Evaluation, Identity, load
from domains.materials.relax import SCHEMA, RelaxSettings, RelaxStage, relax, relax_rows
from tests.domains.materials.test_scan import wrong_spinel

TIGHT = RelaxSettings(fmax=0.01)


def rattled(atoms, by=0.08, seed=1):
    atoms.rattle(by, seed=seed)
    return Crystal.from_ase(atoms)


def salt(a=5.3, seed=1):
    return rattled(bulk("NaCl", "rocksalt", a=a), seed=seed)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), points=st.integers(1, 6))
def test_a_descent_finds_the_bottom_of_a_bowl_in_short_steps(seed, points):
    rng = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(rng.normal(size=(3 * points,) * 2))
    bowl = rotation @ np.diag(rng.uniform(2, 150, 3 * points)) @ rotation.T
    at, descent = rng.normal(size=3 * points), Descent()
    for _ in range(150):
        force = -(bowl @ at).reshape(-1, 3)
        if np.abs(force).max() < 1e-3:
            break
        move = descent.step(force)
        assert np.linalg.norm(move, axis=1).max() <= LONGEST_STEP * (1 + 1e-9)
        at = at + move.ravel()
    assert np.abs(force).max() < 1e-3


@pytest.mark.parametrize(
    ("name", "start"), [("emt", lambda: rattled(bulk("Cu", a=3.75, cubic=True))), ("chgnet", salt)]
)
def test_the_end_is_that_of_ase(name, start):
    (ours,) = relax(load(name), [start()], TIGHT)
    atoms = start().to_ase()
    atoms.calc = calculator(load(name))
    BFGS(FrechetCellFilter(atoms), logfile=None).run(fmax=0.01, steps=300)
    assert ours.outcome is Outcome.ok
    assert ours.fmax <= 0.01
    assert ours.energy == pytest.approx(atoms.get_potential_energy(), abs=2e-3)
    assert ours.crystal.volume == pytest.approx(atoms.get_volume(), rel=5e-3)
    assert ours.energy == pytest.approx(load(name).evaluate([ours.crystal], "energy")[0].energy, abs=1e-4)


def test_a_fixed_cell_stays():
    start = rattled(bulk("Cu", a=3.75, cubic=True))
    (ours,) = relax(load("emt"), [start], RelaxSettings(fmax=0.01, free_cell=False))
    assert ours.outcome is Outcome.ok
    assert np.array_equal(ours.crystal.lattice, start.lattice)
    assert np.abs(load("emt").evaluate([ours.crystal], "forces")[0].forces).max() < 0.01


def test_the_end_does_not_depend_on_who_flies_along():
    crystals = [salt(5.2 + 0.1 * seed, seed) for seed in range(5)]
    together = relax(load("chgnet"), crystals, RelaxSettings())
    alone = [relax(load("chgnet"), [one], RelaxSettings())[0] for one in crystals]
    assert [one.outcome for one in together] == [Outcome.ok] * 5
    assert [one.energy for one in together] == pytest.approx([one.energy for one in alone], abs=2e-3)


def test_bad_crystals_end_in_a_name_and_the_others_relax():
    good = salt()
    singular = Crystal(np.zeros((3, 3)), np.zeros((1, 3)), np.array([29], np.uint8))
    unknown = Crystal(good.lattice, good.positions, np.array([95, 17], np.uint8))
    apart = Crystal(12.0 * np.eye(3), np.zeros((1, 3)), np.array([2], np.uint8))
    large = Crystal.from_ase(bulk("C") * (9, 9, 9))
    found = relax(load("chgnet"), [singular, wrong_spinel(), good, unknown, apart, large, good], RelaxSettings())
    assert [one.outcome for one in found] == [
        Outcome.overlapping_atoms, Outcome.overlapping_atoms, Outcome.ok, Outcome.unsupported_element,
        Outcome.isolated_atoms, Outcome.out_of_memory, Outcome.ok,
    ]  # fmt: skip
    assert all(one.energy is None for one in found if one.outcome is not Outcome.ok)


def test_too_few_steps_are_named_with_what_is_left():
    (found,) = relax(load("chgnet"), [salt(6.2)], RelaxSettings(fmax=0.001, max_steps=2))
    assert found.outcome is Outcome.max_steps
    assert found.steps == 2
    assert found.fmax > 0.001
    assert found.reason == f"{found.fmax:.2f} eV/Å are left after 2 steps"


def test_a_cell_that_blows_up_is_a_runaway():
    class Bursting:
        """Pushes outwards at any volume."""

        elements, atoms_in_flight = frozenset({29}), 40

        def evaluate(self, crystals, want):
            return [Evaluation(-1.0, np.zeros((len(one), 3)), -0.5 * np.eye(3)) for one in crystals]

    (found,) = relax(Bursting(), [Crystal.from_ase(bulk("Cu"))], RelaxSettings())
    assert found.outcome is Outcome.volume_runaway


def test_rows_in_rows_out():
    crystals = [rattled(bulk("Cu", a=3.7, cubic=True)), Crystal.from_ase(bulk("Fe")), rattled(bulk("Au"))]
    rows = [{"id": 7 * at, **one.row()} for at, one in enumerate(crystals)]
    batch = pa.Table.from_pylist(rows, schema=pa.schema([("id", pa.int64()), *COLUMNS]))
    made = relax_rows(batch, RelaxStage(potential=Identity.of("emt")))
    assert made.schema == SCHEMA
    assert made["id"].to_pylist() == [0, 7, 14]
    assert made["outcome"].to_pylist() == ["ok", "unsupported_element", "ok"]
    first, second, _ = made.to_pylist()
    assert Crystal.from_row(first).volume == pytest.approx(first["volume"])
    assert second["lattice"] is None
    assert second["reason"] == "at step 0"


@pytest.mark.slow
def test_sevennet_relaxes():
    (found,) = relax(load("sevennet-l3i5"), [salt()], RelaxSettings())
    assert found.outcome is Outcome.ok
    assert (4 * found.crystal.volume) ** (1 / 3) == pytest.approx(5.69, abs=0.05)

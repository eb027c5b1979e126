"""Potentials: the same answers as their own packages, and a named outcome for what they cannot evaluate."""

import ast
import subprocess
import sys
import warnings

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.calculator import CalculatorError
from ase.spacegroup import crystal as by_symmetry
from hypothesis import given, settings
from hypothesis import strategies as st

from domains.errors import InvalidRequest
from domains.materials import batching
from domains.materials.calculator import calculator
from domains.materials.crystal import Crystal
from domains.materials.neighbours import angles, neighbours, undirected
from domains.materials.outcomes import Outcome
from domains.materials.potential import Convention, Evaluation, Identity, load

GPA = 160.21766208
NAMES = ("emt", "chgnet", "sevennet-l3i5")


def rattled(atoms, by=0.05, seed=1):
    atoms.rattle(by, seed=seed)
    return Crystal.from_ase(atoms)


def perovskite():
    sites = [(0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0)]
    return by_symmetry(["Sr", "Ti", "O"], sites, spacegroup=221, cellpar=[3.9, 3.9, 3.9, 90, 90, 90])


@pytest.fixture(scope="module")
def crystals():
    """Oxide, metal without angles, salt; each out of equilibrium."""
    lithium, salt = bulk("Li") * (2, 2, 1), bulk("NaCl", "rocksalt", a=5.64)
    return [rattled(perovskite() * (1, 1, 2)), rattled(lithium, 0.1), rattled(salt, 0.1)]


@pytest.fixture(scope="module")
def copper():
    return rattled(bulk("Cu", cubic=True), 0.1)


# ------------------------------------------------------------------------------------------------ neighbours


def random_crystal(rng, n):
    lattice = np.diag(rng.uniform(2.5, 5, 3)) + rng.uniform(-0.8, 0.8, (3, 3))
    return Crystal(lattice, rng.random((n, 3)), np.full(n, 29, np.uint8))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 5))
def test_neighbours_are_all_pairs_within_the_cutoff(seed, n):
    crystal = random_crystal(np.random.default_rng(seed), n)
    graph = neighbours(crystal, 4.0)
    images = np.stack(np.meshgrid(*[np.arange(-5, 6)] * 3, indexing="ij"), -1).reshape(-1, 3)
    positions = crystal.positions @ crystal.lattice
    between = positions[None, :, None] + images @ crystal.lattice - positions[:, None, None]
    lengths = np.linalg.norm(between, axis=-1)
    expected = np.sort(lengths[(lengths < 4.0) & (lengths > 1e-6)])
    assert np.allclose(np.sort(graph.length), expected)
    assert np.allclose(np.linalg.norm(graph.vector, axis=1), graph.length)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_an_undirected_pair_is_two_opposite_edges_and_angles_are_all_pairs_of_edges(seed):
    rng = np.random.default_rng(seed)
    batch = [neighbours(random_crystal(rng, n), 3.5) for n in (1, 3, 2)]
    one_of, index = undirected(batch)
    vectors = np.concatenate([graph.vector for graph in batch])
    assert (np.bincount(index) == 2).all()
    assert np.allclose(np.abs(vectors), np.abs(vectors[one_of[index]]))
    total = np.zeros((len(one_of), 3))
    np.add.at(total, index, vectors)
    assert np.allclose(total, 0)

    center = batch[1].center
    near = np.flatnonzero(batch[1].length < 3)
    one, other = angles(center, near)
    brute = {(a, b) for a in near for b in near if a != b and center[a] == center[b]}
    assert set(zip(one.tolist(), other.tolist(), strict=True)) == brute
    assert len(one) == len(brute)


# ------------------------------------------------------------------------------------------------ answers


def test_chgnet_is_its_own_package(crystals):
    potential = load("chgnet")
    found = potential.evaluate(crystals, "forces")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own conversions of tensors
        theirs = potential.network.predict_structure([one.to_pymatgen() for one in crystals], task="efsm")
    for crystal, ours, other in zip(crystals, found, theirs, strict=True):
        assert ours.energy / len(crystal) == pytest.approx(float(other["e"]), abs=2e-5)
        assert np.allclose(ours.forces, other["f"], atol=1e-4)
        assert np.allclose(ours.stress * GPA, other["s"], atol=5e-3)
        assert np.allclose(ours.moments, other["m"], atol=1e-4)


def test_sevennet_is_its_own_package(crystals):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on accelerators
        from sevenn.calculator import SevenNetCalculator

        theirs = SevenNetCalculator("7net-l3i5", device="cpu")
    small = crystals[1:]
    for crystal, ours in zip(small, load("sevennet-l3i5").evaluate(small, "forces"), strict=True):
        atoms = crystal.to_ase()
        atoms.calc = theirs
        assert ours.energy == pytest.approx(atoms.get_potential_energy(), abs=1e-4)
        assert np.allclose(ours.forces, atoms.get_forces(), atol=1e-4)
        assert np.allclose(ours.stress, atoms.get_stress(voigt=False), atol=1e-5)


def test_forces_of_a_large_crystal_are_those_of_a_small_one(copper):
    potential = load("sevennet-l3i5")
    large = Crystal.from_ase(copper.to_ase() * (3, 3, 1))
    # Large enough to be taken part by part.
    assert potential.bytes(neighbours(large, potential.cutoff), "forces") == batching.BATCH_BYTES
    alone, twice = (potential.evaluate([one], "forces")[0] for one in (copper, large))
    assert twice.energy == pytest.approx(9 * alone.energy, abs=1e-3)
    assert np.allclose(twice.forces, np.tile(alone.forces, (9, 1)), atol=1e-4)
    assert np.allclose(twice.stress, alone.stress, atol=1e-5)


@pytest.mark.parametrize(("name", "step"), [("emt", 1e-4), ("chgnet", 1e-2), ("sevennet-l3i5", 1e-2)])
def test_forces_and_stress_are_slopes_of_the_energy(name, step, copper):
    potential = load(name)
    (found,) = potential.evaluate([copper], "forces")
    rng = np.random.default_rng(0)
    direction, strain = rng.normal(size=(len(copper), 3)), rng.normal(size=(3, 3))
    strain = (strain + strain.T) / 10

    def moved(by):
        positions = copper.positions + by * direction @ np.linalg.inv(copper.lattice)
        return Crystal(copper.lattice, positions, copper.numbers)

    def strained(by):
        return Crystal(copper.lattice @ (np.eye(3) + by * strain), copper.positions, copper.numbers)

    for change, expected in (
        (moved, -np.vdot(found.forces, direction)),
        (strained, copper.volume * np.vdot(found.stress, strain)),
    ):
        low, high = potential.evaluate([change(-step), change(step)], "energy")
        assert (high.energy - low.energy) / (2 * step) == pytest.approx(expected, rel=0.02, abs=5e-3)


@pytest.mark.parametrize("name", ["emt", "chgnet"])
def test_an_answer_does_not_depend_on_its_batch(name, copper):
    potential = load(name)
    others = [rattled(bulk("Cu", cubic=True), 0.1, seed) for seed in range(12)]
    (alone,) = potential.evaluate([copper], "forces")
    among = potential.evaluate([*others, copper, *others], "forces")[12]
    assert among.energy == pytest.approx(alone.energy, abs=1e-4)
    assert np.allclose(among.forces, alone.forces, atol=1e-4)


def test_conventions_and_weights_are_named():
    found = {name: Identity.of(name) for name in NAMES}
    assert [one.convention for one in found.values()] == [Convention.emt, Convention.mp2020, Convention.raw]
    assert len({one.weights_sha256 for one in found.values()}) == 3
    assert all(one.load() is load(name) for name, one in found.items())


def test_other_weights_are_refused():
    with pytest.raises(ValueError, match="not the potential that the run began with"):
        Identity.of("emt").model_copy(update={"weights_sha256": "0"}).load()


def test_an_unknown_potential_is_one_clear_error():
    with pytest.raises(InvalidRequest, match="mace.*chgnet, sevennet-l3i5, emt"):
        load("mace")


def test_emt_needs_no_torch():
    code = (
        "import sys; sys.modules.update(torch=None, chgnet=None, sevenn=None)\n"
        "from ase.build import bulk\n"
        "from domains.materials.crystal import Crystal\n"
        "from domains.materials.potential import load\n"
        "from domains.materials.relax import RelaxSettings, relax\n"
        "(one,) = relax(load('emt'), [Crystal.from_ase(bulk('Cu', a=3.7))], RelaxSettings())\n"
        "print(one.outcome, round((4 * one.crystal.volume) ** (1 / 3), 2))\n"
        "load('chgnet')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.split() == ["ok", "3.59"]
    assert "InvalidRequest: potential = 'chgnet': " in done.stderr


# ------------------------------------------------------------------------------------------------ outcomes


def close(symbols, apart, cell=4.0):
    positions = [[0, 0, 0], [apart / cell, 0, 0]]
    from ase.data import atomic_numbers

    return Crystal(cell * np.eye(3), np.array(positions), np.array([atomic_numbers[one] for one in symbols], np.uint8))


BAD = {
    "plutonium's next neighbour": (close(("Am", "O"), 2.0), Outcome.unsupported_element),
    "atoms on one another": (close(("Na", "Cl"), 0.2), Outcome.overlapping_atoms),
    "an atom on its image": (Crystal(np.diag([0.4, 9, 9]), np.zeros((1, 3)), np.array([29], np.uint8)), Outcome.overlapping_atoms),
    "no volume": (Crystal(np.zeros((3, 3)), np.zeros((1, 3)), np.array([29], np.uint8)), Outcome.overlapping_atoms),
    "far apart": (close(("Na", "Cl"), 7.0, 14.0), Outcome.isolated_atoms),
    "no atoms": (Crystal(np.eye(3), np.zeros((0, 3)), np.zeros(0, np.uint8)), Outcome.isolated_atoms),
    "not a number": (Crystal(np.full((3, 3), np.nan), np.zeros((1, 3)), np.array([29], np.uint8)), Outcome.diverged),
    "dense and large": (
        Crystal(np.eye(3) * 30, np.random.default_rng(0).random((4000, 3)), np.full(4000, 29, np.uint8)),
        Outcome.out_of_memory,
    ),
}  # fmt: skip


@pytest.mark.parametrize("want", ["energy", "forces"])
def test_each_bad_crystal_costs_its_own_row_only(want, crystals):
    potential = load("chgnet")
    good = potential.evaluate(crystals, want)
    mixed = potential.evaluate([crystals[0], *(bad for bad, _ in BAD.values()), *crystals[1:]], want)
    named = dict(zip(BAD, (one.problem for one in mixed[1 : 1 + len(BAD)]), strict=True))
    assert named == {name: outcome for name, (_, outcome) in BAD.items()}
    left = [mixed[0], *mixed[1 + len(BAD) :]]
    assert [one.energy for one in left] == pytest.approx([one.energy for one in good], abs=1e-4)


def test_emt_knows_seven_metals(copper):
    found = load("emt").evaluate([copper, Crystal.from_ase(bulk("Fe"))], "energy")
    assert found[0].energy is not None
    assert found[1].problem is Outcome.unsupported_element


@pytest.mark.parametrize("energy", [float("nan"), float("inf"), -25.0, None])
def test_an_energy_that_no_material_has_is_diverged(energy, copper):
    class Model:
        elements, cutoff = frozenset({29}), 5.0

        def bytes(self, graph, want):
            return 1.0

        def atoms(self, want):
            return 40

        def compute(self, graphs, want):
            forces = np.full((4, 3), 1e5 if energy is None else 0.0)
            return [Evaluation(-10.0 if energy is None else 4 * energy, forces) for _ in graphs]

    (found,) = batching.evaluate(Model(), [copper], "forces")
    assert found.problem is Outcome.diverged


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory")])
def test_out_of_memory_halves_the_batch_down_to_the_guilty_crystal(error, copper):
    large = Crystal.from_ase(bulk("Cu", cubic=True) * (2, 1, 1))

    class Model:
        elements, cutoff, asked = frozenset({29}), 5.0, []

        def bytes(self, graph, want):
            return 1.0

        def atoms(self, want):
            return 40

        def compute(self, graphs, want):
            self.asked.append(len(graphs))
            if len(graphs) > 2 or any(len(graph) == 8 for graph in graphs):
                raise error
            return [Evaluation(-1.0) for _ in graphs]

    found = batching.evaluate(model := Model(), [copper, copper, large, copper], "energy")
    assert [one.problem for one in found] == ["", "", Outcome.out_of_memory, ""]
    assert model.asked == [4, 2, 2, 1, 1]


def test_another_error_of_the_model_is_not_hidden(copper):
    class Model:
        elements, cutoff = frozenset({29}), 5.0

        def bytes(self, graph, want):
            return 1.0

        def atoms(self, want):
            return 40

        def compute(self, graphs, want):
            raise RuntimeError("shape mismatch")

    with pytest.raises(RuntimeError, match="shape"):
        batching.evaluate(Model(), [copper], "energy")


MEMORY = """
import sys
from pathlib import Path
import numpy as np
from ase.build import bulk
from domains.materials.crystal import Crystal
from domains.materials.potential import load
potential = load(sys.argv[1])
crystals = [Crystal.from_ase(bulk("C", a=3.2) * (n, n, n)) for n in (6, 3, 2, 2, 1, 1)]
crystals += [Crystal.from_ase(bulk("Na") * (4, 4, 4))] * 2
print([str(one.problem) for one in potential.evaluate(crystals, "forces")])
# Not ru_maxrss: a child inherits its parent's peak.
status = Path("/proc/self/status").read_text()
print(1024 * int(status.split("VmHWM:")[1].split()[0]))
"""


@pytest.mark.parametrize("name", ["chgnet", pytest.param("sevennet-l3i5", marks=pytest.mark.slow)])
def test_memory_stays_below_two_gigabytes_at_any_input(name):
    done = subprocess.run([sys.executable, "-c", MEMORY, name], capture_output=True, text=True, check=True)
    problems, peak = done.stdout.splitlines()
    assert float(peak) < 2e9
    assert ast.literal_eval(problems) == ["out_of_memory", *[""] * 7]


# ------------------------------------------------------------------------------------------------ ASE


@pytest.mark.parametrize("name", NAMES)
def test_a_calculator_says_what_the_potential_says(name, copper):
    atoms = copper.to_ase()
    atoms.calc = calculator(load(name))
    (found,) = load(name).evaluate([copper], "forces")
    assert atoms.get_potential_energy() == pytest.approx(found.energy)
    assert np.allclose(atoms.get_forces(), found.forces)
    assert np.allclose(atoms.get_stress(voigt=False), found.stress)
    if found.moments is not None:
        assert np.allclose(atoms.get_magnetic_moments(), found.moments)


def test_a_calculator_refuses_overlapping_atoms():
    atoms = close(("Na", "Cl"), 0.2).to_ase()
    atoms.calc = calculator(load("chgnet"))
    with pytest.raises(CalculatorError, match="chgnet: overlapping_atoms"):
        atoms.get_potential_energy()

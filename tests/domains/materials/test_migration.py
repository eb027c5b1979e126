from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk

from domains.materials import hosts, migration
from domains.materials.crystal import Crystal
from domains.materials.hops import dimensions, hops, wrapped
from domains.materials.outcomes import Outcome
from domains.materials.potential import Identity

LI, CU = 3, 29


def copper(cubic=False):
    return Crystal.from_ase(bulk("Cu", a=3.59, cubic=cubic))


@pytest.fixture(scope="module")
def engine():
    settings = migration.BarrierSettings(potential=Identity.of("emt"), length=7.0, fmax=0.02, images=3)
    return migration.Barrier(settings)


@pytest.mark.parametrize(
    ("name", "length", "equivalents", "ways"),
    [("LiFePO4", 3.0, 4, 1), ("LiCoO2", 2.82, 3, 2), ("LiMn2O4", 3.57, 4, 3), ("LiTiS2", 3.46, 3, 2)],
)
def test_the_shortest_hop_goes_as_far_as_the_textbook_says(name, length, equivalents, ways):
    """Tunnels in olivine, planes in layered hosts, a network in spinel."""
    first = hops(hosts.load(name).crystal, LI)[0]
    assert first.length == pytest.approx(length, abs=0.02)
    assert len(first.edges) == equivalents
    assert dimensions([first]) == ways


def test_a_hop_through_another_site_is_two_hops():
    found = hops(copper(), CU, 5.5)
    assert [round(one.length / 3.59, 3) for one in found] == [0.707, 1.0, 1.225]  # not 1.414: past a neighbour


def test_no_hops_lead_nowhere():
    assert dimensions([]) == 0
    assert hops(copper(), LI) == []


def test_hops_do_not_depend_on_where_the_cell_begins():
    crystal = hosts.load("LiFePO4").crystal
    moved = replace(crystal, positions=crystal.positions + np.array([0.37, 0.61, -2.2]))
    assert [(round(one.length, 6), len(one.edges)) for one in hops(moved, LI)] == [
        (round(one.length, 6), len(one.edges)) for one in hops(crystal, LI)
    ]


def rows_of_every_edge(crystal, number):
    (row,) = migration.rows({"Cu": crystal}, "Cu", longest=2.7, most=1).to_pylist()
    crystal = Crystal.from_row(row)
    (hop,) = hops(crystal, number, 2.7)
    return [{**row, "start": i, "end": j, "image": list(cell)} for i, j, *cell in hop.edges]


def test_the_ion_goes_straight_to_the_vacancy_across_any_boundary():
    crystal = copper(cubic=True)
    every = rows_of_every_edge(crystal, CU)
    assert len(every) == 24
    assert sum(any(row["image"]) for row in every) > 12  # most cross a boundary
    for row in every:
        start, end, moving = migration.ends(row, 7.0, 80)
        step = (end.positions - start.positions) @ start.lattice
        assert np.linalg.norm(step[moving]) == pytest.approx(3.59 / 2**0.5)  # and not through the whole cell
        assert np.abs(np.delete(step, moving, axis=0)).max() == 0
        assert len(start) == 31
        vacancy = start.positions[moving] + (end.positions - start.positions)[moving]
        away = start.positions - vacancy
        distances = np.linalg.norm((away - np.round(away)) @ start.lattice, axis=1)
        assert distances.min() == pytest.approx(3.59 / 2**0.5)  # nobody is there


def test_a_vacancy_in_copper_has_one_barrier_whichever_way_it_goes(engine):
    every = rows_of_every_edge(copper(cubic=True), CU)
    inside = next(row for row in every if not any(row["image"]))
    across = next(row for row in every if sum(map(abs, row["image"])) == 2)
    one, other = engine(inside), engine(across)
    for found in (one, other):
        assert found["outcome"] is Outcome.ok
        assert found["profile"][0] == 0
        assert found["profile"] == pytest.approx(found["profile"][::-1], abs=5e-3)
        assert np.argmax(found["profile"]) == 2
        assert (np.diff(found["along"]) > 0).all()
        assert len(found["path"]) == 15
    assert one["barrier"] == pytest.approx(other["barrier"], abs=5e-3)
    # Measured 0.70 eV (Ehrhart et al., Landolt-Börnstein III/25, 1991); effective medium theory is a model.
    assert 0.4 < one["barrier"] < 1.0


def test_an_end_where_the_ion_does_not_stay_is_told():
    row = rows_of_every_edge(copper(cubic=True), CU)[0]
    start, end, moving = migration.ends(row, 7.0, 80)
    assert migration.strayed([start, end], [start, end], moving) == ""
    assert "left the end of its hop of 2.54 Å by 2.54 Å" in migration.strayed([start, end], [start, start], moving)
    other = start.positions.copy()
    other[moving - 1] += [0.25, 0, 0]
    told = migration.strayed([start, end], [replace(start, positions=other), end], moving)
    assert "another atom moves by 1.79 Å" in told  # a quarter of 7.18


def test_what_the_potential_cannot_do_ends_in_an_outcome(engine):
    (row,) = migration.rows({"LiFePO4": hosts.load("LiFePO4").crystal}, "Li", most=1).to_pylist()
    assert engine(row)["outcome"] is Outcome.unsupported_element


@pytest.mark.parametrize(("name", "times"), [("LiFePO4", (1, 2, 1)), ("LiCoO2", (3, 3, 2)), ("LiTiS2", (3, 3, 2))])
def test_the_supercell_is_longest_along_the_hop(name, times):
    (row,) = migration.rows({name: hosts.load(name).crystal}, "Li", most=1).to_pylist()
    crystal = Crystal.from_row(row)
    step = crystal.positions[row["end"]] + row["image"] - crystal.positions[row["start"]]
    assert np.linalg.norm(step @ crystal.lattice) == pytest.approx(row["length"])
    assert migration.repeats(crystal, step, 8.0, 80) == times
    large = migration.repeats(crystal, step, 8.0, 400)
    assert (np.linalg.norm(crystal.lattice, axis=1) * large >= 8).all()


def test_few_steps_are_not_called_converged():
    settings = migration.BarrierSettings(potential=Identity.of("emt"), length=7.0, fmax=0.02, images=3)
    found = migration.path(*_unrelaxed(settings))
    assert found["outcome"] is Outcome.max_steps
    assert "eV/Å are left after 2 steps" in found["reason"]


def _unrelaxed(settings):
    start, end, moving = migration.ends(rows_of_every_edge(copper(cubic=True), CU)[0], 7.0, 80)
    potential = settings.potential.load()
    energies = [one.energy for one in potential.evaluate([start, end], "energy")]
    short = settings.model_copy(update={"max_steps": 2})
    return potential, list(zip((start, end), energies, strict=True)), moving, short


def test_positions_are_wrapped_once_and_for_all():
    crystal = Crystal(np.eye(3) * 4, np.array([[-1e-17, 1.0, 2.5]]), np.array([29], np.uint8))
    positions = wrapped(crystal).positions
    assert (positions >= 0).all()
    assert (positions < 1).all()


@pytest.mark.slow
def test_lithium_in_lifepo4_moves_along_one_tunnel():
    from benchmarks.cathode_rows import barrier

    # The middle one of any odd number of images is the saddle, as the hop is symmetric.
    found = barrier(Identity.of("chgnet"), images=3, fmax=0.1)
    assert found["outcome"] is Outcome.ok
    assert found["dimensions"] == 1
    assert 0.15 <= found["barrier"] <= 0.30
    assert found["barrier"] == pytest.approx(found["back"], abs=0.01)

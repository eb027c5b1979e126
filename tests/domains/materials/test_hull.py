"""The hull against pymatgen's and against its own definition; and the stages that end candidates."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
from pymatgen.core import Composition

from domains.errors import InvalidRequest
from domains.materials import formula, references
from domains.materials.corrections import MixedConventions
from domains.materials.crystal import Crystal
from domains.materials.hull import Hull
from domains.materials.outcomes import Outcome
from domains.materials.potential import Convention
from domains.materials.references import References
from domains.materials.stability import (
    OUTPUT,
    HullSettings,
    above_hull,
    best_prototypes,
    hull_points,
    place,
    settings_of,
)
from domains.model import Frozen
from tests.public_data import public_data

ELEMENTS = ("Li", "Mg", "O", "Ti")


def made_of(compounds):
    zero = dict.fromkeys(ELEMENTS, 0.0)
    return References("made", Convention.mp2020, zero, compounds, frozenset(), "0", ("", ""))


amounts = st.dictionaries(st.sampled_from(ELEMENTS), st.integers(1, 5), min_size=2)
names = amounts.map(formula.name)
compounds = st.dictionaries(names, st.floats(-4, 0.5).map(lambda e: round(e, 3)), max_size=25)


def by_pymatgen(known, counts, energy, without):
    rivals = {name: each for name, each in known.items() if name != without}
    entries = [PDEntry(Composition(one), 0.0) for one in ELEMENTS]
    entries += [PDEntry(Composition(name), each * Composition(name).num_atoms) for name, each in rivals.items()]
    compound = Composition(counts)
    entry = PDEntry(compound, energy * compound.num_atoms)
    return PhaseDiagram(entries).get_decomp_and_e_above_hull(entry, allow_negative=True)[1]


@settings(max_examples=60, deadline=None)
@given(compounds, amounts, st.floats(-4, 1))
def test_distance_is_pymatgens(known, counts, energy):
    found = Hull(made_of(known)).above(counts, energy)
    own = formula.name(counts)
    assert found.e_above_hull == pytest.approx(by_pymatgen(known, counts, energy, ""), abs=1e-6)
    assert found.e_decomposition == pytest.approx(by_pymatgen(known, counts, energy, own), abs=1e-6)
    assert found.new == (own not in known)


@settings(max_examples=60, deadline=None)
@given(compounds, amounts)
def test_products_make_up_the_compound_at_the_hulls_energy(known, counts):
    found = Hull(made_of(known)).above(counts, 0.0)
    atoms = dict.fromkeys(ELEMENTS, 0.0)
    for name, share in found.products.items():
        parts = formula.parse(name)
        for symbol, number in parts.items():
            atoms[symbol] += share * number / sum(parts.values())
    total = sum(counts.values())
    assert atoms == pytest.approx({one: counts.get(one, 0) / total for one in ELEMENTS}, abs=1e-4)
    energy = sum(share * known.get(name, 0.0) for name, share in found.products.items())
    assert -found.e_decomposition == pytest.approx(energy, abs=1e-4)
    assert formula.name(counts) not in found.products


def test_a_known_stable_compound_is_on_the_hull_and_below_its_rivals():
    hull = Hull(made_of({"Li2O": -2.0, "LiO": -1.4, "Li2TiO3": -2.9, "TiO2": -3.2}))
    found = hull.above({"Li": 2, "O": 1}, -2.0)
    assert found.e_above_hull == 0
    assert found.e_decomposition < 0
    worse = hull.above({"Li": 2, "O": 1}, -1.9)
    assert worse.e_above_hull == pytest.approx(0.1)


def test_an_element_is_its_own_hull():
    assert Hull(made_of({})).above({"Ti": 2}, 0.05).e_above_hull == pytest.approx(0.05)


@pytest.fixture
def public(monkeypatch):
    monkeypatch.setenv("AI4S_DATA", str(public_data("materials/mp_formation_energies.csv.gz").parents[1]))
    return references.load(references.PUBLIC)


def rows(names, energies, convention=Convention.mp2020, **more):
    table = {"id": range(10, 10 + len(names)), "formula": names, "energy_per_atom": energies}
    return pa.table({**table, "convention": [convention.value] * len(names), **more})


def at(public, name, above):
    """The energy per atom at which a known formula lies so far above its public energy."""
    counts = formula.parse(name)
    return public.compounds[name] + above - public.formation_energy(0.0, counts)


def test_every_row_is_compared_or_says_why_not(public):
    batch = rows(
        ["NaCl", "CsPbBr3", "GdKI3", "LiFePO4", "PoO2"],
        [at(public, "NaCl", 0.01), at(public, "CsPbBr3", -0.5), -4.0, at(public, "LiFePO4", -3.5), -5.0],
    )
    made = above_hull(batch, settings_of(public))
    assert made["id"].to_pylist() == batch["id"].to_pylist()
    assert made["outcome"].to_pylist() == [
        Outcome.ok,
        Outcome.implausible,
        Outcome.no_reference,
        Outcome.implausible,
        Outcome.no_reference,
    ]
    salt = made.to_pylist()[0]
    assert salt["e_above_hull"] == pytest.approx(0.01)
    assert salt["e_decomposition"] < 0
    assert set(made.column_names) == {"id", *OUTPUT.names, "outcome", "reason"}
    assert not salt["new"]
    assert "Na" in salt["products"]
    reasons = made["reason"].to_pylist()
    assert "below the hull" in reasons[1]
    assert "Gd" in reasons[2]
    assert "formation energy" in reasons[3]


def test_where_only_elements_are_known_a_deep_compound_is_not_an_artefact():
    chosen = references.load(references.ELEMENTS_ONLY)
    energy = sum(chosen.elements[one] for one in ("Na", "Cl")) / 2 - 2.0
    made = above_hull(rows(["NaCl"], [energy]), settings_of(chosen)).to_pylist()[0]
    assert made["outcome"] == Outcome.ok
    assert made["e_above_hull"] == pytest.approx(-2.0)


def test_raw_energies_are_corrected_by_how_oxygen_is_bound(public):
    lattice, pair = 8 * np.eye(3), np.array([0.74, 0, 0]) / 8
    middle = np.full(3, 0.5)
    crystal = Crystal(lattice, np.array([[0, 0, 0], middle - pair, middle + pair]), np.array([56, 8, 8], np.uint8))
    batch = rows(["BaO2"], [-5.5], Convention.raw)
    alone = above_hull(batch, settings_of(public)).to_pylist()[0]
    batch = rows(["BaO2"], [-5.5], Convention.raw, **{name: [value] for name, value in crystal.row().items()})
    bound = above_hull(batch, settings_of(public)).to_pylist()[0]
    assert bound["formation_energy"] - alone["formation_energy"] == pytest.approx(2 / 3 * (0.687 - 0.465))


def test_mixed_conventions_stop_the_stage(public):
    with pytest.raises(MixedConventions):
        above_hull(rows(["AlNi"], [-5.0], Convention.emt), settings_of(public))


def test_other_references_than_those_of_the_run_are_refused(public):
    with pytest.raises(InvalidRequest, match="not what it was"):
        above_hull(rows(["NaCl"], [-3.0]), HullSettings(references=public.name, sha256="0" * 64))


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["LiO", "TiO2", "MgO"]), st.sampled_from([-1.0, -2.0, -3.0, -2.5])), min_size=1),
    st.randoms(use_true_random=False),
)
def test_one_structure_of_each_formula_is_left_the_lowest(drawn, random):
    ids = random.sample(range(1000), len(drawn))
    batch = pa.table({"id": ids, "formula": [name for name, _ in drawn], "energy_per_atom": [e for _, e in drawn]})
    marks = best_prototypes(lambda columns: iter([batch.select(columns).slice(0, 3), batch.select(columns).slice(3)]))
    outcomes = dict(zip(ids, marks(batch, Frozen())["outcome"].to_pylist(), strict=True))
    for name in {name for name, _ in drawn}:
        alike = sorted((e, number) for number, (other, e) in zip(ids, drawn, strict=True) if other == name)
        assert outcomes[alike[0][1]] == Outcome.ok
        assert all(outcomes[number] == Outcome.worse_prototype for _, number in alike[1:])


def test_no_candidates_have_no_best_prototypes():
    marks = best_prototypes(lambda columns: iter([]))
    assert marks(pa.table({"id": pa.array([], pa.int64())}), Frozen()).num_rows == 0


def test_points_of_a_hull_to_be_drawn(public):
    drawn = hull_points(settings_of(public), ("Li", "O"))
    stable = [name for name, on in zip(drawn.names, drawn.stable, strict=True) if on]
    assert {"Li", "O", "Li2O", "LiO"} <= set(stable)
    assert drawn.fractions.sum(axis=1) == pytest.approx(1)
    assert np.all(drawn.stable[drawn.ties])
    assert len(drawn.ties) == len(stable) - 1  # a chain, in a binary
    assert place(["Li2O", "LiO"], ("Li", "O")).tolist() == [pytest.approx([2 / 3, 1 / 3]), [0.5, 0.5]]
    ternary = hull_points(settings_of(public), ("Li", "Fe", "O"))
    assert ternary.fractions.shape == (len(ternary.names), 3)

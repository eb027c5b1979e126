"""Figures: what is in them, the hull against pymatgen's, and names that cover nothing."""

import re
import xml.etree.ElementTree as ET
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.text import Text
from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
from pymatgen.core import Composition, Element

from domains.figures import figure
from domains.materials import figures
from domains.materials.figures.hull import lower_hull
from domains.materials.figures.labels import place_labels, subscripted
from domains.materials.figures.periodic import EMPTY, place

WORDS = re.compile(r"<text[^>]*>([^<]*)</text>")


def words(svg):
    ET.fromstring(svg)
    return WORDS.findall(svg)


def test_elements_stand_in_their_groups_and_periods():
    places = {number: place(number) for number in range(1, 119)}
    assert len(set(places.values())) == 118
    for number, (row, column) in places.items():
        element = Element.from_Z(number)
        if element.is_lanthanoid or element.is_actinoid:
            assert row > 7
            assert column == number - (54 if element.is_lanthanoid else 86)
        else:
            assert (row, column) == (element.row, element.group)


def test_a_heat_map_names_every_element_and_greys_the_empty_ones():
    svg = figures.periodic_table({3: 12, 8: 56_789, 26: 0}, "compounds")
    found = words(svg)
    assert all(found.count(Element.from_Z(number).symbol) == 1 for number in range(1, 119))
    assert {"compounds", "57–71", "89–103", "12", "56.8k"} <= set(found)
    assert svg.count(f"fill: {EMPTY}") == 116
    assert svg == figures.periodic_table({3: 12, 8: 56_789, 26: 0}, "compounds")


@pytest.mark.parametrize("values", [{}, {8: 1}, {8: 0.0}, {8: 0.25, 3: 0.031}, {1: 3e9}])
def test_any_values_can_be_shown(values):
    words(figures.periodic_table(values, "share"))


@pytest.mark.parametrize("values", [{0: 1}, {119: 1}, {8: -1}, {8: float("nan")}])
def test_what_is_no_count_of_an_element_is_refused(values):
    with pytest.raises(ValueError, match="not a count of an element"):
        figures.periodic_table(values, "share")


@settings(max_examples=25, deadline=None)
@given(st.sampled_from([("Li", "O"), ("Li", "Fe", "O")]), st.integers(0, 12), st.integers(0, 2**32 - 1))
def test_the_hull_is_that_of_pymatgen(system, many, seed):
    rng = np.random.default_rng(seed)
    counts = (
        rng.integers(0, 5, (many, len(system))) + np.eye(len(system), dtype=int)[rng.integers(len(system), size=many)]
    )
    fractions = counts / counts.sum(axis=1, keepdims=True)
    # Elements have no other forms here: both count from the ones at zero.
    energies = np.where(fractions.max(axis=1) < 1, rng.normal(-0.5, 1.0, many), np.abs(rng.normal(0, 1.0, many)))
    hull = lower_hull(fractions, energies)
    entries = [PDEntry(Composition(symbol), 0.0) for symbol in system]
    entries += [
        PDEntry(Composition(dict(zip(system, row.tolist(), strict=True))), energy * row.sum())
        for row, energy in zip(counts, energies, strict=True)
    ]
    diagram = PhaseDiagram(entries)
    expected = [diagram.get_e_above_hull(entry, allow_negative=True) for entry in entries]
    assert np.allclose(hull.energies - hull.at(hull.fractions), expected, atol=1e-6)


def test_the_hull_of_elements_alone_is_flat():
    hull = lower_hull(np.array([[0.5, 0.5, 0.0]]), np.array([0.3]))
    assert np.allclose(hull.at(np.array([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]])), 0)
    assert len(hull.ties) == 3


IRON_OXIDES = [
    ("FeO", {"Fe": 1, "O": 1}, -1.41),
    ("Fe2O3", {"Fe": 2, "O": 3}, -1.71),
    ("Fe3O4", {"Fe": 3, "O": 4}, -1.66),
]


def hull_plot(phases, new):
    names, compositions, energies = zip(*phases, *new, strict=True)
    candidate = np.arange(len(names)) >= len(phases)
    return figures.hull_plot(names, compositions, np.array(energies), candidate, "Materials Project")


def test_a_binary_hull_names_the_stable_and_the_listed():
    new = [("Fe4O5", {"Fe": 4, "O": 5}, -1.75), ("", {"Fe": 1, "O": 2}, -1.0), ("FeO3", {"Fe": 1, "O": 3}, 2.0)]
    found = words(hull_plot([*IRON_OXIDES, ("Fe2O", {"Fe": 2, "O": 1}, -0.2)], new))
    assert {"Fe₂O₃", "Fe₃O₄", "Fe₄O₅"} <= set(found)
    assert not {"Fe₂O", "FeO₃"} & set(found)
    assert "atomic fraction of O in Fe–O (1 phases above 0.26 eV/atom are not drawn)" in found
    assert "hull with the candidates" in found
    assert "hull with the candidates" not in words(hull_plot(IRON_OXIDES, [("Fe4O5", {"Fe": 4, "O": 5}, -1.0)]))


def test_a_ternary_hull_has_its_corners_and_names():
    new = [("LiFeO2", {"Li": 1, "Fe": 1, "O": 2}, -2.0)]
    svg = hull_plot([*IRON_OXIDES, ("Li2O", {"Li": 2, "O": 1}, -2.0)], new)
    assert {"Li", "Fe", "O", "Li₂O", "LiFeO₂", "Fe₂O₃"} <= set(words(svg))
    assert svg == hull_plot([*IRON_OXIDES, ("Li2O", {"Li": 2, "O": 1}, -2.0)], new)


def test_a_hull_of_four_elements_is_refused_in_both_languages():
    said = hull_plot([], [("LiFePO4", {"Li": 1, "Fe": 1, "P": 1, "O": 4}, -2.5)])
    assert "<svg" not in said
    assert "Li-Fe-P-O has 4 elements" in said
    assert "含 4 种元素" in said


def test_a_hull_of_many_candidates_stays_small_and_keeps_the_listed():
    rng = np.random.default_rng(0)
    new = [("", {"Fe": int(a), "O": int(b)}, -1.0) for a, b in rng.integers(1, 400, (9000, 2))]
    new[4001] = ("Fe7O9", {"Fe": 7, "O": 9}, -1.7)
    svg = hull_plot(IRON_OXIDES, new)
    assert "Fe₇O₉" in words(svg)
    assert len(svg) < 600_000


@settings(max_examples=8, deadline=None)
@given(st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_names_cover_neither_each_other_nor_a_mark(many, seed):
    points = np.random.default_rng(seed).uniform(0, 1, (many, 2)) ** 2
    with figure(9.2, 4.4) as made:
        axes = made.subplots()
        axes.scatter(*points.T)
        place_labels(made, axes, points, [subscripted(f"Li{at}FePO4") for at in range(many)], points)
        made.draw_without_rendering()
        boxes = [Text.get_window_extent(text) for text in axes.texts]
        marks = axes.transData.transform(points)
        within = axes.get_window_extent()
    assert boxes
    assert many > 6 or len(boxes) == many
    for one, other in combinations(boxes, 2):
        assert not one.overlaps(other)
    for box in boxes:
        assert box.x0 >= within.x0
        assert box.x1 <= within.x1
        assert not any(box.contains(*mark) for mark in marks)


def test_evaluated_and_relaxed_are_shown_apart():
    rng = np.random.default_rng(1)
    evaluated = rng.normal(-1.5, 0.5, 300)
    found = words(figures.scan_against_relaxed(evaluated, evaluated - 0.05, "MP2020"))
    assert "300 candidates, Spearman 1.00" in found
    assert "relaxed, eV/atom (MP2020)" in found
    found = words(figures.hull_distances(rng.exponential(0.4, 5000), rng.exponential(0.1, 300), 0.1))
    assert {"evaluated at three volumes (5,000)", "relaxed (300)", "cut: 100 meV/atom"} <= set(found)


def test_no_candidates_can_be_shown_as_well():
    nothing = np.empty(0)
    words(figures.scan_against_relaxed(nothing, nothing, "EMT"))
    words(figures.hull_distances(nothing, nothing, 0.05))
    words(figures.energy_volume([]))


def test_scans_are_drawn_one_by_one():
    volumes = np.array([11.0, 12.0, 13.0])
    scans = [figures.Scan(f"Li{at}O", volumes, -5 + 0.01 * (volumes - 12) ** 2, (12.1, -5.02)) for at in range(2, 12)]
    found = words(figures.energy_volume(scans))
    assert [name for name in found if name.startswith("Li")] == [f"Li{one}O" for one in "₂₃₄₅₆₇₈₉"]
    assert "relaxed" in found
    assert "relaxed" not in words(figures.energy_volume([figures.Scan("LiO", volumes, volumes * 0.0)]))


def test_the_mean_voltage_counts_each_step_by_its_charge():
    found = words(figures.voltage_curve([0, 30, 120], [3.0, 4.0], "Li", 3.9))
    assert {"mean 3.75 V", "measured mean 3.90 V", "voltage against Li metal, V"} <= set(found)
    assert not any("measured" in word for word in words(figures.voltage_curve([0, 30], [3.0], "Na")))
    with pytest.raises(ValueError, match="2 steps need 3 capacities, not 2"):
        figures.voltage_curve([0, 1], [3.0, 4.0], "Li")


def test_a_barrier_is_counted_from_its_ends():
    found = words(figures.barrier([0, 1, 2.5], [-380.0, -379.8, -379.95], "Li"))
    assert {"0.20 eV", "barrier forward 0.20 eV, backward 0.15 eV"} <= set(found)
    for path, energies in (([0, 1], [0, 1]), ([0, 1, 1], [0, 1, 0]), ([0, 1, 2], [0, 1])):
        with pytest.raises(ValueError, match="three images"):
            figures.barrier(path, energies, "Li")


def test_imaginary_phonons_are_marked_and_noise_is_not():
    frequencies = np.linspace(-2, 10, 1201)
    stable = np.where((frequencies > 0) & (frequencies < 8), 1.0, 0.0)
    soft = stable + np.where((frequencies > -1.5) & (frequencies < -0.5), 2.0, 0.0)
    parts = {"Mg": stable * 0.4}
    found = words(figures.phonon_dos(frequencies, soft, parts, 0.1, "SevenNet"))
    assert "imaginary, 19.9 % of all" in found
    noisy = stable + np.where((frequencies > -0.05) & (frequencies < 0), 0.1, 0.0)
    found = words(figures.phonon_dos(frequencies, noisy, parts, 0.1, "SevenNet"))
    assert "Mg" in found
    assert not any(word.startswith("imaginary") for word in found)

"""Equations of state: an exact fit, and the accuracy of the potentials on the elements."""

import numpy as np
import pytest
from ase.eos import birchmurnaghan
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.materials_accuracy import SOLIDS, elemental_errors
from domains.materials.eos import FACTORS, GPA, fit


@given(
    volume=st.floats(5, 50),
    energy=st.floats(-15, 5),
    modulus=st.floats(5, 450),
    derivative=st.floats(2, 7),
    off=st.floats(0.97, 1.03),
)
def test_the_fit_gives_back_a_curve_of_birch_and_murnaghan(volume, energy, modulus, derivative, off):
    volumes = off * volume * np.array(FACTORS)
    found = fit(volumes, birchmurnaghan(volumes, energy, modulus / GPA, derivative, volume))
    assert found.volume == pytest.approx(volume, rel=1e-4)
    assert found.energy == pytest.approx(energy, abs=1e-5)
    assert found.modulus == pytest.approx(modulus, rel=1e-3)
    assert found.derivative == pytest.approx(derivative, abs=0.05)


def test_a_curve_without_a_minimum_has_no_equation():
    volumes = 20 * np.array(FACTORS)
    assert fit(volumes, -volumes) is None


@pytest.mark.parametrize(
    ("name", "lattice", "modulus"),
    [("chgnet", 0.3, 15.0), pytest.param("sevennet-l3i5", 0.3, 15.0, marks=pytest.mark.slow)],
)
def test_elements_have_the_volumes_and_moduli_of_dft(name, lattice, modulus):
    errors = elemental_errors(name)
    solids = np.array([errors[one] for one in SOLIDS])
    assert len(errors) == 71
    assert len(solids) == 58
    assert np.median(solids[:, 0]) <= lattice
    assert np.median(solids[:, 1]) <= modulus

import itertools
import random

import numpy as np
import pytest

from domains.errors import InvalidRequest
from domains.materials.balance import COMMON, balanced
from domains.materials.elements import defaults, element
from domains.materials.enumerate import compositions


def formulas(system: tuple[str, ...], max_ratio: int = 8) -> set[tuple[int, ...]]:
    return set(map(tuple, compositions(system, max_ratio).tolist()))


def listed(system: tuple[str, ...], counts: tuple[int, ...], common: float = 0.0) -> bool:
    """The rules, written out for one compound."""
    known = [element(symbol) for symbol in system]
    for charges in itertools.product(*(one.states for one in known)):
        rare = any(one.states[q] < common * sum(one.states.values()) for one, q in zip(known, charges, strict=True))
        cations = [one.electronegativity for one, q in zip(known, charges, strict=True) if q > 0]
        anions = [one.electronegativity for one, q in zip(known, charges, strict=True) if q < 0]
        neutral = sum(q * count for q, count in zip(charges, counts, strict=True)) == 0
        if neutral and not rare and cations and anions and max(cations) < min(anions):
            return True
    return False


def test_familiar_compounds_are_found_and_impossible_ones_are_not() -> None:
    assert formulas(("Li", "O")) == {(1, 1), (2, 1)}
    assert (1, 1, 3) in formulas(("Ba", "Ti", "O"))
    assert (1, 1, 1, 4) in formulas(("Li", "Fe", "P", "O"))
    assert not formulas(("Li", "Na"))
    assert not formulas(("O",))
    assert not formulas(("Rb", "K"))  # equal electronegativities


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("size", [2, 3, 4])
def test_answers_are_those_of_the_rules_written_out(size: int, seed: int) -> None:
    drawn = random.Random(seed)
    system = tuple(drawn.sample(defaults(), size))
    every = itertools.product(range(1, 5), repeat=size)
    assert formulas(system, 4) == {one for one in every if np.gcd.reduce(one) == 1 and listed(system, one)}


@pytest.mark.filterwarnings("ignore")
def test_answers_are_those_of_smact() -> None:
    smact = pytest.importorskip("smact", reason="SMACT is installed for benchmarks only")
    from smact.screening import smact_filter

    drawn = random.Random(5)
    for system in [drawn.sample(defaults(), size) for size in (2, 2, 3, 3, 3, 4)]:
        rows = smact_filter([smact.Element(symbol) for symbol in system], threshold=5, species_unique=False)
        assert formulas(tuple(system), 5) == {row[1] for row in rows}


def test_the_order_of_the_elements_only_permutes_the_ratios() -> None:
    assert {one[::-1] for one in formulas(("O", "Ti", "Ba"))} == formulas(("Ba", "Ti", "O"))


@pytest.mark.parametrize("system", [(), ("Li", "Li"), ("Li", "Fe", "Mn", "P", "O"), ("Li", "Xx")])
def test_what_is_no_system_is_refused(system: tuple[str, ...]) -> None:
    with pytest.raises(InvalidRequest):
        compositions(system)


@pytest.mark.parametrize("seed", range(3))
def test_many_compounds_at_once_are_judged_like_single_ones(seed: int) -> None:
    drawn = random.Random(seed)
    systems = [tuple(drawn.sample(defaults(), drawn.choice((2, 3, 4)))) for _ in range(150)]
    counts = [tuple(drawn.randint(1, 4) for _ in system) for system in systems]
    found = balanced(
        np.array([[*(element(one).number for one in system), 0, 0][:4] for system in systems]),
        np.array([[*one, 0, 0][:4] for one in counts]),
        np.tile(np.arange(4), (150, 1)),
        alloys=False,
    )
    assert found.tolist() == [listed(s, c, COMMON) for s, c in zip(systems, counts, strict=True)]
    assert 0 < found.sum() < 150


def test_elements_that_share_sites_must_be_of_one_sign() -> None:
    species, counts = np.array([[11, 17], [12, 8]]), np.array([[1, 1], [1, 1]])
    assert balanced(species, counts, np.array([[0, 1], [0, 1]]), alloys=False).all()
    assert not balanced(species, counts, np.array([[0, 0], [0, 0]]), alloys=False).any()


def test_metals_are_alloys_only_where_asked_for() -> None:
    species, counts, sides = (
        np.array([[13, 29, 0], [13, 8, 0]]),
        np.array([[1, 1, 0], [1, 1, 0]]),
        np.array([[0, 1, -1]] * 2),
    )
    assert balanced(species, counts, sides, alloys=True).tolist() == [True, False]
    assert balanced(species, counts, sides, alloys=False).tolist() == [False, False]

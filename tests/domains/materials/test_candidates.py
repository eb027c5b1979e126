import itertools

import numpy as np
import pyarrow as pa
import pytest

from domains.errors import InvalidRequest
from domains.materials import formula
from domains.materials.candidates import SCHEMA, _walk, build, candidates, stream
from domains.materials.elements import defaults, element, symbols
from domains.materials.enumerate import compositions
from domains.materials.prototypes import prototype

SEARCH = ("Li", "Ti", "O")


@pytest.fixture(scope="module")
def every() -> pa.Table:
    return candidates(SEARCH, None, seed=1, most_atoms=12)


def keys(table: pa.Table) -> list[tuple[str, tuple[int, ...]]]:
    return list(zip(table["prototype"].to_pylist(), map(tuple, table["species"].to_pylist()), strict=True))


def test_all_there_are_come_once_and_in_the_schema(every: pa.Table) -> None:
    assert every.schema == SCHEMA
    assert every["id"].to_pylist() == list(range(len(every)))
    assert len(every) > 100
    assert len(set(keys(every))) == len(every)


def test_rows_say_what_is_built(every: pa.Table) -> None:
    for row in every.to_pylist()[::7]:
        one = prototype(row["prototype"])
        crystal = build(one, row["species"])
        found, counts = np.unique(crystal.numbers, return_counts=True)
        composition = dict(zip((symbols()[z] for z in found), counts.tolist(), strict=True))
        assert row["formula"] == formula.name(composition)
        assert row["name"].startswith(row["formula"] + " ")
        assert row["atoms"] == len(crystal) <= 12
        assert 3 < crystal.volume / len(crystal) < 60


def test_every_candidate_is_charge_balanced(every: pa.Table) -> None:
    """By the enumeration of compositions, which is another algorithm."""
    for text in set(every["formula"].to_pylist()):
        counts = formula.parse(text)
        assert 2 <= len(counts) <= 3
        assert list(counts.values()) in compositions(tuple(counts), max_ratio=11).tolist()


def test_no_plain_decoration_is_missed(every: pa.Table) -> None:
    """Of binary oxides: each prototype's species in all ways, judged one by one; a swapped halite is one crystal."""
    from domains.materials.decorations import decorations
    from domains.materials.prototypes import prototypes

    found = set(keys(every))
    for one in prototypes(12):
        for plain in decorations(one, 2, 0):
            expected = set()
            for chosen in itertools.permutations(("Li", "Ti", "O"), len(plain.counts)):
                ratios = compositions(chosen, max_ratio=11).tolist()
                common = {"Li": (1,), "Ti": (2, 3, 4), "O": (-2,)}
                neutral = any(
                    sum(q * n for q, n in zip(charges, plain.counts, strict=True)) == 0
                    for charges in itertools.product(*(common[symbol] for symbol in chosen))
                )
                if neutral and list(plain.counts) in ratios:
                    numbers = [element(symbol).number for symbol in chosen]
                    orbits = min(
                        [tuple(numbers[swap[slot]] for slot in plain.slots) for swap in [range(9), *plain.swaps]]
                    )
                    expected.add((one.id, orbits))
            assert expected <= found, one.name


def test_halite_lithium_fluoride_is_one_candidate() -> None:
    table = candidates(("Li", "F"), None, seed=3, most_atoms=2)
    halite = [one for one in keys(table) if prototype(one[0]).spacegroup == 225]
    assert len(halite) == 1


def test_a_sample_is_the_same_each_time_and_a_larger_one_begins_with_it() -> None:
    small, large = (candidates(SEARCH, n, seed=7, most_atoms=12) for n in (40, 90))
    assert len(small) == 40
    assert large.slice(0, 40).equals(small)
    assert keys(candidates(SEARCH, 40, seed=8, most_atoms=12)) != keys(small)


def test_real_decorations_come_before_substituted_ones(every: pa.Table) -> None:
    """One element more than species of the real crystal, or the same on other orbits, is a substitution."""
    substituted = []
    for key, species in keys(every):
        pairs = set(zip(prototype(key).species.tolist(), species, strict=True))
        substituted.append(len(pairs) > len(set(prototype(key).species.tolist())))
    assert substituted == sorted(substituted)
    assert any(substituted)


def test_limits_hold() -> None:
    table = candidates(("Li", "Mg", "Fe", "O", "F"), 3000, seed=1, most_elements=3, most_atoms=10)
    assert max(table["atoms"].to_pylist()) <= 10
    assert {len(formula.parse(text)) for text in set(table["formula"].to_pylist())} == {2, 3}


def test_metals_alone_are_searched_only_as_alloys() -> None:
    assert len(candidates(("Al", "Cu", "Ni"), 50, seed=1)) == 0
    alloys = candidates(("Al", "Cu", "Ni"), 50, seed=1, alloys=True)
    assert len(alloys) == 50


def test_elements_that_need_another_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="needs two elements"):
        candidates(("O",), 10, seed=1)
    with pytest.raises(InvalidRequest, match="unknown element"):
        candidates(("O", "Xy"), 10, seed=1)


def test_a_space_too_large_to_list_is_sampled_in_pieces() -> None:
    pieces = list(stream(defaults(), 20_000, seed=1))
    assert len(pieces) > 1
    table = pa.concat_tables(pieces)
    assert table["id"].to_pylist() == list(range(20_000))
    assert len(set(keys(table))) == 20_000
    used = {z for species in table["species"].to_pylist() for z in species}
    assert len(used) == len(defaults())


@pytest.mark.parametrize("size", [1, 2, 3, 63, 64, 1000, 300_000])
def test_a_walk_meets_every_number_once(size: int) -> None:
    met = np.concatenate(list(_walk(size, 5)))
    assert len(met) == size
    assert (np.sort(met) == np.arange(size)).all()


def test_a_walk_looks_random() -> None:
    first = np.concatenate(list(itertools.islice(_walk(10**12, 3), 3)))
    assert abs(first.mean() / 10**12 - 0.5) < 0.01
    assert abs(np.corrcoef(first[:-1], first[1:])[0, 1]) < 0.01
    assert np.concatenate(list(_walk(0, 3)) or [np.empty(0)]).size == 0

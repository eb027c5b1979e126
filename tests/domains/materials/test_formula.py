import pytest
from hypothesis import given
from hypothesis import strategies as st

from domains.errors import InvalidRequest
from domains.materials.elements import defaults, elements
from domains.materials.formula import name, normalised, parse, reduced

COUNTS = st.dictionaries(st.sampled_from(list(elements())), st.integers(1, 60), min_size=1, max_size=6)


def test_formulas_are_counted() -> None:
    assert parse("LiFePO4") == {"Li": 1, "Fe": 1, "P": 1, "O": 4}
    assert parse("Li3V2(PO4)3") == {"Li": 3, "V": 2, "P": 3, "O": 12}
    assert parse("K[Fe(CN)6]") == {"K": 1, "Fe": 1, "C": 6, "N": 6}
    assert parse(" Mg Al2 O4 ") == parse("MgAl₂O₄") == {"Mg": 1, "Al": 2, "O": 4}


def test_a_name_is_reduced_and_in_the_usual_order() -> None:
    assert normalised("FePO4Li") == "LiFePO4"
    assert normalised("O4Fe2") == "FeO2"
    assert normalised("Na2Cl2") == "NaCl"


@given(COUNTS)
def test_a_name_is_read_back(counts: dict[str, int]) -> None:
    assert parse(name(counts)) == reduced(counts)


@given(st.dictionaries(st.sampled_from(defaults()), st.integers(1, 60), min_size=1, max_size=6))
def test_formulas_of_pymatgen_are_read(counts: dict[str, int]) -> None:
    from pymatgen.core import Composition

    assert reduced(parse(Composition(counts).reduced_formula)) == reduced(counts)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no elements"),
        ("XxO2", "unknown element"),
        ("LiO0", "count of 0"),
        ("Li99999O", "count of 99999"),
        ("Li900O900", "too many atoms"),
        ("Li0.5CoO2", "cannot read '0.5'"),
        ("Li(PO4", "not closed"),
        ("LiPO4)3", "cannot read '\\)'"),
        ("2LiO", "cannot read '2'"),
        ("lifepo4", "cannot read 'l'"),
    ],
)
def test_a_mistake_gives_one_error(text: str, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says) as caught:
        parse(text, "host")
    assert caught.value.field == "host"

import pytest

from domains.errors import InvalidRequest
from domains.materials.elements import defaults, element, elements, parse, symbols


def test_a_list_of_elements_is_read_in_any_usual_form() -> None:
    assert parse("Li,Mg,Ti") == ("Li", "Mg", "Ti")
    assert parse(" O; Fe  Li、Li,") == ("Li", "O", "Fe")
    assert parse(["S", "O"]) == ("O", "S")


@pytest.mark.parametrize(
    ("text", "value", "says"),
    [("Li,Xx,O", "Xx", "unknown element"), ("", "", "no elements"), ("Li,Kr,F", "Kr", "noble gas")],
)
def test_a_mistake_gives_one_error_with_the_field_and_the_value(text: str, value: str, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says) as caught:
        parse(text)
    assert (caught.value.field, caught.value.value) == ("elements", value)


@pytest.mark.parametrize(("wrong", "meant"), [("fe", "Fe"), ("LI", "Li"), ("Lii", "Li"), ("Cx", "C")])
def test_an_unknown_element_names_the_closest(wrong: str, meant: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse(wrong)
    assert meant in caught.value.valid.split(", ")


def test_an_element_that_the_potential_lacks_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="Ti.*lacks this element"):
        parse("Al,Ti", supported=("Al", "Cu"))


def test_the_table_is_whole() -> None:
    assert [element(symbol).number for symbol in symbols()[1:]] == list(range(1, 104))
    assert element("O").states[-2] > 100 * element("O").states[-1]
    assert {symbol for symbol, one in elements().items() if one.is_noble} == {"He", "Ne", "Ar", "Kr", "Xe", "Rn"}
    assert not {"Kr", "Xe", "Tc", "Pm", "U", "Rn"} & set(defaults())
    assert len(defaults()) == 76
    assert element("Sn").is_metal
    assert not element("Si").is_metal


def test_states_agree_with_pymatgens_where_both_know_the_element_well() -> None:
    """Another table of the same database: what it calls common was reported often."""
    from pymatgen.core import Element as Other

    for symbol in defaults():
        common = {state for state in Other(symbol).common_oxidation_states if state}
        assert common & set(element(symbol).states) or symbol in {"Rn"}, symbol

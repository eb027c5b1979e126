import pytest
from pydantic import ValidationError

from domains.drug import receptors
from domains.drug.check import check
from domains.drug.request import Box, ScreeningRequest
from domains.errors import InvalidRequest


def test_there_are_58_receptors_and_every_box_holds_protein():
    assert len(receptors.shipped()) == 58
    for name in receptors.shipped():
        assert min(receptors.load(name).size) == 30.0


def test_dockstring_is_never_imported():
    import sys

    receptors.load("EGFR")
    assert "dockstring" not in sys.modules


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target": "EGFRR"}, "closest: EGFR"),
        ({"target": "unheard-of"}, "choose one of ABL1, ACHE"),
        ({"target": "own.pdbqt"}, "box is missing"),
        ({"top": 0}, "greater than or equal to 1"),
        ({"top": -5}, "greater than or equal to 1"),
        ({"top": 10**7}, "less than or equal to 1000"),
        ({"sample": 0}, "greater than or equal to 1"),
        ({"sample": 5, "top": 6}, "top = 6 is more than sample = 5"),
        ({"redock": 5, "top": 6}, "top = 6 is more than redock = 5"),
        ({"search": {"exhaustiveness": 1000}}, "less than or equal to 128"),
        ({"box": {"center": [0, 0, 0], "size": [1, 22, 22]}}, "greater than or equal to 4"),
        ({"exclude_alerts": ["PAIN"]}, "'PAINS', 'BRENK' or 'NIH'"),
        ({"libary": "x"}, "Extra inputs are not permitted"),
        ({"name": "../up"}, "should match pattern"),
        ({"seed": "x"}, "valid integer"),
    ],
)
def test_a_wrong_value_is_refused_with_what_is_valid(changes, message):
    with pytest.raises(ValidationError, match=message):
        ScreeningRequest.model_validate(changes)


def test_names_are_found_in_any_case_and_paths_become_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    request = ScreeningRequest(target="egfr", library="lib.smi")
    assert request.target == "EGFR"
    assert request.library == str(tmp_path / "lib.smi")


def test_where_it_runs_is_not_what_it_is():
    assert (
        ScreeningRequest(profile="laptop", name="a").identity()
        == ScreeningRequest(profile="emulated:", name="b").identity()
    )
    assert ScreeningRequest(seed=1).identity() != ScreeningRequest(seed=2).identity()


def own(tmp_path, text=None):
    path = tmp_path / "own.pdbqt"
    path.write_text(text if text is not None else receptors.load("EGFR").path.read_text())
    return str(path)


@pytest.mark.parametrize(
    ("box", "field", "message"),
    [
        (Box(center=(500, 500, 500)), "box.center", "off the receptor: 0 of its atoms"),
        (Box(center=(16.8, 35.6, 91.1), size=(60, 60, 60)), "box.size", "216,000 Å³ is too large"),
    ],
)
def test_a_box_that_cannot_work_is_refused(tmp_path, box, field, message):
    with pytest.raises(InvalidRequest, match=message) as error:
        check(ScreeningRequest(target=own(tmp_path), box=box))
    assert error.value.field == field


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "no ATOM"), ("ATOM  nonsense\n", "cannot be read as PDBQT"), ("ROOT\n", "as a ligand has")],
)
def test_a_broken_receptor_is_refused(tmp_path, text, message):
    with pytest.raises(InvalidRequest, match=message):
        check(ScreeningRequest(target=own(tmp_path, text), box=Box(center=(0, 0, 0))))


def test_a_missing_receptor_is_refused(tmp_path):
    with pytest.raises(InvalidRequest, match="cannot be read"):
        check(ScreeningRequest(target=str(tmp_path / "no.pdbqt"), box=Box(center=(0, 0, 0))))


def test_more_than_the_library_holds_is_refused(tmp_path):
    few = tmp_path / "few.smi"
    few.write_text("CCO ethanol\nCCN ethylamine\n")
    with pytest.raises(InvalidRequest, match=r"top = 3: the library few.smi has 2 records. Valid: 1 to 2"):
        check(ScreeningRequest(library=str(few), top=3))
    with pytest.raises(InvalidRequest, match="the library nci-5k has 4,999 records. Valid: 1 to 4999"):
        check(ScreeningRequest(sample=5000))


def test_a_fit_request_has_a_plan_that_names_every_stage():
    plan = check(ScreeningRequest(sample=200, top=10)).plan()
    assert [stage.name for stage in plan] == [
        "library", "standardise", "deduplicate", "filter", "states", "prepare", "dock-coarse", "select", "dock",
        "check-poses",
    ]  # fmt: skip
    rows = {stage.name: stage.rows for stage in plan}
    assert (rows["library"], rows["dock"], rows["check-poses"]) == (200, 30, 20)
    everything = {"learning": {"budget": 0.1}, "seeds": 3, "refine": True}
    names = [stage.name for stage in check(ScreeningRequest.model_validate(everything)).plan()]
    assert {"featurise", "other-seeds", "refine"} < set(names)

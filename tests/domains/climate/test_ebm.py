"""The energy-balance model against what is known in closed form, and an ensemble of it."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domains.climate import ebm, ensemble
from domains.climate.distribution import Distribution
from domains.climate.ensemble_check import check, members, parameters
from domains.climate.ensemble_request import ClimateEnsembleRequest
from domains.climate.members import MemberSettings, concentration, run_members
from domains.errors import InvalidRequest

CENTRAL = {
    "feedback": 1.51, "forcing": 3.93, "diffusion": 0.58, "outgoing": 239.0, "albedo": 0.297, "ice_albedo": 0.52,
    "ice_temperature": -10.0, "mixed_layer": 7.3, "deep_ocean": 106.0, "exchange": 0.73,
}  # fmt: skip
QUICK = MemberSettings(scenario="abrupt-4xCO2", years=5, ice=True, tolerance=2.5)


def planet(**changed: float) -> ebm.Parameters:
    """One member, as the model takes it."""
    return ebm.Parameters(*(np.array([value]) for value in {**CENTRAL, **changed}.values()))


def steady(p: ebm.Parameters, forcing: float = 0.0, *, ice: bool, count: int = ebm.BANDS, start=None):
    block = p.block(0)
    return ebm.equilibrium(ebm.bands(count), block, np.full_like(block.forcing, forcing), start, ice)


def batch(**columns: list[float]) -> pa.Table:
    many = max(map(len, columns.values()))
    values = {name: columns.get(name, [value] * many) for name, value in CENTRAL.items()}
    return pa.table({"id": range(many), "name": [f"member {at}" for at in range(many)], **values})


def test_without_ice_it_is_norths_solution_to_second_order():
    errors = []
    for count in (45, 90, 180):
        found, _ = steady(planet(), ice=False, count=count)
        errors.append(np.abs(found[0] - ebm.legendre_solution(planet(), ebm.bands(count).sine)[0]).max())
    assert errors[-1] < 2e-3
    assert np.log2(errors[0] / errors[1]) == pytest.approx(2, abs=0.1)
    assert np.log2(errors[1] / errors[2]) == pytest.approx(2, abs=0.1)


@settings(max_examples=20, deadline=None)
@given(feedback=st.floats(0.3, 4), forcing=st.floats(-8, 8), diffusion=st.floats(0, 3), albedo=st.floats(0.1, 0.8))
def test_without_ice_sensitivity_is_forcing_over_feedback_and_energy_balances(feedback, forcing, diffusion, albedo):
    p = planet(feedback=feedback, diffusion=diffusion, albedo=albedo)
    (cold, _), (warm, _) = steady(p, ice=False), steady(p, forcing, ice=False)
    assert (warm - cold)[0].mean() == pytest.approx(forcing / feedback, abs=1e-10)
    sphere, block = ebm.bands(), p.block(0)
    assert abs(ebm.imbalance(sphere, block, np.full_like(block.forcing, forcing), warm, ice=False)[0]) < 5e-12


def test_ice_adds_to_the_sensitivity_and_still_balances():
    cold, found = steady(planet(), ice=True)
    warm, also = steady(planet(), CENTRAL["forcing"], ice=True, start=cold)
    assert found.all()
    assert also.all()
    assert (warm - cold)[0].mean() > 1.1 * CENTRAL["forcing"] / CENTRAL["feedback"]
    assert abs(ebm.imbalance(ebm.bands(), planet().block(0), 0 * planet().block(0).forcing, cold, ice=True)[0]) < 1e-10
    assert np.allclose(cold[0], cold[0][::-1], atol=1e-9)


def test_the_warmest_steady_climate_is_found_and_a_faint_sun_freezes():
    sphere, block = ebm.bands(), planet().block(0)
    warm, _ = steady(planet(), ice=True)
    frozen, _ = ebm.equilibrium(sphere, block, 0 * block.forcing, np.full_like(warm, -80.0), ice=True)
    assert frozen[0].max() < -20 < 10 < warm[0].mean()  # two steady climates of one planet, as North found
    assert steady(planet(outgoing=270.0), ice=True)[0][0].max() < -20


def test_warming_in_time_is_that_of_two_layers():
    """Without ice, the mean obeys two linear equations: against their exact solution, and to first order in the step."""
    from scipy.linalg import expm

    p, years = planet(), 40
    control, _ = steady(p, ice=False)
    system = np.array(
        [
            [-(CENTRAL["feedback"] + CENTRAL["exchange"]) / CENTRAL["mixed_layer"], CENTRAL["exchange"] / CENTRAL["mixed_layer"], 1.0],
            [CENTRAL["exchange"] / CENTRAL["deep_ocean"], -CENTRAL["exchange"] / CENTRAL["deep_ocean"], 0.0],
            [0.0, 0.0, 0.0],
        ]
    )  # fmt: skip
    start = np.array([0.0, 0.0, CENTRAL["forcing"] / CENTRAL["mixed_layer"]])
    errors = []
    for steps in (8, 32):
        found = ebm.transient(ebm.bands(), p.block(0), control, np.ones(years * steps), ice=False, steps=steps)[0]
        fine = [(expm(system * at) @ start)[0] for at in np.arange(1, years * steps + 1) / steps]
        errors.append(np.abs(found - np.reshape(fine, (years, steps)).mean(axis=1)).max())
    assert errors[1] < 0.02
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.15)


def test_forcing_follows_the_concentration():
    given = {"years": 140, "ice": True, "tolerance": 2.5}
    growing = concentration(MemberSettings(scenario="1pctCO2", **given))
    assert growing[-1] == pytest.approx(140 * np.log2(1.01))
    assert set(concentration(MemberSettings(scenario="abrupt-4xCO2", **given))) == {2.0}


def test_a_member_has_the_same_bits_alone_and_in_company():
    rows = members(ClimateEnsembleRequest(members=100))
    together = run_members(rows, QUICK).drop_columns(["engine_s"])
    for at in (0, 63, 64, 99):
        assert run_members(rows.slice(at, 1), QUICK).drop_columns(["engine_s"]).equals(together.slice(at, 1))


def test_every_member_ends_as_something_and_says_why():
    rows = batch(
        feedback=[1.51, -0.2, 1.51, 1.51, 1.51, float("nan")],
        outgoing=[239.0, 239.0, 300.0, 243.5, 239.0, 239.0],
        ice_albedo=[0.52, 0.52, 0.52, 0.52, 0.2, 0.52],
    )
    made = run_members(rows, QUICK).to_pylist()
    ends = ["ok", "unphysical", "snowball", "implausible_climate", "unphysical", "diverged"]
    assert [row["outcome"] for row in made] == ends
    assert made[0]["ecs"] > 0
    assert made[0]["tcr"] is None  # abrupt-4xCO2 has none
    assert len(made[0]["warming"]) == QUICK.years
    assert all(row["reason"] and row["ecs"] is None for row in made[1:])


def test_an_ensemble_without_ice_obeys_theory_member_by_member():
    request = ClimateEnsembleRequest(members=64, ice=False, tolerance=20)
    rows = members(request)
    made = run_members(rows, QUICK.model_copy(update={"ice": False, "tolerance": 20.0}))
    p = parameters(rows)
    assert set(made["outcome"].to_pylist()) == {"ok"}
    assert np.abs(made["ecs"].to_numpy() - p.forcing / p.feedback).max() < 1e-10


def test_members_are_a_latin_hypercube_of_what_was_asked():
    request = ClimateEnsembleRequest.model_validate(
        {"members": 500, "parameters": {"feedback": "uniform(1, 2)", "exchange": 0.7}}
    )
    rows = members(request)
    strata = np.sort(np.floor((rows["feedback"].to_numpy() - 1) * 500).astype(int))
    assert strata.tolist() == list(range(500))
    assert set(rows["exchange"].to_pylist()) == {0.7}
    assert rows.equals(members(request))


@given(median=st.floats(0.1, 100), spread=st.floats(0.01, 2))
def test_a_lognormal_has_its_median_and_reads_back(median, spread):
    one = Distribution("lognormal", median, spread)
    assert one.quantile(np.array([0.5]))[0] == pytest.approx(median)
    assert Distribution.parse(str(Distribution.parse(str(one)))) == Distribution.parse(str(one))


def test_importance_finds_the_parameter_that_matters():
    rng = np.random.default_rng(1)
    first, second = rng.random(500), rng.random(500)
    table = pa.table({"first": first, "second": second, "ecs": np.exp(3 * first) + 0.01 * second})
    shares = ensemble.importance(table, ["first", "second"], "ecs")
    assert shares["first"] > 0.98
    assert shares["second"] < 0.01


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [("feedback", "-1", "above 0"), ("albedo", "1.5", "between 0 and 1"), ("ice_albedo", "0.1", "whiter")],
)
def test_what_no_member_could_be_is_refused(name, value, said):
    with pytest.raises(InvalidRequest, match=said) as error:
        check(ClimateEnsembleRequest.model_validate({"parameters": {name: value}}))
    assert error.value.field == f"parameters.{name}"

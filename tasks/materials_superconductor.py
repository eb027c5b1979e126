"""The stages of a superconductor run as Prefect tasks."""

from typing import Any

import pyarrow as pa
from prefect import task
from prefect.cache_policies import NO_CACHE

from domains import selection
from domains.materials import quantum_espresso, tc_surrogate
from domains.materials.superconductor_request import COUPLING_S, INPUT, PREDICT_S, SuperconductorStudy
from domains.model import Frozen
from tasks import materials_superconductor_report
from tasks.materials import CRYSTAL, marking, phonon_stage
from tasks.materials_cathode import numbered
from tasks.provenance import package_version
from tasks.run import Run
from tasks.shard import Stage
from tasks.stage import Rows, Source, Survivors, run_stage, run_stage_here

CARRIED = ("name", "formula", *CRYSTAL)
Row = dict[str, Any]


@task(name="materials", cache_policy=NO_CACHE)
def listed(run: Run, study: SuperconductorStudy) -> Survivors:
    """The materials, each with its row number."""
    names = INPUT.names
    stage = marking("materials", "Materials", "材料", selection.accept, Frozen(), names, names)
    return run_stage_here(run, stage, Rows(numbered(study.rows())))


@task(name="predict", cache_policy=NO_CACHE)
def predicted(run: Run, study: SuperconductorStudy, source: Survivors) -> dict[int, Row]:
    """What a model of measured Tc says of each, by id."""
    assert study.surrogate is not None
    stage = Stage(
        "predict",
        "Predict Tc from composition",
        "由成分预测 Tc",
        tc_surrogate.predict_rows,
        study.surrogate,
        version=f"1; scikit-learn {package_version('scikit-learn')}",
        reads=("formula",),
        output=tc_surrogate.OUTPUT,
        cost=PREDICT_S,
        annotates=True,
    )
    return run_stage(run, stage, source).ended(tc_surrogate.OUTPUT.names)


@task(name="select", cache_policy=NO_CACHE)
def selected(run: Run, study: SuperconductorStudy, source: Source, predictions: dict[int, Row]) -> Survivors:
    """The best predicted go on to phonons; in the order given where nothing is predicted."""
    tables = [
        table.append_column("rank_by", pa.array([_rank(number, predictions) for number in table["id"].to_pylist()], pa.float64()))
        for table in source.tables(["id", *CARRIED])
    ]  # fmt: skip
    ordered = Rows(pa.concat_tables(tables))
    most = min(study.request.phonons, ordered.rows)
    best = selection.best_of(ordered.tables, most, "rank_by")
    settings = selection.SelectSettings(most=most)
    stage = marking("select", "Select for phonons", "选入声子计算", best, settings, ("rank_by",), (*CARRIED, "rank_by"))
    return run_stage_here(run, stage, ordered)


def _rank(number: int, predictions: dict[int, Row]) -> float:
    kelvin = predictions.get(number, {}).get("predicted_k")
    return float(number) if not predictions else -(kelvin or 0.0)


@task(name="phonons", cache_policy=NO_CACHE)
def with_phonons(run: Run, study: SuperconductorStudy, source: Survivors) -> Survivors:
    """What has imaginary modes ends here."""
    return run_stage(run, phonon_stage(study.phonons, (*CARRIED, "rank_by")), source)


@task(name="coupling", cache_policy=NO_CACHE)
def coupled(run: Run, study: SuperconductorStudy, source: Survivors) -> dict[int, Row]:
    """Electron-phonon coupling of the best stable ones, or inputs for it; by id."""
    tables = list(source.tables(["id", "name", "formula", "rank_by", *CRYSTAL]))
    if not study.request.coupling or not tables:
        return {}
    best = pa.concat_tables(tables).sort_by([("rank_by", "ascending"), ("id", "ascending")])
    stage = Stage(
        "coupling",
        "Electron-phonon coupling",
        "电声耦合",
        quantum_espresso.ElectronPhonon,
        quantum_espresso.CouplingSettings(mu_star=study.request.mu_star),
        version=f"1; {quantum_espresso.missing() or 'runs here'}",
        reads=CRYSTAL,
        carries=("name",),
        output=quantum_espresso.OUTPUT,
        cost=COUPLING_S,
        limit_s=quantum_espresso.LIMIT_S + 60,
        annotates=True,
    )
    first = Rows(best.slice(0, study.request.coupling))
    return run_stage(run, stage, first).ended(quantum_espresso.OUTPUT.names)


deliver = task(name="deliver", cache_policy=NO_CACHE)(materials_superconductor_report.deliver)

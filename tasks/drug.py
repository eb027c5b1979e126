"""The stages of the drug funnel as Prefect tasks: each names its function, what decides its result, and its cost."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import pyarrow as pa
from prefect import task
from prefect.cache_policies import NO_CACHE

from cluster.need import Need
from domains import selection
from domains.drug import filters, plan, prepare, standardise, states, surrogate, vina
from domains.drug.engines import ENGINES
from domains.drug.library import Library
from domains.drug.receptors import Receptor
from domains.drug.request import COARSE, ScreeningRequest, Search
from domains.model import Frozen
from tasks.expansion import Expanded, best_of_parent
from tasks.learning import Acquired, Joined, learn
from tasks.provenance import package_version
from tasks.run import Run
from tasks.shard import Stage
from tasks.stage import Narrowed, Source, Survivors, run_stage, run_stage_here
from tasks.store import write_atomic

NOTHING = pa.schema([])


class LibraryRows:
    """The records of a library as the first stage's rows."""

    def __init__(self, library: Library, sample: int | None, seed: int) -> None:
        self.library, self.sample, self.seed = library, sample, seed
        self.rows = min(sample or library.rows, library.rows)

    def tables(self, columns: list[str]) -> Iterator[pa.Table]:
        """Stream the records."""
        return (table.select(columns) for table in self.library.tables(self.sample, self.seed))


class LibrarySettings(Frozen):
    """Which records of which file."""

    sha256: str
    sample: int | None
    seed: int


def place_receptor(run: Run, receptor: Receptor) -> Receptor:
    """Copy the receptor into the run, and dock into that copy: the user's file may change or go."""
    path = run.store.root / "receptor.pdbqt"
    write_atomic(path, receptor.path.read_bytes(), replace=False)
    # The copy's own checksum: one that is built anew on another machine may differ in a last digit.
    return replace(receptor, path=path, sha256=hashlib.sha256(path.read_bytes()).hexdigest())


@task(name="library", cache_policy=NO_CACHE)
def read_library(run: Run, library: Library, request: ScreeningRequest) -> Survivors:
    """Read the library's records into the run, each with its row number."""
    settings = LibrarySettings(sha256=library.sha256, sample=request.sample, seed=request.seed)
    stage = Stage(
        "library",
        "Library",
        "分子库",
        standardise.accept,
        settings,
        version="1",
        reads=("structure", "problem"),
        carries=("name", "structure"),
        output=NOTHING,
        cost=1e-6,
    )
    return run_stage_here(run, stage, LibraryRows(library, request.sample, request.seed))


@task(name="standardise", cache_policy=NO_CACHE)
def standardised(run: Run, source: Survivors) -> Survivors:
    """Parent molecule, neutral, canonical."""
    stage = Stage(
        "standardise",
        "Standardise",
        "标准化",
        standardise.standardise,
        standardise.StandardiseSettings(),
        version=f"1; rdkit {package_version('rdkit')}",
        reads=("structure",),
        output=standardise.OUTPUT,
        cost=plan.STANDARDISE_S,
    )
    return run_stage(run, stage, source)


@task(name="deduplicate", cache_policy=NO_CACHE)
def deduplicated(run: Run, source: Survivors) -> Survivors:
    """Each molecule once, the earliest row of it."""
    marks = standardise.duplicates(source.tables, source.rows)
    stage = Stage(
        "deduplicate",
        "Deduplicate",
        "去重",
        marks,
        Frozen(),
        version="1",
        reads=("inchikey",),
        carries=("name", "smiles"),
        output=NOTHING,
        cost=1e-6,
    )
    return run_stage_here(run, stage, source)


@task(name="filter", cache_policy=NO_CACHE)
def drug_like(run: Run, source: Survivors, request: ScreeningRequest) -> Survivors:
    """Property window and structural alerts."""
    settings = filters.FilterSettings(window=request.window, exclude_alerts=request.exclude_alerts)
    stage = Stage(
        "filter",
        "Properties and alerts",
        "性质与警示",
        filters.drug_like,
        settings,
        version=f"1; rdkit {package_version('rdkit')}",
        reads=("smiles",),
        carries=("name", "smiles"),
        output=filters.OUTPUT,
        cost=plan.FILTER_S,
    )
    return run_stage(run, stage, source)


@task(name="states", cache_policy=NO_CACHE)
def in_states(run: Run, source: Survivors, settings: states.StateSettings) -> Expanded:
    """The states of each molecule; each is a candidate of its own from here on."""
    stage = Stage(
        "states",
        "States",
        "分子状态",
        states.states,
        settings,
        version=f"1; rdkit {package_version('rdkit')}; dimorphite-dl {package_version('dimorphite-dl')}",
        reads=("smiles",),
        output=states.OUTPUT,
        cost=plan.STATES_S,
    )
    return Expanded(run_stage(run, stage, source), "states")


def _named(name: str, en: str, zh: str, number: int | None) -> tuple[str, str, str]:
    """What a stage is called, in a round of a search."""
    return (
        (name, en, zh) if number is None else (f"{name}-{number:02d}", f"{en}, round {number}", f"{zh}，第 {number} 轮")
    )


def _prepare(run: Run, source: Source, request: ScreeningRequest, number: int | None = None) -> Survivors:
    stage = Stage(
        *_named("prepare", "3D preparation", "三维构象", number),
        prepare.Prepare,
        prepare.PrepareSettings(seed=request.seed),
        version=f"1; rdkit {package_version('rdkit')}; meeko {package_version('meeko')}",
        reads=("smiles",),
        carries=("name", "smiles", *(("parent_id", "state", "charge") if request.states else ())),
        output=prepare.OUTPUT,
        cost=prepare.cost,
    )
    return run_stage(run, stage, source)


@task(name="prepare", cache_policy=NO_CACHE)
def prepared(run: Run, source: Source, request: ScreeningRequest) -> Survivors:
    """3D conformer and docking atom types."""
    return _prepare(run, source, request)


def _output(search: Search) -> pa.Schema:
    return vina.OUTPUT if search.n_poses == 1 else vina.OUTPUT_POSES


def dock_stage(
    run: Run,
    name: str,
    title: str,
    title_zh: str,
    receptor: Receptor,
    request: ScreeningRequest,
    search: Search,
    seed: int,
) -> Stage:
    """A dock by the request's engine: every pose is kept, except of a coarse one."""
    settings = vina.DockSettings(
        receptor=receptor.name,
        receptor_sha256=receptor.sha256,
        path=receptor.path,
        center=receptor.center,
        size=receptor.size,
        search=search,
        seed=seed,
    )
    engine = ENGINES[request.engine]
    return Stage(
        name,
        title,
        title_zh,
        engine.engine,
        settings,
        version=f"1; {engine.release}",
        reads=("pdbqt",),
        carries=("name", "heavy_atoms", "torsions", *(("parent_id",) if request.states else ())),
        output=_output(search),
        cost=partial(vina.cost, search=search),
        need=run.accelerator if getattr(engine.engine, "on_gpu", False) else Need(),
    )


def _first_dock(
    run: Run, source: Source, receptor: Receptor, request: ScreeningRequest, number: int | None = None
) -> Survivors:
    """The dock that all see: coarse where a full one follows."""
    names = ("dock-coarse", "Coarse dock", "粗对接") if request.coarse else ("dock", "Full dock", "精对接")
    search = COARSE if request.coarse else request.search
    return run_stage(run, dock_stage(run, *_named(*names, number), receptor, request, search, request.seed), source)


@task(name="dock-coarse", cache_policy=NO_CACHE)
def docked_first(run: Run, source: Survivors, receptor: Receptor, request: ScreeningRequest) -> Survivors:
    """A short search for every molecule, to find the ones worth a full one; the full one where that is not wanted."""
    return _first_dock(run, source, receptor, request)


@task(name="learn", cache_policy=NO_CACHE)
def learned(run: Run, source: Source, receptor: Receptor, request: ScreeningRequest) -> tuple[Acquired, Source]:
    """Dock only what a surrogate expects to score well; returns the search, and the ligands it prepared."""
    assert request.learning is not None
    stage = Stage(
        "featurise",
        "Active learning: features",
        "主动学习：特征",
        surrogate.featurise,
        Frozen(),
        version=f"1; rdkit {package_version('rdkit')}",
        reads=("smiles",),
        carries=("name", "smiles", *(("parent_id", "state", "charge") if request.states else ())),
        output=surrogate.OUTPUT,
        cost=surrogate.FEATURISE_S,
    )
    pool = run_stage(run, stage, source)
    ligands: list[Survivors] = []

    def evaluate(number: int, chosen: Source) -> Survivors:
        ligands.append(_prepare(run, chosen, request, number))
        return _first_dock(run, ligands[-1], receptor, request, number)

    found = learn(
        run,
        request.learning,
        pool,
        surrogate.ScoreSurrogate(request.seed),
        evaluate,
        seed=request.seed,
        version=f"1; scikit-learn {package_version('scikit-learn')}; lightgbm {package_version('lightgbm')}",
    )
    return found, Joined(ligands)


@task(name="best-state", cache_policy=NO_CACHE)
def best_states(run: Run, source: Source, request: ScreeningRequest) -> Survivors:
    """Each molecule keeps the state that scores best."""
    kept = _output(COARSE if request.coarse else request.search).names
    stage = Stage(
        "best-state",
        "Best state",
        "最优状态",
        best_of_parent(source.tables),
        Frozen(),
        version="1",
        reads=("parent_id", "score"),
        carries=("name", "parent_id", "heavy_atoms", "torsions", *kept),
        output=NOTHING,
        cost=1e-6,
    )
    return run_stage_here(run, stage, source)


@task(name="select", cache_policy=NO_CACHE)
def selected(run: Run, source: Source, most: int) -> Survivors:
    """The best first scores go on."""
    best = selection.best_of(source.tables, most)
    stage = Stage(
        "select",
        "Select for full dock",
        "选入精对接",
        best,
        selection.SelectSettings(most=most),
        version="1",
        reads=("score",),
        output=NOTHING,
        cost=1e-6,
    )
    return run_stage_here(run, stage, source)


@task(name="dock", cache_policy=NO_CACHE)
def docked(run: Run, ligands: Source, chosen: Survivors, receptor: Receptor, request: ScreeningRequest) -> Survivors:
    """The full search, for the chosen ones of the ligands."""
    stage = dock_stage(run, "dock", "Full dock", "精对接", receptor, request, request.search, request.seed)
    return run_stage(run, stage, Narrowed(ligands, chosen))

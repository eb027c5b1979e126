"""The stages of the drug funnel as Prefect tasks: each names its function, what decides its result, and its cost."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import pyarrow as pa
from prefect import task
from prefect.cache_policies import NO_CACHE

from domains.drug import filters, plan, prepare, selection, standardise, vina
from domains.drug.library import Library
from domains.drug.receptors import Receptor
from domains.drug.request import COARSE, ScreeningRequest, Search
from domains.model import Frozen
from tasks import drug_report
from tasks.provenance import package_version
from tasks.run import Run
from tasks.shard import Stage
from tasks.stage import Source, Survivors, run_stage, run_stage_here
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
    return replace(receptor, path=path)


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


@task(name="prepare", cache_policy=NO_CACHE)
def prepared(run: Run, source: Survivors, request: ScreeningRequest) -> Survivors:
    """3D conformer and docking atom types."""
    stage = Stage(
        "prepare",
        "3D preparation",
        "三维构象",
        prepare.Prepare,
        prepare.PrepareSettings(seed=request.seed),
        version=f"1; rdkit {package_version('rdkit')}; meeko {package_version('meeko')}",
        reads=("smiles",),
        output=prepare.OUTPUT,
        cost=prepare.cost,
    )
    return run_stage(run, stage, source)


def _dock(
    run: Run, name: str, title: str, title_zh: str, source: Source, receptor: Receptor, search: Search, seed: int
) -> Survivors:
    settings = vina.DockSettings(
        receptor=receptor.name,
        receptor_sha256=receptor.sha256,
        path=receptor.path,
        center=receptor.center,
        size=receptor.size,
        search=search,
        seed=seed,
    )
    stage = Stage(
        name,
        title,
        title_zh,
        vina.Dock,
        settings,
        version=f"1; vina {package_version('vina')}",
        reads=("pdbqt",),
        carries=("name", "heavy_atoms", "torsions"),
        output=vina.OUTPUT,
        cost=partial(vina.cost, search=search),
    )
    return run_stage(run, stage, source)


@task(name="dock-coarse", cache_policy=NO_CACHE)
def docked_coarsely(run: Run, source: Survivors, receptor: Receptor, request: ScreeningRequest) -> Survivors:
    """A short search for every molecule: a fraction of the work, to find the ones worth a full one."""
    return _dock(run, "dock-coarse", "Coarse dock", "粗对接", source, receptor, COARSE, request.seed)


@task(name="select", cache_policy=NO_CACHE)
def selected(run: Run, source: Survivors, most: int) -> Survivors:
    """The best coarse scores go on."""
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
def docked(run: Run, source: Source, receptor: Receptor, request: ScreeningRequest) -> Survivors:
    """The full search."""
    return _dock(run, "dock", "Full dock", "精对接", source, receptor, request.search, request.seed)


deliver = task(name="deliver", cache_policy=NO_CACHE)(drug_report.deliver)

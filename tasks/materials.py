"""The stages of a materials screen as Prefect tasks: each names its function, what decides its result, and its cost."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from prefect import task
from prefect.cache_policies import NO_CACHE

from domains import selection
from domains.materials import candidates, phonons, relax, scan, shortlist, stability, surrogate
from domains.materials.check import HULL_S, PHONON_S, RELAX_S, SCAN_S, MaterialsSearch
from domains.materials.crystal import COLUMNS
from domains.materials.potential import Identity
from domains.materials.references import References
from domains.model import Frozen
from tasks.learning import Acquired, learn
from tasks.provenance import package_version
from tasks.run import Run
from tasks.shard import BatchFunction, Stage
from tasks.stage import Rows, Source, Survivors, run_stage, run_stage_here

NOTHING = pa.schema([])
NAMED = ("name", "formula", "prototype", "atoms")
BUILT = ("prototype", "species")
CRYSTAL = tuple(COLUMNS.names)
# What the surrogate sees of a formula besides its composition: energies as evaluated.
SEEN = ("formation_energy", "e_decomposition")


def marking(
    name: str,
    title: str,
    title_zh: str,
    function: BatchFunction,
    settings: Frozen,
    reads: Sequence[str],
    carries: Sequence[str],
) -> Stage:
    """A stage that only reads and marks rows, in the flow's own process."""
    return Stage(
        name,
        title,
        title_zh,
        function,
        settings,
        version="1",
        reads=tuple(reads),
        carries=tuple(carries),
        output=NOTHING,
        cost=1e-6,
    )


class CandidateSettings(Frozen):
    """What decides which candidates there are."""

    elements: tuple[str, ...]
    n: int | None
    most_elements: int
    most_atoms: int
    alloys: bool
    seed: int


@task(name="candidates", cache_policy=NO_CACHE)
def listed(run: Run, search: MaterialsSearch) -> Survivors:
    """Every prototype with every choice of elements that fits it, as many as were asked for."""
    settings = CandidateSettings(**search.request.model_dump(include=set(CandidateSettings.model_fields)))
    names = candidates.SCHEMA.names[1:]
    stage = marking("candidates", "Candidates", "候选", selection.accept, settings, names, names)
    return run_stage_here(run, stage, Rows(search.rows))


@task(name="scan", cache_policy=NO_CACHE)
def scanned(run: Run, search: MaterialsSearch, source: Survivors) -> Survivors:
    """Energy at three volumes: evaluated, not relaxed."""
    stage = Stage(
        "scan",
        "Evaluate at three volumes",
        "三体积评估",
        scan.scan_rows,
        scan.ScanStage(potential=search.potential),
        version="1",
        reads=("prototype", "species"),
        carries=(*NAMED, "species"),
        output=scan.OUTPUT,
        cost=SCAN_S[search.request.potential],
    )
    return run_stage(run, stage, source)


@task(name="structures", cache_policy=NO_CACHE)
def best_structures(run: Run, source: Survivors) -> Survivors:
    """Each formula keeps the structure of the lowest energy."""
    marks = stability.best_prototypes(source.tables)
    reads, carries = ("formula", "energy_per_atom"), (*NAMED, "species", *scan.OUTPUT.names)
    stage = marking("structures", "Best structure of each formula", "各化学式最优结构", marks, Frozen(), reads, carries)
    return run_stage_here(run, stage, source)


def compared(references: References, potential: Identity) -> tuple[str, ...]:
    """What the hull reads: the crystal as well where a correction depends on its bonds."""
    return stability.READS if potential.convention == references.convention else stability.READS_RAW


def _hull(
    run: Run, search: MaterialsSearch, source: Source, names: tuple[str, str, str], carries: Sequence[str]
) -> Survivors:
    stage = Stage(
        *names,
        stability.above_hull,
        stability.settings_of(search.references),
        version=f"1; scipy {package_version('scipy')}",
        reads=compared(search.references, search.potential),
        carries=(*NAMED, *carries),
        output=stability.OUTPUT,
        cost=HULL_S,
    )
    return run_stage(run, stage, source)


@task(name="hull-scan", cache_policy=NO_CACHE)
def scanned_hull(run: Run, search: MaterialsSearch, source: Survivors) -> Survivors:
    """How far each evaluated formula is above the hull of known compounds."""
    names = ("hull-scan", "Hull, as evaluated", "凸包（评估能量）")
    return _hull(run, search, source, names, ("species", *scan.OUTPUT.names))


def _relaxed(run: Run, search: MaterialsSearch, source: Source, number: int | None = None) -> Survivors:
    """Relax candidates and place them on the hull again."""
    end, en, zh = ("", "", "") if number is None else (f"-{number:02d}", f", round {number}", f"，第 {number} 轮")
    stage = Stage(
        f"relax{end}",
        f"Relax{en}",
        f"弛豫{zh}",
        relax.relax_rows,
        relax.RelaxStage(potential=search.potential),
        version="1",
        reads=BUILT,
        carries=NAMED,
        output=relax.OUTPUT,
        cost=RELAX_S[search.request.potential],
    )
    survivors = run_stage(run, stage, source)
    names = (f"hull{end}", f"Hull, as relaxed{en}", f"凸包（弛豫能量）{zh}")
    return _hull(run, search, survivors, names, relax.OUTPUT.names)


@task(name="relax", cache_policy=NO_CACHE)
def best_relaxed(run: Run, search: MaterialsSearch, source: Survivors) -> Survivors:
    """The lowest above the hull as evaluated are relaxed."""
    most = max(1, search.request.relaxed(source.rows))  # nothing may have come so far
    best = selection.best_of(source.tables, most, "e_above_hull")
    carries = (*NAMED, "species", *scan.OUTPUT.names)
    settings = selection.SelectSettings(most=most)
    stage = marking("select", "Select for relaxation", "选入弛豫", best, settings, ("e_above_hull",), carries)
    return _relaxed(run, search, run_stage_here(run, stage, source))


@task(name="learn", cache_policy=NO_CACHE)
def learned(run: Run, search: MaterialsSearch, source: Survivors) -> Acquired:
    """Relax only the formulas that a surrogate expects near the hull."""
    assert search.request.learning is not None
    stage = Stage(
        "featurise",
        "Active learning: features",
        "主动学习：特征",
        surrogate.featurise,
        Frozen(),
        version="1",
        reads=("formula",),
        carries=(*NAMED, "species", *SEEN),
        output=surrogate.OUTPUT,
        cost=surrogate.FEATURISE_S,
    )
    return learn(
        run,
        search.request.learning,
        run_stage(run, stage, source),
        surrogate.EnergySurrogate(search.request.seed, SEEN),
        lambda number, chosen: _relaxed(run, search, chosen, number),
        seed=search.request.seed,
        version=f"1; scikit-learn {package_version('scikit-learn')}",
        score="e_above_hull",
    )


@task(name="stable", cache_policy=NO_CACHE)
def stable(run: Run, search: MaterialsSearch, source: Source) -> Survivors:
    """What is near the hull goes on."""
    limit = search.request.hull_limit
    carries = (*NAMED, *relax.OUTPUT.names, *stability.OUTPUT.names)
    settings = shortlist.StableSettings(limit=limit)
    stage = marking("stable", "Near the hull", "接近凸包", shortlist.near_hull, settings, ("e_above_hull",), carries)
    return run_stage_here(run, stage, source)


@task(name="second", cache_policy=NO_CACHE)
def judged_again(run: Run, search: MaterialsSearch, source: Survivors) -> dict[int, dict[str, Any]]:
    """A second potential's energy of each relaxed crystal, and how far that is above the hull; by id."""
    assert search.second is not None
    stage = Stage(
        "second",
        "Second potential",
        "第二势函数",
        scan.evaluate_rows,
        scan.EvaluateStage(potential=search.second),
        version="1",
        reads=CRYSTAL,
        carries=(*NAMED, *CRYSTAL),
        output=scan.EVALUATED,
        cost=RELAX_S[search.second.name] / 10,
        annotates=True,
    )
    evaluated = run_stage(run, stage, source)
    hull = Stage(
        "hull-second",
        "Hull, second potential",
        "凸包（第二势函数）",
        stability.above_hull,
        stability.settings_of(search.references),
        version=f"1; scipy {package_version('scipy')}",
        reads=compared(search.references, search.second),
        carries=NAMED,
        output=stability.OUTPUT,
        cost=HULL_S,
        annotates=True,
    )
    return run_stage(run, hull, evaluated).by_id(hull.output.names)


def phonon_stage(potential: Identity, carries: Sequence[str] = NAMED) -> Stage:
    """Dynamical stability of a relaxed crystal."""
    return Stage(
        "phonons",
        "Phonons",
        "声子",
        phonons.Phonons,
        phonons.PhononSettings(potential=potential),
        version=f"1; phonopy {package_version('phonopy')}",
        reads=CRYSTAL,
        carries=tuple(carries),
        output=phonons.OUTPUT,
        cost=PHONON_S[potential.name],
        limit_s=1800.0,
    )

"""Against a plain loop, jobflow and quacc: CPU seconds for the same small crystals with the same potential, CHGNet.

Two kinds of work: the energy of each crystal, and its relaxation, cell and all, to 0.1 eV/Å. Each side does it as its documentation
shows: a loop over CHGNet's own calls; one jobflow job a crystal, run locally; one quacc job a crystal with its own recipe. Ours
goes through the stage runner, whose scheduler, workers and files are counted. Imports and the loading of models are not.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from benchmarks.bench import ROOT, Row, main, scratch

CRYSTALS, QUICK_CRYSTALS = 200, 12
FMAX, MOST_STEPS, SEED = 0.1, 200, 1
A, B, X = (38, 20, 56, 19, 11, 57, 37, 82), (22, 40, 23, 41, 25, 26, 50, 72), (8, 9, 16, 17, 7)
PEERS = {"loop": 1.2, "jobflow": 2.0, "quacc": 2.0}
WARM_UP = 8


class Side(NamedTuple):
    """CPU seconds for all energies and for all relaxations, and the energies (eV an atom) found by both."""

    energy_s: float
    relax_s: float
    energies: list[float]
    relaxed: list[float]


def perovskites(n: int) -> list[Any]:
    """Cubic perovskites of different elements with displaced atoms, at the volumes expected of them."""
    from domains.materials.candidates import build
    from domains.materials.crystal import Crystal
    from domains.materials.prototypes import prototypes

    cubic = next(one for one in prototypes() if one.spacegroup == 221 and sorted(one.multiplicity) == [1, 1, 3])
    site = {int(slot): sum(cubic.orbit == slot) for slot in range(3)}
    anion = max(site, key=site.__getitem__)
    rng = np.random.default_rng(SEED)
    chosen = rng.permutation([(a, b, x) for a in A for b in B for x in X])[:n]
    crystals = []
    for a, b, x in chosen:
        species = np.insert([a, b], anion, x)
        crystal = build(cubic, species)
        moved = crystal.positions + rng.normal(scale=0.02, size=(5, 3)) @ np.linalg.inv(crystal.lattice)
        crystals.append(Crystal(crystal.lattice, moved, crystal.numbers))
    return crystals


def timed(work: Callable[[Any], float], inputs: Sequence[Any]) -> tuple[float, list[float]]:
    """CPU seconds and results."""
    started = time.process_time()
    found = [work(one) for one in inputs]
    return time.process_time() - started, found


# ------------------------------------------------------------------------------------------------ sides


def network() -> Any:
    """CHGNet on one thread."""
    import torch
    from chgnet.model import CHGNet

    torch.set_num_threads(1)
    return CHGNet.load(model_name="0.3.0", use_device="cpu", verbose=False)


def chgnet_calls() -> tuple[Callable[[Any], float], Callable[[Any], float]]:
    """CHGNet's own calls on a pymatgen structure; both give eV an atom."""
    from chgnet.model import StructOptimizer

    model = network()
    optimiser = StructOptimizer(model=model, use_device="cpu")

    def energy(structure: Any) -> float:
        return float(model.predict_structure(structure, task="e")["e"])

    def relaxed(structure: Any) -> float:
        found = optimiser.relax(structure.copy(), fmax=FMAX, steps=MOST_STEPS, verbose=False)
        return float(found["trajectory"].energies[-1]) / len(structure)

    return energy, relaxed


def loop(n: int) -> Side:
    """A plain loop."""
    energy, relaxed = chgnet_calls()
    structures = [one.to_pymatgen() for one in perovskites(n)]
    energy(structures[0])
    energy_s, energies = timed(energy, structures)
    relax_s, ends = timed(relaxed, structures)
    return Side(energy_s, relax_s, energies, ends)


def jobflow(n: int) -> Side:
    """One job a crystal, in one flow, run locally with a store in memory."""
    from jobflow import Flow, JobStore, job, run_locally
    from maggma.stores import MemoryStore

    structures = [one.to_pymatgen() for one in perovskites(n)]
    energy, relaxed = chgnet_calls()
    energy(structures[0])

    def run(work: Callable[[Any], float]) -> tuple[float, list[float]]:
        started = time.process_time()
        jobs = [job(work)(structure) for structure in structures]
        answers = run_locally(Flow(jobs), store=JobStore(MemoryStore()), log=False, ensure_success=True)
        return time.process_time() - started, [float(answers[one.uuid][1].output) for one in jobs]

    energy_s, energies = run(energy)
    relax_s, ends = run(relaxed)
    return Side(energy_s, relax_s, energies, ends)


def quacc(n: int) -> Side:
    """One job a crystal as its recipes for shipped potentials do it, without a workflow engine; none of these knows CHGNet 0.3.0."""
    os.environ["QUACC_WORKFLOW_ENGINE"] = "None"
    os.environ["QUACC_RESULTS_DIR"] = str(Path.cwd())
    from chgnet.model import CHGNetCalculator
    from quacc import job
    from quacc.runners.ase import Runner
    from quacc.schemas.ase import Summarize

    calculator = CHGNetCalculator(model=network(), use_device="cpu")
    atoms = [one.to_ase() for one in perovskites(n)]

    def static(one: Any) -> Any:
        return Summarize(additional_fields={"name": "CHGNet Static"}).run(Runner(one, calculator).run_calc(), one)

    def relaxation(one: Any) -> Any:
        dynamics = Runner(one, calculator).run_opt(relax_cell=True, fmax=FMAX, max_steps=MOST_STEPS)
        return Summarize(additional_fields={"name": "CHGNet Relax"}).opt(dynamics)

    static_job, relax_job = job(static), job(relaxation)

    def energy(one: Any) -> float:
        return float(static_job(one)["results"]["energy"]) / len(one)

    def relaxed(one: Any) -> float:
        return float(relax_job(one)["results"]["energy"]) / len(one)

    energy(atoms[0])
    energy_s, energies = timed(energy, atoms)
    relax_s, ends = timed(relaxed, atoms)
    return Side(energy_s, relax_s, energies, ends)


def ours(n: int) -> Side:
    """Two stages through the runner on this machine's cores."""
    from benchmarks.runs import bare_run, cpu_seconds
    from domains.materials import relax, scan
    from domains.materials.crystal import COLUMNS
    from domains.materials.potential import Identity
    from tasks.shard import Stage
    from tasks.stage import Rows, run_stage

    schema = pa.schema([("id", pa.int64()), *COLUMNS])
    table = pa.Table.from_pylist([{"id": at, **one.row()} for at, one in enumerate(perovskites(n))], schema=schema)
    potential = Identity.of("chgnet")
    how = relax.RelaxSettings(fmax=FMAX, max_steps=MOST_STEPS)

    def stage(name: str, function: Any, settings: Any, output: pa.Schema, cost: float) -> Stage:
        given = {"version": "1", "reads": tuple(COLUMNS.names), "carries": (), "output": output, "cost": cost}
        return Stage(name, name, name, function, settings, **given)

    def energy(name: str) -> Stage:
        return stage(name, scan.evaluate_rows, scan.EvaluateStage(potential=potential), scan.EVALUATED, 0.01)

    def relaxation(name: str) -> Stage:
        return stage(name, relax.relax_rows, relax.RelaxStage(potential=potential, relaxation=how), relax.OUTPUT, 0.3)

    with scratch() as folder, bare_run(folder / "versus") as run:

        def done(one: Stage, rows: pa.Table) -> tuple[float, list[float]]:
            before = cpu_seconds()
            made = run_stage(run, one, Rows(rows))
            spent = cpu_seconds() - before
            energies = {
                row["id"]: row["energy_per_atom"]
                for part in made.tables(["id", "energy_per_atom"])
                for row in part.to_pylist()
            }
            return spent, [energies.get(at, float("nan")) for at in range(len(rows))]

        warm = pa.concat_tables([table.slice(0, WARM_UP)] * run.slots)
        # Said to be long, so that every worker gets a shard and loads its model.
        done(replace(energy("warm"), cost=30.0), warm.set_column(0, "id", pa.array(range(len(warm)))))
        energy_s, energies = done(energy("energy"), table)
        relax_s, ends = done(relaxation("relax"), table)
    return Side(energy_s, relax_s, energies, ends)


SIDES = {"ours": ours, "loop": loop, "jobflow": jobflow, "quacc": quacc}


def run_side(name: str, n: int) -> Side:
    """A side in a process of its own, in an empty folder."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    with tempfile.TemporaryDirectory(prefix="ai4s-bench-") as folder:
        result = Path(folder, "side.json")
        command = [sys.executable, "-m", "benchmarks.versus_orchestrators", "--side", name, str(n), str(result)]
        environ = {**os.environ, **threads, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{name} failed:\n{done.stderr[-2000:]}")
        return Side(**json.loads(result.read_text()))


# ------------------------------------------------------------------------------------------------ table


def spent(sides: Sequence[dict[str, Side]], what: str, cost: Callable[[Side], float], n: int) -> Iterator[Row]:
    """Milliseconds a crystal of each side."""
    for name in SIDES:
        yield Row(
            f"{what}, {name}",
            statistics.median(1e3 * cost(side[name]) / n for side in sides),
            "ms",
            note="CPU a crystal",
        )


def ratios(sides: Sequence[dict[str, Side]], cost: Callable[[Side], float]) -> Iterator[tuple[str, float, str]]:
    """Each peer's CPU time over ours: median and spread."""
    for peer in PEERS:
        found = [cost(side[peer]) / cost(side["ours"]) for side in sides]
        yield peer, statistics.median(found), f"median of {len(found)}, {min(found):.2f} to {max(found):.2f}"


def measure(arguments: argparse.Namespace) -> list[Row]:
    n, repeats = (QUICK_CRYSTALS, 1) if arguments.quick else (CRYSTALS, 3)
    sides = [{name: run_side(name, n) for name in SIDES} for _ in range(repeats)]
    skip = f"quick, {n} crystals" if arguments.quick else ""
    energies = {name: np.array(side.energies) for name, side in sides[0].items()}
    ends = {name: np.array(side.relaxed) for name, side in sides[0].items()}
    worst = max(float(np.nanmax(np.abs(energies[peer] - energies["ours"]))) for peer in PEERS)
    lower = np.nanmedian(ends["ours"] - ends["loop"])
    return [
        Row("crystals", n, note="cubic perovskites, 5 atoms"),
        *spent(sides, "relaxation", lambda side: side.relax_s, n),
        *(
            Row.judged(f"relaxation, {peer} / ours", ratio, "x", f">= {PEERS[peer]:g}", note, not_judged=skip)
            for peer, ratio, note in ratios(sides, lambda side: side.relax_s)
        ),
        *spent(sides, "energy", lambda side: side.energy_s, n),
        *(
            Row(
                f"energy, {peer} / ours",
                ratio,
                "x",
                note=f"{note}; seconds of work, so ours is mostly the stage's fixed cost",
            )
            for peer, ratio, note in ratios(sides, lambda side: side.energy_s)
        ),
        Row.judged("largest difference of energies", 1e3 * worst, "meV/atom", "<= 0.1"),
        Row("relaxed energy, ours - loop", 1e3 * float(lower), "meV/atom", note="median"),
        Row("relaxed, ours", int(np.isfinite(ends["ours"]).sum()), note="the others end in a named outcome"),
    ]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--side"]:
        Path(sys.argv[4]).write_text(json.dumps(SIDES[sys.argv[2]](int(sys.argv[3]))._asdict()))
    else:
        main(measure, __doc__)

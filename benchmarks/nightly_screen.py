"""A night's screen: 15,000 real molecules by active learning, to checked hits; and the cores that a million a day needs."""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.bench import Row, main, scratch
from cluster.discover import cores
from domains.drug.library import SHIPPED, open_library
from domains.drug.request import ScreeningRequest, Search
from domains.learning.settings import Learning
from tasks.outcomes import ShardSummary
from tasks.store import StageStore

RUN = "nightly"
MOLECULES = 500
HOURS = 2.5
MILLION, DAY_S = 1e6, 86_400.0


def request(library: Path, quick: bool) -> ScreeningRequest:
    """The settings of a night: a tenth docked coarsely, the best of these in full, the finalists with two seeds."""
    return ScreeningRequest(
        target="EGFR",
        library=str(library),
        sample=MOLECULES if quick else None,
        top=5 if quick else 10,
        redock=15 if quick else 50,
        learning=Learning(budget=0.1, round_size=0.025),
        search=Search(exhaustiveness=1) if quick else Search(),
        seeds=1 if quick else 2,
        profile="laptop",
        name=RUN,
    )


def write_library(path: Path) -> int:
    """All shipped molecules as one file; returns how many."""
    count = 0
    with path.open("w") as file:
        for name in SHIPPED:
            for table in open_library(name).tables():
                for title, structure in zip(table["name"].to_pylist(), table["structure"].to_pylist(), strict=True):
                    file.write(f"{structure} {name}/{title}\n")
                    count += 1
    return count


def stages(root: Path) -> dict[str, list[ShardSummary]]:
    """The shards of every stage of the run."""
    names = json.loads((root / "manifest.json").read_text())
    return {name: list(StageStore(root / name).committed().values()) for name in names}


def chip_s(shards: Mapping[str, Sequence[ShardSummary]], prefix: str) -> tuple[float, int]:
    """Chip-seconds and rows of all stages of this name, in rounds or not."""
    found = [
        shard for name, ones in shards.items() if name == prefix or name.startswith(f"{prefix}-0") for shard in ones
    ]
    return sum(shard.wall_s for shard in found), sum(shard.rows for shard in found)


def cores_for_a_million(each: Mapping[str, float], states: float, share: float, efficiency: float) -> list[Row]:
    """Cores that 10^6 molecules a day need: measured seconds a molecule, over the measured share of time in the engine."""
    front = each["standardise"] + each["filter"] + each["states"]
    candidate = each["prepare"] + each["dock-coarse"]
    profiles = {
        "active learning, a tenth docked coarsely": front + states * (each["featurise"] + share * candidate),
        "all docked coarsely": front + states * candidate,
        "all docked in full": front + states * (each["prepare"] + each["dock"]),
    }
    return [
        Row(
            f"cores for 10^6 molecules a day, {name}",
            seconds * MILLION / DAY_S / efficiency,
            note=f"extrapolated: {seconds:.3g} chip-seconds a molecule, {states:.2f} states each",
        )
        for name, seconds in profiles.items()
    ]


def at_work(shards: Sequence[ShardSummary]) -> float:
    """Seconds in which at least one shard ran: the pauses of a benchmark that was stopped and taken up are not in it."""
    total, until = 0.0, 0.0
    for started, ended in sorted((shard.started, shard.ended) for shard in shards):
        total += max(0.0, ended - max(started, until))
        until = max(until, ended)
    return total


def extend(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--folder", type=Path, metavar="DIR", help="keep the run here; name it again to go on with it")


def measure(arguments: argparse.Namespace) -> list[Row]:
    with scratch(arguments.folder) as folder:
        library = folder / "shipped.smi"
        count = write_library(library)
        wanted = request(library, arguments.quick)
        from flows.drug_screening import drug_screening  # here: Prefect must find its settings set

        result = drug_screening(wanted)
        shards = stages(folder / "runs" / RUN)
    on_pod = {name: ones for name, ones in shards.items() if any(shard.engine_s or shard.wall_s > 1 for shard in ones)}
    docks = [shard for name, ones in on_pod.items() if name.startswith("dock") for shard in ones]
    engine = sum(shard.engine_s for shard in docks) / sum(shard.wall_s for shard in docks)
    every = [shard for ones in shards.values() for shard in ones]
    wall = at_work(every)
    names = ("standardise", "filter", "states", "featurise", "prepare", "dock-coarse", "dock")
    each = {name: seconds / max(1, rows) for name in names for seconds, rows in [chip_s(shards, name)]}
    pool, kept = chip_s(shards, "featurise")[1], chip_s(shards, "states")[1]
    docked = chip_s(shards, "dock-coarse")[1]
    busy = sum(shard.wall_s for shard in every) / (cores() * wall)
    skip = "quick: 500 molecules" if arguments.quick else ""
    screened = result["screened"]
    return [
        Row.judged("molecules", screened, "", f">= {count}", "all that the packages ship", not_judged=skip),
        Row.judged(
            "at work, from the first shard to the last",
            wall / 3600,
            "h",
            f"<= {HOURS}",
            f"{cores()} cores",
            not_judged=skip,
        ),
        Row("states docked coarsely", docked, "", note=f"of {pool:,} states of {kept:,} molecules"),
        Row.judged(
            "wall inside the engine / held by docks",
            100 * engine,
            "%",
            ">= 95",
            "held: shards of all docks",
            not_judged=skip,
        ),
        Row("chip time held by a shard / whole run", 100 * busy, "%", note="the rest: learning, server, waits"),
        Row("hits", len(result["hits"])),
        *cores_for_a_million(each, pool / max(1, kept), docked / max(1, pool), busy),
    ]


if __name__ == "__main__":
    main(measure, __doc__, extend)

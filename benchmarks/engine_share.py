"""Engine share: how much of the CPU time that a docking run holds is spent inside the docking engine."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.bench import Row, main, scratch
from cluster.discover import cores
from domains.drug.request import PropertyWindow, ScreeningRequest, Search
from tasks.outcomes import ShardSummary
from tasks.store import StageStore

# Up to the dock: what follows looks at a few finalists.
DASK_STAGES = ("standardise", "filter", "states", "prepare", "dock")
LIGANDS = 200
RUN = "engine-share"


def request(quick: bool) -> ScreeningRequest:
    """Dock the shipped set without a coarse dock; only its small molecules: the harder case, as a dock is then short."""
    return ScreeningRequest(
        target="EGFR",
        library="nci-5k",
        sample=30 if quick else 570,
        window=PropertyWindow(molecular_weight=(100, 200)),
        top=5 if quick else 20,
        coarse=False,
        search=Search(exhaustiveness=2) if quick else Search(),
        profile="laptop",
        name=RUN,
    )


def screen(folder: Path, wanted: ScreeningRequest) -> Mapping[str, Sequence[ShardSummary]]:
    """Run the pipeline; returns the shards of every stage that ran on the pod."""
    from flows.drug_screening import drug_screening  # here: Prefect must find its settings set

    drug_screening(wanted)
    return {name: list(StageStore(folder / "runs" / RUN / name).committed().values()) for name in DASK_STAGES}


def held(shards: Sequence[ShardSummary], chips: int) -> float:
    """Chip-seconds from the first shard's start to the last one's end, idle chips counted."""
    return chips * (max(shard.ended for shard in shards) - min(shard.started for shard in shards))


def measure(arguments: argparse.Namespace) -> list[Row]:
    wanted = request(arguments.quick)
    with scratch() as folder:
        shards = screen(folder, wanted)
    chips = cores()
    dock, every = shards["dock"], [shard for stage in shards.values() for shard in stage]
    docked = sum(shard.outcomes.get("ok", 0) for shard in dock)
    wall, cpu = sum(shard.engine_s for shard in dock), sum(shard.cpu_s for shard in dock)
    skip = "quick, too few ligands" if arguments.quick else ""
    shared = f"{chips} chips, exhaustiveness {wanted.search.exhaustiveness}"
    return [
        Row.judged("ligands docked", docked, "", f">= {LIGANDS}", shared, not_judged=skip),
        Row.judged(
            "wall inside the engine / held, dock stage",
            100 * wall / held(dock, chips),
            "%",
            ">= 95",
            "held: chips x time from the stage's first shard to its last",
            not_judged=skip,
        ),
        Row.judged(
            "wall inside the engine / held, whole run",
            100 * wall / held(every, chips),
            "%",
            ">= 95",
            "held: from the first shard of all stages to the last",
            not_judged=skip,
        ),
        Row(
            "CPU inside the engine / held, whole run",
            100 * cpu / held(every, chips),
            "%",
            note="the server, the scheduler and the flow run on the same cores; reading and packing are in it",
        ),
        Row("dock stage, start to end", held(dock, chips) / chips, "s"),
        Row("all stages on the pod, start to end", held(every, chips) / chips, "s"),
    ]


if __name__ == "__main__":
    main(measure, __doc__)

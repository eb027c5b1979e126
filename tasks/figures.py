"""Figures of how a run went, as SVG text."""

from collections.abc import Sequence

from markupsafe import Markup
from matplotlib import colormaps

from domains.figures import as_svg, figure
from tasks.outcomes import StageSummary

MOST_BARS = 4000


def in_page(*svgs: str) -> Markup:
    """Figures of our own, as they stand in a report."""
    return Markup("").join(Markup("<figure>{}</figure>").format(Markup(svg)) for svg in svgs)


def timeline(stages: Sequence[StageSummary]) -> str:
    """Which shard ran when on which worker, a colour a stage; workers are grouped by supernode."""
    shards = [(stage.name, shard) for stage in stages if stage.chips_held for shard in stage.shards]
    if not shards:
        return ""
    start = min(shard.started for _, shard in shards)
    places = sorted({shard.place for _, shard in shards}, reverse=True)
    names = list(dict.fromkeys(name for name, _ in shards))
    with figure(9.2, 0.9 + 0.28 * min(len(places), 40)) as made:
        axes = made.subplots()
        for number, name in enumerate(names):
            # Past a few thousand bars nobody can tell them apart and the page only grows.
            mine = [shard for stage, shard in shards if stage == name][:MOST_BARS]
            axes.barh(
                [places.index(shard.place) for shard in mine],
                [shard.ended - shard.started for shard in mine],
                left=[shard.started - start for shard in mine],
                height=0.72,
                color=colormaps["Set2"](number % 8),
                edgecolor="white",
                linewidth=0.4,
                label=name,
            )
        axes.set_yticks(range(len(places)), places)
        axes.set_xlabel("seconds since the first shard")
        axes.legend(frameon=False, ncols=min(6, len(names)), loc="lower left", bbox_to_anchor=(0, 1), fontsize=8)
        return as_svg(made)

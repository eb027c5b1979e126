"""Figures of how a run went, as SVG text."""

import io
from collections.abc import Sequence

from matplotlib import colormaps, rc_context
from matplotlib.figure import Figure

from tasks.outcomes import StageSummary

STYLE = {"svg.fonttype": "none", "svg.hashsalt": "ai4s", "font.family": "sans-serif", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
MOST_BARS = 4000


def timeline(stages: Sequence[StageSummary]) -> str:
    """Which shard ran when on which worker, a colour a stage; workers are grouped by supernode."""
    shards = [(stage, shard) for stage in stages for shard in stage.shards if shard.place != "local"]
    if not shards:
        return ""
    start = min(shard.started for _, shard in shards)
    places = sorted({shard.place for _, shard in shards}, reverse=True)
    names = list(dict.fromkeys(stage.name for stage, _ in shards))
    with rc_context(STYLE):
        figure = Figure(figsize=(9.2, 0.9 + 0.28 * min(len(places), 40)), layout="constrained")
        axes = figure.subplots()
        for number, name in enumerate(names):
            # Past a few thousand bars nobody can tell them apart and the page only grows.
            mine = [shard for stage, shard in shards if stage.name == name][:MOST_BARS]
            axes.barh(
                [places.index(shard.place) for shard in mine], [shard.ended - shard.started for shard in mine],
                left=[shard.started - start for shard in mine], height=0.72, color=colormaps["Set2"](number % 8), edgecolor="white",
                linewidth=0.4, label=name)
        axes.set_yticks(range(len(places)), places)
        axes.set_xlabel("seconds since the first shard")
        axes.legend(frameon=False, ncols=min(6, len(names)), loc="lower left", bbox_to_anchor=(0, 1), fontsize=8)
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return text.getvalue()[text.getvalue().index("<svg"):]

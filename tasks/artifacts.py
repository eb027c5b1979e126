"""What a run leaves on its Prefect page: the answer first, then the funnel, then a table of what was found."""

from collections.abc import Mapping, Sequence
from typing import Any

from prefect.artifacts import create_markdown_artifact, create_table_artifact

from tasks.report import funnel
from tasks.run import Run
from tasks.words import Text


def publish(run: Run, answer: Text, report: str, table: Sequence[Mapping[str, Any]], name: str, about: str) -> None:
    """Publish the answer with where the report is, and a table under ``PIPELINE-name``."""
    lines = [f"| {row['stage']} | {row['in']:,} | {row['ok']:,} | {row['chip_s']:,} |" for row in funnel(run.stages)]
    head = ["| stage | in | go on | chip-seconds |", "|---|---|---|---|"]
    create_markdown_artifact(
        key=f"{run.pipeline}-summary",
        markdown="\n".join([answer.en, "", answer.zh, "", f"Report: `{report}`", "", *head, *lines]),
        description=f"Answer of {run.store.name}",
    )
    create_table_artifact(key=f"{run.pipeline}-{name}", table=[dict(row) for row in table], description=about)

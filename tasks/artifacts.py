"""What a run leaves on its Prefect page: the answer first, with the funnel, then a table of what was found."""

from collections.abc import Mapping, Sequence
from typing import Any

from prefect.artifacts import create_table_artifact

from tasks.run import Run
from tasks.words import Text, in_markdown


def publish(run: Run, answer: Text, report: str, table: Sequence[Mapping[str, Any]], name: str, about: str) -> None:
    """Publish the answer with where the report is, and a table under ``PIPELINE-name``."""
    if run.landing is not None:
        run.landing.finished(answer, report)
    # The page reads a cell as Markdown: a name may be a link, and [C@H](C) of a SMILES looks like one.
    rows = [{head: in_markdown(cell) if isinstance(cell, str) else cell for head, cell in row.items()} for row in table]
    create_table_artifact(key=f"{run.pipeline}-{name}", table=rows, description=in_markdown(about))

"""Progress for people: a bar in the terminal, a progress artifact in the Prefect UI."""

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self
from uuid import UUID

import httpx
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.context import FlowRunContext, TaskRunContext
from prefect.exceptions import PrefectException
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

# Prefect sends it to the run's page (logging.extra_loggers in pyproject.toml), the command line to its log.
LOG = logging.getLogger("ai4s")
ARTIFACT_EVERY_S = 2.0
LINE_EVERY_S = 10.0


class StageProgress:
    """How far one stage is."""

    def __init__(
        self,
        title: str,
        total: int,
        advance_bar: Callable[[int], None],
        artifact: UUID | None,
        watch: "Watch | None" = None,
    ) -> None:
        self.title, self.total, self.done = title, total, 0
        self._advance_bar, self._artifact, self._watch = advance_bar, artifact, watch
        self._shown = self._told = time.monotonic()

    def advance(self, rows: int) -> None:
        """Count finished rows; the API hears of it every two seconds at most, not for every shard."""
        self.done += rows
        self._advance_bar(rows)
        now = time.monotonic()
        if now - self._shown > ARTIFACT_EVERY_S:
            self.publish()
            self._shown = now
        if now - self._told > LINE_EVERY_S:
            LOG.info(f"{self.title}: {self.done:,} of {self.total:,}")
            self._told = now

    def publish(self) -> None:
        """Bring the artifact up to date; a server that is away must not end the work it reports on."""
        if self._watch is not None:
            self._watch(self)
        if self._artifact is None:
            return
        try:
            update_progress_artifact(artifact_id=self._artifact, progress=100.0 * self.done / max(1, self.total))
        except (PrefectException, httpx.HTTPError, OSError) as error:
            LOG.warning(f"progress of {self.title} is not shown: {error}")


Watch = Callable[[StageProgress], None]


class RunProgress:
    """The bars of a run in the terminal, and a line in the run's log every ten seconds."""

    def __init__(self) -> None:
        self.watch: Watch | None = None  # is told how far a stage is, every two seconds
        self._bars = Progress(
            SpinnerColumn(finished_text="[green]✓"),
            TextColumn("{task.description:<26}"),
            BarColumn(bar_width=32),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
        )

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def tell(self, line: str) -> None:
        """A line for people: above the bars where there are some, and in the run's log."""
        if not self._bars.disable:
            self._bars.console.print(line, highlight=False, markup=False, soft_wrap=True)
        LOG.info(line)

    @contextmanager
    def stage(self, name: str, title: str, total: int) -> Iterator[StageProgress]:
        """Show a stage while it runs."""
        bar = self._bars.add_task(title, total=total)
        artifact = None
        if TaskRunContext.get() or FlowRunContext.get():
            key = f"progress-{name}".replace("_", "-")
            artifact = UUID(
                str(create_progress_artifact(progress=0.0, key=key, description=f"{title}: {total:,} rows"))
            )
        progress = StageProgress(title, total, lambda rows: self._bars.advance(bar, rows), artifact, self.watch)
        if self.watch is not None:
            self.watch(progress)
        yield progress
        progress.publish()
        LOG.info(f"{title}: done, {progress.done:,} rows")

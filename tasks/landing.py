"""The first thing to see of a run on its Prefect page: its state, what it does now, its answer. One artifact, kept up to date."""

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote
from uuid import UUID

import httpx
from prefect.artifacts import create_markdown_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactUpdate
from prefect.context import FlowRunContext
from prefect.exceptions import PrefectException

from tasks.outcomes import OK, StageSummary
from tasks.settings import Settings
from tasks.words import Text, duration, in_markdown

if TYPE_CHECKING:
    from tasks.progress import StageProgress
    from tasks.run import Run

LOG = logging.getLogger("ai4s")
EVERY_S = 5.0
MOST_ENDS = 4
ENDED = "It was cancelled, or its process was ended. 已取消，或进程被终止。"
HEAD = ["| stage 步骤 | in 进入 | go on 通过 | end here 终止 | chip-s 芯片秒 |", "|---|--:|--:|---|--:|"]


class Landing:
    """Written at the start of a run, again as its stages go on, and last with its answer or what stopped it."""

    def __init__(self, run: "Run", summary: str, planned: int) -> None:
        self.run, self.summary, self.planned = run, summary, planned
        self._now: StageProgress | None = None
        self._shown, self._answered = time.monotonic(), False
        self._artifact: UUID | None = None
        if FlowRunContext.get():
            made = create_markdown_artifact(
                key=f"{run.pipeline}-summary", markdown=self._running(), description=f"Run {run.store.name}"
            )
            self._artifact = UUID(str(made))

    def stage(self, now: "StageProgress") -> None:
        """Show how far a stage is; a few seconds may pass before it is seen."""
        changed, self._now = self._now is not now, now
        if changed or time.monotonic() - self._shown > EVERY_S:
            self._write(self._running())

    def finished(self, answer: Text, report: str) -> None:
        """The answer first, then the funnel."""
        self._answered = True
        spent = sum(stage.chip_s for stage in self.run.stages)
        lines = [
            f"## {in_markdown(answer.en)}",
            "",
            f"**{in_markdown(answer.zh)}**",
            "",
            f"Finished / 已完成. {spent:,.0f} chip-seconds / 芯片·秒. Report / 报告: {_link(self.run.store.name, report)}",
            "",
            *_funnel(self.run.stages),
        ]
        self._write("\n".join(lines))

    def stopped(self, error: BaseException) -> None:
        """What stopped it and how to go on."""
        if self._answered:
            return
        name = self.run.store.name
        at = f" in / 于 {in_markdown(self._now.title)}" if self._now else ""
        told = str(error).strip() or ENDED
        lines = [
            f"## Stopped{at}",
            "",
            in_markdown(told[:2000]),
            "",
            f"Finished shards are kept. Go on with: ai4s resume {in_markdown(name)}",
            "",
            f"已完成的分片均已保留，可用 ai4s resume {in_markdown(name)} 继续。",
            "",
            *_funnel(self.run.stages),
        ]
        self._write("\n".join(lines))

    def _running(self) -> str:
        many = max(self.planned, len(self.run.stages) + 1)
        lines = [
            f"## Running: stage {len(self.run.stages) + 1} of about {many} / 运行中",
            "",
            in_markdown(self.summary),
            "",
        ]
        if self._now:
            share = 100 * self._now.done / max(1, self._now.total)
            lines += [
                f"Now / 当前: **{in_markdown(self._now.title)}**, {self._now.done:,} of {self._now.total:,} rows ({share:.0f} %), "
                f"{duration(time.time() - self.run.started)} so far.",
                "",
            ]
        return "\n".join([*lines, *_funnel(self.run.stages)])

    def _write(self, markdown: str) -> None:
        """A server that is away must not end the work that it is told of."""
        self._shown = time.monotonic()
        if self._artifact is None:
            return
        try:
            with get_client(sync_client=True) as client:
                client.update_artifact(self._artifact, ArtifactUpdate(data=markdown))
        except (PrefectException, httpx.HTTPError, OSError) as error:
            LOG.warning(f"the page of the run is not up to date: {error}")


def _link(run: str, report: str) -> str:
    """Where a report is: on the server's pages, or else in which folder."""
    served = Settings().reports_url
    return f"[open / 打开]({served}/{quote(run)}/{quote(Path(report).name)})" if served else in_markdown(report)


def _funnel(stages: Sequence[StageSummary]) -> list[str]:
    return [*HEAD, *map(_line, stages)] if stages else []


def _line(stage: StageSummary) -> str:
    ends = sorted(((name, n) for name, n in stage.outcomes.items() if name != OK), key=lambda pair: -pair[1])
    told = ", ".join(f"{in_markdown(name)} {n:,}" for name, n in ends[:MOST_ENDS]) + (
        " ..." if ends[MOST_ENDS:] else ""
    )
    title = in_markdown(f"{stage.title} / {stage.title_zh}")
    return f"| {title} | {stage.rows:,} | {stage.ok:,} | {told} | {stage.chip_s:,.1f} |"

"""A template's own stage in a run: found by its template's name, tried before anything starts, run like any other stage."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from cluster.need import Need
from domains.errors import InvalidRequest
from domains.own_stages import OwnSettings, alike, apply, columns_added, place
from domains.user_templates import STAGE_FILE, OwnStage, find
from tasks.child import Answer, Child
from tasks.settings import Settings
from tasks.shard import Stage
from tasks.store import write_atomic

NAME = "own"
# Kept in the run, so that it can be gone on with where the template is gone: its first line names the stage before.
COPY, AFTER = "own_stage.py", "# after: "
TRIAL_S = 60.0
# No one knows what a function costs: shards are cut as if it were slow, 20 to 1,200 rows each.
ROW_S = 0.05


@dataclass(frozen=True)
class Own:
    """A function that was tried, and the stage that it becomes."""

    template: str
    settings: OwnSettings
    reads: tuple[str, ...]

    @property
    def facts(self) -> Mapping[str, str]:
        """What a resumed run must find the same."""
        return {"own_stage_after": self.settings.after, "own_stage_sha256": self.settings.sha256}

    def note(self, root: Path) -> None:
        """Keep the source in the run's folder."""
        write_atomic(root / COPY, f"{AFTER}{self.settings.after}\n{self.settings.source}".encode(), replace=False)

    def after(self, name: str) -> Stage | None:
        """The stage to run after the one of this name, if it is the one, or that of a round."""
        number = re.fullmatch(rf"{re.escape(self.settings.after)}(-\d\d)?", name)
        if number is None:
            return None
        output = pa.schema([(name, pa.type_for_alias(kind)) for name, kind in self.settings.adds])
        return Stage(
            f"{NAME}{number[1] or ''}",
            f"Stage of {self.template}",
            f"模板步骤 {self.template}",
            apply,
            self.settings,
            version="1",
            reads=self.reads,
            carries=("name",),
            output=output,
            cost=ROW_S,
        )


def own_of(pipeline: str, request: Any) -> Own | None:
    """The own stage that a request names, tried; None where it names none. Raises InvalidRequest."""
    name: str | None = getattr(request, "own_stage", None)
    if not name:
        return None
    after, source = _found(pipeline, name, request.name)
    example = place(pipeline, after)
    return Own(name, tried(pipeline, after, source), tuple(column for column in example.column_names if column != "id"))


def _found(pipeline: str, name: str, run: str | None) -> OwnStage:
    """The stage of a template, or, where that is gone, the one that the named run keeps."""
    settings = Settings()
    try:
        template = find(settings.templates.expanduser(), name)
    except InvalidRequest:
        copy = settings.runs.expanduser() / run / COPY if run else None
        if copy is None or not copy.exists():
            raise
        first, source = copy.read_text(encoding="utf-8").split("\n", 1)
        return OwnStage(first.removeprefix(AFTER), source)
    if template.pipeline != pipeline:
        raise InvalidRequest("own_stage", name, f"is a template of {template.pipeline}", f"a template of {pipeline}")
    if template.stage is None:
        raise InvalidRequest("own_stage", name, "this template has no stage of its own", "a template with 'stage'")
    return template.stage


@cache
def tried(pipeline: str, after: str, source: str) -> OwnSettings:
    """The settings of a function that kept its contract on the example rows, together and one by one; raises InvalidRequest."""
    settings, example = OwnSettings.of(after, source), place(pipeline, after)
    child = Child(Need().memory)
    try:
        child.open(apply, settings)
        whole = _called(child, example)
        settings = settings.model_copy(update={"adds": _kept(columns_added, whole)})
        child.open(apply, settings)
        again, alone = _called(child, example), [_called(child, example.slice(at, 1)) for at in range(len(example))]
    finally:
        child.close()
    if not alike(whole, again):
        raise _bad("it said something else when it was called again with the same rows")
    if not alike(whole, pa.concat_tables(alone)):
        raise _bad("it says something else of a row alone than among others; a batch may be cut anywhere")
    return settings


def _called(child: Child, batch: pa.Table) -> pa.Table:
    answer = child.call(batch, TRIAL_S)
    if not isinstance(answer, Answer):
        raise _bad(answer.reason.removeprefix("ValueError: "))
    return answer.result


def _kept(compute: Any, table: pa.Table) -> Any:
    try:
        return compute(table)
    except ValueError as error:
        raise _bad(str(error)) from None


def _bad(problem: str) -> InvalidRequest:
    valid = "the same rows in the same order, with columns added, and an outcome with its reason where a row ends"
    return InvalidRequest("stage function", STAGE_FILE, f"tried on a small batch: {problem}", valid)

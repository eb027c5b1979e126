"""The catalogue of pipelines: what each is called, what it is for, and the model of its request."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from domains.drug.check import check as check_screening
from domains.drug.request import ScreeningRequest
from domains.drug.variants import VariantsRequest
from domains.drug.variants import check as check_variants
from domains.errors import InvalidRequest, closest
from domains.model import Frozen


class Planned(Protocol):
    """A stage with the rows and chip-seconds that are expected."""

    @property
    def chip_s(self) -> float: ...

    def as_dict(self) -> dict[str, object]: ...


class Checked(Protocol):
    """A request that can run: what it is called, what it refers to, and what it will do."""

    @property
    def label(self) -> str: ...

    @property
    def facts(self) -> Mapping[str, str]: ...

    @property
    def summary(self) -> str: ...

    def plan(self) -> Sequence[Planned]: ...


@dataclass(frozen=True)
class Pipeline:
    """A pipeline; its flow is the function of the same name in the module of the same name in ``flows``."""

    name: str
    title: str
    title_zh: str
    request: type[Frozen]
    check: Callable[[Any], Checked]
    # What answers it: the result's table, what it is called, and the files that hold all of it, that table first.
    table: str
    table_title: str
    files: tuple[str, ...]


PIPELINES = {
    pipeline.name: pipeline
    for pipeline in (
        Pipeline(
            "drug-screening",
            "Screen a library of molecules against a receptor by docking",
            "用分子对接对化合物库进行虚拟筛选",
            ScreeningRequest,
            check_screening,
            "hits",
            "Top hits",
            ("hits.csv", "hits.sdf"),
        ),
        Pipeline(
            "drug-variants",
            "Dock ligands into mutants of a target and see which keep their pose",
            "将配体对接到靶点突变体，考察构象是否保持",
            VariantsRequest,
            check_variants,
            "conservation",
            "Pose conservation",
            ("conservation.csv", "poses.sdf"),
        ),
    )
}


def pipeline(name: str) -> Pipeline:
    """The pipeline of this name; raises InvalidRequest with the closest names."""
    if name not in PIPELINES:
        near = closest(name, PIPELINES)
        raise InvalidRequest(
            "pipeline",
            name,
            "unknown pipeline" + (f", closest: {', '.join(near)}" if near else ""),
            ", ".join(PIPELINES),
        )
    return PIPELINES[name]

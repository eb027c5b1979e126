"""What the requests of all pipelines share, and a stage as it is planned."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from pydantic import Field

from domains.errors import InvalidRequest
from domains.model import Frozen

Seed = Annotated[
    int,
    Field(ge=1, le=2**31 - 100, title="Seed / 随机种子", description="Same seed, same result. 相同种子得到相同结果。"),
]
Profile = Annotated[
    str,
    Field(
        title="Where to run / 运行位置",
        description="laptop (this machine), emulated:HUB (a small hub on this machine, such as emulated:two-supernodes), "
        "slurm:PARTITION, ssh:FILE, kubernetes:NAMESPACE; empty: the configured default. "
        "本机、本机模拟的小型枢纽、SLURM 分区、SSH 主机清单或 Kubernetes 命名空间；留空使用默认配置。",
    ),
]
RunName = Annotated[
    str | None,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$",
        title="Run name / 运行名称",
        description="Name of the run's folder; empty: made from the request. 留空自动生成。",
    ),
]
OwnStage = Annotated[
    str | None,
    Field(
        pattern=r"^[a-z0-9][a-z0-9-]{0,49}$",
        title="Stage of a template / 模板自定义步骤",
        description="Name of the template whose own stage runs in this pipeline; empty: none. Set by the template itself. "
        "其自定义步骤参与本流程的模板名称；留空则无，由模板自动填写。",
    ),
]


class Request(Frozen):
    """The base of a pipeline's request; each has ``profile: Profile`` and ``name: RunName``.

    One whose stages may be followed by a template's own (``domains.own_stages``) has ``own_stage: OwnStage``.
    """

    def identity(self) -> dict[str, Any]:
        """What decides the result: all but where it runs and what it is called."""
        return self.model_dump(mode="json", exclude={"profile", "name"})


def separated(given: Any) -> Any:
    """The parts of a text that a person separated by commas of any script or semicolons; anything else as it is."""
    if not isinstance(given, str):
        return given
    for mark in "，、;；":
        given = given.replace(mark, ",")
    return [part.strip() for part in given.split(",") if part.strip()]


@dataclass(frozen=True)
class PlannedStage:
    """A stage with the rows it should see and the chip-seconds they should take."""

    name: str
    rows: int
    chip_s: float

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Outline:
    """What a request would do, said without building or loading what it names; ``problem`` where it is known not to fit."""

    stages: Sequence[PlannedStage]
    problem: InvalidRequest | None = None

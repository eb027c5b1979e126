"""What an emulation can be asked for: the ensemble that is emulated, and how much of it trains the surrogate."""

from pydantic import Field

from domains.climate.ensemble_request import ClimateEnsembleRequest

FEWEST = 40  # members to train on, and to be judged by


class ClimateEmulationRequest(ClimateEnsembleRequest):
    """Train a surrogate of a climate model on a part of an ensemble, and judge it by members that it never saw."""

    members: int = Field(
        600,
        ge=2 * FEWEST,
        le=20_000,
        title="Members / 成员数",
        description="Versions of the model that are run, to train on and to be judged by. 运行的模式成员数（训练与检验合计）。",
    )
    training: int = Field(
        250,
        ge=FEWEST,
        le=1_500,
        title="Members to train on / 训练成员数",
        description="Of those with a climate like today's, drawn at random; all others judge. A Gaussian process takes time as the cube of it. "
        "从有效成员中随机抽取，其余用于检验；高斯过程耗时随其三次方增长。",
    )

"""What an active-learning search can be asked for; part of a pipeline's request."""

from math import ceil
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from domains.model import Frozen

MOST_ROUNDS = 100

Acquisition = Literal["greedy", "ucb", "ei", "thompson"]


class Learning(Frozen):
    """How many candidates are computed, in which steps, and how they are chosen."""

    budget: float = Field(
        0.1,
        gt=0,
        le=10**9,
        title="Budget / 计算预算",
        description="How many candidates are computed: up to 1 a share of all (0.1: a tenth), above 1 a number. "
        "计算多少个候选：不超过 1 为占比（0.1 即十分之一），大于 1 为个数。",
    )
    round_size: float = Field(
        0.01,
        gt=0,
        le=10**9,
        title="Round size / 每轮大小",
        description="How many of them in one round, as a share or a number like the budget; never less than a hundredth of "
        "the budget. The first round is drawn at random. More, smaller rounds find more and take longer. "
        "每轮计算多少个，占比或个数同上，不少于预算的百分之一；首轮随机抽取。轮次越多越小，找到越多，但耗时更长。",
    )
    acquisition: Acquisition = Field(
        "greedy",
        title="Choice / 选取策略",
        description="greedy: the best predictions; ucb: good or uncertain ones (confidence bound); ei: the largest expected "
        "improvement; thompson: the best of a random draw from each prediction. "
        "greedy：预测最优；ucb：预测好或不确定（置信界）；ei：期望改进最大；thompson：按预测分布随机抽取后取最优。",
    )
    top_share: float = Field(
        0.01,
        gt=0,
        le=0.5,
        title="What counts as top / 何为最优",
        description="The share of all candidates that the search is after; its progress is estimated for these. "
        "搜索目标占全部候选的比例，进度据此估计。",
    )
    enough: float = Field(
        0.95,
        gt=0,
        le=1,
        title="Enough found / 足够比例",
        description="Stop before the budget is spent when this share of the top is found, as the surrogate estimates it. "
        "代理模型估计已找到此比例的最优候选时提前停止。",
    )
    patience: int = Field(
        2,
        ge=1,
        le=MOST_ROUNDS,
        title="Patience / 耐心轮数",
        description="For so many rounds in a row: one estimate alone is not trusted. 需连续满足的轮数：单次估计不足为凭。",
    )

    @field_validator("budget", "round_size")
    @classmethod
    def _whole(cls, value: float) -> float:
        if value > 1 and value != int(value):
            raise ValueError(f"{value:g} is neither a share (up to 1) nor a whole number of candidates")
        return value

    @model_validator(mode="after")
    def _more_than_one_round(self) -> Self:
        if (self.budget <= 1) == (self.round_size <= 1) and self.round_size > self.budget:
            raise ValueError(
                f"round_size = {self.round_size:g} is more than budget = {self.budget:g}: one random round would learn nothing"
            )
        return self

    def counts(self, pool: int) -> tuple[int, int]:
        """How many of a pool are computed in all, and how many in a round: rounds are about equal, none is a small rest."""
        total = min(pool, _count(self.budget, pool))
        rounds = min(max(1, round(total / _count(self.round_size, pool))), MOST_ROUNDS)
        return total, max(1, ceil(total / rounds))


def _count(wanted: float, pool: int) -> int:
    return max(1, round(wanted * pool)) if wanted <= 1 else int(wanted)

"""What a run of the general circulation model can be asked for."""

from typing import Literal

from pydantic import Field

from domains.request import Profile, Request, RunName

TRUNCATION = {"T21": 21, "T31": 31}
STEP_MIN = {"T21": 30, "T31": 15}  # minutes
Resolution = Literal["T21", "T31"]


class ClimateGcmRequest(Request):
    """Run a general circulation model of the atmosphere and look at its climate."""

    days: int = Field(
        365,
        ge=2,
        le=36_500,
        title="Days / 天数",
        description="How long it is run, from rest and one temperature everywhere: the first month or two are spin-up. "
        "积分天数；从静止等温大气起算，最初一两个月为起转。",
    )
    resolution: Resolution = Field(
        "T31",
        title="Resolution / 分辨率",
        description="Spectral truncation: T21 is about 5.6 degrees, T31 about 3.75; 8 levels. 谱截断：T21 约 5.6°，T31 约 3.75°，8 层。",
    )
    chunk_days: int = Field(
        30,
        ge=1,
        le=365,
        title="Days between checkpoints / 检查点间隔天数",
        description="A killed run goes on from the last one, with the same bits. 中断后从最近检查点逐位一致续算。",
    )
    profile: Profile = ""
    name: RunName = None

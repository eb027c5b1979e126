"""What a downscaling can be asked for."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from domains.model import absolute_path
from domains.request import Profile, Request, RunName, Seed

DEMONSTRATION = "demonstration"


def _path(text: str) -> str:
    return text if text == DEMONSTRATION else absolute_path(text)


Data = Annotated[str, AfterValidator(_path)]


class ClimateDownscalingRequest(Request):
    """Bring a coarse model's days to a fine grid of observations."""

    model: Data = Field(
        DEMONSTRATION,
        title="Coarse model / 粗分辨率模式",
        description="NetCDF file or Zarr store with a value for every day on latitudes and longitudes; demonstration: made-up data. "
        "逐日粗分辨率模式数据（NetCDF 或 Zarr）；demonstration 为合成演示数据。",
    )
    observations: Data = Field(
        DEMONSTRATION,
        title="Observations / 观测",
        description="The same variable, as observed or reanalysed, on the fine grid; some years must be the model's too. "
        "细网格上的观测或再分析，须与模式有共同年份。",
    )
    variable: Literal["tas", "tasmax", "tasmin", "pr"] = Field(
        "tas",
        title="Variable / 变量",
        description="As CMIP names it: mean, maximum, minimum temperature of the day, or precipitation. CMIP 变量名：气温或降水。",
    )
    held_out: int = Field(
        5,
        ge=1,
        le=50,
        title="Years held out / 留出年数",
        description="The last years that model and observations share: not trained on, but scored. 两者共有年份中最后若干年不参与训练，仅用于检验。",
    )
    seed: Seed = Field(42, description="Of the demonstration's data. 演示数据的随机种子。")
    profile: Profile = ""
    name: RunName = None

    @model_validator(mode="after")
    def _together(self) -> Self:
        if (self.model == DEMONSTRATION) != (self.observations == DEMONSTRATION):
            given = "model" if self.model == DEMONSTRATION else "observations"
            raise ValueError(
                f"{given} = {DEMONSTRATION!r}: the made-up data go together. Valid: a file for both, or neither"
            )
        if self.model == DEMONSTRATION and self.variable != "tas":
            raise ValueError(
                f"variable = {self.variable!r}: the made-up data have tas only. Valid: tas, or files of your own"
            )
        return self

    @property
    def synthetic(self) -> bool:
        """Whether its data are made up."""
        return self.model == DEMONSTRATION

    @property
    def subject(self) -> str:
        """What its run is called after."""
        return DEMONSTRATION if self.synthetic else Path(self.model).stem

"""What an ensemble of climates can be asked for: the form, the template and the agent all make this."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, Self

from pydantic import Field, field_validator, model_validator

from domains.climate.distribution import Distribution
from domains.model import Frozen
from domains.request import OwnStage, Profile, Request, RunName, Seed

MOST_MEMBERS = 10**5
LAST_TRANSIENT_YEAR = 80
CALIBRATED = "set so that the mean member has today's temperature"


class Parameter(NamedTuple):
    """What a parameter is, where its default comes from."""

    title: str
    title_zh: str
    unit: str  # as CF writes it
    default: str
    source: str


# 5-95 % ranges of the assessment are taken as normal: a half-width is 1.645 sd.
PARAMETERS: Mapping[str, Parameter] = {
    "feedback": Parameter(
        "Feedback without ice", "气候反馈（不含冰反照率）", "W m-2 K-1", "normal(1.51, 0.40)",
        "IPCC AR6 WG1 table 7.10: Planck, water vapour and lapse rate, clouds; spread of the net feedback",
    ),
    "forcing": Parameter(
        "Forcing of twice the CO2", "CO2 加倍的辐射强迫", "W m-2", "normal(3.93, 0.29)", "IPCC AR6 WG1 section 7.3.2: 3.93 ± 0.47",
    ),
    "diffusion": Parameter(
        "Heat transport", "热量输送", "W m-2 K-1", "uniform(0.50, 0.66)", "about the 0.55 of climlab's energy-balance model",
    ),
    "outgoing": Parameter(
        "Outgoing longwave at 14 °C", "14 °C 时射出长波", "W m-2", "normal(239, 1.5)", "IPCC AR6 WG1 figure 7.2: 239 (237 to 242)",
    ),
    "albedo": Parameter("Albedo without ice", "无冰反照率", "1", "0.297", CALIBRATED),
    "ice_albedo": Parameter(
        "Albedo over ice", "冰面上方反照率", "1", "uniform(0.46, 0.58)",
        "under today's clouds; chosen so that the feedback of the ice spans the assessed 0.10 to 0.60 W m-2 K-1 (IPCC AR6 WG1 table 7.10)",
    ),
    "ice_temperature": Parameter(
        "Temperature of the ice edge", "冰缘温度", "degC", "uniform(-12, -8)", "about the -10 °C of North (1975)",
    ),
    "mixed_layer": Parameter(
        "Heat capacity of the upper ocean", "上层海洋热容", "W year m-2 K-1", "normal(7.3, 1.1)", "Geoffroy et al. (2013), 16 models",
    ),
    "deep_ocean": Parameter(
        "Heat capacity of the deep ocean", "深海热容", "W year m-2 K-1", "lognormal(91.5, 0.54)", "Geoffroy et al. (2013): 106 ± 62",
    ),
    "exchange": Parameter(
        "Heat exchange with the deep ocean", "与深海的热交换", "W m-2 K-1", "lognormal(0.71, 0.24)", "Geoffroy et al. (2013): 0.73 ± 0.18",
    ),
}  # fmt: skip


def _parameter(name: str) -> Any:
    """The field of a parameter."""
    found = PARAMETERS[name]
    unit = "" if found.unit == "1" else f", {found.unit}"
    return Field(
        found.default,
        title=f"{found.title}{unit} / {found.title_zh}",
        description="A number, normal(mean, sd), uniform(low, high) or lognormal(median, sd of the logarithm). "
        "一个数，或正态、均匀、对数正态分布。",
    )


class Perturbed(Frozen):
    """What each parameter may be."""

    feedback: str = _parameter("feedback")
    forcing: str = _parameter("forcing")
    diffusion: str = _parameter("diffusion")
    outgoing: str = _parameter("outgoing")
    albedo: str = _parameter("albedo")
    ice_albedo: str = _parameter("ice_albedo")
    ice_temperature: str = _parameter("ice_temperature")
    mixed_layer: str = _parameter("mixed_layer")
    deep_ocean: str = _parameter("deep_ocean")
    exchange: str = _parameter("exchange")

    @field_validator("*", mode="before")
    @classmethod
    def _normal_form(cls, given: object) -> object:
        return str(Distribution.parse(str(given))) if isinstance(given, str | int | float) else given

    def distributions(self) -> dict[str, Distribution]:
        """Each parameter's distribution, by name."""
        return {name: Distribution.parse(text) for name, text in self.model_dump().items()}


class ClimateEnsembleRequest(Request):
    """Warm many versions of a climate model and see how far its answer is known."""

    model: Literal["ebm"] = Field(
        "ebm",
        title="Model / 模式",
        description="ebm: the diffusive energy-balance model over latitude, with ice albedo and a deep ocean. 一维能量平衡模式。",
    )
    members: int = Field(
        1_000,
        ge=1,
        le=MOST_MEMBERS,
        title="Members / 成员数",
        description="Versions of the model, spread over the parameters' distributions as a Latin hypercube. 按拉丁超立方抽样的模式成员数。",
    )
    scenario: Literal["1pctCO2", "abrupt-4xCO2"] = Field(
        "1pctCO2",
        title="Scenario / 情景",
        description="As CMIP names them. 1pctCO2: CO2 grows by 1 % a year; abrupt-4xCO2: four times the CO2 from the start. "
        "CMIP 试验名称：CO2 每年增加 1%，或突然增至四倍。",
    )
    years: int = Field(
        140, ge=1, le=1_000, title="Years / 年数", description="How long the scenario is run. 情景模拟的年数。"
    )
    ice: bool = Field(
        True,
        title="Ice-albedo feedback / 冰反照率反馈",
        description="Cold bands are white; without it the sensitivity is forcing over feedback exactly. 寒冷纬带反照率升高；关闭后气候敏感度恰为强迫与反馈之比。",
    )
    tolerance: float = Field(
        2.5,
        gt=0,
        le=100,
        title="Distance from today, K / 与当今气候的偏差（K）",
        description="A member whose unperturbed global mean is further from 14 °C ends as an implausible climate. "
        "未扰动全球平均温度偏离 14 °C 超过此值的成员被剔除。",
    )
    parameters: Perturbed = Field(
        Perturbed(), title="Parameters / 参数", description="What each parameter may be. 各参数的取值分布。"
    )
    seed: Seed = 42
    profile: Profile = ""
    name: RunName = None
    own_stage: OwnStage = None

    @model_validator(mode="after")
    def _long_enough(self) -> Self:
        if self.scenario == "1pctCO2" and self.years < LAST_TRANSIENT_YEAR:
            raise ValueError(
                f"years = {self.years}: the transient response is the mean of years 61 to {LAST_TRANSIENT_YEAR}; "
                f"Valid: {LAST_TRANSIENT_YEAR} to 1000, or scenario abrupt-4xCO2"
            )
        return self

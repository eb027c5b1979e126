"""What a climate simulation can be asked for: the form, the template and the agent all make this."""

import re
from collections.abc import Callable
from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from domains.climate.cases import case
from domains.climate.grid import LEAST_TILE, Tiling
from domains.errors import InvalidRequest
from domains.request import Profile, Request, RunName

USUAL = ("C24", "C48", "C96", "C192", "C384")
MOST_CELLS = 1024  # along a panel's side: about 10 km
WIDEST_TILE = 64  # cells along a side, where tiles are not asked for: wide enough for speed, many enough to share


class ClimateSimulationRequest(Request):
    """Run a standard flow of the atmosphere on a sphere cut into tiles."""

    case: str = Field(
        "galewsky",
        title="Case / 算例",
        description="galewsky (an unstable jet that breaks up), williamson-2 (a steady flow, with its errors), williamson-5 (a flow over a mountain), "
        "williamson-6 (a Rossby-Haurwitz wave), rest (a lake at rest over the mountain). 标准浅水算例：不稳定急流、定常流、过山气流、Rossby-Haurwitz 波、静止湖。",
    )
    resolution: str = Field(
        "C96",
        title="Resolution / 分辨率",
        description="C and the cells along a side of a cube's face: C96 is about 100 km, C384 about 26 km. 立方球网格：C96 约 100 公里。",
    )
    days: float | None = Field(
        None,
        gt=0,
        le=1_000,
        title="Days / 天数",
        description="How long; empty: the case's standard length, 5 to 15 days. 模拟天数；留空使用算例的标准长度。",
    )
    interval: int = Field(
        6,
        ge=1,
        le=24,
        title="Output interval / 输出间隔",
        description="Hours between fields that are kept; each is followed by a checkpoint. 输出与检查点间隔（小时）。",
    )
    tiles: int | None = Field(
        None,
        title="Tiles / 分块数",
        description="Tiles of the sphere: 6, 24, 54, 96, ...; empty: chosen by the resolution. The result is the same bit for bit. "
        "球面分块数；结果逐位相同。留空自动选择。",
    )
    step: float | None = Field(
        None,
        gt=0,
        title="Time step / 时间步长",
        description="Longest time step, s; empty: chosen so that it is stable. 最长时间步长（秒）；留空自动选择。",
    )
    profile: Profile = ""
    name: RunName = None

    @field_validator("case", mode="before")
    @classmethod
    def _case(cls, given: Any) -> Any:
        if not isinstance(given, str):
            return given
        plain = re.sub(r"[\s_-]+", "-", given.strip().casefold())
        plain = re.sub(r"^(?:williamson|tc|case)-?(\d)$", r"williamson-\1", plain)
        _accepted(lambda: case(plain))
        return plain

    @field_validator("resolution", mode="before")
    @classmethod
    def _resolution(cls, given: Any) -> Any:
        found = re.fullmatch(r"[Cc]?(\d{1,6})", str(given).strip())
        if not found:
            raise ValueError(f"cannot be read. Valid: C and the cells along a panel's side, such as {', '.join(USUAL)}")
        cells = int(found[1])
        if cells > MOST_CELLS:
            raise ValueError(f"too fine. Valid: up to C{MOST_CELLS}")
        _accepted(lambda: Tiling(cells))
        return f"C{cells}"

    @model_validator(mode="after")
    def _fits(self) -> Self:
        hours = self.hours
        if abs(hours - round(hours)) > 1e-9 or round(hours) % self.interval:
            raise ValueError(
                f"days = {self.length:g}: is no multiple of the output interval of {self.interval} h; "
                f"Valid: {max(1, round(hours / self.interval)) * self.interval / 24:g} days, or another interval"
            )
        try:
            self.tiling()
        except InvalidRequest as error:
            raise ValueError(str(error)) from None
        return self

    @property
    def cells(self) -> int:
        """Cells along a panel's side."""
        return int(self.resolution[1:])

    @property
    def length(self) -> float:
        """Days."""
        return case(self.case).days if self.days is None else self.days

    @property
    def hours(self) -> float:
        """The length in hours."""
        return 24 * self.length

    @property
    def records(self) -> int:
        """Fields that are kept, the start among them."""
        return round(self.hours) // self.interval + 1

    def tiling(self) -> Tiling:
        """The sphere as it is cut; raises InvalidRequest."""
        if self.tiles is None:
            cuts = (cut for cut in range(1, self.cells + 1) if self.cells % cut == 0)
            return Tiling(self.cells, next(cut for cut in cuts if self.cells // cut <= WIDEST_TILE))
        side = round((self.tiles / 6) ** 0.5) if self.tiles > 0 else 0
        if side < 1 or 6 * side**2 != self.tiles or self.cells % side or self.cells // side < LEAST_TILE:
            valid = [6 * cut**2 for cut in range(1, self.cells // LEAST_TILE + 1) if self.cells % cut == 0]
            raise InvalidRequest("tiles", self.tiles, f"does not cut {self.resolution} into equal squares", _few(valid))
        return Tiling(self.cells, side)


def _few(valid: list[int]) -> str:
    return ", ".join(map(str, valid[:8])) + (" ..." if len(valid) > 8 else "")


def _accepted(make: Callable[[], object]) -> None:
    """An InvalidRequest as the ValueError that pydantic expects, which names the field itself."""
    try:
        make()
    except InvalidRequest as error:
        raise ValueError(f"{error.problem}. Valid: {error.valid}") from None

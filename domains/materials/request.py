"""What a materials screen can be asked for: the form, the template and the agent all make this."""

from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from domains.errors import InvalidRequest
from domains.learning.settings import Learning
from domains.materials import elements
from domains.materials.prototypes import MOST_ATOMS
from domains.request import OwnStage, Profile, Request, RunName, Seed

MOST_FOR_ALL = 10
Name = Literal["chgnet", "sevennet-l3i5", "emt"]


class MaterialsRequest(Request):
    """Search chemical systems for stable crystals: every candidate is evaluated, the best are relaxed and judged."""

    elements: tuple[str, ...] = Field(
        ("Li", "Mg", "Ti", "Fe", "O", "S"),
        title="Elements / 元素",
        description="Compounds of these elements are searched, as in Li,Mg,Ti,Fe,O,S. 搜索由这些元素组成的化合物。",
    )
    n: int | None = Field(
        1_000,
        ge=1,
        le=10**7,
        title="Candidates / 候选数",
        description="How many are evaluated, drawn at random with the seed where there are more, real structures first; empty: all "
        "there are, for at most ten elements. 评估的候选数，超出时随机抽取；留空为全部（最多十种元素）。",
    )
    most_elements: int = Field(
        4, ge=2, le=4, title="Most elements / 最多元素数", description="Elements of a compound. 化合物的元素种数上限。"
    )
    alloys: bool = Field(
        False,
        title="Alloys / 合金",
        description="Metals alone are searched as well, without charges; otherwise charges must balance. "
        "同时搜索纯金属合金（不要求电荷平衡）；否则仅搜索电荷平衡的化合物。",
    )
    most_atoms: int = Field(
        MOST_ATOMS,
        ge=2,
        le=MOST_ATOMS,
        title="Most atoms / 最多原子数",
        description="Atoms in the primitive cell of a structure. 原胞原子数上限。",
    )
    potential: Name = Field(
        "chgnet",
        title="Potential / 势函数",
        description="Evaluates and relaxes every candidate: chgnet or sevennet-l3i5 (neural, trained on DFT; their weights "
        "come with their packages), emt (seven metals, a model for trials). 评估与弛豫所用势函数。",
    )
    second: Name | None = Field(
        "sevennet-l3i5",
        title="Second opinion / 二次评估",
        description="The relaxed candidates are judged again by this potential; empty: they are not. 用另一势函数复核已弛豫的候选。",
    )
    relax: float = Field(
        0.05,
        gt=0,
        le=10**7,
        title="Relaxed / 弛豫数",
        description="How many of the lowest above the hull are relaxed: up to 1 a share of the formulas, above 1 a number. "
        "Not used with active learning, which has a budget of its own. 弛豫多少个：不超过 1 为占比，大于 1 为个数。",
    )
    learning: Learning | None = Field(
        None,
        title="Active learning / 主动学习",
        description="Relax only the formulas that a model, trained on those relaxed so far, expects near the hull. Empty: the "
        "lowest by the scan. 仅弛豫模型预测接近凸包的化学式；留空则按扫描能量取最低者。",
    )
    hull_limit: float = Field(
        0.1,
        ge=0,
        le=1,
        title="Above the hull, eV/atom / 高于凸包上限（eV/原子）",
        description="A relaxed candidate further above the convex hull ends as unstable. 超过此值视为不稳定。",
    )
    phonons: int = Field(
        15,
        ge=0,
        le=10_000,
        title="Phonons of / 声子计算数",
        description="So many of the lowest above the hull are tested for imaginary modes, by sevennet-l3i5; 0: none. "
        "对最接近凸包的若干候选检查虚频；0 为不计算。",
    )
    top: int = Field(
        10, ge=1, le=1_000, title="Listed / 列出数", description="How many the report shows. 报告列出的候选数。"
    )
    seed: Seed = 42
    profile: Profile = ""
    name: RunName = None
    own_stage: OwnStage = None

    @model_validator(mode="before")
    @classmethod
    def _trial(cls, given: Any) -> Any:
        # A trial's metals have no charges, and its energies cannot be compared with another potential's.
        trial = {"alloys": True, "second": None} if isinstance(given, dict) and given.get("potential") == "emt" else {}
        return {**trial, **given} if trial else given

    @field_validator("elements", mode="before")
    @classmethod
    def _parsed(cls, given: Any) -> Any:
        if not isinstance(given, str | list | tuple):
            return given
        try:
            return elements.parse(given)
        except InvalidRequest as error:
            raise ValueError(f"{error.value!r}: {error.problem}. Valid: {error.valid}") from None

    @field_validator("relax")
    @classmethod
    def _whole(cls, value: float) -> float:
        if value > 1 and value != int(value):
            raise ValueError(f"{value:g} is neither a share (up to 1) nor a whole number of candidates")
        return value

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(self.elements) < 2:
            raise ValueError(f"elements = {self.elements[0]}: a compound needs two, such as Li,Fe,O")
        if self.n is None and len(self.elements) > MOST_FOR_ALL:
            raise ValueError(f"n is empty, and {len(self.elements)} elements have too many candidates: say how many")
        if not self.alloys and all(elements.element(one).is_metal for one in self.elements):
            raise ValueError(
                f"elements = {','.join(self.elements)}: metals alone have no balanced charges; add a nonmetal such as O, or "
                "ask for alloys"
            )
        if self.second == self.potential:
            raise ValueError(f"second = {self.second!r} is the same as potential: it would say the same again")
        return self

    def relaxed(self, pool: int) -> int:
        """How many of a pool are relaxed, without active learning."""
        wanted = max(1, round(self.relax * pool)) if self.relax <= 1 else int(self.relax)
        return min(pool, max(wanted, self.top))

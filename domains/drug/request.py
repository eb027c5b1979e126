"""What a drug screen can be asked for: the form, the template and the agent all make this."""

from typing import Annotated, Literal, Self

from annotated_types import Ge, Le
from pydantic import Field, field_validator, model_validator

from domains.drug import library, receptors
from domains.drug.states import StateSettings
from domains.learning.settings import Learning
from domains.model import Frozen, absolute_path
from domains.request import OwnStage, Profile, Request, RunName, Seed

Alert = Literal["PAINS", "BRENK", "NIH"]
Engine = Literal["vina", "vina-cli", "gnina", "unidock", "autodock-gpu"]
Range = tuple[float, float]
Coordinate = Annotated[float, Ge(-10_000), Le(10_000)]
Edge = Annotated[float, Ge(4), Le(60)]


class Box(Frozen):
    """The docking box: where poses may be."""

    center: tuple[Coordinate, Coordinate, Coordinate] = Field(
        title="Centre, Å / 中心（Å）",
        description="x, y, z in the coordinates of the receptor's file. 受体文件坐标系中的 x、y、z。",
        examples=[[16.8, 35.6, 91.1]],
    )
    size: tuple[Edge, Edge, Edge] = Field(
        (22.0, 22.0, 22.0),
        title="Edges, Å / 边长（Å）",
        description="Along x, y, z, 4 to 60 each. 沿 x、y、z 的边长，每边 4 至 60。",
    )


class PropertyWindow(Frozen):
    """Limits, both ends included; a molecule outside any of them is filtered."""

    molecular_weight: Range = Field(
        (100.0, 600.0),
        title="Molecular weight, g/mol / 分子量（g/mol）",
        description="The least and the most. 下限与上限。",
    )
    logp: Range = Field(
        (-3.0, 6.5),
        title="logP / 脂水分配系数 logP",
        description="Octanol and water, by Crippen's contributions; the least and the most. Crippen 法估算的下限与上限。",
    )
    tpsa: Range = Field(
        (0.0, 160.0),
        title="Polar surface area, Å² / 极性表面积（Å²）",
        description="Topological (TPSA); the least and the most. 拓扑极性表面积的下限与上限。",
    )
    hbd: Range = Field(
        (0, 6),
        title="Hydrogen-bond donors / 氢键供体数",
        description="The least and the most. 下限与上限。",
    )
    hba: Range = Field(
        (0, 12),
        title="Hydrogen-bond acceptors / 氢键受体数",
        description="The least and the most. 下限与上限。",
    )
    rotatable_bonds: Range = Field(
        (0, 12),
        title="Rotatable bonds / 可旋转键数",
        description="The least and the most. 下限与上限。",
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for name, (low, high) in self:
            if low > high:
                raise ValueError(f"{name}: the lower limit {low:g} is above the upper limit {high:g}")
        return self


class Search(Frozen):
    """How hard the docking engine looks for each molecule's best pose."""

    exhaustiveness: int = Field(
        8,
        ge=1,
        le=128,
        title="Exhaustiveness / 搜索强度",
        description="Independent searches of each molecule; time grows with it. 每个分子的独立搜索次数，耗时随之增加。",
    )
    max_evals: int = Field(
        0,
        ge=0,
        le=10**9,
        title="Evaluations / 打分次数上限",
        description="Most scoring evaluations of a search; 0 lets the engine decide. 每次搜索的打分次数上限；0 由引擎决定。",
    )
    n_poses: int = Field(
        9,
        ge=1,
        le=100,
        title="Poses / 构象数",
        description="Most poses kept of each molecule. 每个分子最多保留的构象数。",
    )


FINALISTS_PER_HIT = 2
COARSE = Search(exhaustiveness=1, max_evals=80_000, n_poses=1)


class ScreeningRequest(Request):
    """Screen a library of molecules against one receptor by docking."""

    target: str = Field(
        "EGFR",
        title="Target / 靶点",
        description="One of the shipped receptors (EGFR, ABL1, F2, ...), or the path of your own receptor as PDBQT, which "
        "then needs a box. 内置受体名称，或自己的 PDBQT 文件路径（需给出 box）。",
    )
    box: Box | None = Field(
        None,
        title="Docking box / 对接盒",
        description="Needed with your own receptor; a shipped one has its own. 使用自己的受体时必填。",
    )
    library: str = Field(
        "nci-5k",
        title="Library / 分子库",
        description="nci-5k or wehi-10k (real molecules, shipped), or a file: SMILES (.smi .txt), CSV/TSV with a column "
        "'smiles', SDF, Parquet; .gz allowed. 内置库名称或文件路径。",
    )
    sample: int | None = Field(
        None,
        ge=1,
        le=10**9,
        title="Sample / 抽样",
        description="Screen this many molecules, drawn at random with the seed; empty: all. 随机抽取的分子数，留空为全部。",
    )
    top: int = Field(
        20, ge=1, le=1_000, title="Hits / 命中数", description="How many hits the report shows. 报告列出的命中分子数。"
    )
    window: PropertyWindow = Field(
        PropertyWindow(),
        title="Property window / 性质窗口",
        description="Molecules outside are filtered. 范围之外的分子会被过滤。",
    )
    exclude_alerts: tuple[Alert, ...] = Field(
        (),
        title="Excluded alerts / 排除的结构警示",
        description="Structural-alert catalogues that filter a molecule; the others only flag it. 命中这些警示的分子会被过滤。",
    )
    states: StateSettings | None = Field(
        StateSettings(),
        title="States / 分子状态",
        description="Each molecule is docked in its states: open stereocentres, tautomer, protonation at a pH; it keeps the "
        "best one. Empty (null): as drawn, neutral. 每个分子按其状态（立体异构、互变异构、给定 pH 下的质子化）对接，保留最优状态；留空则按原样。",
    )
    learning: Learning | None = Field(
        None,
        title="Active learning / 主动学习",
        description="Dock only the molecules that a model, trained on what was docked so far, expects to score well. Empty: "
        "all are docked. 仅对接模型预测较优的分子；留空则全部对接。",
    )
    coarse: bool = Field(
        True,
        title="Coarse dock first / 先粗对接",
        description="Dock all molecules at a fraction of the cost, then only the best again at normal settings. 先低成本粗筛，再精对接最优分子。",
    )
    redock: int | None = Field(
        None,
        ge=1,
        le=10**7,
        title="Docked again / 精对接数",
        description="How many of the best coarse scores are docked at normal settings; empty: three times the hits. 留空为命中数的三倍。",
    )
    engine: Engine = Field(
        "vina",
        title="Docking engine / 对接引擎",
        description="vina comes with ai4s; the others need their program on PATH: vina-cli, gnina, unidock, autodock-gpu. "
        "vina 随 ai4s 安装；其余需要相应程序。",
    )
    search: Search = Field(
        Search(), title="Normal search / 精对接设置", description="Settings of the normal dock. 精对接的搜索设置。"
    )
    seeds: int = Field(
        1,
        ge=1,
        le=20,
        title="Docks of a finalist / 重复对接次数",
        description="The finalists (twice the hits) are docked this often, each time with another seed: how far scores and poses "
        "agree is reported. 入围分子（命中数的两倍）以不同种子重复对接的次数，报告分数与构象的一致性。",
    )
    check_poses: bool = Field(
        True,
        title="Check poses / 检查构象",
        description="Finalists' poses go through PoseBusters, and their contacts with the receptor are listed; about 3 s each. "
        "用 PoseBusters 检查入围构象，并列出与受体的相互作用。",
    )
    refine: bool = Field(
        False,
        title="Refine hits / 精修命中构象",
        description="Minimise each hit in its pocket with a force field on the CPU. 在口袋内用力场最小化每个命中构象。",
    )
    admet: bool = Field(
        False,
        title="ADMET / ADMET 性质预测",
        description="Predict absorption, distribution, metabolism, excretion and toxicity of the finalists by ADMET-AI's "
        "pretrained models; needs the extra 'admet'. 用 ADMET-AI 预训练模型预测入围分子的 ADMET 性质（需安装 admet 附加组件）。",
    )
    seed: Seed = 42
    profile: Profile = ""
    name: RunName = None
    own_stage: OwnStage = None

    @field_validator("target")
    @classmethod
    def _known_target(cls, target: str) -> str:
        return receptors.checked_name(target)

    @field_validator("library")
    @classmethod
    def _absolute_library(cls, name: str) -> str:
        return name if name in library.SHIPPED else absolute_path(name)

    @model_validator(mode="after")
    def _counts_fit(self) -> Self:
        for field in ("sample", "redock"):
            most = getattr(self, field)
            if most is not None and self.top > most:
                raise ValueError(f"top = {self.top} is more than {field} = {most}: ask for fewer hits or raise {field}")
        if receptors.is_file(self.target) and self.box is None:
            raise ValueError(f"box is missing: the receptor file {self.target} needs a box (center and size in Å)")
        return self

    @property
    def redocked(self) -> int:
        """How many molecules get the normal dock after the coarse one."""
        return self.redock if self.redock is not None else 3 * self.top

    @property
    def finalists(self) -> int:
        """How many of the best full scores are looked at closely, for the hits to be chosen from."""
        return FINALISTS_PER_HIT * self.top

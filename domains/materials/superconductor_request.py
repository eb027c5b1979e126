"""What a superconductor run can be asked for, what must hold before it starts, and about what it takes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

import pyarrow as pa
from ase.data import chemical_symbols
from pydantic import Field, field_validator, model_validator

from domains.errors import InvalidRequest
from domains.materials import conductors, quantum_espresso, tc_surrogate
from domains.materials.crystal import COLUMNS
from domains.materials.formula import name as formula_of
from domains.materials.phonons import suitable
from domains.materials.potential import Identity, load
from domains.materials.published import Found
from domains.request import PlannedStage, Profile, Request, RunName, Seed, separated

INPUT = pa.schema([("name", pa.string()), ("formula", pa.string()), *COLUMNS])
# Seconds of one core: training the surrogate and judging it by folds, a prediction; phonons of about ten atoms; aluminium's coupling.
TRAIN_S, PREDICT_S, COUPLING_S, LOAD_S = 45.0, 1e-3, 90.0, 5.0
PHONON_S = {"sevennet-l3i5": 30.0, "emt": 1.0}


class SuperconductorRequest(Request):
    """Order metals by what is learnt of Tc, test their lattices, and compute or hand off their electron-phonon coupling."""

    materials: tuple[str, ...] = Field(
        ("Al", "Nb", "Pb", "MgB2"),
        min_length=1,
        max_length=10_000,
        title="Materials / 材料",
        description=f"Known by name ({', '.join(conductors.CONDUCTORS)}), paths of CIF files, or a folder of them such as the "
        "crystals of a materials screen. 已知材料名称、CIF 文件路径或含 CIF 的文件夹（如材料筛选结果）。",
    )
    surrogate: bool | None = Field(
        None,
        title="Learn from measured Tc / 由实测 Tc 学习",
        description="Order the materials by a model of measured Tc; needs the SuperCon file in AI4S_DATA. Empty: where it is there. "
        "用实测 Tc 训练的模型排序，需要 AI4S_DATA 中的 SuperCon 文件；留空则有数据时使用。",
    )
    phonons: int = Field(
        10,
        ge=1,
        le=10_000,
        title="Phonons of / 声子计算数",
        description="So many of the best are tested for imaginary modes. 对排序靠前的若干材料检查虚频。",
    )
    phonon_potential: Literal["sevennet-l3i5", "emt", "chgnet"] = Field(
        "sevennet-l3i5",
        title="Potential for phonons / 声子势函数",
        description="sevennet-l3i5, or emt for trials; chgnet is refused, as its phonons are far too soft. "
        "sevennet-l3i5，或试验用 emt；chgnet 声子过软，不予使用。",
    )
    coupling: int = Field(
        3,
        ge=0,
        le=1_000,
        title="Electron-phonon coupling of / 电声耦合计算数",
        description="For so many stable ones ph.x is run where it is found; elsewhere its inputs are written. "
        "对若干稳定材料用 ph.x 计算电声耦合；未安装时仅写出输入文件。",
    )
    mu_star: tuple[float, float] = Field(
        (0.10, 0.13),
        title="Coulomb pseudopotential / 库仑赝势 μ*",
        description="The band for which Tc is quoted, 0 to 0.3. Tc 报告所用的 μ* 区间，0 至 0.3。",
    )
    top: int = Field(10, ge=1, le=1_000, title="Listed / 列出数", description="How many the report shows. 报告列出数。")
    seed: Seed = 42
    profile: Profile = ""
    name: RunName = None

    @field_validator("materials", mode="before")
    @classmethod
    def _separated(cls, given: Any) -> Any:
        return separated(given)

    @field_validator("materials")
    @classmethod
    def _known(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(conductors.checked_name(name) for name in given))

    @model_validator(mode="after")
    def _fits(self) -> Self:
        low, high = self.mu_star
        if not 0 <= low <= high <= 0.3:
            raise ValueError(
                f"mu_star = {low:g},{high:g} is no band within 0 to 0.3, lower end first, such as 0.10,0.13"
            )
        if self.coupling > self.phonons:
            raise ValueError(
                f"coupling = {self.coupling} is more than phonons = {self.phonons}: only lattices known to be stable are coupled"
            )
        return self


@dataclass(frozen=True)
class SuperconductorStudy:
    """A request that can run, with what it refers to."""

    request: SuperconductorRequest
    materials: Mapping[str, Found]
    phonons: Identity
    surrogate: tc_surrogate.SurrogateSettings | None

    @property
    def label(self) -> str:
        """Goes into the run's name."""
        return "-".join(self.materials)

    @property
    def facts(self) -> dict[str, str]:
        """Checksums of what the request refers to: a resumed run must find the same."""
        known = {name: one.sha256 for name, one in self.materials.items()}
        learnt = {"supercon_sha256": self.surrogate.data_sha256} if self.surrogate else {}
        return {"weights_sha256": self.phonons.weights_sha256, **learnt, **known}

    @property
    def without_surrogate(self) -> str:
        """Why Tc is not predicted; empty where it is."""
        if self.surrogate:
            return ""
        return "not asked for" if self.request.surrogate is False else tc_surrogate.missing()

    @property
    def summary(self) -> str:
        """One line for people."""
        coupling = quantum_espresso.missing()
        tail = "coupling by ph.x" if not coupling else f"inputs for ph.x only ({coupling})"
        return f"{len(self.materials):,} materials, {'ordered by a model of measured Tc, ' if self.surrogate else ''}{tail}"

    def rows(self) -> pa.Table:
        """The materials, without ids; see ``INPUT``."""
        made = [
            {"name": name, "formula": formula_of(_counts(one)), **one.crystal.row()}
            for name, one in self.materials.items()
        ]
        return pa.Table.from_pylist(made, schema=INPUT)

    def plan(self) -> list[PlannedStage]:
        """The stages and about what they take; the coupling of a larger cell takes hours, and is not foreseen here."""
        rows = len(self.materials)
        many, coupled = min(rows, self.request.phonons), min(rows, self.request.coupling)
        coupling_s = 0.0 if quantum_espresso.missing() else coupled * COUPLING_S
        predicted = [PlannedStage("predict", rows, TRAIN_S + rows * PREDICT_S)] if self.surrogate else []
        return [
            PlannedStage("materials", rows, 0.0),
            *predicted,
            PlannedStage("phonons", many, LOAD_S + many * PHONON_S[self.phonons.name]),
            *([PlannedStage("coupling", coupled, coupling_s)] if coupled else []),
        ]


def check(request: SuperconductorRequest) -> SuperconductorStudy:
    """Find the materials, the potential and the data; raises InvalidRequest naming field, value and what is valid."""
    suitable(request.phonon_potential)
    names = conductors.listed(request.materials)
    found = {one.name: one for one in map(conductors.load, names)}
    if len(found) < len(names):
        raise InvalidRequest("materials", ",".join(names)[:100], "two files have the same name", "names that differ")
    known = load(request.phonon_potential).elements
    for name, one in found.items():
        if missing := sorted({chemical_symbols[at] for at in one.crystal.numbers if at not in known}):
            problem = f"it was not trained on {', '.join(missing)}, which {name} holds"
            raise InvalidRequest("phonon_potential", request.phonon_potential, problem, "sevennet-l3i5")
    wanted = request.surrogate or (request.surrogate is None and tc_surrogate.path() is not None)
    settings = tc_surrogate.SurrogateSettings(data_sha256=tc_surrogate.sha256(), seed=request.seed) if wanted else None
    return SuperconductorStudy(request, found, Identity.of(request.phonon_potential), settings)


def _counts(one: Found) -> dict[str, int]:
    symbols = [chemical_symbols[number] for number in one.crystal.numbers]
    return {symbol: symbols.count(symbol) for symbol in dict.fromkeys(symbols)}

"""What a variants run can be asked for, and what must hold before it starts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from domains.drug import library, mutations, plan, structure, targets
from domains.drug.library import Library, open_library
from domains.drug.request import Alert, PropertyWindow, ScreeningRequest, Search
from domains.errors import InvalidRequest
from domains.model import absolute_path
from domains.request import Outline, OwnStage, PlannedStage, Profile, Request, RunName, separated

# Measured on the dimer of SARS-CoV-2 Mpro: 16 to 18 CPU seconds.
BUILD_S, REFERENCE_S, COMPARE_S = 18.0, 0.02, 0.1
FEWEST_SEEDS = 3


class VariantsRequest(Request):
    """Dock ligands into mutants of a target and see which keep the pose they have in the wild type."""

    target: str = Field(
        "SARS-CoV-2-Mpro",
        title="Target / 靶点",
        description="A target known by name, in English or Chinese: SARS-CoV-2 main protease, MERS Mpro, Mac1, ... (all: ai4s "
        "targets). 靶点名称，如“新冠病毒主蛋白酶”。",
    )
    variants: tuple[str, ...] = Field(
        ("WT", "P132H", "E166V"),
        title="Variants / 变体",
        description="WT and mutations in the structure's numbering, separated by commas; E166V+L50F is one variant with two. The "
        "wild type is always built. 以逗号分隔的突变；“+”连接同一变体的多个突变；始终包含野生型。",
    )
    library: str | None = Field(
        None,
        title="Ligands / 配体",
        description="A file of ligands (SMILES, CSV/TSV with a column 'smiles' such as the hits.csv of a screen, SDF, Parquet; .gz "
        "allowed), nci-5k or wehi-10k; empty: only the target's reference ligand. 配体文件（可用筛选结果 hits.csv），留空则仅参考配体。",
    )
    sample: int | None = Field(
        None,
        ge=1,
        le=10**6,
        title="Sample / 抽样",
        description="Take this many ligands, drawn at random with the seed; empty: all. 随机抽取的配体数，留空为全部。",
    )
    control: bool = Field(
        True,
        title="Control / 对照",
        description="Dock the target's reference ligand too, whose pose is known from the crystal. 同时对接晶体参考配体作为对照。",
    )
    seeds: int = Field(
        3,
        ge=1,
        le=20,
        title="Seeds / 种子数",
        description="Docks of each ligand into each variant, each with its own seed; a share of fewer than 3 says little. 每个配体—变体"
        "组合的独立对接次数，少于 3 次意义不大。",
    )
    window: PropertyWindow = Field(
        PropertyWindow(),
        title="Property window / 性质窗口",
        description="Ligands outside are filtered. 范围之外的配体会被过滤。",
    )
    exclude_alerts: tuple[Alert, ...] = Field(
        (),
        title="Excluded alerts / 排除的结构警示",
        description="Structural-alert catalogues that filter a ligand. 命中这些警示的配体会被过滤。",
    )
    search: Search = Field(
        Search(), title="Search / 对接设置", description="Settings of every dock. 每次对接的搜索设置。"
    )
    seed: int = Field(
        42,
        ge=1,
        le=2**31 - 100,
        title="First seed / 首个随机种子",
        description="The docks use this seed and the ones after it. Same seed, same result. 相同种子得到相同结果。",
    )
    profile: Profile = ""
    name: RunName = None
    own_stage: OwnStage = None

    @field_validator("target")
    @classmethod
    def _known_target(cls, name: str) -> str:
        known = targets.find(name)
        if known is None:
            raise ValueError(
                f"variants need a target with a known structure: {', '.join(targets.names())} (ai4s targets)"
            )
        return known.name

    @field_validator("variants", mode="before")
    @classmethod
    def _separated(cls, given: Any) -> Any:
        return separated(given)

    @field_validator("variants")
    @classmethod
    def _readable(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(variant.name for variant in mutations.with_wild_type(given))

    @field_validator("library")
    @classmethod
    def _absolute_library(cls, name: str | None) -> str | None:
        return name if name is None or name in library.SHIPPED else absolute_path(name)

    @model_validator(mode="after")
    def _something_to_dock(self) -> Self:
        if self.library is None and not self.control:
            raise ValueError("library is empty and control is off: there is nothing to dock; give a file of ligands")
        return self

    @property
    def front(self) -> ScreeningRequest:
        """The same settings for the stages that screening has as well."""
        return ScreeningRequest(
            sample=self.sample,
            top=1,
            window=self.window,
            exclude_alerts=self.exclude_alerts,
            states=None,  # ligands as drawn: a state of its own would change what the variants are compared on
            seed=self.seed,
        )

    @property
    def docking_seeds(self) -> tuple[int, ...]:
        """The seed of each replica."""
        return tuple(range(self.seed, self.seed + self.seeds))


@dataclass(frozen=True)
class Panel:
    """A request that can run, with what it refers to."""

    request: VariantsRequest
    target: targets.Target
    pdb: str
    box: targets.Box
    variants: tuple[mutations.Variant, ...]
    library: Library | None

    @property
    def label(self) -> str:
        """Goes into the run's name."""
        return self.target.name

    @property
    def records(self) -> int:
        """Ligands that come in, the control with them."""
        sampled = min(self.request.sample or self.library.rows, self.library.rows) if self.library else 0
        return sampled + self.request.control

    @property
    def facts(self) -> dict[str, str]:
        """Checksums of what the request refers to: a resumed run must find the same."""
        return {"library_sha256": self.library.sha256 if self.library else "", "structure_sha256": self.target.sha256}

    @property
    def summary(self) -> str:
        """One line for people."""
        seeds = f"{self.request.seeds} {'seed' if self.request.seeds == 1 else 'seeds'}"
        ligands = f"{self.records:,} {'ligand' if self.records == 1 else 'ligands'}"
        return (
            f"Docking {ligands} into {', '.join(one.name for one in self.variants)} of {self.target.name}, {seeds} each"
        )

    def plan(self) -> list[PlannedStage]:
        """The stages and about what they take."""
        return stages(self.request, self.records)


def stages(request: VariantsRequest, kept: int) -> list[PlannedStage]:
    """The stages for so many ligands, and about what they take."""
    docks, variants = kept * request.seeds, request.variants
    per_variant = request.seeds * plan.MAPS_S + docks * plan.dock_seconds(request.search)
    return [
        PlannedStage("library", kept, 0.0),
        PlannedStage("standardise", kept, kept * plan.STANDARDISE_S),
        PlannedStage("deduplicate", kept, 0.0),
        PlannedStage("filter", kept, kept * plan.FILTER_S),
        PlannedStage("prepare", kept, kept * plan.PREPARE_S),
        PlannedStage("build", len(variants), len(variants) * BUILD_S),
        *(PlannedStage(dock_stage(name), docks, per_variant) for name in variants),
        PlannedStage("reference", kept, kept * REFERENCE_S),
        PlannedStage("compare", docks * len(variants), docks * len(variants) * COMPARE_S),
    ]


def outline(request: VariantsRequest) -> Outline:
    """The stages without the structure, which may have to be fetched first; as many ligands as are asked for."""
    ligands = open_library(request.library) if request.library else None
    records = request.sample or (ligands.rows if ligands else 0)
    return Outline(stages(request, records + request.control), _too_many(request, ligands))


def _too_many(request: VariantsRequest, ligands: Library | None) -> InvalidRequest | None:
    if ligands and request.sample and request.sample > ligands.rows:
        problem = f"the library {ligands.name} has {ligands.rows:,} records"
        return InvalidRequest("sample", request.sample, problem, f"1 to {ligands.rows}")
    return None


def dock_stage(variant: str) -> str:
    """The name of a variant's docking stage: also a part of Prefect's keys, which know lowercase letters and dashes only."""
    return f"dock-{variant.lower().replace('+', '-')}"


def check(request: VariantsRequest) -> Panel:
    """Open the structure and the library and fit every mutation; raises InvalidRequest naming field, value and what is valid."""
    target = targets.chosen(request.target)
    text = targets.pdb_text(target)
    there = structure.residues(structure.assembly(text, target.chains), target.chains)
    variants = tuple(map(mutations.parse, request.variants))
    for variant in variants:
        mutations.check_fits(variant, there)
    ligands = open_library(request.library) if request.library else None
    if too_many := _too_many(request, ligands):
        raise too_many
    return Panel(request, target, text, targets.box(target), variants, ligands)


def ranks(variants: Sequence[mutations.Variant]) -> dict[str, int]:
    """The place of each variant, the wild type first."""
    return {variant.name: number for number, variant in enumerate(variants)}

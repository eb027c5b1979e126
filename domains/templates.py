"""The catalogue of pipelines: what each is called, what it is for, and the model of its request."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from domains.climate.downscale_request import ClimateDownscalingRequest
from domains.climate.emulate_request import ClimateEmulationRequest
from domains.climate.ensemble_request import ClimateEnsembleRequest
from domains.climate.gcm_request import ClimateGcmRequest
from domains.climate.simulation_request import ClimateSimulationRequest
from domains.drug.check import check as check_screening
from domains.drug.check import outline as outline_screening
from domains.drug.request import ScreeningRequest
from domains.drug.variants import VariantsRequest
from domains.drug.variants import check as check_variants
from domains.drug.variants import outline as outline_variants
from domains.errors import InvalidRequest, closest
from domains.materials.cathode_request import CathodeRequest
from domains.materials.cathode_request import check as check_cathode
from domains.materials.request import MaterialsRequest
from domains.materials.superconductor_request import SuperconductorRequest
from domains.materials.superconductor_request import check as check_superconductor
from domains.model import Frozen
from domains.request import Outline


class Planned(Protocol):
    """A stage with the rows and chip-seconds that are expected."""

    @property
    def chip_s(self) -> float: ...

    def as_dict(self) -> dict[str, object]: ...


class Checked(Protocol):
    """A request that can run: what it is called, what it refers to, and what it will do."""

    @property
    def label(self) -> str: ...

    @property
    def facts(self) -> Mapping[str, str]: ...

    @property
    def summary(self) -> str: ...

    def plan(self) -> Sequence[Planned]: ...


@dataclass(frozen=True)
class Pipeline:
    """A pipeline; its flow is the function of the same name in the module of the same name in ``flows``."""

    name: str
    title: str
    title_zh: str
    request: type[Frozen]
    check: Callable[[Any], Checked]
    # What answers it: the result's table, what it is called, and the files that hold all of it, that table first.
    table: str
    table_title: str
    files: tuple[str, ...]
    packages: tuple[str, ...]  # of its science: their versions are part of a run's provenance
    # Its stages in a moment, where the check takes long or needs what is not here yet; None: the check tells.
    outline: Callable[[Any], Outline] | None = None


DRUG_PACKAGES = ("rdkit", "meeko", "vina", "dockstring", "dimorphite-dl", "posebusters", "prolif", "openmm", "pdbfixer")
MATERIALS_PACKAGES = ("torch", "chgnet", "sevenn", "ase", "pymatgen", "spglib", "phonopy", "jarvis-tools")
CLIMATE_PACKAGES = ("numba", "scipy", "zarr", "h5netcdf", "cftime")


def check_climate_ensemble(request: ClimateEnsembleRequest) -> Checked:
    """Checked when it is asked for: the members are drawn with SciPy."""
    from domains.climate.ensemble_check import check

    return check(request)


def check_climate_downscaling(request: ClimateDownscalingRequest) -> Checked:
    """Checked when it is asked for: it opens the data."""
    from domains.climate.downscale_check import check

    return check(request)


def check_climate_emulation(request: ClimateEmulationRequest) -> Checked:
    """Checked when it is asked for: the members are drawn with SciPy."""
    from domains.climate.emulate_check import check

    return check(request)


def check_climate_gcm(request: ClimateGcmRequest) -> Checked:
    """Checked when it is asked for: the model's own Python is asked for it."""
    from domains.climate.gcm_check import check

    return check(request)


def check_climate_simulation(request: ClimateSimulationRequest) -> Checked:
    """Checked when it is asked for: it samples the speed of waves."""
    from domains.climate.simulation_check import check

    return check(request)


def check_materials(request: MaterialsRequest) -> Checked:
    """Checked when it is asked for: the potentials' libraries take seconds to import."""
    from domains.materials.check import check

    return check(request)


def outline_materials(request: MaterialsRequest) -> Outline:
    """Outlined when it is asked for."""
    from domains.materials.check import outline

    return outline(request)


PIPELINES = {
    pipeline.name: pipeline
    for pipeline in (
        Pipeline(
            "drug-screening",
            "Screen a library of molecules against a receptor by docking",
            "用分子对接对化合物库进行虚拟筛选",
            ScreeningRequest,
            check_screening,
            "hits",
            "Top hits",
            ("hits.csv", "hits.sdf"),
            DRUG_PACKAGES,
            outline_screening,
        ),
        Pipeline(
            "drug-variants",
            "Dock ligands into mutants of a target and see which keep their pose",
            "将配体对接到靶点突变体，考察构象是否保持",
            VariantsRequest,
            check_variants,
            "conservation",
            "Pose conservation",
            ("conservation.csv", "poses.sdf"),
            DRUG_PACKAGES,
            outline_variants,
        ),
        Pipeline(
            "materials-screening",
            "Search chemical systems for stable crystals with neural potentials",
            "用神经网络势搜索化学体系中的稳定晶体",
            MaterialsRequest,
            check_materials,
            "candidates",
            "Candidates",
            ("candidates.csv", "structures/", "dft/", "relaxed.parquet"),
            MATERIALS_PACKAGES,
            outline_materials,
        ),
        Pipeline(
            "materials-cathode",
            "Voltage curve, volume change and migration barrier of insertion hosts",
            "正极宿主的电压曲线、体积变化与迁移势垒",
            CathodeRequest,
            check_cathode,
            "cathodes",
            "Cathodes",
            ("cathodes.csv", "structures/"),
            MATERIALS_PACKAGES,
        ),
        Pipeline(
            "materials-superconductor",
            "Test the lattices of metals, and compute or hand off their electron-phonon coupling",
            "检验金属晶格稳定性，计算或移交电声耦合",
            SuperconductorRequest,
            check_superconductor,
            "materials",
            "Superconductors",
            ("superconductors.csv", "structures/", "inputs/"),
            MATERIALS_PACKAGES,
        ),
        Pipeline(
            "climate-simulation",
            "Run a standard flow of the atmosphere on a sphere cut into tiles",
            "在分块球面上模拟标准大气流动",
            ClimateSimulationRequest,
            check_climate_simulation,
            "budgets",
            "Budgets",
            ("budgets.csv", "simulation.zarr/", "simulation.nc", "animation.gif"),
            CLIMATE_PACKAGES,
        ),
        Pipeline(
            "climate-ensemble",
            "Perturb the parameters of a climate model and see how far its sensitivity is known",
            "扰动气候模式参数，给出气候敏感度的分布",
            ClimateEnsembleRequest,
            check_climate_ensemble,
            "sensitivity",
            "Sensitivity",
            ("sensitivity.csv", "members.csv", "ensemble.zarr/", "ensemble.nc"),
            CLIMATE_PACKAGES,
        ),
        Pipeline(
            "climate-downscaling",
            "Bring a coarse climate model to a fine grid of observations, scored on years held out",
            "将粗分辨率气候模式降尺度到观测细网格，并以留出年份检验",
            ClimateDownscalingRequest,
            check_climate_downscaling,
            "scores",
            "Scores",
            ("scores.csv", "summary.nc", "downscaled.zarr/"),
            CLIMATE_PACKAGES,
        ),
        Pipeline(
            "climate-emulation",
            "Train a surrogate of a climate ensemble, judged by members that it never saw",
            "训练气候集合的代理模型，并以未见成员检验",
            ClimateEmulationRequest,
            check_climate_emulation,
            "scores",
            "Scores",
            ("scores.csv", "told.parquet", "members.parquet"),
            (*CLIMATE_PACKAGES, "scikit-learn"),
        ),
        Pipeline(
            "climate-gcm",
            "Run a general circulation model of the atmosphere (needs jcm) and look at its climate",
            "运行大气环流模式（需要 jcm）并给出其气候态",
            ClimateGcmRequest,
            check_climate_gcm,
            "means",
            "Global means",
            ("means.csv", "gcm.zarr/"),
            CLIMATE_PACKAGES,
        ),
    )
}


def pipeline(name: str) -> Pipeline:
    """The pipeline of this name; raises InvalidRequest with the closest names."""
    if name not in PIPELINES:
        near = closest(name, PIPELINES)
        raise InvalidRequest(
            "pipeline",
            name,
            "unknown pipeline" + (f", closest: {', '.join(near)}" if near else ""),
            ", ".join(PIPELINES),
        )
    return PIPELINES[name]


def packages_of(name: str) -> tuple[str, ...]:
    """The packages of a pipeline's science; none for a name that is no pipeline's."""
    return PIPELINES[name].packages if name in PIPELINES else ()

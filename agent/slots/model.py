"""The slots of a request: names, types and units of everything that a sentence may say."""

from enum import StrEnum
from typing import Literal, Self

from pydantic import model_validator

from domains.model import Frozen

Number = int | float


class Objective(StrEnum):
    """What may be maximised. Harm is not among it, so no sentence can ask for it."""

    SOLUBILITY = "solubility"
    PERMEABILITY = "permeability"
    BIOAVAILABILITY = "bioavailability"
    POTENCY = "potency"
    BINDING_AFFINITY = "binding_affinity"
    QED = "qed"
    HALF_LIFE = "half_life"
    SELECTIVITY = "selectivity"
    SYNTHETIC_ACCESSIBILITY = "synthetic_accessibility"
    BAND_GAP = "band_gap"
    BULK_MODULUS = "bulk_modulus"
    SHEAR_MODULUS = "shear_modulus"
    YOUNGS_MODULUS = "youngs_modulus"
    HARDNESS = "hardness"
    THERMAL_CONDUCTIVITY = "thermal_conductivity"
    IONIC_CONDUCTIVITY = "ionic_conductivity"
    ELECTRICAL_CONDUCTIVITY = "electrical_conductivity"
    HEAT_CAPACITY = "heat_capacity"
    MELTING_POINT = "melting_point"
    VOLTAGE = "voltage"
    MAGNETIC_MOMENT = "magnetic_moment"
    CURIE_TEMPERATURE = "curie_temperature"
    ZT = "zt"
    DIELECTRIC_CONSTANT = "dielectric_constant"
    DENSITY = "density"
    EFFICIENCY = "efficiency"
    Q = "Q"
    BETA_N = "beta_N"


class Property(Frozen):
    """A property that is limited, optimised or asked for."""

    name: str
    op: Literal["<", ">", "between", "maximize", "minimize", "report"]
    value: Number | tuple[Number, Number] | None
    unit: str | None

    @model_validator(mode="after")
    def _harmless(self) -> Self:
        if self.op == "maximize" and self.name not in list(Objective):
            raise ValueError(f"{self.name} is no objective to maximize; valid: {', '.join(Objective)}")
        return self


class Resolution(Frozen):
    """The mesh of a field."""

    value: Number
    unit: Literal["km", "deg"]


class Period(Frozen):
    """From a year or ISO date to another; an open end is None."""

    start: str | None
    end: str | None


class Budget(Frozen):
    """What a run may cost."""

    value: Number
    unit: Literal["card_h"]


class Chips(Frozen):
    """Chips that a request names; what it leaves open is None."""

    kind: str | None
    count: int | None


class Slots(Frozen):
    """Everything that a sentence may say; None where it does not."""

    # What is computed
    n_candidates: int | None = None
    top_k: int | None = None
    samples: int | None = None
    replicas: int | None = None
    members: int | None = None
    shots: int | None = None
    n_cells: int | None = None
    smiles: tuple[str, ...] | None = None
    sequence: str | None = None
    molecules: tuple[str, ...] | None = None
    targets: tuple[str, ...] | None = None
    variants: tuple[str, ...] | None = None
    genes: tuple[str, ...] | None = None
    pdb_ids: tuple[str, ...] | None = None
    library: str | None = None
    dataset: str | None = None
    input_file: str | None = None
    genome: str | None = None
    organism: str | None = None
    window_bp: int | None = None
    elements: tuple[str, ...] | None = None
    excluded_elements: tuple[str, ...] | None = None
    formulas: tuple[str, ...] | None = None
    surface: str | None = None
    adsorbates: tuple[str, ...] | None = None
    application: str | None = None
    properties: tuple[Property, ...] | None = None
    model: str | None = None
    models: tuple[str, ...] | None = None
    # Conditions
    temperature_K: Number | tuple[Number, ...] | None = None
    sim_time_ns: Number | None = None
    case: str | None = None
    device: str | None = None
    plasma_current_MA: Number | None = None
    B_T: Number | None = None
    elongation: Number | None = None
    false_alarm_rate: float | None = None
    warning_ms: Number | None = None
    capacity_MW: Number | None = None
    # Where and when
    region: str | None = None
    region_bbox: tuple[Number, Number, Number, Number] | None = None
    variables: tuple[str, ...] | None = None
    resolution: Resolution | None = None
    scenario: str | None = None
    period: Period | None = None
    start: str | None = None
    lead_days: int | None = None
    lead_months: int | None = None
    output_interval_h: Number | None = None
    output_interval_min: Number | None = None
    # Resources and the operation
    deadline_h: Number | None = None
    deadline_text: str | None = None
    budget: Budget | None = None
    chips: Chips | None = None
    supernodes: int | None = None
    memory_GB: Number | None = None
    max_params: float | None = None
    licence: str | None = None
    precision: Literal["fp64", "fp32", "bf16", "fp16", "fp8"] | None = None
    dry_run: bool | None = None
    task: str | None = None
    run_id: str | None = None

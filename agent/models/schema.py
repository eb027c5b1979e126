"""What the catalogue knows of a model; everything it says has a source."""

from datetime import date
from enum import StrEnum
from typing import Literal, Self

from pydantic import Field, model_validator

from domains.model import Frozen

UNKNOWN_LICENCE = "NOASSERTION"  # as SPDX writes it

Precision = Literal["fp32", "bf16", "fp16", "fp8", "int8"]
Domain = Literal["drug", "materials", "climate", "energy", "genomics", "general"]
BYTES: dict[Precision, float] = {"fp32": 4, "bf16": 2, "fp16": 2, "fp8": 1, "int8": 1}


class Backend(StrEnum):
    """What a program is built for."""

    CPU = "cpu"
    CUDA = "cuda"
    ROCM = "rocm"
    DCU = "dcu"
    ASCEND = "ascend"
    TPU = "tpu"


# How a chip's support is known: its makers ran it there, its makers say so, or its framework runs there.
Evidence = Literal["tested", "stated", "derived"]


class Words(Frozen):
    """The same words in both languages."""

    en: str
    zh: str


class Licence(Frozen):
    """SPDX identifiers; ``LicenseRef-...`` where SPDX has none. ``code`` is None where the model has no code of its own."""

    weights: str
    code: str | None = None


class Weights(Frozen):
    """Where a model's weights are; ``gated`` ones are handed out on request."""

    how: Literal["none", "wheel", "download", "gated"]
    where: str = ""


class Attention(Frozen):
    """The shape that decides the KV cache and how a model may be split."""

    layers: int = Field(ge=1)
    heads: int = Field(ge=1)
    kv_heads: int = Field(ge=1)
    head_dim: int = Field(ge=1)


class Memory(Frozen):
    """Memory of one chip (GiB); ``card``: the size of card that a source names, all of which counts."""

    gib: float = Field(gt=0)
    basis: Literal["measured", "stated", "card", "derived"]
    note: str = ""


class Quality(Frozen):
    """A figure of a public benchmark."""

    metric: str
    value: float


class Speed(Frozen):
    """Seconds for one unit of the task's work on one chip."""

    seconds: float = Field(gt=0)
    backend: Backend
    chip: str
    source: str


class Source(Frozen):
    """Where the facts of a row were read, and when."""

    url: str
    seen: date
    what: str = ""


class Model(Frozen):
    """One model of the catalogue."""

    id: str
    name: str
    domain: Domain
    tasks: tuple[str, ...] = Field(min_length=1)
    about: Words | None = None
    aliases: tuple[str, ...] = ()
    parameters: int | None = Field(None, gt=0)
    active_parameters: int | None = Field(None, gt=0)
    precisions: tuple[Precision, ...] = ("fp32",)
    context: int | None = Field(None, gt=0, description="Tokens, or bases of a sequence")
    attention: Attention | None = None
    licence: Licence
    runs_on: dict[Backend, Evidence] = Field(min_length=1)
    memory: Memory | None = None
    weights: Weights
    quality: tuple[Quality, ...] = ()
    speed: tuple[Speed, ...] = ()
    engine: str | None = Field(None, description="The engine of this project that runs it")
    released: date | None = None
    origin: str
    sources: tuple[Source, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _active_is_a_part(self) -> Self:
        if self.active_parameters and self.active_parameters > (self.parameters or 0):
            raise ValueError(f"{self.id}: active_parameters {self.active_parameters:,} are more than its parameters")
        return self

    @property
    def tensor_parallel(self) -> tuple[int, ...]:
        """Numbers of chips it can be split over: powers of two that divide its heads; one where its shape is not known."""
        heads = self.attention.heads if self.attention else 1
        return tuple(size for size in (1, 2, 4, 8, 16, 32, 64) if heads % size == 0)

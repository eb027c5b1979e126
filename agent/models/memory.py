"""Memory that a model needs on each chip, in GiB.

A figure of a source counts as it is. Else it is estimated: the weights and 5 % more, the cache of keys and values (a fifth
of the weights where the shape is not known), and 1 GiB for the runtime. That holds only for tasks whose batch is bounded:
where memory grows with the input, as in structure prediction, nothing is estimated.
"""

from typing import NamedTuple

from agent.models.schema import BYTES, Attention, Model, Precision
from agent.models.tasks import tasks

GIB = 2**30
OVERHEAD, RUNTIME_GIB = 1.05, 1.0
USABLE = 0.9  # of a chip's memory; the rest is fragmentation and what the driver keeps
CACHE_SHARE = 0.2
DEFAULT_CONTEXT = 8192


class Need(NamedTuple):
    """GiB on each chip, how that is known, and the part of a chip's memory that it may fill."""

    gib: float
    basis: str
    usable: float = USABLE

    def fits(self, memory_gib: float) -> bool:
        """Whether a chip of this memory holds it."""
        return self.gib <= memory_gib * self.usable


def need(model: Model, precision: Precision, chips: int = 1, context: int | None = None, batch: int = 1) -> Need | None:
    """What each of the chips must hold; None where no source says it and it cannot be estimated."""
    if model.memory:
        usable = 1.0 if model.memory.basis == "card" else USABLE
        return Need(model.memory.gib / chips, model.memory.basis, usable)
    if not model.parameters or not all(tasks()[name].sized_by_weights for name in model.tasks):
        return None
    weights = model.parameters * BYTES[precision] / GIB
    return Need(weights * OVERHEAD / chips + _cache(model, weights, chips, context, batch) + RUNTIME_GIB, "estimated")


def _cache(model: Model, weights: float, chips: int, context: int | None, batch: int) -> float:
    """Keys and values of all tokens that are held; chips beyond the KV heads hold copies."""
    if model.domain != "general":
        return 0.0
    if model.attention is None:
        return CACHE_SHARE * weights / chips
    tokens = batch * tokens_held(model, context)
    return token_bytes(model.attention) * tokens / GIB / min(chips, model.attention.kv_heads)


def tokens_held(model: Model, context: int | None) -> int:
    """Tokens of one sequence: what is asked for, else 8,192, and no more than the model can take."""
    return min(context or DEFAULT_CONTEXT, model.context or context or DEFAULT_CONTEXT)


def token_bytes(shape: Attention) -> float:
    """Bytes of keys and values of one token, in 16 bits."""
    return 2 * shape.layers * shape.kv_heads * shape.head_dim * BYTES["bf16"]


def by_precision(model: Model) -> dict[Precision, float]:
    """GiB on one chip at the precisions of its release; a general model's also at the others, to which it may be converted."""
    wanted = model.precisions if model.memory or model.domain != "general" else tuple(BYTES)
    found = {precision: need(model, precision) for precision in wanted}
    return {precision: one.gib for precision, one in found.items() if one}

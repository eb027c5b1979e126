"""Where a model fits: on which chips of a hub, how many of them, and why not."""

from collections.abc import Callable
from enum import StrEnum
from typing import Literal

from agent.models.chips import Chip
from agent.models.memory import Need, need
from agent.models.schema import Backend, Evidence, Model, Precision, Words
from domains.model import Frozen

Support = Evidence | Literal["assumed", "host"]
GPUS = (Backend.CUDA, Backend.ROCM, Backend.DCU)
LONGEST_SPLIT = 64


class Rule(StrEnum):
    """Why a model is excluded; in the order in which it is asked."""

    TASK = "task"
    LICENCE = "licence"
    PARAMETERS = "parameters"
    CONTEXT = "context"
    STATE = "state"
    CHIP = "chip"
    PRECISION = "precision"
    MEMORY_UNKNOWN = "memory unknown"
    MEMORY = "memory"
    TENSOR_PARALLEL = "tensor parallel"
    SUPERNODE = "supernode"
    CHIPS = "chips"
    BUDGET = "budget"


class Refusal(Frozen):
    """The rule that a model fails, and how."""

    rule: Rule
    reason: Words


class Placement(Frozen):
    """Where a model fits: ``chips`` of a kind, each holding ``need_gib``."""

    chip: Chip
    chips: int
    precision: Precision
    need_gib: float
    basis: str
    support: Support


def refuse(rule: Rule, en: str, zh: str) -> Refusal:
    """A refusal in both languages."""
    return Refusal(rule=rule, reason=Words(en=en, zh=zh))


def support(model: Model, chip: Chip) -> Support | Refusal:
    """How it is known that a model runs on a kind of chip.

    A program for CPUs only runs beside any chip, on its host; the hub file does not say what memory that has, and the chip's
    stands for its share. On a GPU of which the hub file does not say whose it is, what runs on any GPU is assumed to run.
    """
    if chip.backend in model.runs_on:
        return model.runs_on[chip.backend]
    if set(model.runs_on) == {Backend.CPU}:
        return "host"
    named = ", ".join(model.runs_on)
    if chip.backend is None and chip.device == "gpu" and any(one in model.runs_on for one in GPUS):
        return "assumed"
    what = chip.backend or chip.device
    return refuse(
        Rule.CHIP, f"{chip.kind} is {what}; it is known to run on {named}", f"{chip.kind} 为 {what}，已知仅支持 {named}"
    )


def place(
    model: Model,
    chip: Chip,
    precision: Precision | None = None,
    context: int | None = None,
    batch: int = 1,
    most_chips: int | None = None,
) -> Placement | Refusal:
    """The fewest chips of a kind that hold a model, all inside one supernode; on CPUs, inside one host."""
    known = support(model, chip)
    if isinstance(known, Refusal):
        return known
    usable = [one for one in model.precisions if one in chip.precisions and one == (precision or one)]
    if not usable:
        wanted = precision or "/".join(model.precisions)
        released = "/".join(model.precisions)
        return refuse(
            Rule.PRECISION,
            f"released in {released}; {chip.kind} is not known to run {wanted}",
            f"发布精度为 {released}；{chip.kind} 未声明支持 {wanted}",
        )
    found: Placement | Refusal | None = None
    for one in usable:
        found = _split(model, chip, one, known, context, batch, most_chips)
        if isinstance(found, Placement):
            break
    assert found is not None
    return found


def sizes(model: Model, chip: Chip) -> tuple[int, ...]:
    """Over how many chips it may be split; the cores of a CPU share their memory, so any number of them will do."""
    if chip.backend is Backend.CPU:
        return tuple(range(1, chip.host + 1))
    return model.tensor_parallel


def _split(
    model: Model,
    chip: Chip,
    precision: Precision,
    known: Support,
    context: int | None,
    batch: int,
    most_chips: int | None,
) -> Placement | Refusal:
    def at(chips: int) -> Need | None:
        return need(model, precision, chips, context, batch)

    alone = at(1)
    if alone is None:
        return refuse(Rule.MEMORY_UNKNOWN, "its memory need is not known", "显存需求未知")
    for chips in sizes(model, chip):
        each = at(chips)
        if each and each.fits(chip.memory_gib):
            return _within(model, chip, chips, each, precision, known, most_chips)
    return _too_large(model, chip, alone, at)


def _within(
    model: Model,
    chip: Chip,
    chips: int,
    each: Need,
    precision: Precision,
    known: Support,
    most_chips: int | None,
) -> Placement | Refusal:
    if chips > chip.supernode:
        return refuse(
            Rule.SUPERNODE,
            f"needs {chips} {chip.kind}, and a supernode has {chip.supernode}",
            f"需要 {chips} 张 {chip.kind}，而一个超节点只有 {chip.supernode} 张",
        )
    if most_chips is not None and chips > most_chips:
        return refuse(
            Rule.CHIPS,
            f"needs {chips} {chip.kind}, and at most {most_chips} are allowed",
            f"需要 {chips} 张 {chip.kind}，上限为 {most_chips} 张",
        )
    return Placement(chip=chip, chips=chips, precision=precision, need_gib=each.gib, basis=each.basis, support=known)


def _too_large(model: Model, chip: Chip, alone: Need, at: Callable[[int], Need | None]) -> Refusal:
    """It fits on no number of chips that it can be split over: because of its heads, or at all."""
    memory = f"{alone.gib:,.1f} GiB ({alone.basis})"
    powers = (2**power for power in range(1, LONGEST_SPLIT.bit_length()))
    enough = next((n for n in powers if (each := at(n)) and each.fits(chip.memory_gib)), None)
    if enough and chip.backend is not Backend.CPU and model.tensor_parallel[-1] < enough:
        over = "/".join(map(str, model.tensor_parallel))
        return refuse(
            Rule.TENSOR_PARALLEL,
            f"needs {memory}, {enough} chips of {chip.memory_gib:g} GiB, and splits over {over} only",
            f"需要 {memory}，即 {enough} 张 {chip.memory_gib:g} GiB 的卡，但仅可切分为 {over}",
        )
    return refuse(
        Rule.MEMORY,
        f"needs {memory}; {chip.kind} has {chip.memory_gib:g} GiB",
        f"需要 {memory}；{chip.kind} 仅有 {chip.memory_gib:g} GiB",
    )

"""How a member of a climate ensemble can end a stage."""

from enum import StrEnum


class Outcome(StrEnum):
    """``ok`` goes on; every other value says why the member ended here."""

    ok = "ok"
    unphysical = "unphysical"  # parameters that no planet has
    no_equilibrium = "no_equilibrium"  # no steady climate within the iterations allowed
    snowball = "snowball"  # ice to the equator before anything is perturbed
    implausible_climate = "implausible_climate"  # the unperturbed climate is not today's
    diverged = "diverged"  # not finite, or too warm for the model to mean anything
    out_of_memory = "out_of_memory"  # too large even alone
    engine_error = "engine_error"  # the model refused it with a message
    died = "died"  # the model's process ended
    timeout = "timeout"  # the model was stopped at its time limit


MEANINGS: dict[str, tuple[str, str]] = {
    Outcome.unphysical: ("parameters that no planet has", "参数无物理意义"),
    Outcome.no_equilibrium: ("no steady climate was found", "未找到稳定气候态"),
    Outcome.snowball: ("ice down to the equator, unperturbed", "未扰动时即全球冰封"),
    Outcome.implausible_climate: ("the unperturbed climate is not today's", "未扰动气候与当今不符"),
    Outcome.diverged: ("not finite, or too warm for the model", "结果发散或超出模型适用范围"),
    Outcome.out_of_memory: ("too large for the memory", "超出内存"),
    Outcome.engine_error: ("the model refused it", "模型报错"),
    Outcome.died: ("the model's process ended on it, each time", "模型进程反复崩溃"),
    Outcome.timeout: ("stopped at its time limit", "超出时间上限"),
}

"""How a candidate material can end a stage."""

from enum import StrEnum


class Outcome(StrEnum):
    """``ok`` goes on to the next stage; every other value says why the candidate ended here."""

    ok = "ok"
    unsupported_element = "unsupported_element"  # the potential was not trained on an element
    overlapping_atoms = "overlapping_atoms"  # two atoms closer than any bond
    isolated_atoms = "isolated_atoms"  # an atom without neighbours within the potential's cutoff
    max_steps = "max_steps"  # forces above the limit when the steps were used up
    diverged = "diverged"  # energy or forces not finite, or below any real material
    volume_runaway = "volume_runaway"  # the cell left the window of sane volumes
    no_reference = "no_reference"  # nothing reliable to compare the energy of an element with
    implausible = "implausible"  # further below the hull than any compound: an artefact of the potential
    out_of_memory = "out_of_memory"  # too large even alone
    not_selected = "not_selected"  # below the cut, or not expected to be above it
    worse_prototype = "worse_prototype"  # another structure of the same formula has the lower energy
    unstable = "unstable"  # too far above the hull
    imaginary_modes = "imaginary_modes"  # the lattice is not stable against a displacement
    not_listed = "not_listed"  # a finalist; others are better
    handed_off = "handed_off"  # inputs are written; the program that would run them is not here
    no_path = "no_path"  # the ion does not stay at an end of its hop
    engine_error = "engine_error"  # the engine refused it with a message
    died = "died"  # the engine's process ended
    timeout = "timeout"  # the engine was stopped at its time limit


MEANINGS: dict[str, tuple[str, str]] = {
    Outcome.unsupported_element: ("an element the potential was not trained on", "含势函数未训练的元素"),
    Outcome.overlapping_atoms: ("atoms closer than any bond", "原子间距过小"),
    Outcome.isolated_atoms: ("an atom without neighbours", "存在孤立原子"),
    Outcome.max_steps: ("not relaxed within the steps allowed", "步数用尽仍未弛豫"),
    Outcome.diverged: ("energy or forces without physical meaning", "能量或力发散"),
    Outcome.volume_runaway: ("the cell left the window of sane volumes", "晶胞体积失控"),
    Outcome.no_reference: ("no reliable reference energy of an element", "缺少可靠的元素参考能量"),
    Outcome.implausible: ("too far below the hull to be true", "远低于凸包，不可信"),
    Outcome.out_of_memory: ("too large for the memory", "超出内存"),
    Outcome.not_selected: ("below the cut, or not expected to be above it", "未入选，或预测不会入选"),
    Outcome.worse_prototype: ("another structure of this formula is lower in energy", "同一化学式的另一结构能量更低"),
    Outcome.unstable: ("too far above the hull", "高于凸包过多"),
    Outcome.imaginary_modes: ("the lattice is dynamically unstable", "动力学不稳定（虚频）"),
    Outcome.not_listed: ("a finalist; others are better", "入围但未列入：其他候选更优"),
    Outcome.handed_off: ("inputs written, to be run elsewhere", "已写出输入文件，待在别处运行"),
    Outcome.no_path: ("the ion does not stay at an end of its hop", "离子无法停留在跃迁端点"),
    Outcome.engine_error: ("the engine refused it", "引擎报错"),
    Outcome.died: ("the engine's process ended on it, each time", "引擎进程反复崩溃"),
    Outcome.timeout: ("stopped at its time limit", "超出时间上限"),
}

"""How a molecule can end a stage."""

from enum import StrEnum


class Outcome(StrEnum):
    """``ok`` goes on to the next stage; every other value says why the molecule ended here."""

    ok = "ok"
    unreadable = "unreadable"  # the record could not be read from its file
    bad_smiles = "bad_smiles"  # no valid molecule in it
    too_large = "too_large"  # more atoms than a small molecule has
    duplicate = "duplicate"  # same InChIKey as an earlier row
    filtered = "filtered"  # outside the property window, or an excluded alert
    no_states = "no_states"  # no valid stereoisomer, tautomer or protonation state
    no_3d = "no_3d"  # no 3D conformer found
    no_type = "no_type"  # an atom the docking force field does not know
    not_selected = "not_selected"  # below the cut, or not expected to be above it
    not_listed = "not_listed"  # a finalist; the hits are better or more different
    worse_state = "worse_state"  # another state of the same molecule scores better
    engine_error = "engine_error"  # the engine refused it with a message
    died = "died"  # the engine's process ended, or was stopped at its memory limit
    timeout = "timeout"  # the engine was stopped at its time limit
    implausible = "implausible"  # a score, energy or movement that no bound molecule can have
    outside_box = "outside_box"  # a pose that leaves the docking box
    no_force_field = "no_force_field"  # the refinement's force field does not know an atom or a residue of the pocket
    no_reference = "no_reference"  # no wild-type pose to compare a variant's poses with


MEANINGS: dict[str, tuple[str, str]] = {
    Outcome.unreadable: ("the record could not be read", "记录无法读取"),
    Outcome.bad_smiles: ("not a valid molecule", "不是有效的分子"),
    Outcome.too_large: ("too large for a small molecule", "超出小分子的大小范围"),
    Outcome.duplicate: ("the same molecule came earlier", "与先前分子相同"),
    Outcome.filtered: ("outside the property window, or an excluded alert", "超出性质窗口，或命中要求排除的结构警示"),
    Outcome.no_states: ("no valid stereoisomer, tautomer or protonation state", "无法生成有效的立体、互变或质子化状态"),
    Outcome.no_3d: ("no 3D conformer found", "无法生成三维构象"),
    Outcome.no_type: ("an atom the docking force field does not know", "含有对接打分函数不支持的原子类型"),
    Outcome.not_selected: ("below the cut, or not expected to be above it", "分数未入选，或预测不会入选"),
    Outcome.not_listed: (
        "a finalist; the hits are better or more different",
        "入围但未列入命中：其他分子更优或更具多样性",
    ),
    Outcome.worse_state: ("another state of the same molecule scores better", "同一分子的另一状态得分更优"),
    Outcome.engine_error: ("the engine refused it", "引擎报错"),
    Outcome.died: ("the engine's process ended on it, each time", "引擎进程反复崩溃"),
    Outcome.timeout: ("stopped at its time limit", "超出时间上限"),
    Outcome.implausible: (
        "a score, energy or movement that no bound molecule can have",
        "结果（分数、能量或位移）不合理",
    ),
    Outcome.outside_box: ("the pose leaves the box", "构象超出对接盒"),
    Outcome.no_force_field: (
        "the refinement's force field does not know an atom of it or a residue of the pocket",
        "精修所用力场不支持该分子的某个原子或口袋中的某个残基",
    ),
    Outcome.no_reference: ("no wild-type pose to compare with", "没有可供比较的野生型构象"),
}

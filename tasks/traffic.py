"""Bytes by level of the fabric, over pods and sessions, in words."""

from collections.abc import Mapping, Sequence
from typing import Any

from cluster.interchange.hosts import present
from cluster.scheduler.traffic import Moved
from cluster.topology import Topology
from tasks.hub.words import LEVELS
from tasks.words import Text


def add_up(parts: Sequence[Moved]) -> Moved:
    """What several pods or sessions moved, taken together; levels of one name are one."""
    levels: dict[str, int] = {}
    for part in parts:
        for level, nbytes in part.levels.items():
            levels[level] = levels.get(level, 0) + nbytes
    return Moved(levels, sum(part.tasks for part in parts), sum(part.results for part in parts))


def by_level(sessions: Sequence[Mapping[str, Any]], topologies: Sequence[Topology]) -> dict[str, Any] | None:
    """Rows of a table and a sentence on them, over all sessions that were counted; None where none was."""
    counted = [Moved(**session["traffic"]) for session in sessions if "traffic" in session]
    if not counted:
        return None
    moved = add_up(counted)
    levels = max((topology.levels for topology in topologies), key=len)
    rows = [(_crossing(level, levels), readable(nbytes)) for level, nbytes in moved.levels.items()]
    rows.append((Text("tasks with their rows, to workers", "任务及其数据行，下发至工作进程"), readable(moved.tasks)))
    rows.append((Text("results, read by the flow", "由流程读取的结果"), readable(moved.results)))
    return {"rows": rows, "said": _said(moved, topologies), "uncounted": len(sessions) - len(counted)}


def readable(nbytes: float) -> str:
    """A number of bytes as people say it."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if nbytes < 1024:
            return f"{nbytes:,.0f} B" if unit == "B" else f"{nbytes:,.1f} {unit}"
        nbytes /= 1024
    return f"{nbytes:,.1f} TiB"


def _said(moved: Moved, topologies: Sequence[Topology]) -> Text:
    total = sum(moved.levels.values())
    if sum(len(present(topology)) for topology in topologies) == 1:
        return Text("One host: all stayed on it.", "只有一台主机：所有数据都留在本机。")
    if not total:
        return Text("Nothing moved between workers.", "工作进程之间没有数据传输。")
    far = total - moved.levels.get("host", 0) - moved.levels.get("supernode", 0)
    share = f"{far / total:.1%}"
    return Text(
        f"{readable(total)} moved between workers, {share} of it between supernodes.",
        f"工作进程之间共传输 {readable(total)}，其中 {share} 跨越超节点。",
    )


def _crossing(level: str, levels: Sequence[str]) -> Text:
    """What a byte that counts at a level has crossed."""
    if level not in levels or level == levels[-1]:
        return Text(f"within a {level}", f"{LEVELS.get(level, level)}内")
    child = levels[levels.index(level) + 1]
    zh = f"{LEVELS.get(child, child)}之间"
    if level == levels[0]:
        return Text(f"between {child}s", zh)
    return Text(f"between {child}s of a {level}", f"{LEVELS.get(level, level)}内{zh}")

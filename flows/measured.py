"""What the run store says of runs: what they took, for the estimates; how far they are, for questions."""

import fcntl
import json
import re
import time
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from agent.calibration import Calibration, Ran, dump, held_s, load
from agent.facts import RunFacts, StageAhead, StageDone
from agent.models.schema import Words
from agent.stages import key_of
from flows.runs import finished
from tasks.asked import ANSWER, ASKED
from tasks.outcomes import ShardSummary
from tasks.provenance import provenance
from tasks.settings import Settings
from tasks.store import Refused, StageStore, write_json

CALIBRATION = "calibration.json"
ROUND = re.compile(r"-\d\d$")  # stages of active learning carry the number of their round
HERE = "local"  # the place of shards that ran beside the flow and held no chip
Shards = dict[str, list[ShardSummary]]


def runs_folder() -> Path:
    """The folder of all runs."""
    return Settings().runs.expanduser().absolute()


def this_machine() -> str:
    """What the measurements of this machine are filed under."""
    return _machine(provenance(time.time(), "", [])["machine"])


def _machine(found: dict[str, Any]) -> str:
    return f"{found['cpu']}, {found['cores']} cores"


def calibration() -> Calibration:
    """What is known from all finished runs here; runs that were not looked at yet are added to the file."""
    root = runs_folder()
    found = known = load(root / CALIBRATION)
    names = {one.run for one in known.runs}
    for report in sorted(root.glob("*/report.html"), key=lambda path: path.stat().st_mtime):
        if report.parent.name not in names and (ran := measure(report.parent)):
            found = found.with_run(ran)
    if found != known:
        write_json(root / CALIBRATION, dump(found))
    return found


def measure(folder: Path, *, cpu: bool | None = None) -> Ran | None:
    """What a finished run was predicted to take and took; None where its files do not say.

    ``cpu`` counts CPU seconds and not those for which chips were held; unless it is said, where the chips are cores of
    this machine. Others use those too: a run was seen to hold them twenty times as long as it worked.
    """
    try:
        plan, sessions = _json(folder / "plan.json"), _json(folder / "provenance.json")["sessions"]
        stages = _stages(folder)
        ended = (folder / "report.html").stat().st_mtime
    except (OSError, ValueError, KeyError, Refused):
        return None
    name, planned = plan["pipeline"], plan["stages"]
    cpu = _shared(sessions) if cpu is None else cpu
    held = {stage: [one for one in shards if one.place != HERE] for stage, shards in stages.items()}
    chips = max(1, len({one.place for shards in held.values() for one in shards}))
    predicted: dict[str, float] = {}
    for stage in planned:
        if (seconds := held_s(stage["rows"], stage["chip_s"], chips)) > 0:
            key = key_of(name, stage["name"])
            predicted[key] = predicted.get(key, 0.0) + seconds
    taken: dict[str, float] = {}
    for stage, shards in held.items():
        if shards:
            key = key_of(name, ROUND.sub("", stage))
            key = key if key in predicted else ""
            taken[key] = taken.get(key, 0.0) + sum(one.cpu_s if cpu else one.wall_s for one in shards)
    whole = ended - datetime.fromisoformat(sessions[0]["started"]).timestamp()
    at_work = _union((one.started, one.ended) for shards in held.values() for one in shards)
    time_held = sum(one.wall_s for shards in held.values() for one in shards)
    # Its start is taken to have waited for others by as much as its stages did.
    waited = min(1.0, sum(taken.values()) / time_held) if cpu and time_held else 1.0
    return Ran(
        run=folder.name,
        pipeline=name,
        machine=_machine(sessions[-1]["machine"]),
        chips=chips,
        predicted=predicted,
        measured=taken,
        rows=sum(stage["rows"] for stage in planned),
        bytes=sum(_bytes(one["traffic"]) for one in sessions if "traffic" in one) or None,
        start_s=waited * max(0.0, whole - at_work) if len(sessions) == 1 else None,
    )


def _shared(sessions: list[dict[str, Any]]) -> bool:
    """Whether a run's chips were cores of this machine, in every session."""
    return all(one["profile"].startswith(("laptop", "emulated")) for one in sessions)


def facts(run: str) -> RunFacts:
    """What is known of a run; its folder must be there."""
    folder = runs_folder() / run
    noted = _json(folder / "request.json")
    planned = _json(folder / "plan.json")["stages"] if (folder / "plan.json").exists() else []
    stages = _stages(folder)
    answer = _json(folder / ANSWER) if (folder / ANSWER).exists() else None
    held = [one for shards in stages.values() for one in shards if one.place != HERE]
    return RunFacts(
        run=run,
        pipeline=noted["pipeline"],
        state=_state(folder),
        request=noted["request"],
        planned=tuple(StageAhead.model_validate(stage) for stage in planned),
        done=tuple(_done(name, shards) for name, shards in stages.items()),
        worked_s=_union((one.started, one.ended) for one in held),
        chips=max(1, len({one.place for one in held})),
        sentence=_json(folder / ASKED)["text"] if (folder / ASKED).exists() else None,
        answer=Words.model_validate(answer["answer"]) if answer else None,
        notes=tuple(map(Words.model_validate, answer["notes"])) if answer else (),
        report=str(folder / "report.html") if (folder / "report.html").exists() else None,
    )


def _done(name: str, shards: list[ShardSummary]) -> StageDone:
    outcomes: dict[str, int] = {}
    for one in shards:
        for outcome, count in one.outcomes.items():
            outcomes[outcome] = outcomes.get(outcome, 0) + count
    chip_s = sum(one.wall_s for one in shards if one.place != HERE)
    return StageDone(name=name, rows=sum(one.rows for one in shards), outcomes=outcomes, chip_s=chip_s)


def _state(folder: Path) -> Literal["running", "stopped", "finished"]:
    """Running: a process holds the run's lock."""
    lock = folder / ".lock"
    if lock.exists():
        with lock.open() as held:
            try:
                fcntl.flock(held, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return "running"
    return "finished" if finished(folder) else "stopped"


def _stages(folder: Path) -> Shards:
    """Shards by stage, in the order in which the stages began."""
    found = {
        path.parent.name: list(StageStore(path.parent).committed().values()) for path in folder.glob("*/stage.json")
    }
    return dict(sorted(found.items(), key=lambda item: min((one.started for one in item[1]), default=0.0)))


def _union(spans: Iterable[tuple[float, float]]) -> float:
    """Seconds that at least one of the spans covers."""
    total, until = 0.0, 0.0
    for started, ended in sorted(spans):
        total += max(0.0, ended - max(started, until))
        until = max(until, ended)
    return total


def _bytes(traffic: dict[str, Any]) -> int:
    return int(sum(traffic["levels"].values()) + traffic["tasks"] + traffic["results"])


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))

"""Find the runs there are: from their folders, so that no server is needed."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from domains.errors import InvalidRequest, closest
from tasks.settings import Settings


def _newer(path: Path, other: Path) -> bool:
    """True when both are there and the first was written last: a session begins with the one and ends with the other."""
    return path.exists() and other.exists() and path.stat().st_mtime >= other.stat().st_mtime


def finished(folder: Path) -> bool:
    """Whether the last session of a run came to its end: the manifest is the last thing that it writes."""
    return (folder / "report.html").exists() and _newer(folder / "manifest.json", folder / "provenance.json")


def list_runs() -> list[dict[str, Any]]:
    """Every run of the runs folder, newest first."""
    root = Settings().runs.expanduser()
    rows = []
    for noted in sorted(root.glob("*/request.json"), key=lambda path: path.stat().st_mtime, reverse=True):
        folder = noted.parent
        started = datetime.fromtimestamp(noted.stat().st_mtime, UTC)
        stages = sorted(folder.glob("*/stage.json"), key=lambda path: path.stat().st_mtime)
        rows.append(
            {
                "run": folder.name,
                "started": f"{started:%Y-%m-%d %H:%M}",
                "state": "finished" if finished(folder) else "unfinished",
                "last stage": stages[-1].parent.name if stages else "",
                "pipeline": json.loads(noted.read_text())["pipeline"],
            }
        )
    return rows


def _folder(run: str) -> Path:
    root = Settings().runs.expanduser()
    folder = root / run
    if not (folder / "request.json").exists():
        known = [row["run"] for row in list_runs()]
        near = closest(run, known) or known[:5]
        raise InvalidRequest(
            "run",
            run,
            f"no such run in {root.absolute()}",
            ", ".join(near) or "none yet; AI4S_RUNS names another folder",
        )
    return folder


def report_of(run: str) -> Path:
    """Path of a run's report."""
    path = _folder(run) / "report.html"
    if not path.exists():
        raise InvalidRequest("run", run, "is not finished, so it has no report yet", f"ai4s resume {run}")
    return path.absolute()


def request_of(run: str) -> tuple[str, dict[str, Any]]:
    """Pipeline and request of a run, as they were noted when it began."""
    noted = json.loads((_folder(run) / "request.json").read_text())
    return noted["pipeline"], noted["request"]

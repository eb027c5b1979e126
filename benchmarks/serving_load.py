"""Serving under load: many flow runs queued at once, on SQLite and on PostgreSQL; are all done, each once, and what does it cost?"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from benchmarks.bench import Row, main
from benchmarks.serving_flow import NOTES
from benchmarks.serving_hub import Hub, deploy_counted, free_port, hub, prefect_client, until_ended

RUNS, QUICK_RUNS = 200, 6
STEPS = 3
AT_ONCE = 4
# The server must have recorded a task run before its processor time is counted.
SETTLE_S = 10.0
# A stage costs so much of the server where its recorder takes many at a time.
STAGES, STAGE_RUNS = 250, 2


class Done(NamedTuple):
    """What came of the runs of one hub."""

    completed: int
    doubled: int
    lost: int
    wall_s: float
    server_cpu_s: float
    stage_cpu_ms: float


@contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """A PostgreSQL server of our own; its URL, empty where none is installed."""
    programs = [*Path("/usr/lib/postgresql").glob("*/bin"), Path(shutil.which("initdb") or "/none").parent]
    found = next((path for path in programs if (path / "initdb").exists() and (path / "postgres").exists()), None)
    if found is None:
        yield ""
        return
    # It refuses to run as root: the folder is for a user of its own.
    run_as = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
    folder.mkdir(parents=True)
    if run_as:
        shutil.chown(folder, "postgres", "postgres")
    data, port = folder / "database", free_port()
    quiet: dict[str, Any] = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": "/"}
    subprocess.run([*run_as, str(found / "initdb"), "-D", str(data), "-U", "ai4s", "-A", "trust"], **quiet)
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
    control = [*run_as, str(found / "pg_ctl"), "-D", str(data), "-w"]
    subprocess.run([*control, "-o", options, "-l", str(folder / "log"), "start"], **quiet)
    try:
        yield f"postgresql://ai4s@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run([*control, "-m", "fast", "stop"], **quiet)


def counted_runs(one: Hub, client: Any, runs: int, limit_s: float) -> tuple[list[Any], float]:
    """Queue the runs at once; how they ended, and the seconds it took."""
    deployment, begun = deploy_counted(client), time.monotonic()
    keys = [
        client.create_flow_run_from_deployment(
            deployment, parameters={"name": f"run{number}", "steps": STEPS, "seconds": 0.0}
        ).id
        for number in range(runs)
    ]
    return until_ended(client, keys, limit_s), time.monotonic() - begun


def cpu_s(process: psutil.Process) -> float:
    """Seconds of processor time."""
    times = process.cpu_times()
    return float(times.user + times.system)


def stages_cost(one: Hub) -> float:
    """Milliseconds of the server for one stage: many of them in a flow run, beside what the server takes when idle."""
    server = one.child("server")
    script = (
        "from prefect import flow, task\n"
        "@task\ndef stage(number): return number\n"
        f"@flow\ndef many():\n    for number in range({STAGES}): stage(number)\n"
        f"for _ in range({STAGE_RUNS}): many()\n"
    )
    time.sleep(SETTLE_S)
    begun, before = time.monotonic(), cpu_s(server)
    time.sleep(SETTLE_S)
    idle = (cpu_s(server) - before) / (time.monotonic() - begun)
    environment = {**one.environment, "PREFECT_API_URL": f"{one.url}/api", "PREFECT_LOGGING_LEVEL": "ERROR"}
    begun, before = time.monotonic(), cpu_s(server)
    subprocess.run([sys.executable, "-c", script], env=environment, check=True, cwd=one.data, stdout=subprocess.DEVNULL)
    time.sleep(SETTLE_S)
    busy = cpu_s(server) - before - idle * (time.monotonic() - begun)
    return 1000 * busy / (STAGES * STAGE_RUNS)


def measured(folder: Path, database: str, runs: int) -> Done:
    """Serve, queue, wait, count."""
    with hub(folder / "data", database=database, options=["--runs-at-once", str(AT_ONCE)]) as one:
        with prefect_client(one) as client:
            server = one.child("server")
            before = cpu_s(server)
            found, wall_s = counted_runs(one, client, runs, 60 + 12.0 * runs)
            used = cpu_s(server) - before
        notes = [(one.data / "runs" / f"run{number}" / NOTES) for number in range(runs)]
        done = [sorted(path.read_text().split()) if path.exists() else [] for path in notes]
        whole = [str(number) for number in range(STEPS)]
        return Done(
            sum(one.state.is_completed() for one in found),
            sum(len(one) > len(set(one)) for one in done),
            sum(set(one) != set(whole) for one in done),
            wall_s,
            used,
            stages_cost(one),
        )


def rows_of(name: str, done: Done, runs: int) -> list[Row]:
    """The rows of one database."""
    return [
        Row.judged(f"{name}: runs completed", done.completed, f"of {runs}", f">= {runs}"),
        Row.judged(f"{name}: runs with a step done twice", done.doubled, "", "<= 0"),
        Row.judged(f"{name}: runs with a step not done", done.lost, "", "<= 0"),
        Row(f"{name}: wall time", done.wall_s, "s", note=f"{AT_ONCE} at once, each a process"),
        Row(f"{name}: server CPU a flow run", 1000 * done.server_cpu_s / runs, "ms", note="idle included"),
        Row.judged(
            f"{name}: server CPU a task run", done.stage_cpu_ms, "ms", "< 10",
            note=f"{STAGES * STAGE_RUNS} task runs, what it takes when idle taken off",
        ),
    ]  # fmt: skip


def measure(arguments: argparse.Namespace) -> Sequence[Row]:
    """Both databases in turn."""
    runs = QUICK_RUNS if arguments.quick else RUNS
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="ai4s-load-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        for kind in ("SQLite", "PostgreSQL"):
            if kind not in arguments.only:
                continue
            place = folder / kind
            with nullcontext("") if kind == "SQLite" else postgresql(folder / "server") as database:
                if kind == "PostgreSQL" and not database:
                    rows.append(Row("PostgreSQL", None, note="needs server: none is installed here"))
                    continue
                place.mkdir()
                rows += rows_of(kind, measured(place, database, runs), runs)
    return rows


def extend(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--only", nargs="+", default=["SQLite", "PostgreSQL"], choices=["SQLite", "PostgreSQL"])


if __name__ == "__main__":
    main(measure, __doc__, extend)

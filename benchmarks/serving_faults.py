"""Serving through faults: kill -9 of the worker, the server, the database, the pods or all of it in the middle of the runs."""

import argparse
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import psutil

from benchmarks.bench import Row, main
from benchmarks.serving_flow import NOTES
from benchmarks.serving_hub import Hub, deploy_counted, hub, prefect_client, until_ended
from benchmarks.serving_load import postgresql

RUNS, QUICK_RUNS = 20, 4
STEPS, STEP_S = 12, 0.5
AT_ONCE = 4
LIMIT_S = 300.0
AWAY_S = 3.0


def kill_child(what: str) -> Callable[[Hub], None]:
    """Kill the server or the worker; the one who watches starts it again."""
    return lambda one: one.child(what).kill()


def kill_all(one: Hub) -> None:
    """As when the machine goes down: everything at once, and a person starts it again."""
    assert one.process is not None
    everything = [psutil.Process(one.process.pid), *psutil.Process(one.process.pid).children(recursive=True)]
    for process in everything:
        process.kill()
    one.process.wait()
    psutil.wait_procs(everything, timeout=10)
    one.start()


def kill_pods(one: Hub) -> None:
    """All processes of the pods below the runs: Dask's workers and what they started, not the runs themselves."""
    for process in one.child("worker").children(recursive=True):
        if "spawn_main" in " ".join(words(process)):
            process.kill()


def kill_database(one: Hub) -> None:
    """PostgreSQL's processes; it is started again after a moment. The folder beside the data names its server."""
    folder = one.data.parent / "server"
    pid = int((folder / "database" / "postmaster.pid").read_text().split()[0])
    process = psutil.Process(pid)
    command, group = process.cmdline(), process.children(recursive=True)
    user = process.username()
    for each in (process, *group):
        each.kill()
    psutil.wait_procs([process, *group], timeout=10)
    time.sleep(AWAY_S)
    start_again(command, user, folder)


def start_again(command: Sequence[str], user: str, folder: Path) -> None:
    """Start PostgreSQL as it was started before, as its user."""
    import subprocess

    run_as = ["runuser", "-u", user, "--"] if user != psutil.Process().username() else []
    with (folder / "again.log").open("ab") as log:
        subprocess.Popen([*run_as, *command], stdout=log, stderr=log, cwd="/", start_new_session=True)


def words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []


def in_the_middle(client: Any, keys: Sequence[Any], done: Callable[[], int]) -> None:
    """Wait until some runs are at work and some have not begun."""
    end = time.monotonic() + LIMIT_S
    while done() < 3 and time.monotonic() < end:
        time.sleep(0.2)


def counted_fault(
    one: Hub, client: Any, fault: Callable[[Hub], None], runs: int, tag: str
) -> tuple[Counter[str], float]:
    """Runs of the counted flow with a fault among them: how they ended."""
    deployment = deploy_counted(client)
    parameters = {"steps": STEPS, "seconds": STEP_S}
    keys = [
        client.create_flow_run_from_deployment(deployment, parameters={"name": f"{tag}{number}", **parameters}).id
        for number in range(runs)
    ]
    folders = [one.data / "runs" / f"{tag}{number}" for number in range(runs)]
    in_the_middle(client, keys, lambda: sum((folder / NOTES).exists() for folder in folders))
    begun = time.monotonic()
    fault(one)
    found = until_ended(client, keys, LIMIT_S)
    told: Counter[str] = Counter(right=sum(each.state.is_completed() for each in found))
    told["again"] = sum(each.run_count > 1 for each in found)
    for folder in folders:
        steps = (folder / NOTES).read_text().split() if (folder / NOTES).exists() else []
        told["lost"] += len(set(steps)) != STEPS
        told["doubled"] += len(steps) > len(set(steps))
    return told, time.monotonic() - begun


def pod_fault(one: Hub, client: Any, runs: int) -> tuple[Counter[str], float]:
    """Climate ensembles on pods of their own, whose processes are killed."""
    deployment = client.read_deployment_by_name("climate-ensemble/climate-ensemble").id
    keys = [
        client.create_flow_run_from_deployment(
            deployment, parameters={"request": {"members": 40, "seed": number + 1, "name": f"pod{number}"}}
        ).id
        for number in range(runs)
    ]
    in_the_middle(client, keys, lambda: 3 * at_work(one))
    begun = time.monotonic()
    kill_pods(one)
    found = until_ended(client, keys, LIMIT_S)
    told: Counter[str] = Counter(right=sum(each.state.is_completed() for each in found))
    told["again"] = sum(each.run_count > 1 for each in found)
    told["lost"] = sum(not (one.data / "runs" / f"pod{number}" / "report.html").exists() for number in range(runs))
    return told, time.monotonic() - begun


def at_work(one: Hub) -> int:
    """Engines at work below the worker."""
    return sum("tasks.child" in " ".join(words(each)) for each in one.child("worker").children(recursive=True))


def rows_of(name: str, told: Counter[str], taken_s: float, runs: int) -> list[Row]:
    """The rows of one fault."""
    note = f"{told['again']} runs started again; {taken_s:,.0f} s from the fault to the last end"
    return [
        Row.judged(f"{name}: runs that ended right", told["right"], f"of {runs}", f">= {runs}", note),
        Row.judged(f"{name}: runs with a step lost or done twice", told["lost"] + told["doubled"], "", "<= 0"),
    ]


def measure(arguments: argparse.Namespace) -> Sequence[Row]:
    """Each fault in turn, on SQLite; the database's on PostgreSQL."""
    runs = QUICK_RUNS if arguments.quick else RUNS
    local = {"worker": kill_child("worker"), "server": kill_child("server"), "everything": kill_all}
    wanted = arguments.only or (["worker"] if arguments.quick else [*local, "pod", "database"])
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="ai4s-faults-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        for base in ("SQLite", "PostgreSQL"):
            faults = [one for one in wanted if (one == "database") == (base == "PostgreSQL")]
            if not faults:
                continue
            (folder / base).mkdir()
            with nullcontext("") if base == "SQLite" else postgresql(folder / base / "server") as database:
                if base == "PostgreSQL" and not database:
                    rows.append(Row("database killed", None, note="needs server: none is installed here"))
                    continue
                options = ["--runs-at-once", str(AT_ONCE), "--profile", "emulated:two-supernodes"]
                with (
                    hub(folder / base / "data", database=database, options=options) as one,
                    prefect_client(one) as client,
                ):
                    for fault in faults:
                        if fault == "pod":
                            told, taken = pod_fault(one, client, runs)
                        else:
                            kill = local.get(fault, kill_database)
                            told, taken = counted_fault(one, client, kill, runs, fault)
                        rows += rows_of(f"{fault} killed", told, taken, runs)
                    if arguments.keep:
                        shutil.copytree(one.data / "logs", arguments.keep / base, dirs_exist_ok=True)
    return rows


def extend(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--only", nargs="+", choices=["worker", "server", "everything", "pod", "database"])
    parser.add_argument("--keep", type=Path, metavar="DIR", help="copy the logs there")


if __name__ == "__main__":
    main(measure, __doc__, extend)

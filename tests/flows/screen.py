"""A screen that is real and takes seconds: a small box on EGFR, a short search, fourteen records."""

import contextlib
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from click.testing import CliRunner

from domains.drug import receptors
from flows.cli import main

LIBRARY = """CC(=O)Oc1ccccc1C(=O)O aspirin
Cn1cnc2c1c(=O)n(C)c(=O)n2C caffeine
CCOc1ccc(NC(C)=O)cc1 phenacetin
C1CC broken
CC(=O)Nc1ccc(O)cc1 paracetamol
OC(=O)c1ccccc1OC(C)=O aspirin-again
CC(C)Cc1ccc(cc1)C(C)C(=O)O <b>ibuprofen</b>
C[Hg]c1ccccc1 mercury
CC small
CCOC(=O)c1ccc(N)cc1 benzocaine
OB(O)c1ccccc1 boron
CN1CCC[C@H]1c1cccnc1 nicotine
O=C1C=CC(=O)c2ccccc12 quinone
COc1cc(C=O)ccc1O vanillin
"""
TABLES = ("outcomes.parquet", "scores.parquet", "hits.csv", "hits.sdf")


def write_inputs(folder: Path) -> tuple[Path, Path]:
    """A library file and a receptor file."""
    library, receptor = folder / "mine.smi", folder / "pocket.pdbqt"
    library.write_text(LIBRARY)
    receptor.write_bytes(receptors.load("EGFR").path.read_bytes())
    return library, receptor


def request(folder: Path, **changes: object) -> dict[str, object]:
    """A request for these inputs."""
    library, receptor = write_inputs(folder)
    return {
        "target": str(receptor),
        "box": {"center": [16.8, 35.6, 91.1], "size": [14, 14, 14]},
        "library": str(library),
        "top": 3,
        "redock": 6,
        "search": {"exhaustiveness": 1, "max_evals": 3000, "n_poses": 3},
        "profile": "emulated:two-supernodes",
        **changes,
    }


def options(folder: Path, **changes: object) -> list[str]:
    """The same as command-line options."""
    words: list[str] = []
    for name, value in request(folder, **changes).items():
        inner = value.items() if isinstance(value, dict) else [("", value)]
        for key, one in inner:
            text = ",".join(map(str, one)) if isinstance(one, list) else str(one)
            words += [f"--{name}{'.' + key if key else ''}".replace("_", "-"), text]
    return words


def environment(runs: Path, api: str | None) -> dict[str, str]:
    """What a command runs with."""
    changes = {"AI4S_RUNS": str(runs), **({"PREFECT_API_URL": api} if api else {})}
    dropped = ("PREFECT_API_URL", "PREFECT_LOGGING_LEVEL")
    return {**{key: value for key, value in os.environ.items() if key not in dropped}, **changes}


def ai4s(*words: str, runs: Path, api: str | None = None, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, as a user does."""
    return subprocess.run(
        [sys.executable, "-m", "flows.cli", *words],
        env=environment(runs, api), cwd=cwd, capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip


def refused(*words: str, runs: Path) -> str:
    """What ``ai4s run`` says to a mistake: in this process, as a new one takes seconds to import what it needs."""
    log = logging.getLogger("ai4s")
    # Each command makes itself at home in its process: put back what it changes.
    with mock.patch.dict(os.environ, AI4S_RUNS=str(runs)), mock.patch.object(log, "handlers", list(log.handlers)):
        result = CliRunner().invoke(main, ["run", *words])
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    assert not runs.exists()
    return result.stderr


@contextmanager
def started(*words: str, runs: Path, api: str | None, home: Path | None = None) -> Iterator[subprocess.Popen[str]]:
    """A command in a session of its own, all of which is gone in the end, whatever the test did.

    ``home`` is where its own Prefect server keeps its database.
    """
    env = {**environment(runs, api), **({"PREFECT_HOME": str(home)} if home else {})}
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.cli", *words],
        env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdout is not None:
            process.stdout.close()

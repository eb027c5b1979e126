import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:  # Prefect reads its settings when it is imported: not before they are set here.
    from cluster.launch import Pod
    from tasks.run import Run

ROOT = Path(__file__).parent.parent
# Children and workers of tests import tests.engines by name.
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
os.environ["DO_NOT_TRACK"] = "1"
os.environ["PREFECT_LOGGING_LEVEL"] = "ERROR"
os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"
# Where the tests were started in the background, Ctrl-C is ignored, and would be by every command that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# Nobody's own profile or database, and no other test process's: removed when this process ends.
PREFECT_HOME = tempfile.TemporaryDirectory(prefix="ai4s-prefect-", ignore_cleanup_errors=True)
os.environ["PREFECT_HOME"] = PREFECT_HOME.name
# The same examples each time, and none that fails as the machine is busy.
settings.register_profile(
    "tests", max_examples=50, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("tests")


@pytest.fixture(scope="session")
def prefect_api() -> Iterator[str]:
    """A real Prefect server for the whole test run: starting one takes 10 s."""
    from prefect.settings import PREFECT_API_URL, PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
    from prefect.testing.utilities import prefect_test_harness

    # A heartbeat costs a second at the end of every flow run, and only Python can turn it off.
    no_heartbeat = temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None})
    with prefect_test_harness(server_startup_timeout=180), no_heartbeat:
        yield str(PREFECT_API_URL.value())


@pytest.fixture(scope="session")
def pod() -> "Iterator[Pod]":
    """A small hub: two supernodes of one worker."""
    from cluster.launch import start

    with start("emulated:two-supernodes") as pod:
        yield pod


@pytest.fixture
def numbers() -> Callable[[int], "Numbers"]:
    return Numbers


class Numbers:
    """A source of rows with the columns id, name, value."""

    def __init__(self, rows: int, start: int = 0) -> None:
        self.rows, self.start = rows, start

    def tables(self, columns: list[str]) -> Iterator[pa.Table]:
        for first in range(0, self.rows, 1000):
            ids = list(range(first, min(first + 1000, self.rows)))
            table = {"id": ids, "name": [f"n{i}" for i in ids], "value": [self.start + i for i in ids]}
            yield pa.table(table).select(columns)


@pytest.fixture
def make_run(tmp_path: Path, pod: "Pod") -> "Iterator[Callable[..., Run]]":
    """A run without a flow around it: the stages' own behaviour, on a real cluster."""
    from tasks.progress import RunProgress
    from tasks.run import Run
    from tasks.store import RunStore

    opened: list[RunStore] = []

    def make(name: str = "run", where: "Pod | None" = None) -> Run:
        store = RunStore(tmp_path / name).open({"request": name})
        opened.append(store)
        return Run("test", None, store, [where or pod], RunProgress())  # type: ignore[arg-type]

    yield make
    for store in opened:
        store.close()

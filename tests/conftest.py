import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from cluster.launch import Pod
from tasks.run import Run

ROOT = Path(__file__).parent.parent
# Children and workers of tests import tests.engines by name.
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
os.environ["DO_NOT_TRACK"] = "1"
os.environ["PREFECT_LOGGING_LEVEL"] = "ERROR"
os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"


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
def pod() -> Iterator[Pod]:
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
def make_run(tmp_path: Path, pod: Pod) -> Iterator[Callable[..., Run]]:
    """A run without a flow around it: the stages' own behaviour, on a real cluster."""
    from tasks.progress import RunProgress
    from tasks.store import RunStore

    opened: list[RunStore] = []

    def make(name: str = "run", where: Pod | None = None) -> Run:
        store = RunStore(tmp_path / name).open({"request": name})
        opened.append(store)
        return Run("test", None, store, [where or pod], RunProgress())  # type: ignore[arg-type]

    yield make
    for store in opened:
        store.close()

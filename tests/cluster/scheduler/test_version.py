"""Another version of distributed gets the stock rules, and says so."""

import importlib
import warnings

import distributed
import pytest

import cluster.scheduler
from cluster.scheduler.version import StockScheduler, is_tested


def test_the_tested_range() -> None:
    assert is_tested("2026.7.1")
    assert is_tested("2026.8.0")
    assert not is_tested("2026.9.0")
    assert not is_tested("2025.7.0")


def test_the_installed_version_is_tested() -> None:
    assert is_tested(distributed.__version__)


def test_another_version_warns_and_falls_back(monkeypatch: pytest.MonkeyPatch) -> None:
    before = cluster.scheduler.TopologyScheduler
    monkeypatch.setattr(distributed, "__version__", "2031.1.0")
    with pytest.warns(RuntimeWarning, match=r"distributed 2031\.1\.0 is not tested .* stock Dask's rules"):
        again = importlib.reload(cluster.scheduler)
    assert again.TopologyScheduler is StockScheduler
    monkeypatch.undo()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert importlib.reload(cluster.scheduler).TopologyScheduler is before

"""Public data for tests: in AI4S_DATA, or beside the checkout."""

import os
from pathlib import Path

import pytest

BESIDE = Path(__file__).parents[2] / "shared" / "data"


def public_data(name: str) -> Path:
    """A file or folder of the public data; the test is skipped where it is not."""
    for folder in filter(None, (os.environ.get("AI4S_DATA"), BESIDE)):
        if (found := Path(folder) / name).exists():
            return found
    pytest.skip(f"{name} is not here: set AI4S_DATA to the folder of the public data")

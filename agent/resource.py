"""The reviewed data files beside this module: read once."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent / "data"
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@cache
def read_data(name: str) -> dict[Any, Any]:
    """The content of ``data/<name>.yaml``; callers do not change it."""
    return dict(yaml.load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"), LOADER))

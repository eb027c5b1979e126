"""The reviewed files of the catalogue."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@cache
def read(name: str) -> dict[str, Any]:
    """The content of ``<name>.yaml``; callers do not change it."""
    return dict(yaml.load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"), LOADER))

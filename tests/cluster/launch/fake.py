"""Stand-ins for a site's commands: small scripts that note how they were called and print what a test says."""

import os
from collections.abc import Mapping
from pathlib import Path


def install(folder: Path, monkeypatch, scripts: Mapping[str, str]) -> Path:
    """Put commands before all others on the PATH; returns the file that notes the calls."""
    calls = folder / "calls"
    calls.touch()
    for name, script in scripts.items():
        path = folder / name
        path.write_text(f'#!/bin/sh\necho "{name} $*" >> {calls}\n{script}\n')
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return calls

"""The receptor of a target known by name: built once from its structure, kept in the cache.

Built in a process of its own, as OpenMM may crash or hang: ``python -m domains.drug.prepared TARGET FOLDER``.
"""

import hashlib
import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from domains.drug import targets
from domains.drug.build import VERSION, Build, BuildSettings
from domains.errors import InvalidRequest
from domains.public_file import cache_folder, keep

LIMIT_S = 600.0
PACKAGES = ("openmm", "pdbfixer", "meeko")


def settings(target: targets.Target, path: Path) -> BuildSettings:
    """How the target's receptors are built from its structure file."""
    forms = target.protonation.forms if target.protonation else {}
    return BuildSettings(structure_sha256=target.sha256, path=path, chains=target.chains, protonation=forms)


def versions() -> str:
    """The versions that decide a built receptor."""
    return "; ".join((VERSION, *(f"{name} {version(name)}" for name in PACKAGES)))


def identity(target: targets.Target) -> str:
    """A hash of what a receptor is made from and by what; its own bytes may differ in a last digit between machines."""
    recipe = [settings(target, Path()).model_dump(mode="json"), versions()]
    return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()


def wild_type(target: targets.Target) -> Path:
    """The receptor as PDBQT, ``receptor.pdb`` with its hydrogens beside it; raises InvalidRequest when it cannot be built."""
    text = targets.pdb_text(target)
    folder = cache_folder() / "receptors" / f"{target.name}-{identity(target)[:16]}"
    path = folder / "receptor.pdbqt"
    if not path.exists():
        keep(folder / "structure.pdb", text.encode())
        _build(target, folder)
    return path


def _build(target: targets.Target, folder: Path) -> None:
    command = [sys.executable, "-m", "domains.drug.prepared", target.name, str(folder)]
    problem = f"its receptor was not built within {LIMIT_S:.0f} s"
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=LIMIT_S, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"}
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise InvalidRequest("target", target.name, problem) from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise InvalidRequest("target", target.name, f"its receptor cannot be built ({last[:300]})")


def main(name: str, folder: Path) -> None:
    """Build and keep; the PDBQT last, as it says that all is there."""
    target = targets.chosen(name)
    made = Build(settings(target, folder / "structure.pdb"))({"mutations": "WT"})
    if made["outcome"] != "ok":
        sys.exit(made["reason"])
    keep(folder / "receptor.pdb", made["pdb"].encode())
    keep(folder / "receptor.pdbqt", made["pdbqt"].encode())


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))

"""Receptors: targets known by name, the 58 prepared ones that dockstring ships (Apache-2.0), and a user's own PDBQT.

dockstring is read by path and never imported: importing it needs Open Babel.
"""

import hashlib
import importlib.util
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from domains.drug import targets
from domains.errors import InvalidRequest, closest
from domains.model import absolute_path

# Vina's grid at 0.375 Å in a larger box needs more memory than a slot has; a 200 Å box is killed.
MAX_BOX_VOLUME = 30_000.0
# A pocket is lined with protein: a box with fewer atoms than this inside is off the receptor.
MIN_ATOMS_IN_BOX = 30


@dataclass(frozen=True)
class Receptor:
    """A receptor ready to dock into: file, checksum, and the box (Å)."""

    name: str
    path: Path
    sha256: str
    center: tuple[float, float, float]
    size: tuple[float, float, float]
    origin: str = ""  # what a built one is made from and by what, as its bytes may differ between machines

    @property
    def identity(self) -> str:
        """What a run must find again to go on."""
        return self.origin or self.sha256


@cache
def _folder() -> Path:
    spec = importlib.util.find_spec("dockstring")
    if spec is None or not spec.submodule_search_locations:
        raise InvalidRequest("target", "", "the shipped receptors are not installed", "pip install 'ai4s[drug]'")
    return Path(spec.submodule_search_locations[0]) / "resources" / "targets"


@cache
def shipped() -> tuple[str, ...]:
    """Names of the shipped receptors, sorted."""
    return tuple(sorted(path.name.removesuffix("_target.pdbqt") for path in _folder().glob("*_target.pdbqt")))


def is_file(target: str) -> bool:
    """True when a target is the path of a receptor file and not a shipped name."""
    return "/" in target or target.lower().endswith(".pdbqt")


def checked_name(target: str) -> str:
    """A known or shipped name in its own spelling, or an absolute path; ValueError with the closest names otherwise."""
    known = targets.find(target)
    if known is not None:
        return known.name
    if is_file(target):
        return absolute_path(target)
    by_folded = {name.casefold(): name for name in shipped()}
    if target.casefold() in by_folded:
        return by_folded[target.casefold()]
    near = closest(target, (*shipped(), *targets.spoken()))
    every = (*shipped(), *targets.names())
    hint = f"closest: {', '.join(near)}" if near else f"choose one of {', '.join(every)}"
    raise ValueError(
        f"unknown target {target!r}; {hint} (all {len(every)}: ai4s targets), or give the path of a .pdbqt file"
    )


def atoms(pdbqt: str) -> np.ndarray:
    """Coordinates (n, 3) in Å of the atoms of a PDBQT text."""
    rows = [line for line in pdbqt.splitlines() if line.startswith(("ATOM", "HETATM"))]
    return np.array([[float(row[30:38]), float(row[38:46]), float(row[46:54])] for row in rows]).reshape(-1, 3)


def _shipped_box(name: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    lines = (_folder() / f"{name}_conf.txt").read_text().splitlines()
    values = {key.strip(): float(value) for key, value in (line.split("=") for line in lines if "=" in line)}
    return tuple(values[f"center_{axis}"] for axis in "xyz"), tuple(values[f"size_{axis}"] for axis in "xyz")


def load(target: str, center: tuple[float, ...] | None = None, size: tuple[float, ...] | None = None) -> Receptor:
    """Read a receptor and check that its box lies on it; raises InvalidRequest that names the field.

    The first time, the receptor of a target known by name is built from its structure, which takes half a minute.
    """
    known = targets.find(target)
    if known is not None:
        from domains.drug import prepared  # here: what builds structures is needed for these only

        path, origin = prepared.wild_type(known), prepared.identity(known)
    else:
        path, origin = Path(target) if is_file(target) else _folder() / f"{target}_target.pdbqt", ""
    try:
        text = path.read_text()
        coordinates = atoms(text)
        if any(line.startswith(("ROOT", "BRANCH", "TORSDOF")) for line in text.splitlines()):
            raise ValueError("it has ROOT, BRANCH or TORSDOF records, as a ligand has")
    except (OSError, ValueError) as error:
        raise InvalidRequest("target", target, f"cannot be read as PDBQT ({error})", "a readable .pdbqt file") from None
    if len(coordinates) == 0:
        raise InvalidRequest("target", target, "has no ATOM or HETATM records", "a receptor in PDBQT format")
    if center is None or size is None:
        center, size = targets.box(known) if known else _shipped_box(target)
    _check_box(coordinates, np.array(center), np.array(size))
    name = known.name if known else path.stem if is_file(target) else target
    (x, y, z), (a, b, c) = center, size
    return Receptor(name, path, hashlib.sha256(path.read_bytes()).hexdigest(), (x, y, z), (a, b, c), origin)


def _check_box(coordinates: np.ndarray, center: np.ndarray, size: np.ndarray) -> None:
    volume = float(size.prod())
    if volume > MAX_BOX_VOLUME:
        raise InvalidRequest(
            "box.size",
            size.tolist(),
            f"{volume:,.0f} Å³ is too large",
            f"at most {MAX_BOX_VOLUME:,.0f} Å³ (31 x 31 x 31)",
        )
    inside = int((np.abs(coordinates - center) <= size / 2).all(axis=1).sum())
    if inside < MIN_ATOMS_IN_BOX:
        low, high = coordinates.min(axis=0).round(1), coordinates.max(axis=0).round(1)
        raise InvalidRequest(
            "box.center",
            center.tolist(),
            f"the box is off the receptor: {inside} of its atoms lie inside",
            f"a pocket within x {low[0]} to {high[0]}, y {low[1]} to {high[1]}, z {low[2]} to {high[2]} Å",
        )

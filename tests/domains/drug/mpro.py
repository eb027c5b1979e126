"""A small stand-in for the main protease: the residues around its ligand, so that a variant is built in seconds."""

import gzip
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import gemmi
import pytest

from domains.drug import targets
from tests.public_data import public_data

FILE = "drug/sars_cov_2_mpro.pdb.gz"
NEAR = 9.0  # Å around the ligand


def whole() -> str:
    """The structure as it is; skips where the public data is not."""
    return gzip.decompress(public_data(FILE).read_bytes()).decode()


def pocket() -> str:
    """Residues of both chains near the ligand of chain A, and this ligand."""
    structure = gemmi.read_pdb_string(whole())
    model = structure[0]
    ligand = [atom.pos for one in model["A"] if one.name == "LIG" for atom in one]
    for chain in model:
        nearest = [min(atom.pos.dist(other) for atom in residue for other in ligand) for residue in chain]
        for at in reversed([at for at, distance in enumerate(nearest) if distance > NEAR]):
            del chain[at]
    return str(structure.make_pdb_string(gemmi.PdbWriteOptions(minimal=True)))


@contextmanager
def small_target(folder: Path) -> Iterator[targets.Target]:
    """The catalogue's main protease is this pocket, in a small box; its file is in this folder as AI4S_DATA."""
    text = pocket().encode()
    path = folder / "drug" / "pocket.pdb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text)
    known = targets.catalogue()
    site = known.targets[0].site.model_copy(update={"edge": 16.0})
    changes = {"file": "drug/pocket.pdb", "sha256": hashlib.sha256(text).hexdigest(), "site": site}
    small = known.targets[0].model_copy(update=changes)
    changed = known.model_copy(update={"targets": (small, *known.targets[1:])})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(targets, "catalogue", lambda: changed)
        patch.setenv("AI4S_DATA", str(folder))
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        targets._by_alias.cache_clear()
        try:
            yield small
        finally:
            targets._by_alias.cache_clear()

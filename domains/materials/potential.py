"""Neural and classical potentials behind one protocol: energies that say in which convention they are."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import import_module
from typing import Literal, Protocol, Self

import numpy as np

from domains.errors import InvalidRequest
from domains.materials.crystal import Crystal
from domains.model import Frozen

Want = Literal["energy", "forces"]


class Convention(StrEnum):
    """What an energy means; energies of unlike conventions must never be subtracted."""

    mp2020 = "MP2020"  # PBE(+U) with Materials Project's 2020 corrections
    raw = "PBE(+U)"  # Materials Project's PBE(+U), uncorrected
    r2scan = "r2SCAN"
    emt = "EMT"  # ASE's effective medium theory: energies relative to its own fcc metals


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What a potential says of a crystal of n atoms.

    ``energy`` of the cell, eV; where forces are wanted also ``forces`` (n, 3), eV/Å, and ``stress`` (3, 3), eV/Å³, positive
    under tension as in ASE; ``moments`` (n,), µB, where the potential has them. ``None`` for an energy: see ``problem``.
    """

    energy: float | None
    forces: np.ndarray | None = None
    stress: np.ndarray | None = None
    moments: np.ndarray | None = None
    problem: str = ""  # a member of Outcome where there is no energy


class Potential(Protocol):
    """Evaluates many crystals at once, with no more than ``atoms_in_flight`` atoms in one batch."""

    name: str
    version: str
    weights_sha256: str
    convention: Convention
    elements: frozenset[int]
    cutoff: float  # Å
    atoms_in_flight: int

    def evaluate(self, crystals: Sequence[Crystal], want: Want) -> list[Evaluation]: ...


# Where each potential is built; nothing is imported before it is asked for.
POTENTIALS: Mapping[str, str] = {
    "chgnet": "domains.materials.chgnet:build",
    "sevennet-l3i5": "domains.materials.sevennet:build",
    "emt": "domains.materials.emt:build",
}


@cache
def load(name: str) -> Potential:
    """The potential of this name, loaded once per process.

    Raises:
        InvalidRequest: it is unknown, or its package is not installed.
    """
    if name not in POTENTIALS:
        raise InvalidRequest("potential", name, "unknown potential", ", ".join(POTENTIALS))
    module, _, function = POTENTIALS[name].partition(":")
    try:
        with warnings.catch_warnings():
            # Of what their packages use of torch and will have to replace.
            warnings.simplefilter("ignore", DeprecationWarning)
            build: Callable[[], Potential] = getattr(import_module(module), function)
        return build()
    except ImportError as error:
        raise InvalidRequest(
            "potential", name, f"{error.name} is not installed", "pip install 'ai4s[materials]', or the potential emt"
        ) from None


class Identity(Frozen):
    """Which potential, down to its weights: part of the settings of every stage that uses one."""

    name: str
    version: str
    weights_sha256: str
    convention: Convention

    @classmethod
    def of(cls, name: str) -> Self:
        """Of a potential's name; raises InvalidRequest as :func:`load`."""
        found = load(name)
        return cls(name=name, version=found.version, weights_sha256=found.weights_sha256, convention=found.convention)

    def load(self) -> Potential:
        """The potential itself, on whatever machine this is.

        Raises:
            ValueError: the one here has other weights or is of another version.
        """
        here = type(self).of(self.name)
        if here != self:
            raise ValueError(f"{self.name} here is not the potential that the run began with: {here} instead of {self}")
        return load(self.name)

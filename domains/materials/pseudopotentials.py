"""Which pseudopotential files of a folder go together, and the cutoffs that they need."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# Files of unlike functionals must never be mixed; the first of these that all elements have is taken.
FUNCTIONALS = ("pbe", "pbesol", "pz")
SPECIAL = re.compile(r"rel-|gipaw", re.IGNORECASE)  # spin-orbit coupling, magnetic resonance
CUTOFF_RY, ULTRASOFT, NORM_CONSERVING = 40.0, 8.0, 4.0  # where a file suggests none; density over wave functions
# What Quantum ESPRESSO's own examples use with files that suggest none.
IN_EXAMPLES = {"Al.pz-vbc.UPF": 16.0, "Si.pz-vbc.UPF": 24.0}


@dataclass(frozen=True)
class Pseudopotentials:
    """A file for each element, and the cutoffs of wave functions and density that satisfy all of them, Ry."""

    files: dict[str, str]
    wave_ry: float
    density_ry: float


def choose(elements: Sequence[str], folder: Path) -> Pseudopotentials:
    """Files of one functional from a folder; ValueError with the elements that have none in the functional that most have."""
    names = sorted(path.name for path in folder.glob("*") if path.suffix.casefold() == ".upf")
    found = [_of_functional(elements, names, one) for one in FUNCTIONALS]
    files = max(found, key=len)
    if missing := [element for element in elements if element not in files]:
        raise ValueError(f"no pseudopotentials of one functional in {folder}: none of {', '.join(missing)}")
    cutoffs = [suggested(folder / name) for name in files.values()]
    return Pseudopotentials(files, max(wave for wave, _ in cutoffs), max(density for _, density in cutoffs))


def _of_functional(elements: Sequence[str], names: Sequence[str], functional: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for element in elements:
        fits = re.compile(rf"{element}[._-](.*[^a-z])?{functional}(?![a-z]).*", re.IGNORECASE)
        if chosen := [name for name in names if fits.fullmatch(name) and not SPECIAL.search(name)]:
            found[element] = chosen[-1]
    return found


def suggested(file: Path) -> tuple[float, float]:
    """Cutoffs of wave functions and density, Ry: what the file suggests, else what is usual."""
    with file.open(errors="replace") as lines:
        head = lines.read(20_000)
    wave = _largest(head, r"cutoff for wavefunctions:\s*([\d.]+)", r'wfc_cutoff="([^"]+)"')
    density = _largest(head, r"cutoff for charge density:\s*([\d.]+)", r'rho_cutoff="([^"]+)"')
    wave = wave or IN_EXAMPLES.get(file.name, CUTOFF_RY)
    norm_conserving = re.search(r'pseudo_type="NC"|type: NC', head) is not None
    return wave, density or wave * (NORM_CONSERVING if norm_conserving else ULTRASOFT)


def _largest(text: str, *patterns: str) -> float:
    return max((float(one) for pattern in patterns for one in re.findall(pattern, text)), default=0.0)

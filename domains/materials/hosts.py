"""Known insertion hosts, fully intercalated, built from published crystallographic parameters; or a CIF of one's own."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from domains.materials.published import Found, Published, found, known_name, read


@dataclass(frozen=True)
class Host:
    """A host, its working ion, and its measured voltage: mean over the charge, against the ion's metal."""

    ion: str
    published: Published
    volts: float | None = None


def _layered(ion: str, metal: str, anion: str, a: float, c: float, z: float, source: str, volts: float) -> Host:
    """O3: ion in 3a, metal in 3b, anion in 6c of R-3m, hexagonal axes."""
    sites = ((ion, 0.0, 0.0, 0.0), (metal, 0.0, 0.0, 0.5), (anion, 0.0, 0.0, z))
    return Host(ion, Published(166, (a, a, c, 90, 90, 120), sites, source), volts)


def _olivine(
    ion: str, metal: str, cell: tuple[float, float, float], free: tuple[float, ...], source: str, volts: float
) -> Host:
    """Pnma with the ion in 4a; free: x, z of the metal, P, O1 and O2 in 4c, then x, y, z of O3 in 8d."""
    four_c = [(element, free[2 * at], 0.25, free[2 * at + 1]) for at, element in enumerate((metal, "P", "O", "O"))]
    sites = ((ion, 0.0, 0.0, 0.0), *four_c, ("O", free[8], free[9], free[10]))
    return Host(ion, Published(62, (*cell, 90, 90, 90), sites, source), volts)


def _spinel(ion: str, metal: str, a: float, u: float, source: str, volts: float | None) -> Host:
    """Fd-3m at origin choice 2: ion in 8a, metal in 16d, O in 32e.

    The same numbers at origin choice 1 put atoms 0.2 Å apart, without an error from any program.
    """
    sites = ((ion, 0.125, 0.125, 0.125), (metal, 0.5, 0.5, 0.5), ("O", u, u, u))
    return Host(ion, Published(227, (a, a, a, 90, 90, 90), sites, source, setting=2), volts)


TRIPHYLITE = (0.2822, 0.9747, 0.0948, 0.4182, 0.0968, 0.7428, 0.4571, 0.2060, 0.1656, 0.0465, 0.2848)
LITHIOPHILITE = (0.2817, 0.9719, 0.0923, 0.4081, 0.0968, 0.7336, 0.4561, 0.2073, 0.1609, 0.0493, 0.2780)
COBALT_OLIVINE = (0.2786, 0.9793, 0.0945, 0.4183, 0.0981, 0.7431, 0.4542, 0.2038, 0.1667, 0.0419, 0.2817)

HOSTS: Mapping[str, Host] = {
    "LiCoO2": _layered("Li", "Co", "O", 2.8161, 14.0536, 0.2398, "Akimoto et al., J. Solid State Chem. 141, 298 (1998)", 3.9),
    "LiNiO2": _layered("Li", "Ni", "O", 2.878, 14.19, 0.2420, "Hirano et al., Solid State Ionics 78, 123 (1995)", 3.8),
    "NaCoO2": _layered("Na", "Co", "O", 2.889, 15.609, 0.2300, "Takahashi et al., J. Solid State Chem. 172, 22 (2003)", 2.8),
    "LiFePO4": _olivine("Li", "Fe", (10.332, 6.010, 4.692), TRIPHYLITE, "Andersson et al., Solid State Ionics 130, 41 (2000)", 3.45),
    "LiMnPO4": _olivine("Li", "Mn", (10.431, 6.0947, 4.7366), LITHIOPHILITE, "Geller and Durand, Acta Cryst. 13, 325 (1960)", 4.1),
    "LiCoPO4": _olivine("Li", "Co", (10.2001, 5.9199, 4.690), COBALT_OLIVINE, "Kubel, Z. Kristallogr. 209, 755 (1994)", 4.8),
    "LiMn2O4": _spinel("Li", "Mn", 8.2476, 0.2632, "Mosbah et al., Mater. Res. Bull. 18, 1375 (1983)", 4.05),
    "LiTi2O4": _spinel("Li", "Ti", 8.4033, 0.2628, "Johnston, J. Low Temp. Phys. 25, 145 (1976)", None),
    "LiTiS2": Host(
        "Li",
        Published(
            164,
            (3.455, 3.455, 6.195, 90, 90, 120),
            (("Li", 0.0, 0.0, 0.5), ("Ti", 0.0, 0.0, 0.0), ("S", 1 / 3, 2 / 3, 0.237)),
            "Dahn et al., Can. J. Phys. 58, 207 (1980)",
        ),
        2.1,
    ),
}  # fmt: skip


@cache
def load(name: str) -> Found:
    """A host by its name, or from the path of a CIF.

    Raises:
        InvalidRequest: it is neither, or the file holds no ordered crystal with sane distances.
    """
    return found(name, HOSTS[name].published) if name in HOSTS else read(name, "host", ", ".join(HOSTS))


def checked_name(name: str) -> str:
    """The name as it is known, in any case, or an absolute path; raises ValueError with the closest names."""
    return known_name(name, HOSTS, "host")

"""Known superconductors by name, from published crystallographic parameters; or a CIF, or a folder of them, of one's own."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from domains.errors import InvalidRequest
from domains.materials.published import FILES, Found, Published, found, known_name, read

FCC, BCC = 225, 229
HANDBOOK = "CRC Handbook of Chemistry and Physics"
MOST_FILES = 10_000


@dataclass(frozen=True)
class Conductor:
    """A superconductor and its measured Tc, K."""

    published: Published
    kelvin: float


def _element(symbol: str, space_group: int, a: float, kelvin: float) -> Conductor:
    return Conductor(Published(space_group, (a, a, a, 90, 90, 90), ((symbol, 0.0, 0.0, 0.0),), HANDBOOK), kelvin)


def _rock_salt(metal: str, other: str, a: float, source: str, kelvin: float) -> Conductor:
    sites = ((metal, 0.0, 0.0, 0.0), (other, 0.5, 0.5, 0.5))
    return Conductor(Published(FCC, (a, a, a, 90, 90, 90), sites, source), kelvin)


def _a15(metal: str, other: str, a: float, source: str, kelvin: float) -> Conductor:
    sites = ((metal, 0.25, 0.0, 0.5), (other, 0.0, 0.0, 0.0))
    return Conductor(Published(223, (a, a, a, 90, 90, 90), sites, source), kelvin)


BORIDE = Published(
    191,
    (3.086, 3.086, 3.524, 90, 90, 120),
    (("Mg", 0.0, 0.0, 0.0), ("B", 1 / 3, 2 / 3, 0.5)),
    "Nagamatsu et al., Nature 410, 63 (2001)",
)
CONDUCTORS: Mapping[str, Conductor] = {
    "Al": _element("Al", FCC, 4.0495, 1.175),
    "Pb": _element("Pb", FCC, 4.9502, 7.2),
    "V": _element("V", BCC, 3.024, 5.4),
    "Nb": _element("Nb", BCC, 3.3004, 9.25),
    "Ta": _element("Ta", BCC, 3.3029, 4.47),
    "NbN": _rock_salt("Nb", "N", 4.39, HANDBOOK, 16.0),
    "NbC": _rock_salt("Nb", "C", 4.47, HANDBOOK, 11.1),
    "Nb3Sn": _a15("Nb", "Sn", 5.29, HANDBOOK, 18.0),
    "V3Si": _a15("V", "Si", 4.725, HANDBOOK, 17.1),
    "MgB2": Conductor(BORIDE, 39.0),
}


def listed(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names with every folder replaced by its files, in the order of their names; raises InvalidRequest for an empty one."""
    made: list[str] = []
    for name in names:
        if name in CONDUCTORS or not Path(name).is_dir():
            made.append(name)
            continue
        files = sorted(str(path) for path in Path(name).iterdir() if path.suffix.casefold() in FILES)
        if not 0 < len(files) <= MOST_FILES:
            problem = f"the folder holds {len(files):,} crystals"
            raise InvalidRequest("materials", name, problem, f"1 to {MOST_FILES:,} files that end in {' '.join(FILES)}")
        made += files
    return tuple(dict.fromkeys(made))


@cache
def load(name: str) -> Found:
    """A superconductor by its name, or from the path of a CIF.

    Raises:
        InvalidRequest: it is neither, or the file holds no ordered crystal with sane distances.
    """
    if name in CONDUCTORS:
        return found(name, CONDUCTORS[name].published)
    return read(name, "materials", ", ".join(CONDUCTORS))


def checked_name(name: str) -> str:
    """The name as it is known, in any case, or an absolute path; raises ValueError with the closest names."""
    return known_name(name, CONDUCTORS, "material")

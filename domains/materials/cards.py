"""What a page says of candidates, cathodes and superconductors: plain dicts in, HTML in both languages out.

Energies are eV an atom and distances Å unless a key says otherwise. ``(en, zh)`` is a sentence in both languages; pictures and
figures are SVG. None stands where something was not computed, and the page says so.
"""

import re
from collections.abc import Sequence
from functools import cache
from typing import Any, Literal, TypedDict

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

Words = tuple[str, str]
Part = tuple[str, str, Markup]  # heading in English and Chinese, and what stands below


class Energy(TypedDict):
    """One energy of a candidate, and how it came about."""

    how: Literal[
        "evaluated", "relaxed", "reranked"
    ]  # at three volumes; cell and positions relaxed; by the second potential
    potential: str  # as "CHGNet 0.3.0"
    convention: str  # a member of Convention
    formation: float
    e_hull: float | None  # above the hull in this convention; below zero: under it


class Card(TypedDict):
    """A listed candidate."""

    rank: int
    formula: str  # "LiFePO4"
    prototype: str
    space_group: str  # "P6_3/mmc"
    space_group_number: int
    atoms: int  # in the cell
    volume: float  # Å³ an atom
    energies: Sequence[Energy]  # in the order in which they were computed
    e_hull: float | None  # by which it is ranked
    reference: Words  # the phases of that hull, as "Materials Project, 95,118 formulas"
    reasons: Sequence[Words]  # why it is here
    doubts: Sequence[Words]  # what speaks against it
    picture: str
    file: str  # its CIF, within the run's folder


class Step(TypedDict):
    """One step of a charge."""

    start: str  # formula before
    end: str  # formula after
    capacities: tuple[float, float]  # mAh/g taken out before and after
    volts: float
    volume_change: float  # % of the full host's volume, after the step


class End(TypedDict):
    """The full or the empty host."""

    formula: str
    space_group: str
    volume: float  # Å³ a formula unit
    e_hull: float | None
    reference: Words
    picture: str
    file: str


class Barrier(TypedDict):
    """A hop of the ion, by a nudged elastic band."""

    forward: float  # eV
    backward: float  # eV
    distance: float  # Å
    images: int
    atoms: int  # in the cell
    converged: bool
    figure: str


class Cathode(TypedDict):
    """A host and its ion."""

    host: str
    ion: str
    potential: str
    convention: str
    steps: Sequence[Step]
    mean_volts: float
    measured_volts: float | None
    measured_source: str
    capacity: float  # mAh/g
    energy_density: float  # Wh/kg of the full host
    volume_change: float  # % from full to empty
    curve: str
    ends: Sequence[End]
    barrier: Barrier | None
    no_barrier: Words  # why there is none; ("", "") where there is one
    doubts: Sequence[Words]


class Surrogate(TypedDict):
    """How well a model of measured Tc predicts chemical systems that it was not shown."""

    compositions: int
    systems: int
    r2: float
    mae: float  # K
    r2_random: float | None  # by a random split, for comparison: it flatters


class Coupled(TypedDict):
    """Electron-phonon coupling that was computed."""

    code: str  # as "Quantum ESPRESSO 6.7"
    strength: float  # lambda
    strength_range: tuple[float, float]
    omega_log: float  # K, weighted by the coupling
    tc: tuple[float, float]  # K, over mu* and broadening
    mu_star: tuple[float, float]


class Superconductor(TypedDict):
    """A candidate of the superconductor flow."""

    rank: int
    formula: str
    space_group: str
    space_group_number: int
    predicted: float | None  # K, by the surrogate of measured Tc
    predicted_error: float | None  # K
    e_hull: float | None
    reference: Words
    potential: str  # of the phonons
    lowest: float | None  # THz; below zero: imaginary
    stable: bool | None
    debye: float | None  # K
    mean_frequency: float | None  # K: logarithmic mean of the phonons, not weighted by any coupling
    coupled: Coupled | None
    inputs: str  # the folder of the electron-phonon inputs that were written; "" if none
    reasons: Sequence[Words]
    doubts: Sequence[Words]
    picture: str
    dos: str
    file: str


def cards(rows: Sequence[Card]) -> Markup:
    """The listed candidates as cards, and what their numbers mean."""
    return _markup("materials", "cards", [{**row, "picture": Markup(row["picture"])} for row in rows])


def cathode(found: Cathode) -> list[Part]:
    """Voltage, both ends and migration of a cathode: headings with what stands below them."""
    ends = [{**end, "picture": Markup(end["picture"])} for end in found["ends"]]
    band = found["barrier"] and {**found["barrier"], "figure": Markup(found["barrier"]["figure"])}
    shown = {**found, "ends": ends, "barrier": band, "curve": Markup(found["curve"])}
    return [
        ("Voltage", "电压", _markup("cathode", "voltage", shown)),
        ("Full and empty host", "满嵌与脱嵌结构", _markup("cathode", "ends", shown)),
        ("Migration of the ion", "离子迁移", _markup("cathode", "barrier", shown)),
    ]


def superconductors(rows: Sequence[Superconductor], surrogate: Surrogate | None) -> list[Part]:
    """The listed candidates with what is known of each, and how far the surrogate can be trusted."""
    shown = [{**row, "picture": Markup(row["picture"]), "dos": Markup(row["dos"])} for row in rows]
    return [
        ("Candidates", "候选材料", _markup("superconductor", "cards", shown)),
        ("Phonons", "声子", _markup("superconductor", "phonons", shown)),
        (
            "How far the prediction of Tc can be trusted",
            "Tc 预测的可信度",
            _markup("superconductor", "trust", surrogate),
        ),
    ]


def formula_html(formula: str) -> Markup:
    """``LiFePO<sub>4</sub>``."""
    return Markup(re.sub(r"([\d.]+)", r"<sub>\1</sub>", str(escape(formula))))


def space_group_html(symbol: str) -> Markup:
    """``P6_3/mmc`` and ``Fm-3m`` as they are printed: screw axes below the line, inversion axes with a bar."""
    barred = re.sub(r"-(\d)", r'<span style="text-decoration:overline">\1</span>', str(escape(symbol)))
    return Markup(re.sub(r"_(\d)", r"<sub>\1</sub>", barred))


@cache
def _templates() -> Environment:
    loader = PackageLoader("domains.materials", "")
    made = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    made.filters |= {"formula": formula_html, "space_group": space_group_html}
    return made


def _markup(template: str, macro: str, given: Any) -> Markup:
    return Markup(getattr(_templates().get_template(f"{template}.html.j2").module, macro)(given))

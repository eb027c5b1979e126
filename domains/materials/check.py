"""What must hold before a materials screen starts, and about what it will take."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
from ase.data import chemical_symbols

from domains.errors import InvalidRequest
from domains.materials import candidates, corrections, references
from domains.materials.phonons import suitable
from domains.materials.potential import Convention, Identity, load
from domains.materials.references import References
from domains.materials.request import MaterialsRequest
from domains.request import Outline, PlannedStage

# Seconds of one core, by potential: three volumes, a relaxation, one evaluation, and phonons of about ten atoms.
SCAN_S = {"chgnet": 0.04, "sevennet-l3i5": 0.8, "emt": 0.01}
RELAX_S = {"chgnet": 1.2, "sevennet-l3i5": 12.0, "emt": 0.1}
PHONON_POTENTIAL = {"emt": "emt"}  # others: SevenNet
PHONON_S = {"sevennet-l3i5": 30.0, "emt": 1.0}
HULL_S, LOAD_S = 1e-3, 10.0
# Formulas among candidates: several prototypes fit each.
FORMULAS = 0.5


@dataclass(frozen=True)
class MaterialsSearch:
    """A request that can run, with what it refers to."""

    request: MaterialsRequest
    potential: Identity
    second: Identity | None
    phonons: Identity | None
    references: References
    rows: pa.Table

    @property
    def label(self) -> str:
        """Goes into the run's name."""
        return "-".join(self.request.elements)

    @property
    def facts(self) -> dict[str, str]:
        """Checksums of what the request refers to: a resumed run must find the same."""
        return {"weights_sha256": self.potential.weights_sha256, "references_sha256": self.references.sha256}

    @property
    def summary(self) -> str:
        """One line for people."""
        wanted = self.request.n
        all_there_are = " (all there are)" if wanted is None or wanted > len(self.rows) else ""
        return f"Evaluating {len(self.rows):,} candidates{all_there_are} of {', '.join(self.request.elements)}"

    def plan(self) -> list[PlannedStage]:
        """The stages and about what they take; good to a factor of two."""
        return stages(self.request, len(self.rows))


def stages(request: MaterialsRequest, rows: int) -> list[PlannedStage]:
    """The stages for so many candidates."""
    name, phonons = request.potential, phonon_potential(request)
    formulas = max(1, round(FORMULAS * rows))
    relaxed = request.learning.counts(formulas)[0] if request.learning else request.relaxed(formulas)
    left = max(1, relaxed // 3)
    found = [
        PlannedStage("candidates", rows, 0.0),
        PlannedStage("scan", rows, LOAD_S + rows * SCAN_S[name]),
        PlannedStage("structures", rows, 0.0),
        PlannedStage("hull-scan", formulas, LOAD_S + formulas * HULL_S),
        PlannedStage("relax", relaxed, LOAD_S + relaxed * RELAX_S[name]),
        PlannedStage("hull", relaxed, LOAD_S + relaxed * HULL_S),
    ]
    if request.second:
        found.append(PlannedStage("second", left, LOAD_S + left * RELAX_S[request.second]))
    if phonons:
        many = min(left, request.phonons)
        found.append(PlannedStage("phonons", many, LOAD_S + many * PHONON_S[phonons]))
    return found


def phonon_potential(request: MaterialsRequest) -> str | None:
    """The potential that tests for imaginary modes; None where that is not asked for."""
    return PHONON_POTENTIAL.get(request.potential, "sevennet-l3i5") if request.phonons else None


def outline(request: MaterialsRequest) -> Outline:
    """The stages without the potentials, whose libraries take seconds to load."""
    rows = _listed(request)
    return Outline(stages(request, len(rows)), _too_few(request, rows))


def _listed(request: MaterialsRequest) -> pa.Table:
    return candidates.candidates(
        request.elements,
        request.n if request.n is not None else 10**7,
        request.seed,
        request.most_elements,
        request.most_atoms,
        request.alloys,
    )


def _too_few(request: MaterialsRequest, rows: pa.Table) -> InvalidRequest | None:
    if not len(rows):
        return InvalidRequest(
            "elements", ",".join(request.elements), "no prototype has a compound of these with balanced charges",
            "more elements, such as O or S, more atoms, or alloys",
        )  # fmt: skip
    if request.top > len(rows):
        return InvalidRequest("top", request.top, f"there are {len(rows):,} candidates", f"1 to {len(rows)}")
    return None


def check(request: MaterialsRequest) -> MaterialsSearch:
    """Load what a request names and list its candidates; raises InvalidRequest naming field, value and what is valid."""
    names = [request.potential, *([request.second] if request.second else [])]
    for field, name in zip(("potential", "second"), names, strict=False):
        _knows(field, name, request.elements)
    phonons = phonon_potential(request)
    if phonons:
        suitable(phonons)
    potential = Identity.of(request.potential)
    second = Identity.of(request.second) if request.second else None
    if second and Convention.emt in (potential.convention, second.convention):
        raise InvalidRequest(
            "second",
            request.second,
            f"its energies are not comparable with those of {request.potential}",
            "none (empty)",
        )
    known = references.choose(potential.convention, request.potential)
    if second:
        corrections.check(second.convention, known.convention, second.name)
    rows = _listed(request)
    if too_few := _too_few(request, rows):
        raise too_few
    return MaterialsSearch(request, potential, second, Identity.of(phonons) if phonons else None, known, rows)


def _knows(field: str, name: str, symbols: Sequence[str]) -> None:
    """Raises InvalidRequest where a potential lacks an element."""
    known = load(name).elements
    if missing := [symbol for symbol in symbols if chemical_symbols.index(symbol) not in known]:
        valid = "elements " + ", ".join(chemical_symbols[number] for number in sorted(known))
        raise InvalidRequest(field, name, f"it was not trained on {', '.join(missing)}", valid)

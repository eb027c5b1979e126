"""Which candidates hold together: the best structure of each formula, and its energy above the hull."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from domains.errors import InvalidRequest
from domains.materials import composition, corrections, formula, references
from domains.materials.crystal import COLUMNS, Crystal
from domains.materials.hull import Hull
from domains.materials.outcomes import Outcome
from domains.materials.potential import Convention
from domains.model import Frozen
from domains.selection import looked_up, marked

READS = ("formula", "energy_per_atom", "convention")
# Also read for energies without corrections: whether oxygen is bound to oxygen decides its correction.
READS_RAW = (*READS, *COLUMNS.names)
OUTPUT = pa.schema(
    [
        ("formation_energy", pa.float64()),  # all of them eV/atom, in the references' convention
        ("e_above_hull", pa.float64()),
        ("e_decomposition", pa.float64()),
        ("new", pa.bool_()),
        ("products", pa.string()),
    ]
)
HULL_S = 1e-3  # seconds a candidate in a system of its own, on one core of 2026

# No real compound lies so far below the hull of the known ones, or below its elements (La2Th8O19: -4.6), eV/atom.
IMPLAUSIBLE, IMPLAUSIBLE_FORMATION = -0.2, -5.0

Tables = Callable[[list[str]], Iterator[pa.Table]]


class HullSettings(Frozen):
    """What candidates are compared with."""

    references: str
    sha256: str


def settings_of(chosen: references.References) -> HullSettings:
    """Settings that pin these references."""
    return HullSettings(references=chosen.name, sha256=chosen.sha256)


def above_hull(batch: pa.Table, settings: HullSettings) -> pa.Table:
    """Compare each candidate with all known compounds. In: READS, or READS_RAW."""
    hull = _hull(settings)
    rows = [_compared(row, hull) for row in batch.select([*READS, *_structure(batch)]).to_pylist()]
    schema = pa.schema([("id", pa.int64()), *OUTPUT, ("outcome", pa.string()), ("reason", pa.string())])
    return pa.Table.from_pylist(
        [{"id": number, **row} for number, row in zip(batch["id"].to_pylist(), rows, strict=True)], schema=schema
    )


def _structure(batch: pa.Table) -> list[str]:
    return [name for name in COLUMNS.names if name in batch.column_names]


@cache
def _hull(settings: HullSettings) -> Hull:
    found = references.load(settings.references)
    if found.sha256 != settings.sha256:
        problem = "its content is not what it was when the run began"
        raise InvalidRequest("references", settings.references, problem, f"content with SHA-256 {settings.sha256}")
    return Hull(found)


def _compared(row: dict[str, object], hull: Hull) -> dict[str, object]:
    counts = formula.parse(str(row["formula"]))
    known = hull.references
    if problem := known.problem(counts.keys()):
        return {"outcome": Outcome.no_reference, "reason": problem}
    energy = known.formation_energy(_bridged(row, counts, known.convention), counts)
    found = hull.above(counts, energy)
    compared = {
        "formation_energy": energy,
        "e_above_hull": found.e_above_hull,
        "e_decomposition": found.e_decomposition,
        "new": found.new,
        "products": " + ".join(f"{share:.2f} {one}" for one, share in found.products.items()),
    }
    if energy < IMPLAUSIBLE_FORMATION:
        reason = f"formation energy {energy:.2f} eV/atom; no compound is below {IMPLAUSIBLE_FORMATION:g}"
        return {**compared, "outcome": Outcome.implausible, "reason": reason}
    if known.compounds and found.e_above_hull < IMPLAUSIBLE:
        reason = f"{-found.e_above_hull:.2f} eV/atom below the hull; above {-IMPLAUSIBLE:g} is an artefact"
        return {**compared, "outcome": Outcome.implausible, "reason": reason}
    return {**compared, "outcome": Outcome.ok}


def _bridged(row: dict[str, object], counts: dict[str, int], target: Convention) -> float:
    """The energy in the references' convention, eV/atom."""
    source = Convention(str(row["convention"]))
    has_oxygen = source != target and "O" in counts and "numbers" in row
    oxygen = corrections.kind_of_oxygen(Crystal.from_row(row)) if has_oxygen else "oxide"
    energy = row["energy_per_atom"]
    assert isinstance(energy, float)
    return energy + corrections.correction(counts, source, target, oxygen)


def best_prototypes(source: Tables) -> "MarkWorse":
    """Find for each formula the structure of the lowest energy; ties go to the lowest id. Reads id, formula, energy.

    Energies must be of one convention, and a formula spelled alike in all rows. Needs about 100 bytes a row.
    """
    tables = [pa.table({"id": pa.array([], pa.int64()), "formula": [], "energy_per_atom": []}, SCANNED)]
    tables += [table.cast(SCANNED) for table in source(SCANNED.names)]
    whole = pa.concat_tables(tables)
    ids, energies = whole["id"].to_numpy(), whole["energy_per_atom"].to_numpy()
    codes = pc.dictionary_encode(whole["formula"].combine_chunks()).indices.to_numpy()
    order = np.lexsort((ids, energies, codes))
    worse = np.zeros(len(order), bool)
    worse[1:] = codes[order][1:] == codes[order][:-1]
    best = order[np.maximum.accumulate(np.where(worse, 0, np.arange(len(order))))]
    by_id = np.argsort(ids[order[worse]])
    rows, better = order[worse][by_id], best[worse][by_id]
    return MarkWorse(ids[rows], ids[better], energies[rows] - energies[better])


SCANNED = pa.schema([("id", pa.int64()), ("formula", pa.string()), ("energy_per_atom", pa.float64())])


class MarkWorse:
    """The batch function that ends all but the best structure of each formula."""

    def __init__(self, ids: np.ndarray, better: np.ndarray, excess: np.ndarray) -> None:
        self.ids, self.better, self.excess = ids, better, excess

    def __call__(self, batch: pa.Table, settings: Frozen) -> pa.Table:
        """Mark each row of a batch. In: id."""
        at, worse = looked_up(batch, self.ids)
        outcomes = [Outcome.worse_prototype if one else Outcome.ok for one in worse]
        reasons = [
            f"row {self.better[i]} of this formula is {self.excess[i]:.3f} eV/atom lower" if one else None
            for one, i in zip(worse, at, strict=True)
        ]
        return marked(batch, outcomes, reasons)


@dataclass(frozen=True, eq=False)
class HullPoints:
    """The hull of a system of k elements, to be drawn: m compounds, those on it, and the tie lines between these.

    ``names`` (m,); ``fractions`` (m, k) atomic, columns as ``system``; ``energies`` (m,) of formation, eV/atom;
    ``stable`` (m,); ``ties`` (t, 2) positions of the ends.
    """

    system: tuple[str, ...]
    names: Sequence[str]
    fractions: np.ndarray
    energies: np.ndarray
    stable: np.ndarray
    ties: np.ndarray


def hull_points(settings: HullSettings, system: Sequence[str]) -> HullPoints:
    """The hull of a system, elements in the order given."""
    facets = _hull(settings).facets(tuple(system), "")
    pairs = np.array([(i, j) for i in range(len(system)) for j in range(i)], int).reshape(-1, 2)
    ties = np.unique(np.sort(facets.corners[:, pairs].reshape(-1, 2), axis=1), axis=0)
    stable = np.isin(np.arange(len(facets.names)), facets.corners)
    return HullPoints(tuple(system), facets.names, facets.fractions, facets.energies, stable, ties)


def place(formulas: Sequence[str], system: Sequence[str]) -> np.ndarray:
    """Atomic fractions (n, k) of formulas in a system, to be drawn with its hull."""
    columns = [composition.NUMBERS[symbol] - 1 for symbol in system]
    return composition.fractions(formulas)[:, columns]

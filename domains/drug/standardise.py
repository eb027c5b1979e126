"""From a structure as text to one clean, neutral parent molecule and its InChIKey."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from zlib import crc32

import numpy as np
import pyarrow as pa
from rdkit import Chem, rdBase
from rdkit.Chem import inchi
from rdkit.Chem.MolStandardize import rdMolStandardize

from domains.drug.outcomes import Outcome
from domains.model import Frozen
from domains.selection import looked_up, marked

OUTPUT = pa.schema([("smiles", pa.string()), ("inchikey", pa.string())])
SCHEMA = pa.schema([("id", pa.int64()), *OUTPUT, ("outcome", pa.string()), ("reason", pa.string())])
MAX_CHARACTERS = 4_000


class StandardiseSettings(Frozen):
    """Limits of what counts as a small molecule."""

    max_heavy_atoms: int = 200


class _Refused(Exception):
    def __init__(self, outcome: Outcome, reason: str) -> None:
        self.outcome, self.reason = outcome, reason


def accept(batch: pa.Table, settings: Frozen) -> pa.Table:
    """Turn a reader's problem into the outcome ``unreadable``; all other records go on as they are."""
    problems = batch["problem"].to_pylist()
    outcomes = [Outcome.unreadable if problem else Outcome.ok for problem in problems]
    return marked(batch, outcomes, problems)


def standardise(batch: pa.Table, settings: StandardiseSettings) -> pa.Table:
    """Keep the largest fragment, neutralise it, write canonical SMILES and InChIKey. In: id, structure."""
    with rdBase.BlockLogs():
        rows = [
            _row(*row, settings) for row in zip(batch["id"].to_pylist(), batch["structure"].to_pylist(), strict=True)
        ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _row(number: int, structure: str, settings: StandardiseSettings) -> dict[str, object]:
    row: dict[str, object] = {"id": number, "smiles": None, "inchikey": None, "outcome": Outcome.ok, "reason": None}
    try:
        parent = _parent(structure, settings.max_heavy_atoms)
        row["smiles"], row["inchikey"] = Chem.MolToSmiles(parent), inchi.MolToInchiKey(parent)
        if not row["inchikey"]:
            raise _Refused(Outcome.bad_smiles, "no InChIKey can be computed")
    except _Refused as refused:
        row.update(outcome=refused.outcome, reason=refused.reason, smiles=None, inchikey=None)
    return row


def _parent(structure: str, max_heavy_atoms: int) -> Chem.Mol:
    # The size is checked before each step whose cost grows faster than the molecule.
    is_block = "\n" in structure
    if not structure:
        raise _Refused(Outcome.bad_smiles, "empty structure")
    if not is_block and len(structure) > MAX_CHARACTERS:
        raise _Refused(Outcome.too_large, f"SMILES of {len(structure):,} characters")
    mol = Chem.MolFromMolBlock(structure) if is_block else Chem.MolFromSmiles(structure)
    if mol is None:
        raise _Refused(
            Outcome.bad_smiles, "not a valid mol block" if is_block else f"not a valid SMILES: {structure[:60]}"
        )
    if mol.GetNumHeavyAtoms() == 0:
        raise _Refused(Outcome.bad_smiles, "no heavy atoms")
    if mol.GetNumHeavyAtoms() > 2 * max_heavy_atoms:
        raise _Refused(Outcome.too_large, f"{mol.GetNumHeavyAtoms()} heavy atoms")
    try:
        parent = rdMolStandardize.FragmentParent(mol)
        parent = rdMolStandardize.Uncharger().uncharge(parent)
        Chem.SanitizeMol(parent)  # uncharging leaves ring information unset
    except (ValueError, RuntimeError) as error:
        raise _Refused(Outcome.bad_smiles, f"cannot be standardised: {str(error).splitlines()[0][:120]}") from None
    if parent.GetNumHeavyAtoms() > max_heavy_atoms:
        raise _Refused(Outcome.too_large, f"{parent.GetNumHeavyAtoms()} heavy atoms")
    return parent


Tables = Callable[[list[str]], Iterator[pa.Table]]


# An InChIKey and the row that has it, as they lie in a bucket file.
KEYED = np.dtype([("key", "S27"), ("id", "<i8")])


def duplicates(source: Tables, rows: int, bucket_rows: int = 250_000) -> "MarkDuplicates":
    """Find every row whose InChIKey an earlier row (lower id) has.

    Exact, and memory stays bounded: keys go to bucket files by their hash, then each bucket of about ``bucket_rows`` rows
    is compared by itself. What is kept is 16 bytes for each duplicate found.
    """
    buckets = -(-rows // bucket_rows) or 1
    with tempfile.TemporaryDirectory(prefix="ai4s-") as folder, contextlib.ExitStack() as files:
        paths = [Path(folder, str(bucket)) for bucket in range(buckets)]
        opened = [files.enter_context(path.open("wb")) for path in paths]
        for table in source(["id", "inchikey"]):
            keyed = np.empty(len(table), KEYED)
            keyed["key"], keyed["id"] = table["inchikey"].to_pylist(), table["id"].to_numpy()
            bucket_of = np.fromiter((crc32(key) % buckets for key in keyed["key"]), np.int64, len(keyed))
            for bucket in np.unique(bucket_of):
                opened[bucket].write(keyed[bucket_of == bucket].tobytes())
        files.close()
        found = [_repeated(np.fromfile(path, KEYED)) for path in paths]
    ids, firsts = np.concatenate([ids for ids, _ in found]), np.concatenate([firsts for _, firsts in found])
    order = np.argsort(ids)
    return MarkDuplicates(ids[order], firsts[order])


def _repeated(keyed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ids of the rows whose key a lower id has, and for each that lowest id."""
    keyed = keyed[np.lexsort((keyed["id"], keyed["key"]))]
    again = np.zeros(len(keyed), bool)
    again[1:] = keyed["key"][1:] == keyed["key"][:-1]
    first = np.maximum.accumulate(np.where(again, 0, np.arange(len(keyed))))
    return keyed["id"][again], keyed["id"][first[again]]


class MarkDuplicates:
    """The batch function of the deduplicate stage: a row is ``duplicate`` when its id is among those found."""

    def __init__(self, ids: np.ndarray, firsts: np.ndarray) -> None:
        self.ids, self.firsts = ids, firsts

    def __call__(self, batch: pa.Table, settings: Frozen) -> pa.Table:
        """Mark each row of a batch. In: id."""
        at, again = looked_up(batch, self.ids)
        outcomes = [Outcome.duplicate if twice else Outcome.ok for twice in again]
        reasons = [
            f"same molecule as row {self.firsts[i]}" if twice else None for twice, i in zip(again, at, strict=True)
        ]
        return marked(batch, outcomes, reasons)

"""Libraries of molecules: read as a stream, so that memory does not grow with the file.

A record is one candidate whatever it holds: one that cannot be read keeps its row, with the problem named.
Structures stay text here (SMILES or a mol block) and are parsed where the stage runs, in parallel.
"""

import csv
import gzip
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from rdkit import RDConfig

from domains.errors import InvalidRequest

# Real molecules that come with RDKit (BSD): NCI open set and the WEHI screening collection.
SHIPPED = {
    "nci-5k": Path(RDConfig.RDDataDir, "NCI", "first_5K.smi"),
    "wehi-10k": Path(RDConfig.RDDataDir, "Pains", "test_data", "wehi_mols.csv"),
}
SCHEMA = pa.schema([("id", pa.int64()), ("name", pa.string()), ("structure", pa.string()), ("problem", pa.string())])
SMILES_COLUMNS = ("smiles", "canonical_smiles", "isomeric_smiles", "structure", "mol")
NAME_COLUMNS = ("name", "id", "title", "compound_id", "molecule", "mol_id", "cid", "zinc_id", "chembl_id")
BATCH_ROWS = 10_000
MAX_RECORD_CHARACTERS = 1_000_000


class Record(NamedTuple):
    """One entry of a library file as text."""

    name: str
    structure: str
    problem: str | None = None


def _text(path: Path) -> IO[str]:
    # Spreadsheets write byte-order marks and local encodings; structures are ASCII, so only a name can suffer.
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", errors="replace", newline="")
    return path.open(encoding="utf-8-sig", errors="replace", newline="")


def _smiles(path: Path) -> Iterator[Record]:
    with _text(path) as lines:
        for number, line in enumerate(lines):
            fields = line.split(maxsplit=1)
            if not fields or fields[0].startswith("#") or (number == 0 and fields[0].casefold() in SMILES_COLUMNS):
                continue
            yield Record(fields[1].strip() if len(fields) > 1 else "", fields[0])


def _column(header: list[str], wanted: tuple[str, ...]) -> int | None:
    folded = [name.strip().casefold() for name in header]
    return next((folded.index(name) for name in wanted if name in folded), None)


def _smiles_column(path: Path, header: list[str]) -> int:
    found = _column(header, SMILES_COLUMNS)
    if found is None:
        raise InvalidRequest(
            "library", str(path), f"no SMILES column among {header[:12]}", f"a column named {SMILES_COLUMNS[0]}"
        )
    return found


def _csv(path: Path) -> Iterator[Record]:
    delimiter = "\t" if path.name.removesuffix(".gz").endswith(".tsv") else ","
    with _text(path) as lines:
        # Line by line: one unbalanced quote must not swallow the records after it.
        rows = (_fields(line, delimiter) for line in lines if line.strip())
        if path == SHIPPED["wehi-10k"]:
            smiles_at, name_at = 0, cast("int | None", 1)  # this one has no header
        else:
            header = next(rows, None) or []
            smiles_at, name_at = _smiles_column(path, header), _column(header, NAME_COLUMNS)
        for row in rows:
            if row is None:
                yield Record("", "", "a quote that is not closed")
                continue
            if smiles_at >= len(row):
                yield Record("", "", f"only {len(row)} fields in the row")
                continue
            name = row[name_at] if name_at is not None and name_at < len(row) else ""
            yield Record(name.strip(), row[smiles_at].strip())


def _fields(line: str, delimiter: str) -> list[str] | None:
    try:
        return next(csv.reader([line.replace("\0", "").rstrip("\r\n")], delimiter=delimiter, strict=True))
    except csv.Error:
        return None


def _sdf(path: Path) -> Iterator[Record]:
    block: list[str] = []
    size = 0
    with _text(path) as lines:
        for line in lines:
            if line.startswith("$$$$"):
                yield _sdf_record(block, size)
                block, size = [], 0
                continue
            size += len(line)
            if size <= MAX_RECORD_CHARACTERS:
                block.append(line)
    if "".join(block).strip():
        yield _sdf_record(block, size)


def _sdf_record(block: list[str], size: int) -> Record:
    name = block[0].strip() if block else ""
    if size > MAX_RECORD_CHARACTERS:
        return Record(name, "", f"record of {size:,} characters")
    end = next((at for at, line in enumerate(block) if line.startswith("M  END")), None)
    if end is None:
        return Record(name, "", "record without M  END")
    return Record(name, "".join(block[: end + 1]))


def _parquet(path: Path) -> Iterator[Record]:
    file = pq.ParquetFile(path)
    header = file.schema_arrow.names
    smiles = header[_smiles_column(path, header)]
    name_at = _column(header, NAME_COLUMNS)
    columns = [smiles] if name_at is None else [smiles, header[name_at]]
    for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=columns):
        # By position: a file may have two columns of one name.
        structures, *named = (batch.column(batch.schema.get_all_field_indices(column)[0]) for column in columns)
        names = named[0].to_pylist() if named else [""] * len(batch)
        for name, structure in zip(names, structures.to_pylist(), strict=True):
            text = "" if structure is None else str(structure).strip()
            yield Record("" if name is None else str(name), text, None if text else "no SMILES in the row")


READERS: dict[str, Callable[[Path], Iterator[Record]]] = {
    ".smi": _smiles,
    ".smiles": _smiles,
    ".ism": _smiles,
    ".txt": _smiles,
    ".csv": _csv,
    ".tsv": _csv,
    ".sdf": _sdf,
    ".sd": _sdf,
    ".parquet": _parquet,
}


@dataclass(frozen=True)
class Library:
    """A library file that was read through once: it exists, has records, and its content has this checksum."""

    name: str
    path: Path
    rows: int
    sha256: str

    def tables(self, sample: int | None = None, seed: int = 0) -> Iterator[pa.Table]:
        """Stream the records as tables of SCHEMA; ``id`` is the record's number in the file, from 0.

        With ``sample``, only that many records, drawn without replacement by a generator of this seed.
        """
        rows = _records(self.path)
        if sample is None or sample >= self.rows:
            yield from _tables(enumerate(rows))
            return
        chosen = np.sort(np.random.default_rng(seed).choice(self.rows, sample, replace=False, shuffle=False))
        yield from _tables(_pick(rows, iter(chosen.tolist())))


def _pick(rows: Iterator[Record], wanted: Iterator[int]) -> Iterator[tuple[int, Record]]:
    target = next(wanted, None)
    for number, record in enumerate(rows):
        if target is None:
            return
        if number == target:
            yield number, record
            target = next(wanted, None)


def _tables(numbered: Iterator[tuple[int, Record]]) -> Iterator[pa.Table]:
    ids: list[int] = []
    records: list[Record] = []
    for number, record in numbered:
        ids.append(number)
        records.append(record)
        if len(ids) == BATCH_ROWS:
            yield _table(ids, records)
            ids, records = [], []
    if ids:
        yield _table(ids, records)


def _table(ids: list[int], records: list[Record]) -> pa.Table:
    names, structures, problems = zip(*records, strict=True)
    names = tuple(" ".join(name.split()) for name in names)  # one line: it becomes a title in SDF
    return pa.table(
        [pa.array(ids, pa.int64()), pa.array(names), pa.array(structures), pa.array(problems, pa.string())],
        schema=SCHEMA,
    )


def _records(path: Path) -> Iterator[Record]:
    suffix = Path(path.name.removesuffix(".gz")).suffix.lower()
    return READERS[suffix](path)


def open_library(name: str) -> Library:
    """Find a shipped library or a file and read it through once; raises InvalidRequest for every way it can be unfit."""
    path = SHIPPED.get(name, Path(name))
    suffix = Path(path.name.removesuffix(".gz")).suffix.lower()
    try:
        if not path.exists():
            raise InvalidRequest("library", name, "no such file", f"{', '.join(SHIPPED)}, or the path of a file")
        if not path.is_file():
            raise InvalidRequest("library", name, "is not a file", "the path of one library file")
    except OSError as error:
        raise InvalidRequest("library", name, f"cannot be read ({error.strerror})", "a readable file") from None
    if suffix not in READERS or (path.suffix == ".gz" and suffix == ".parquet"):
        raise InvalidRequest(
            "library",
            name,
            f"unknown type {path.suffix or 'without a suffix'}",
            f"{' '.join(READERS)} (text types also .gz)",
        )
    try:
        rows = sum(1 for _ in _records(path))
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except InvalidRequest:
        raise
    except (OSError, EOFError, ValueError, csv.Error, pa.ArrowException) as error:
        raise InvalidRequest("library", name, f"cannot be read ({error})", "a readable, undamaged file") from None
    if rows == 0:
        raise InvalidRequest("library", name, "holds no records", "a file with at least one molecule")
    return Library(name if name in SHIPPED else path.name, path, rows, sha256)

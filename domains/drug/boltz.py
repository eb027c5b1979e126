"""Boltz-2 as a program in its own environment: structure and affinity of a protein with one ligand, a batch at a time.

Its packages do not fit beside ours (numpy < 2), so it is a subprocess, found by AI4S_BOLTZ or on PATH. Its weights are the
user's, gigabytes in BOLTZ_CACHE. Without either it does not run and says what it needs. One process takes a directory of
inputs: a process for each ligand would load the model each time.

``predict`` does all of it here. ``write`` and ``read`` are its two ends, for a run on another machine.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Self

import pyarrow as pa
import yaml
from pydantic import Field, computed_field, field_validator, model_validator
from rdkit import Chem, rdBase

from domains import command
from domains.drug.outcomes import Outcome
from domains.errors import InvalidRequest
from domains.model import Frozen, absolute_path

EXECUTABLE, CACHE = "AI4S_BOLTZ", "BOLTZ_CACHE"
# What boltz 2.2 would fetch from the network itself if it were not there.
WEIGHTS = ("boltz2_conf.ckpt", "boltz2_aff.ckpt", "mols")
MOST_ATOMS = 128  # of a ligand, as RDKit's RemoveHs leaves them; the model was trained on 56 at most
NO_MSA = "empty"
LIGAND_CHAIN = "LIG"
# Where the program puts what it makes of a folder called inputs.
INPUTS, RESULTS = "inputs", "boltz_results_inputs"
CONFIDENCE = ("confidence_score", "ptm", "iptm", "ligand_iptm", "complex_plddt")
OUTPUT = pa.schema(
    [
        ("affinity_probability_binary", pa.float64()),  # 0 to 1, that it binds at all: to find hits
        ("affinity_pred_value", pa.float64()),  # log10 of IC50 in µM, lower is stronger: to compare binders only
        *((name, pa.float64()) for name in CONFIDENCE),
        ("structure", pa.string()),  # mmCIF of the best model
    ]
)
MSA_WARNING = (
    "without an alignment (msa: empty) Boltz-2 is much less accurate; give an .a3m file for each chain",
    "未提供多序列比对（msa: empty），Boltz-2 准确度明显下降；请为每条链提供 .a3m 文件",
)


class Chain(Frozen):
    """A protein chain and its alignment: the path of an .a3m or .csv file, or ``empty`` for none, said explicitly.

    The alignment's checksum decides a prediction, its path does not.
    """

    id: str = Field(pattern=r"^[A-Z]$")
    sequence: str = Field(pattern=r"^[ACDEFGHIKLMNPQRSTVWYX]+$")
    msa: str = Field(exclude=True)

    @field_validator("msa")
    @classmethod
    def _absolute(cls, msa: str) -> str:
        return msa if msa == NO_MSA else absolute_path(msa)

    @model_validator(mode="after")
    def _aligned(self) -> Self:
        path = Path(self.msa)
        if self.msa == NO_MSA:
            return self
        if path.suffix not in (".a3m", ".csv") or not path.is_file():
            raise ValueError(f"msa: no file {path} that ends in .a3m or .csv; give one, or {NO_MSA!r} to do without")
        if path.suffix == ".a3m" and _query(path.read_text()) != self.sequence:
            raise ValueError(f"msa: the first sequence of {path} is not the chain's, so it is of another protein")
        return self

    @computed_field  # type: ignore[prop-decorator]
    @property
    def msa_sha256(self) -> str:
        """Checksum of the alignment; empty where there is none."""
        return "" if self.msa == NO_MSA else hashlib.sha256(Path(self.msa).read_bytes()).hexdigest()


def _query(a3m: str) -> str:
    """The first sequence of an alignment; ColabFold puts a line of lengths before it."""
    lines = [line.strip() for line in a3m.splitlines() if line.strip() and not line.startswith("#")]
    ends = [at for at, line in enumerate(lines) if line.startswith(">")] + [len(lines)]
    return "".join(lines[ends[0] + 1 : ends[1]]) if len(ends) > 1 else ""


class BoltzSettings(Frozen):
    """What decides a prediction besides the ligand; where the program and its weights lie does not."""

    chains: tuple[Chain, ...] = Field(min_length=1)
    seed: int = Field(ge=0)  # no default: unseeded runs of one input differ widely
    accelerator: Literal["gpu", "cpu"] = "gpu"
    molecule_limit_s: float = Field(1200.0, gt=0, exclude=True)  # a batch has as many of it as molecules
    executable: Path = Field(exclude=True)
    cache: Path = Field(exclude=True)

    @property
    def warnings(self) -> tuple[tuple[str, str], ...]:
        """What a reader of the results must know, in English and Chinese."""
        return (MSA_WARNING,) if any(chain.msa == NO_MSA for chain in self.chains) else ()


def here(chains: Sequence[Chain], seed: int, accelerator: Literal["gpu", "cpu"] = "gpu") -> BoltzSettings:
    """Settings for the program and weights of this machine; raises InvalidRequest that says what is missing."""
    program, missing = executable(), state()
    if program is None or missing:
        raise InvalidRequest(
            "engine", "boltz-2", missing, "write its inputs, and read what another machine made of them"
        )
    return BoltzSettings(
        chains=tuple(chains), seed=seed, accelerator=accelerator, executable=program, cache=cache_folder()
    )


def executable() -> Path | None:
    """The boltz program: AI4S_BOLTZ, or on PATH."""
    path = shutil.which(os.environ.get(EXECUTABLE) or "boltz")
    return Path(absolute_path(path)) if path else None


def cache_folder() -> Path:
    """Where the weights are looked for: BOLTZ_CACHE, or boltz's own default."""
    return Path(absolute_path(os.environ.get(CACHE) or "~/.boltz"))


def state() -> str:
    """Empty where it can run; else what is missing and where it was looked for."""
    needs, named = [], os.environ.get(EXECUTABLE)
    if executable() is None:
        needs.append(f"needs binary: no {named or 'boltz on PATH'} (set {EXECUTABLE} to its path)")
    missing = [name for name in WEIGHTS if not (cache_folder() / name).exists()]
    if missing:
        needs.append(f"needs weights: no {', '.join(missing)} in {cache_folder()} (set {CACHE})")
    return "; ".join(needs)


def predict(batch: pa.Table, settings: BoltzSettings) -> pa.Table:
    """Predict every molecule of a batch (id, smiles) with one run of the program; a row out for each row in."""
    with tempfile.TemporaryDirectory(prefix="ai4s-boltz-") as name:
        folder = Path(name)
        wanted = write(batch, settings.chains, folder / INPUTS)
        finished = _run(settings, folder, wanted) if wanted else None
        return read(batch, folder / RESULTS, finished)


def write(batch: pa.Table, chains: Sequence[Chain], folder: Path) -> int:
    """Write an input for each molecule of a batch (id, smiles) that the model takes; returns how many."""
    folder.mkdir(parents=True)
    wanted = [row for row in batch.select(["id", "smiles"]).to_pylist() if unfit(row["smiles"]) is None]
    for row in wanted:
        (folder / f"{stem(row['id'])}.yaml").write_text(document(row["smiles"], chains))
    return len(wanted)


def read(batch: pa.Table, results: Path, finished: command.Finished | None = None) -> pa.Table:
    """What the program made of a batch, a row for each row: columns of OUTPUT, or the outcome that says why there are none.

    ``results`` is the folder boltz_results_* that it wrote; ``finished`` is how it ended, where that is known.
    """
    made = [
        {"id": row["id"], **(unfit(row["smiles"]) or _prediction(results, stem(row["id"]), finished))}
        for row in batch.select(["id", "smiles"]).to_pylist()
    ]
    schema = pa.schema([("id", pa.int64()), *OUTPUT, ("outcome", pa.string()), ("reason", pa.string())])
    return pa.Table.from_pylist(made, schema=schema)


def stem(number: int) -> str:
    """What a molecule's files are called."""
    return f"m{number}"


def unfit(smiles: str) -> dict[str, Any] | None:
    """Why a molecule cannot be asked for, as a row's outcome and reason."""
    with rdBase.BlockLogs():
        mol = Chem.MolFromSmiles(smiles)
    if mol is None:
        return {"outcome": Outcome.bad_smiles, "reason": "RDKit cannot read it"}
    parts, atoms = len(Chem.GetMolFrags(mol)), mol.GetNumAtoms()
    if parts != 1:
        return {"outcome": Outcome.bad_smiles, "reason": f"{parts} molecules in one SMILES; Boltz-2 takes one"}
    if atoms > MOST_ATOMS:
        return {"outcome": Outcome.too_large, "reason": f"{atoms} atoms; Boltz-2 takes {MOST_ATOMS}"}
    return None


def document(smiles: str, chains: Sequence[Chain]) -> str:
    """One input as YAML: the chains with their alignments, the ligand, and that its affinity is asked for."""
    proteins = [{"protein": {"id": one.id, "sequence": one.sequence, "msa": one.msa}} for one in chains]
    content = {
        "version": 1,
        "sequences": [*proteins, {"ligand": {"id": LIGAND_CHAIN, "smiles": smiles}}],
        "properties": [{"affinity": {"binder": LIGAND_CHAIN}}],
    }
    return yaml.safe_dump(content, sort_keys=False, width=10_000)


def _run(settings: BoltzSettings, folder: Path, molecules: int) -> command.Finished:
    arguments: list[str | Path] = [
        settings.executable, "predict", folder / INPUTS, "--out_dir", folder, "--cache", settings.cache,
        "--seed", str(settings.seed), "--accelerator", settings.accelerator, "--output_format", "mmcif",
    ]  # fmt: skip
    return command.run(arguments, folder, molecules * settings.molecule_limit_s, lift_memory=True)


def _prediction(results: Path, name: str, finished: command.Finished | None) -> dict[str, Any]:
    folder = results / "predictions" / name
    try:
        affinity = json.loads((folder / f"affinity_{name}.json").read_text())
        confidence = json.loads((folder / f"confidence_{name}_model_0.json").read_text())
        values = {one: float(affinity[one]) for one in OUTPUT.names[:2]}
        values |= {one: float(confidence[one]) for one in CONFIDENCE}
        structure = (folder / f"{name}_model_0.cif").read_text()
    except FileNotFoundError as error:
        return _without(finished, Path(str(error.filename)).name)
    except (ValueError, KeyError, TypeError) as error:
        return {"outcome": Outcome.engine_error, "reason": f"its result cannot be read: {type(error).__name__} {error}"}
    if not 0 <= values["affinity_probability_binary"] <= 1:
        probability = values["affinity_probability_binary"]
        return {"outcome": Outcome.implausible, "reason": f"affinity_probability_binary = {probability:g}"}
    return {"outcome": Outcome.ok, "reason": None, "structure": structure, **values}


def _without(finished: command.Finished | None, missing: str) -> dict[str, Any]:
    if finished is not None and finished.timed_out:
        return {"outcome": Outcome.timeout, "reason": "boltz was stopped at its time limit before this molecule"}
    if finished is not None and finished.code != 0:
        return {
            "outcome": Outcome.engine_error,
            "reason": f"boltz ended with code {finished.code}: {finished.last_line}",
        }
    # Boltz goes on after a ligand that does not fit into the GPU's memory, and says so in passing.
    why = " (it ran out of memory)" if finished is not None and "out of memory" in finished.output else ""
    return {"outcome": Outcome.engine_error, "reason": f"boltz wrote no {missing}{why}"}

"""Boltz-2 as a program in its own environment: structure and affinity of a protein with one ligand, a batch at a time.

Its packages do not fit beside ours (numpy < 2), so it is a subprocess, found by AI4S_BOLTZ or on PATH. Its weights are the
user's, gigabytes in BOLTZ_CACHE. Without either it does not run and says what it needs. One process takes a directory of
inputs: a process for each ligand would load the model each time.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import pyarrow as pa
import yaml
from pydantic import Field, model_validator
from rdkit import Chem, rdBase

from domains.drug import command
from domains.drug.outcomes import Outcome
from domains.model import Frozen

EXECUTABLE, CACHE = "AI4S_BOLTZ", "BOLTZ_CACHE"
# What boltz 2.2 would fetch from the network itself if it were not there.
WEIGHTS = ("boltz2_conf.ckpt", "boltz2_aff.ckpt", "mols")
MOST_ATOMS = 128  # of a ligand, as RDKit's RemoveHs leaves them; the model was trained on 56 at most
NO_MSA = "empty"
LIGAND_CHAIN = "LIG"
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
    """A protein chain and its alignment: the path of an .a3m or .csv file, or ``empty`` for none, said explicitly."""

    id: str = Field(pattern=r"^[A-Z]$")
    sequence: str = Field(pattern=r"^[ACDEFGHIKLMNPQRSTVWYX]+$")
    msa: str


class BoltzSettings(Frozen):
    """What decides a prediction besides the ligand; where the program and its weights lie does not."""

    chains: tuple[Chain, ...] = Field(min_length=1)
    seed: int = Field(ge=0)  # no default: unseeded runs of one input differ widely
    accelerator: Literal["gpu", "cpu"] = "gpu"
    limit_s: float = Field(3600.0, gt=0, exclude=True)
    executable: Path = Field(exclude=True)
    cache: Path = Field(exclude=True)

    @model_validator(mode="after")
    def _alignments_exist(self) -> Self:
        for chain in self.chains:
            if chain.msa != NO_MSA and not Path(chain.msa).is_file():
                raise ValueError(
                    f"chains.{chain.id}.msa: no file {chain.msa}; an .a3m file, or {NO_MSA!r} to do without"
                )
        return self

    @property
    def warnings(self) -> tuple[tuple[str, str], ...]:
        """What a reader of the results must know, in English and Chinese."""
        return (MSA_WARNING,) if any(chain.msa == NO_MSA for chain in self.chains) else ()


def executable() -> Path | None:
    """The boltz program: AI4S_BOLTZ, or on PATH."""
    named = os.environ.get(EXECUTABLE)
    path = shutil.which(named or "boltz")
    return Path(path) if path else None


def cache_folder() -> Path:
    """Where the weights are looked for: BOLTZ_CACHE, or boltz's own default."""
    return Path(os.environ.get(CACHE) or Path.home() / ".boltz")


def state() -> str:
    """Empty where it can run; else what is missing and where it was looked for."""
    if executable() is None:
        return f"needs binary: no boltz at {os.environ.get(EXECUTABLE) or 'PATH'} (set {EXECUTABLE} to its path)"
    missing = [name for name in WEIGHTS if not (cache_folder() / name).exists()]
    return f"needs weights: no {', '.join(missing)} in {cache_folder()} (set {CACHE})" if missing else ""


def predict(batch: pa.Table, settings: BoltzSettings) -> pa.Table:
    """Predict every molecule of a batch (id, smiles) with one run of the program; a row out for each row in."""
    rows = batch.select(["id", "smiles"]).to_pylist()
    refused = {row["id"]: problem for row in rows if (problem := unfit(row["smiles"])) is not None}
    with tempfile.TemporaryDirectory(prefix="ai4s-boltz-") as name:
        folder = Path(name)
        wanted = [row for row in rows if row["id"] not in refused]
        finished = _run(wanted, settings, folder) if wanted else None
        made = [
            {"id": row["id"], **(refused.get(row["id"]) or read(folder, stem(row["id"]), finished))} for row in rows
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
    atoms = mol.GetNumAtoms()
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


def _run(rows: Sequence[Mapping[str, Any]], settings: BoltzSettings, folder: Path) -> command.Finished:
    inputs = folder / "inputs"
    inputs.mkdir()
    for row in rows:
        (inputs / f"{stem(row['id'])}.yaml").write_text(document(row["smiles"], settings.chains))
    arguments: list[str | Path] = [
        settings.executable, "predict", inputs, "--out_dir", folder, "--cache", settings.cache,
        "--seed", str(settings.seed), "--accelerator", settings.accelerator, "--output_format", "mmcif",
    ]  # fmt: skip
    return command.run(arguments, folder, settings.limit_s, lift_memory=True)


def read(folder: Path, name: str, finished: command.Finished | None) -> dict[str, Any]:
    """A molecule's results from the program's folder, or the outcome that says why there are none."""
    results = folder / "boltz_results_inputs" / "predictions" / name
    try:
        affinity = json.loads((results / f"affinity_{name}.json").read_text())
        confidence = json.loads((results / f"confidence_{name}_model_0.json").read_text())
        values = {one: float(affinity[one]) for one in OUTPUT.names[:2]}
        values |= {one: float(confidence[one]) for one in CONFIDENCE}
        structure = (results / f"{name}_model_0.cif").read_text()
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
    return {"outcome": Outcome.engine_error, "reason": f"boltz wrote no {missing}"}

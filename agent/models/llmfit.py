"""The offline list of general models that the package llmfit ships: read once for each of its releases, then kept.

llmfit (MIT) is a program with metadata of model hubs in it. Of its 15,855 entries most are re-releases; those of
organisations that train models are kept, with a known licence and a plausible size.
"""

import hashlib
import json
import shutil
import subprocess
import sysconfig
from collections.abc import Mapping
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from agent.models.data import FOLDER
from agent.models.general import day, general, unique
from agent.models.schema import Model, Source
from domains.public_file import cache_folder, keep

ORIGIN = "llmfit"
PATIENCE_S = 60
MODELS = TypeAdapter(tuple[Model, ...])
TASKS: Mapping[str, str] = {
    "General purpose text generation": "text_generation",
    "General purpose": "text_generation",
    "Instruction following, chat": "text_generation",
    "Lightweight, edge deployment": "text_generation",
    "Advanced reasoning, chain-of-thought": "reasoning",
    "Code generation and completion": "code_generation",
    "Multimodal, vision and text": "vision_language",
    "Text embeddings for RAG": "text_embedding",
    "Text-to-speech": "text_to_speech",
}


def release() -> str | None:
    """The installed release, or None."""
    try:
        return version("llmfit")
    except PackageNotFoundError:
        return None


def llmfit_models() -> tuple[Model, ...]:
    """The kept models of the installed release; none where it is not installed or does not answer."""
    number = release()
    if number is None:
        return ()
    kept = cache_folder() / "models" / f"llmfit-{number}-{_reader()}.json"
    try:
        return MODELS.validate_json(kept.read_bytes())
    except (OSError, ValidationError):
        models = _models(_listed(), number)
        if models:
            keep(kept, MODELS.dump_json(models, exclude_defaults=True))
        return models


def _reader() -> str:
    """What decides how the list is read: the kept copy is of one reader."""
    files = [Path(__file__), *(Path(__file__).with_name(name) for name in ("general.py", "schema.py"))]
    files += [FOLDER / "vendors.yaml", FOLDER / "licences.yaml"]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


def _listed() -> list[dict[str, Any]]:
    program = shutil.which("llmfit", path=sysconfig.get_path("scripts")) or shutil.which("llmfit")
    if program is None:
        return []
    try:
        done = subprocess.run([program, "--json", "list"], capture_output=True, timeout=PATIENCE_S, check=True)
        listed = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, json.JSONDecodeError):
        return []
    return listed if isinstance(listed, list) else []


def _models(listed: list[dict[str, Any]], number: str) -> tuple[Model, ...]:
    source = Source(url=f"https://pypi.org/project/llmfit/{number}/", seen=date.today(), what="all facts of the row")
    return unique(_model(row, source) for row in listed)


def _model(row: Mapping[str, Any], source: Source) -> Model | None:
    task = TASKS.get(row["use_case"])
    if task is None:
        return None
    return general(
        row["name"],
        row["license"],
        row["parameters_raw"],
        (task,),
        source,
        ORIGIN,
        architecture=row.get("architecture"),
        active_parameters=row["active_parameters"],
        context=row["context_length"],
        attention=_attention(row),
        released=day(row["release_date"]),
    )


def _attention(row: Mapping[str, Any]) -> dict[str, int] | None:
    shape = {
        "layers": row["num_hidden_layers"],
        "heads": row["num_attention_heads"],
        "kv_heads": row["num_key_value_heads"],
        "head_dim": row["head_dim"],
    }
    return shape if all(shape.values()) else None

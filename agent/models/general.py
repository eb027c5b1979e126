"""General models (text, code, images) of a list as model hubs give it: which rows are kept, and what is derived from them."""

import re
from collections.abc import Iterable, Sequence
from datetime import date
from functools import cache
from typing import Any

from pydantic import ValidationError

from agent.models.data import read
from agent.models.licences import spdx
from agent.models.schema import UNKNOWN_LICENCE, Backend, Evidence, Model, Precision, Source

FEWEST, MOST = 5e7, 1e13  # parameters: below are toys, above are errors of the list
# Re-releases whose parameters a list counts wrongly, and parts that are no model by themselves.
PARTS = re.compile(
    r"awq|gptq|gguf|mlx|bnb|onnx|[_-]int[48]|nvfp4|mxfp4|[_-]fp4|w[48]a\d|[1248]\.?\d*-?bit|smoothquant|quark"
    r"|dspark|dflash|eagle|draft|speculat|[_-]spec[_-]|[_-]mtp",
    re.IGNORECASE,
)
SIZE = re.compile(r"(?<![A-Za-z0-9.x])(\d+(?:\.\d+)?)\s?([BM])(?![A-Za-z0-9])", re.IGNORECASE)
# Architectures that the plugin of vLLM for Ascend lists as supported, at commit 182b75ea84 of vllm-project/vllm-ascend.
ON_ASCEND = re.compile(
    r"deepseek_v[34]|deepseek_v32|qwen2|qwen3|llama|glm4|minicpm|ernie4_5|gemma[23]|phi3|phi4|mistral$|internlm"
)


def plausible(name: str, parameters: float | None, licence: str) -> bool:
    """Whether a row of a list is kept: licence known, a size that is one and agrees with the name, a model of its own."""
    if not parameters or not FEWEST <= parameters <= MOST or licence == UNKNOWN_LICENCE:
        return False
    named = SIZE.search(name.split("/")[-1])
    if named:
        size = float(named[1]) * (1e9 if named[2] in "Bb" else 1e6)
        if not 0.5 <= parameters / size <= 2:
            return False
    return not PARTS.search(name)


def stored(name: str) -> Precision:
    """The precision of a release: its name says when it is not bfloat16."""
    return "fp8" if re.search(r"fp8", name, re.IGNORECASE) else "bf16"


def backends(architecture: str, precision: Precision) -> dict[Backend, Evidence]:
    """Where its framework runs: PyTorch on CPU, CUDA and ROCm; Ascend where vLLM's plugin lists the architecture."""
    if precision == "fp8":
        return {Backend.CUDA: "derived", Backend.ROCM: "derived"}
    found: dict[Backend, Evidence] = {Backend.CPU: "derived", Backend.CUDA: "derived", Backend.ROCM: "derived"}
    return {**found, Backend.ASCEND: "stated"} if ON_ASCEND.match(architecture) else found


@cache
def vendors() -> dict[str, str]:
    """Organisations that are kept, by their name in lower case."""
    return {name.casefold(): name for name in read("vendors")["vendors"]}


def general(
    name: str,
    licence: str | None,
    parameters: float | None,
    tasks: Sequence[str],
    source: Source,
    origin: str,
    **more: Any,
) -> Model | None:
    """A general model, or None where the row is not kept; ``more`` are further fields, and ``architecture``."""
    identifier, architecture = spdx(licence), more.pop("architecture", None) or ""
    if name.split("/")[0].casefold() not in vendors() or not plausible(name, parameters, identifier):
        return None
    precision = stored(name)
    try:
        return Model.model_validate(
            {
                "id": name,
                "name": name.split("/")[-1],
                "domain": "general",
                "tasks": tuple(tasks),
                "parameters": int(parameters or 0),
                "precisions": (precision,),
                "licence": {"weights": identifier},
                "runs_on": backends(architecture, precision),
                "weights": {"how": "download", "where": f"https://huggingface.co/{name}"},
                "origin": origin,
                "sources": (source,),
                **more,
            }
        )
    except ValidationError:  # an entry whose numbers contradict each other
        return None


def unique(models: Iterable[Model | None]) -> tuple[Model, ...]:
    """The first of each name, in any case."""
    found: dict[str, Model] = {}
    for model in models:
        if model is not None:
            found.setdefault(model.id.casefold(), model)
    return tuple(found.values())


def day(text: str | None) -> date | None:
    """The date that a text begins with."""
    return date.fromisoformat(text[:10]) if text and re.match(r"\d{4}-\d\d-\d\d", text) else None

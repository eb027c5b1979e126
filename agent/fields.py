"""From a slot of a sentence to a field of a request: names are looked up, nothing else passes."""

import hashlib
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, get_args

from agent.models.curated import curated
from agent.models.schema import Words
from agent.resource import read_data
from agent.slots.model import Property
from domains.drug.library import SHIPPED, open_library
from domains.errors import InvalidRequest
from domains.materials.conductors import CONDUCTORS
from domains.model import absolute_path
from domains.templates import Pipeline

ELEMENT = re.compile("[A-Z][a-z]?")


class Value(NamedTuple):
    """What a field is set to (None: as it was), what to say of it, why that is not what was asked for.

    ``also`` are other fields that follow from it, unless they are given.
    """

    value: Any
    note: Words | None = None
    problem: Words | None = None
    also: Mapping[str, Any] = {}


def as_it_is(given: Any, pipeline: Pipeline, field: str) -> Value:
    """The slot's own value."""
    return Value(given)


def target(given: tuple[str, ...], pipeline: Pipeline, field: str) -> Value:
    """The first target under the name it has in the pipelines; of several it is said that the others are left."""
    first, *rest = given
    virus = read_data("pipelines")["viruses"].get(first)
    if virus:
        return Value(virus[0], Words.model_validate(virus[1]))
    note = None
    if rest:
        names = ", ".join(rest)
        note = Words(en=f"one target a run; not in this one: {names}", zh=f"每次运行一个靶点，本次不含：{names}")
    return Value(read_data("pipelines")["targets"].get(first, first), note)


def variants(given: tuple[str, ...], pipeline: Pipeline, field: str) -> Value:
    """Mutations as they are; lineages as what they change in the target."""
    known = read_data("pipelines")["lineages"]
    families = {prefix: change for change, prefixes in known["families"].items() for prefix in prefixes}
    found: list[str] = []
    told: list[str] = []
    for name in given:
        change = known["names"].get(name) or families.get(name.split(".")[0])
        if change:
            told.append(f"{name} = {change}")
        found.append("WT" if name == "wild type" else change or name)
    note = f"{', '.join(told)} ({known['target']})"
    return Value(tuple(dict.fromkeys(found)), Words(en=note, zh=note) if told else None)


def library(given: str, pipeline: Pipeline, field: str) -> Value:
    """A shipped library; any other must be given as a file."""
    folded = {name.casefold(): name for name in SHIPPED}
    if given.casefold() in folded:
        return Value(folded[given.casefold()])
    names = ", ".join(SHIPPED)
    problem = Words(
        en=f"{given} does not come with ai4s: download it and give the file as {field}=FILE ({names} are here)",
        zh=f"ai4s 不含 {given}：请下载后以 {field}=文件 给出（内置：{names}）",
    )
    return Value(None, problem=problem)


def molecules(given: tuple[str, ...], pipeline: Pipeline, field: str) -> Value:
    """Molecules by name have no structure here, and none is guessed."""
    names = ", ".join(given)
    return Value(
        None,
        problem=Words(
            en=f"no structure is known here for {names}: write it as SMILES in the sentence, or give a file as {field}=FILE",
            zh=f"此处没有 {names} 的结构：请在句中写出 SMILES，或以 {field}=文件 给出",
        ),
    )


def some(given: int, pipeline: Pipeline, field: str) -> Value:
    """A number of ligands needs a library to draw them from."""
    return Value(given, also={"library": next(iter(SHIPPED))})


def file(given: str, pipeline: Pipeline, field: str) -> Value:
    """A person's own file, all of it."""
    try:
        return Value(given, also={"sample": None, "top": min(10, open_library(absolute_path(given)).rows)})
    except InvalidRequest as error:
        return Value(None, problem=Words(en=str(error), zh=str(error)))


def smiles(given: tuple[str, ...], pipeline: Pipeline, field: str) -> Value:
    """The molecules of the sentence as a file that is named by its content."""
    text = "".join(f"{one} molecule-{number}\n" for number, one in enumerate(given, 1))
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ai4s" / "ligands"
    path = root / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.smi"
    if not path.exists():
        root.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    count = len(given)
    return Value(
        str(path),
        Words(en=f"{count} from the sentence", zh=f"句中给出的 {count} 个"),
        also={"sample": None, "top": min(10, count)},
    )


def conductors(given: tuple[str, ...], pipeline: Pipeline, field: str) -> Value:
    """The known superconductors that hold all of these elements; none is made up."""
    found = tuple(name for name in CONDUCTORS if {*given} <= {*ELEMENT.findall(name)})
    elements = ", ".join(given)
    if found:
        note = Words(en=f"the superconductors known here with {elements}", zh=f"此处已知的含 {elements} 的超导体")
        return Value(found, note)
    names = ", ".join(CONDUCTORS)
    problem = Words(
        en=f"no superconductor with {elements} is known here ({names} are): give crystals as {field}=FOLDER",
        zh=f"此处没有含 {elements} 的已知超导体（有 {names}）：请以 {field}=文件夹 给出晶体",
    )
    return Value(None, problem=problem)


def own_files(given: str, pipeline: Pipeline, field: str) -> Value:
    """Data that do not come with ai4s: they must be given as files, and nothing stands in for them."""
    problem = Words(
        en=f"{given} does not come with ai4s: download it and give the files as {field}=FILE",
        zh=f"ai4s 不含 {given}：请下载后以 {field}=文件 给出",
    )
    return Value(None, problem=problem)


def cmip(given: tuple[str, ...], pipeline: Pipeline, field: str) -> Value:
    """The first variable under its name in CMIP."""
    names = read_data("pipelines")["cmip"]
    first = next((names[one] for one in given if one in names), None)
    if first:
        return Value(first)
    said, here = ", ".join(given), ", ".join(names.values())
    problem = Words(
        en=f"{said} cannot be downscaled here; {here} can: give one as {field}=NAME",
        zh=f"此处不能对 {said} 降尺度；可用：{here}，请以 {field}=名称 给出",
    )
    return Value(None, problem=problem)


def engine(given: str, pipeline: Pipeline, field: str) -> Value:
    """The pipeline's engine behind a model's name."""
    choices = [one for one in get_args(pipeline.request.model_fields[field].annotation) if isinstance(one, str)]
    named = given.casefold()
    found = next(
        (
            one.engine
            for one in curated()
            if one.engine and named in {one.id, one.name.casefold(), *map(str.casefold, one.aliases)}
        ),
        named,
    )
    of_family = [one for one in choices if one.startswith(f"{named}-")]
    if found in choices or len(of_family) == 1:
        return Value(found if found in choices else of_family[0])
    here = ", ".join(choices)
    return Value(
        None,
        problem=Words(
            en=f"{given} is no engine of {pipeline.name}; it runs {here}: give one as {field}=NAME",
            zh=f"{pipeline.name} 不支持 {given}；可用：{here}，请以 {field}=名称 给出",
        ),
    )


def window(given: tuple[Property, ...], pipeline: Pipeline, field: str) -> Value:
    """Limits of the properties that the pipeline filters by, by name; None where there is none among them."""
    names = read_data("pipelines")["window"]
    default = pipeline.request.model_fields[field].get_default()
    limits = {}
    for one in given:
        if one.name not in names or one.value is None:
            continue
        low, high = getattr(default, names[one.name])
        value = one.value if isinstance(one.value, tuple) else (one.value,)
        limits[names[one.name]] = {"<": (min(low, value[0]), value[-1]), ">": (value[0], max(high, value[-1]))}.get(
            one.op, (value[0], value[-1])
        )
    return Value(limits or None)


READERS: dict[str, Callable[[Any, Pipeline, str], Value]] = {
    "": as_it_is,
    "some": some,
    "file": file,
    "target": target,
    "variants": variants,
    "library": library,
    "molecules": molecules,
    "smiles": smiles,
    "engine": engine,
    "conductors": conductors,
    "own_files": own_files,
    "cmip": cmip,
    "window": window,
}

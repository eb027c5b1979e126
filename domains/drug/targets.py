"""Targets known by name, in English and Chinese: a pinned structure file, its assembly, its site, its reference ligand."""

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import yaml
from pydantic import Field

from domains.drug import structure
from domains.errors import InvalidRequest
from domains.model import Frozen
from domains.public_file import PublicFile, content


class Words(Frozen):
    """The same words in both languages."""

    en: str
    zh: str


class Site(Frozen):
    """Where ligands bind: the ligand of the file that marks the centre of the box, and the box's edge (Å)."""

    chain: str
    ligand: str
    edge: float = Field(ge=10, le=31)


class Protonation(Frozen):
    """Forms of residues (number -> such as HIE, on every chain) that the usual rules would not choose, and why."""

    forms: dict[int, str]
    reason: Words


class Reference(Frozen):
    """The ligand of the structure; its SMILES gives the bond orders that a PDB file lacks."""

    name: str
    smiles: str


class Source(Frozen):
    """Where structure files come from."""

    title: str
    url: str


class Target(Frozen):
    """A target and the structure that stands for it."""

    name: str
    title: str
    title_zh: str
    aliases: tuple[str, ...]
    file: str
    source: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    chains: tuple[str, ...]
    assembly: Words
    site: Site
    reference: Reference
    numbering: Words
    protonation: Protonation | None = None
    notes: Words


class NoPocket(Frozen):
    """What cannot be docked, under all its names, and what to do instead."""

    aliases: tuple[str, ...]
    reason: str
    instead: str


class Catalogue(Frozen):
    """All that targets.yaml says."""

    sources: dict[str, Source]
    targets: tuple[Target, ...]
    refused: tuple[NoPocket, ...]


class Box(NamedTuple):
    """Centre and edges in Å."""

    center: tuple[float, float, float]
    size: tuple[float, float, float]


@cache
def catalogue() -> Catalogue:
    """The known targets, read once."""
    return Catalogue.model_validate(yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8")))


def _folded(name: str) -> str:
    """A name without case, spaces and punctuation: people write SARS-CoV-2, SARS CoV2 and sarscov2."""
    return re.sub(r"[\W_]", "", name).casefold()


@cache
def _by_alias() -> dict[str, Target]:
    return {_folded(alias): one for one in catalogue().targets for alias in (one.name, *one.aliases)}


@cache
def _refused() -> dict[str, NoPocket]:
    return {_folded(alias): one for one in catalogue().refused for alias in one.aliases}


def names() -> tuple[str, ...]:
    """Names of all known targets."""
    return tuple(one.name for one in catalogue().targets)


def find(name: str) -> Target | None:
    """The target of this name or alias; ValueError with what to do instead for one that cannot be docked."""
    folded = _folded(name)
    if folded in _refused():
        refused = _refused()[folded]
        raise ValueError(f"{name} cannot be docked: {refused.reason}. Instead: {refused.instead}")
    return _by_alias().get(folded)


def spoken() -> tuple[str, ...]:
    """Names and aliases, for hints."""
    return tuple(alias for one in catalogue().targets for alias in (one.name, *one.aliases))


def public_file(target: Target) -> PublicFile:
    """The structure's file with its address and checksum."""
    url = catalogue().sources[target.source].url + Path(target.file).name
    return PublicFile(target.file, url, target.sha256)


def pdb_text(target: Target) -> str:
    """The structure as PDB text; raises InvalidRequest that says where to put which file when it cannot be had."""
    return content(public_file(target), "target", target.name).decode()


def box(target: Target) -> Box:
    """The docking box around the ligand of the structure."""
    model = structure.assembly(pdb_text(target), target.chains)
    edge = target.site.edge
    return Box(structure.centre(structure.ligand(model, target.site.chain, target.site.ligand)), (edge, edge, edge))


def chosen(name: str) -> Target:
    """The target of this name; raises InvalidRequest where a name that was checked is not known any more."""
    target = find(name)
    if target is None:
        raise InvalidRequest("target", name, "unknown target", ", ".join(names()))
    return target

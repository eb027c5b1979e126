"""The hub as a tree: hub > supernode > host, each host with chips of one kind, and links with their figures.

Loaded from YAML; what is wrong in a file is named by file, line and key.
"""

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

Status = Literal["public", "derived", "assumed", "measured"]
LEVELS = ("hub", "supernode", "host")


class TopologyError(ValueError):
    """A hub file or a hub's name that cannot be used; the message says where and what is wrong."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Figure(_Model):
    """A number about hardware, never without its unit and where it comes from."""

    value: float = Field(gt=0)
    unit: str
    status: Status
    source: str = ""


class ChipKind(_Model):
    """One type of accelerator, or a CPU core on a laptop."""

    title: str
    device: Literal["cpu", "gpu", "npu"]
    memory: Figure

    @model_validator(mode="after")
    def _memory_in_gib(self) -> Self:
        if self.memory.unit != "GiB":
            raise ValueError(f"memory is given in {self.memory.unit}; give it in GiB")
        return self


class Link(_Model):
    """The fabric between the children of one level."""

    bandwidth: Figure
    latency: Figure


class Supernode(_Model):
    """A cabinet of equal hosts on one fast fabric; ``chips`` is per host."""

    name: str = Field(pattern=r"^[A-Za-z0-9_.-]+$")
    hosts: int = Field(ge=1)
    chips: dict[str, Annotated[int, Field(ge=1)]] = Field(min_length=1, max_length=1)


class Place(_Model):
    """A host in the tree."""

    hub: str
    supernode: str
    host: str
    kind: str
    chips: int

    def __str__(self) -> str:
        return f"{self.supernode}/{self.host}"


class Topology(_Model):
    """A hub: its kinds of chip, its links by level, its supernodes."""

    name: str
    title: str
    kinds: dict[str, ChipKind]
    levels: tuple[str, ...] = LEVELS
    links: dict[str, Link]
    tree: tuple[Supernode, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [supernode.name for supernode in self.tree]
        if len(set(names)) != len(names):
            raise ValueError(f"tree: supernode names must differ, got {names}")
        unknown = {kind for supernode in self.tree for kind in supernode.chips} - set(self.kinds)
        if unknown:
            raise ValueError(f"tree: unknown chip kind {sorted(unknown)}; defined are {sorted(self.kinds)}")
        if set(self.levels) - set(LEVELS) or set(self.links) - set(self.levels):
            raise ValueError(f"levels and links must be among {LEVELS}")
        return self

    def places(self) -> Iterator[Place]:
        """Every host, supernode by supernode."""
        for supernode in self.tree:
            ((kind, chips),) = supernode.chips.items()
            for number in range(supernode.hosts):
                yield Place(hub=self.name, supernode=supernode.name, host=f"host{number}", kind=kind, chips=chips)

    @property
    def chips(self) -> int:
        """Number of chips of all kinds."""
        return sum(place.chips for place in self.places())


def presets() -> list[str]:
    """Names of the hubs that come with the project."""
    return sorted(
        entry.name.removesuffix(".yaml")
        for entry in (files("cluster") / "hubs").iterdir()
        if entry.name.endswith(".yaml")
    )


def load(name: str) -> Topology:
    """Load a preset by name or a hub file by path; raises TopologyError."""
    if name.endswith((".yaml", ".yml")):
        origin = name
        try:
            text = Path(name).read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise TopologyError(f"hub file {name}: {getattr(error, 'strerror', None) or 'is not text'}") from None
    elif name in presets():
        origin, text = f"{name}.yaml", (files("cluster") / "hubs" / f"{name}.yaml").read_text()
    else:
        raise TopologyError(f"unknown hub {name!r}; choose one of {', '.join(presets())}, or give a .yaml file")
    return parse(text, origin)


def parse(text: str, origin: str) -> Topology:
    """Build a topology from YAML text; ``origin`` names it in errors."""
    try:
        root = yaml.compose(text)
        return Topology.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise TopologyError(f"{origin}: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "the file"
        raise TopologyError(f"{origin}, line {_line(root, first['loc'])}: {key}: {first['msg']}") from None


def _line(node: yaml.Node | None, path: tuple[int | str, ...]) -> int:
    """The line (from 1) of the deepest node that a path reaches."""
    for step in path:
        child: yaml.Node | None = None
        if isinstance(node, yaml.MappingNode):
            child = next((value for key, value in node.value if key.value == str(step)), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            child = node.value[step]
        if child is None:
            break
        node = child
    return 1 if node is None else node.start_mark.line + 1

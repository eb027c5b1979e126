"""What a hub is: a tree of domains from the network down to the host, chips of several kinds, links with their figures.

A model of what a file says, checked; ``cluster.tree`` is the same tree with numbers to compute on.
"""

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from cluster.errors import ClusterError
from cluster.model import Frozen

Status = Literal["public", "derived", "assumed", "measured"]
Health = Literal["up", "drain", "down", "absent"]
LEVELS = ("hub", "supernode", "host")
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")]


class TopologyError(ClusterError):
    """A hub file or a hub's name that cannot be used; the message says where and what is wrong."""


class Figure(Frozen):
    """A number about hardware, never without its unit and where it comes from."""

    value: float = Field(gt=0)
    unit: str
    status: Status
    source: str = ""

    @model_validator(mode="after")
    def _sourced(self) -> Self:
        if self.status == "public" and not self.source:
            raise ValueError("a public figure needs its source")
        return self


def _given_in(unit: str) -> AfterValidator:
    def check(figure: Figure) -> Figure:
        if figure.unit != unit:
            raise ValueError(f"is given in {figure.unit}; give it in {unit}")
        return figure

    return AfterValidator(check)


GiB = Annotated[Figure, _given_in("GiB")]
GBps = Annotated[Figure, _given_in("GB/s")]
Microseconds = Annotated[Figure, _given_in("us")]
Watts = Annotated[Figure, _given_in("W")]
Kilowatts = Annotated[Figure, _given_in("kW")]
Tflops = Annotated[Figure, _given_in("TFLOPS")]
Ratio = Annotated[Figure, _given_in("ratio")]


class ChipKind(Frozen):
    """One type of accelerator, or a CPU core on a laptop."""

    title: str
    device: Literal["cpu", "gpu", "npu"]
    memory: GiB
    memory_bandwidth: GBps | None = None
    tflops: dict[str, Tflops] = Field(default_factory=dict, description="Peak by precision: fp64, fp32, bf16, fp8 ...")
    power: Watts | None = Field(None, description="At full load, with the chip's share of its host")
    idle: Watts | None = Field(None, description="With nothing to do")
    speed: Ratio | None = Field(None, description="Throughput relative to the hub's reference kind")

    @property
    def relative_speed(self) -> float:
        """The declared speed; 1 where there is none."""
        return self.speed.value if self.speed else 1.0


class Link(Frozen):
    """The fabric between the children of a domain of one level; ``bandwidth`` is a chip's share, one way."""

    bandwidth: GBps
    latency: Microseconds
    oversubscription: Ratio | None = None
    torus: tuple[Annotated[int, Field(ge=1)], ...] = Field((), description="The children lie on a torus of this shape")


class Power(Frozen):
    """Loads that no chip accounts for, and limits, by level."""

    base: dict[str, Kilowatts] = Field(default_factory=dict, description="Drawn by each domain of the level itself")
    cap: dict[str, Kilowatts] = Field(default_factory=dict, description="Most that a domain of the level may draw")
    pue: Ratio | None = None


class Domain(Frozen):
    """A part of the tree. With ``count`` it stands for that many equal ones, numbered from 0."""

    name: Name
    count: int | None = Field(None, ge=1)
    of: tuple["Domain", ...] = ()
    chips: dict[str, Annotated[int, Field(ge=1)]] = Field(default_factory=dict, description="Of one host, by kind")

    def names(self) -> list[str]:
        """The names of the domains this stands for."""
        return [self.name] if self.count is None else [f"{self.name}{number}" for number in range(self.count)]


class Place(Frozen):
    """A host in the tree; ``path`` leads to it from below the root."""

    hub: str
    path: tuple[str, ...]
    chips: dict[str, int]

    @property
    def supernode(self) -> str:
        """The path of the host's supernode."""
        return "/".join(self.path[:-1])

    def __str__(self) -> str:
        return "/".join(self.path)


class Topology(Frozen):
    """A hub or a network of hubs: kinds of chip, links and power by level, the tree, and what of it is out of order."""

    name: Name
    title: str
    kinds: dict[Name, ChipKind]
    levels: tuple[Name, ...] = LEVELS
    links: dict[str, Link] = Field(default_factory=dict)
    power: Power = Power()
    tree: tuple[Domain, ...] = Field(min_length=1)
    health: dict[str, Health] = Field(default_factory=dict, description="By path; what is not named is up")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (
            self.levels[-2:] != ("supernode", "host")
            or len(self.levels) < 3
            or len(set(self.levels)) < len(self.levels)
        ):
            raise ValueError(
                f"levels: got {list(self.levels)}; give the root's level first and end with supernode, host"
            )
        for where, named in (
            ("links", self.links),
            ("power.base", self.power.base),
            ("power.cap", self.power.cap),
        ):
            if strange := sorted(set(named) - set(self.levels)):
                raise ValueError(f"{where}: unknown level {strange}; the levels are {list(self.levels)}")
        for number, domain in enumerate(self.tree):
            self._check(domain, 1, f"tree.{number}")
        self._check_siblings(self.tree, "tree")
        self._check_health()
        self._check_tori()
        return self

    def _check(self, domain: Domain, depth: int, where: str) -> None:
        is_host = depth == len(self.levels) - 1
        level = self.levels[depth]
        if is_host and (domain.of or not domain.chips):
            raise ValueError(f"{where}: {domain.name} is at level host: it has chips, and nothing else under it")
        if not is_host and (domain.chips or not domain.of):
            raise ValueError(f"{where}: {domain.name} is at level {level}: it needs 'of', and chips belong to a host")
        if unknown := sorted(set(domain.chips) - set(self.kinds)):
            raise ValueError(f"{where}.chips: unknown chip kind {unknown}; defined are {sorted(self.kinds)}")
        for number, child in enumerate(domain.of):
            self._check(child, depth + 1, f"{where}.of.{number}")
        self._check_siblings(domain.of, f"{where}.of")

    def _check_siblings(self, domains: tuple[Domain, ...], where: str) -> None:
        seen: set[str] = set()
        for domain in domains:
            for name in domain.names():
                if name in seen:
                    raise ValueError(f"{where}: two domains are named {name}; names must differ")
                seen.add(name)

    def _check_health(self) -> None:
        for path in self.health:
            domains: tuple[Domain, ...] = self.tree
            for name in path.split("/"):
                found = next((domain for domain in domains if name in domain.names()), None)
                if found is None:
                    raise ValueError(f"health: there is no domain {path}")
                domains = found.of

    def _check_tori(self) -> None:
        for level, link in self.links.items():
            if link.torus and (level == "host" or not self._fills(self.tree, 1, self.levels.index(level), link.torus)):
                raise ValueError(f"links.{level}.torus: its {level}s do not have {_product(link.torus)} children each")

    def _fills(self, domains: tuple[Domain, ...], depth: int, wanted: int, shape: tuple[int, ...]) -> bool:
        if depth == wanted + 1:
            return sum(domain.count or 1 for domain in domains) == _product(shape)
        return all(self._fills(domain.of, depth + 1, wanted, shape) for domain in domains)

    def places(self) -> Iterator[Place]:
        """Every host with what is under it, in the order of the file; absent ones as well."""

        def under(domains: tuple[Domain, ...], path: tuple[str, ...]) -> Iterator[Place]:
            for domain in domains:
                for name in domain.names():
                    if domain.of:
                        yield from under(domain.of, (*path, name))
                    else:
                        yield Place(hub=self.name, path=(*path, name), chips=domain.chips)

        return under(self.tree, ())

    @property
    def chips(self) -> int:
        """Number of chips of all kinds, absent ones left out."""

        def under(domains: tuple[Domain, ...], path: str) -> int:
            total = 0
            for domain in domains:
                each = under(domain.of, "") if domain.of and not self._touched(path, domain) else None
                for name in domain.names():
                    here = f"{path}{name}"
                    if self.health.get(here) == "absent":
                        continue
                    if each is None:
                        total += under(domain.of, f"{here}/") if domain.of else sum(domain.chips.values())
                    else:
                        total += each
            return total

        return under(self.tree, "")

    def _touched(self, path: str, domain: Domain) -> bool:
        return any(known.startswith(f"{path}{name}/") for known in self.health for name in domain.names())


def _product(shape: tuple[int, ...]) -> int:
    total = 1
    for side in shape:
        total *= side
    return total

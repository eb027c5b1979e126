"""What a cathode run can be asked for, what must hold before it starts, and about what it takes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa
from ase.data import chemical_symbols
from pydantic import Field, field_validator

from domains.errors import InvalidRequest
from domains.materials import battery, hosts
from domains.materials.orderings import MOST_SITES, divisible
from domains.materials.potential import Identity, load
from domains.materials.published import Found
from domains.request import PlannedStage, Profile, Request, RunName, separated

Ion = Literal["Li", "Na", "K", "Mg", "Ca", "Zn", "Al"]
MOST_ATOMS = 200
# Seconds of one core: an atom of an arrangement that is relaxed, and of an image of a path; loading the potential.
STEP_S = {"chgnet": 0.1, "sevennet-l3i5": 1.2, "emt": 0.005}
IMAGE_S = {"chgnet": 0.14, "sevennet-l3i5": 1.7, "emt": 0.007}
LOAD_S, PATH_ATOMS = 5.0, 55


class CathodeRequest(Request):
    """The voltage curve of insertion hosts: energies at each charge, and the barrier that the ion must cross."""

    host: tuple[str, ...] = Field(
        ("LiFePO4",),
        min_length=1,
        max_length=1000,
        title="Hosts / 宿主材料",
        description=f"The full, discharged hosts: {', '.join(hosts.HOSTS)}, or paths of CIF files; several are separated by "
        "commas. 满嵌（放电态）宿主名称或 CIF 文件路径，可用逗号分隔多个。",
    )
    ion: Ion | None = Field(
        None,
        title="Working ion / 工作离子",
        description="What goes in and out: Li, Na, K, Mg, Ca, Zn or Al; empty: the known one of the host, else Li. "
        "嵌入脱出的离子；留空用宿主的已知离子，否则为 Li。",
    )
    steps: int = Field(
        2,
        ge=1,
        le=8,
        title="Steps / 步数",
        description="The charge from full to empty in so many equal steps: 1 gives the mean voltage only, 2 the half-charged host as "
        "well. 从满嵌到脱空分成的等份数。",
    )
    orderings: int = Field(
        3,
        ge=1,
        le=20,
        title="Arrangements / 排列数",
        description="At each charge, the arrangements of ions with the lowest Ewald energies that are relaxed. "
        "每一步按 Ewald 能量最低选取并弛豫的离子排列数。",
    )
    potential: Literal["chgnet", "sevennet-l3i5", "emt"] = Field(
        "chgnet",
        title="Potential / 势函数",
        description="chgnet knows magnetic moments and is the fastest; sevennet-l3i5; emt has no working ion but Al. "
        "chgnet 含磁矩且最快；sevennet-l3i5；emt 仅支持少数金属。",
    )
    barrier: bool = Field(
        True,
        title="Migration barrier / 迁移势垒",
        description="Find the barrier of the ion's hops by a nudged elastic band. 用 NEB 计算离子跃迁势垒。",
    )
    hops: int = Field(
        1,
        ge=1,
        le=6,
        title="Hops / 跃迁数",
        description="The shortest distinct hops of each host. 每个宿主最短的不等价跃迁数。",
    )
    images: int = Field(
        5, ge=1, le=15, title="Images / 镜像数", description="Between the ends of a hop. NEB 端点之间的镜像数。"
    )
    profile: Profile = ""
    name: RunName = None

    @field_validator("host", mode="before")
    @classmethod
    def _separated(cls, given: Any) -> Any:
        return separated(given)

    @field_validator("host")
    @classmethod
    def _known(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(hosts.checked_name(name) for name in given))


@dataclass(frozen=True)
class CathodeStudy:
    """A request that can run, with what it refers to."""

    request: CathodeRequest
    hosts: Mapping[str, Found]
    ion: str
    potential: Identity

    @property
    def label(self) -> str:
        """Goes into the run's name."""
        return "-".join(self.hosts)

    @property
    def facts(self) -> dict[str, str]:
        """Checksums of what the request refers to: a resumed run must find the same."""
        return {
            "weights_sha256": self.potential.weights_sha256,
            **{name: one.sha256 for name, one in self.hosts.items()},
        }

    @property
    def summary(self) -> str:
        """One line for people."""
        many = f"{self.request.steps} {'step' if self.request.steps == 1 else 'steps'}"
        return f"Taking {self.ion} out of {', '.join(self.hosts)} in {many}, by {self.potential.name}"

    def steps(self) -> pa.Table:
        """The rows of the stage that computes energies, without ids; see ``battery.INPUT``."""
        return battery.steps({name: one.crystal for name, one in self.hosts.items()}, self.ion, self.request.steps)

    def plan(self) -> list[PlannedStage]:
        """The stages and about what they take; good to a factor of two."""
        request, table = self.request, self.steps()
        atoms = sum(len(one) for one in table["numbers"].to_pylist()) * request.orderings
        hops = len(self.hosts) * request.hops
        path_s = PATH_ATOMS * (request.images + 2) * IMAGE_S[request.potential]
        stages = [PlannedStage("steps", len(table), LOAD_S + atoms * STEP_S[request.potential])]
        return [*stages, PlannedStage("barriers", hops, LOAD_S + hops * path_s)] if request.barrier else stages


def check(request: CathodeRequest) -> CathodeStudy:
    """Find the hosts and see that the ion and the potential fit; raises InvalidRequest naming field, value and what is valid."""
    found = {one.name: one for one in map(hosts.load, request.host)}
    if len(found) < len(request.host):
        raise InvalidRequest("host", ",".join(request.host), "two files have the same name", "names that differ")
    ion = request.ion or _known_ion(request.host)
    for name, one in found.items():
        _fits(name, one, ion, request)
    return CathodeStudy(request, found, ion, Identity.of(request.potential))


def _known_ion(names: tuple[str, ...]) -> str:
    ions = sorted({hosts.HOSTS[name].ion if name in hosts.HOSTS else "Li" for name in names})
    if len(ions) > 1:
        problem = f"these hosts work with {' and '.join(ions)}"
        raise InvalidRequest("host", ",".join(names), problem, "hosts of one ion in a run")
    return ions[0]


def _fits(name: str, host: Found, ion: str, request: CathodeRequest) -> None:
    symbols = {chemical_symbols[number] for number in host.crystal.numbers}
    if ion not in symbols:
        inside = [one for one in battery.IONS if one in symbols]
        raise InvalidRequest("ion", ion, f"{name} has no {ion}", ", ".join(inside) or "a host that holds an ion")
    if len(symbols) == 1:
        raise InvalidRequest(
            "host", name, f"nothing is left of it without {ion}", "a host of the ion and other elements"
        )
    known = load(request.potential).elements
    if missing := sorted(one for one in {*symbols, ion} if chemical_symbols.index(one) not in known):
        problem = f"it was not trained on {', '.join(missing)}, which {name} holds"
        raise InvalidRequest("potential", request.potential, problem, "chgnet or sevennet-l3i5")
    cell = divisible(host.crystal, chemical_symbols.index(ion), request.steps)
    ions = int((cell.numbers == chemical_symbols.index(ion)).sum())
    if ions > MOST_SITES or len(cell) > MOST_ATOMS:
        problem = f"{name} then needs a cell of {len(cell)} atoms with {ions} {ion}"
        valid = f"steps for which at most {MOST_SITES} ions and {MOST_ATOMS} atoms suffice, such as 1"
        raise InvalidRequest("steps", request.steps, problem, valid)

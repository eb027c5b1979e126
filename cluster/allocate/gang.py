"""What is asked of the hub: a gang of chips that start together, and the project that pays for it."""

from typing import Literal, Self

from pydantic import Field, model_validator

from cluster.errors import ClusterError
from cluster.model import Frozen
from cluster.topology import Topology

Mode = Literal["tight", "balanced", "spread"]


class Refused(ClusterError):
    """A request that could never be placed; the message says which bound forbids it and what would be valid."""


class Group(Frozen):
    """The gang is made of groups of ``chips``, and each stays inside one domain of ``level``."""

    chips: int = Field(ge=1)
    level: str


class Gang(Frozen):
    """Chips of one kind, all or none, for a time.

    ``required`` is a level the gang never leaves. ``preferred`` is one it leaves only after ``max_wait_s``. ``groups`` go
    from the outermost to the innermost (tensor parallel inside pipeline parallel). ``kinds`` gives the speed of each
    acceptable kind; none means any, at the speed the hub's file declares. ``duration_s`` is the longest it may run on
    a chip of speed 1.
    """

    name: str = Field(min_length=1)
    chips: int = Field(ge=1)
    kinds: dict[str, float] = Field(default_factory=dict)
    mixed: bool = Field(False, description="May take chips of several kinds at once")
    required: str | None = None
    preferred: str | None = None
    max_wait_s: float = Field(300, ge=0)
    groups: tuple[Group, ...] = ()
    mode: Mode = "tight"
    over: str = Field("supernode", description="The level that balanced and spread mean")
    exclusive: str | None = Field(None, description="No other gang in any domain of this level that it touches")
    duration_s: float = Field(3600, gt=0)
    project: str = "default"
    priority: int = 0
    preemptible: bool = False
    spares: int = Field(0, ge=0, description="Chips that may be replaced while it runs, before it must start anew")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        outer = self.chips
        for number, group in enumerate(self.groups):
            if outer % group.chips:
                raise ValueError(f"groups.{number}: {outer} chips cannot be cut into groups of {group.chips}")
            outer = group.chips
        if any(speed <= 0 for speed in self.kinds.values()):
            raise ValueError(f"kinds: a speed is above 0, got {self.kinds}")
        return self

    def check_names(self, topology: Topology) -> None:
        """Raise Refused where a level or kind is not one of the hub's."""
        levels = {
            "required": self.required,
            "preferred": self.preferred,
            "exclusive": self.exclusive,
            "over": self.over,
        }
        levels |= {f"groups.{number}": group.level for number, group in enumerate(self.groups)}
        for field, level in levels.items():
            if level is not None and level not in topology.levels:
                raise Refused(
                    f"gang {self.name}: {field}: unknown level {level!r}; {topology.name} has {', '.join(topology.levels)}"
                )
        if unknown := sorted(set(self.kinds) - set(topology.kinds)):
            raise Refused(
                f"gang {self.name}: kinds: unknown kind {unknown[0]!r}; {topology.name} has {', '.join(topology.kinds)}"
            )
        depths = [topology.levels.index(group.level) for group in self.groups]
        if depths != sorted(depths) or len(set(depths)) < len(depths):
            raise Refused(
                f"gang {self.name}: groups: give the outermost level first, got {[g.level for g in self.groups]}"
            )
        if self.mode != "tight" and depths and depths[0] < topology.levels.index(self.over):
            raise Refused(
                f"gang {self.name}: over: {self.mode} over {self.over}s would cut groups that span a {self.groups[0].level}; "
                f"give {self.groups[0].level} or a level above it"
            )

    def speeds(self, topology: Topology) -> dict[str, float]:
        """Speed by acceptable kind, the fastest first."""
        named = self.kinds or {name: kind.speed.value if kind.speed else 1.0 for name, kind in topology.kinds.items()}
        return dict(sorted(named.items(), key=lambda item: -item[1]))


class Project(Frozen):
    """Who pays: a share of the hub, and what may be spent; None is no limit."""

    share: float = Field(1, gt=0)
    chip_hours: float | None = Field(None, gt=0)
    kwh: float | None = Field(None, gt=0)
    most_chips: int | None = Field(None, ge=1, description="Held at a time")

"""Projects: what they may spend, what they have spent, and whose turn it is."""

from collections.abc import Mapping
from typing import NamedTuple

from cluster.allocate.gang import Gang, Project, Refused
from cluster.allocate.running import Allocation

HALF_LIFE_S = 7 * 86400.0


class Cost(NamedTuple):
    """What a gang holds and may use at most."""

    chips: int
    chip_s: float
    kwh: float


class Accounts:
    """Chip-hours and kWh by project. A running gang's worst case is committed, and settled when it ends.

    Usage for fair share is chip-seconds with a half-life of a week, relative to the project's share.
    """

    def __init__(self, projects: Mapping[str, Project]) -> None:
        self.projects = dict(projects)
        self.spent_chip_s: dict[str, float] = {}
        self.spent_kwh: dict[str, float] = {}
        self.committed_chip_s: dict[str, float] = {}
        self.committed_kwh: dict[str, float] = {}
        self.held: dict[str, int] = {}
        self._usage: dict[str, tuple[float, float]] = {}

    def limited(self, name: str) -> bool:
        """Whether a project may not use what it likes."""
        project = self.projects.get(name)
        return project is not None and (project.most_chips, project.chip_hours, project.kwh) != (None, None, None)

    def check(self, gang: Gang) -> None:
        """Raise Refused where nobody knows the gang's project."""
        if self.projects and gang.project not in self.projects:
            known = ", ".join(self.projects)
            raise Refused(f"gang {gang.name}: project: unknown project {gang.project!r}; there are {known}")

    def forbids(self, name: str, cost: Cost) -> str | None:
        """Why a project could not pay even if it held nothing; what is spent does not come back."""
        project = self.projects.get(name)
        if project is None:
            return None
        if project.most_chips is not None and cost.chips > project.most_chips:
            return f"{cost.chips:,} chips; project {name} may hold {project.most_chips:,} at a time"
        spent_h, spent_kwh = self.spent_chip_s.get(name, 0.0) / 3600, self.spent_kwh.get(name, 0.0)
        for need, limit, spent, unit in (
            (cost.chip_s / 3600, project.chip_hours, spent_h, "chip-hours"),
            (cost.kwh, project.kwh, spent_kwh, "kWh"),
        ):
            if limit is not None and need + spent > limit:
                left = f"{limit:,.0f} in all" if not spent else f"{limit - spent:,.0f} of {limit:,.0f} left"
                return f"up to {need:,.0f} {unit}; project {name} has {left}"
        return None

    def blocks(self, name: str, cost: Cost) -> tuple[str, str] | None:
        """(bound, text) that keeps a project's gang from starting now."""
        project = self.projects.get(name)
        if project is None:
            return None
        held = self.held.get(name, 0)
        if project.most_chips is not None and held + cost.chips > project.most_chips:
            return "quota", f"project {name} holds {held:,} of its {project.most_chips:,} chips"
        used_h = (self.spent_chip_s.get(name, 0.0) + self.committed_chip_s.get(name, 0.0)) / 3600
        used_kwh = self.spent_kwh.get(name, 0.0) + self.committed_kwh.get(name, 0.0)
        for need, limit, used, unit in (
            (cost.chip_s / 3600, project.chip_hours, used_h, "chip-hours"),
            (cost.kwh, project.kwh, used_kwh, "kWh"),
        ):
            if limit is not None and used + need > limit:
                return "budget", (
                    f"project {name} has used or committed {used:,.0f} of its {limit:,.0f} {unit}; "
                    f"this may take {need:,.0f} more"
                )
        return None

    def start(self, allocation: Allocation) -> None:
        """Commit what a gang may cost."""
        self._commit(allocation, 1)

    def end(self, allocation: Allocation, now: float, kwh: float) -> None:
        """Settle what a gang did cost."""
        name = allocation.gang.project
        self._commit(allocation, -1)
        used = allocation.held * (now - allocation.started)
        self.spent_chip_s[name] = self.spent_chip_s.get(name, 0.0) + used
        self.spent_kwh[name] = self.spent_kwh.get(name, 0.0) + kwh
        self._usage[name] = (self._decayed(name, now) + used, now)

    def _commit(self, allocation: Allocation, sign: int) -> None:
        name = allocation.gang.project
        self.held[name] = self.held.get(name, 0) + sign * allocation.held
        chip_s = sign * allocation.held * (allocation.ends - allocation.started)
        # Nothing held is nothing committed: no residue of sums of floats is left to block a budget.
        running = bool(self.held[name])
        self.committed_chip_s[name] = self.committed_chip_s.get(name, 0.0) + chip_s if running else 0.0
        self.committed_kwh[name] = self.committed_kwh.get(name, 0.0) + sign * allocation.kwh if running else 0.0

    def turn(self, name: str, now: float) -> float:
        """Recent and running use over share: the lowest goes first."""
        project = self.projects.get(name)
        share = project.share if project else 1.0
        return (self._decayed(name, now) + self.committed_chip_s.get(name, 0.0)) / share

    def _decayed(self, name: str, now: float) -> float:
        used, when = self._usage.get(name, (0.0, now))
        return used * float(0.5 ** ((now - when) / HALF_LIFE_S))

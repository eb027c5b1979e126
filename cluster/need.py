"""What a shard asks of the cluster."""

from typing import Any

from pydantic import Field

from cluster.model import Frozen


class GangOf(Frozen):
    """A group of tasks that start together or not at all."""

    id: str = Field(min_length=1)
    size: int = Field(ge=1)


class Need(Frozen):
    """Chips (of a kind, if it matters) and memory that one shard holds while it runs, and where it may run.

    A shard always asks for ``chip`` and, where a kind is named, for ``chip.<kind>`` as well: Dask counts each name
    alone, so only both together draw on one ledger.
    """

    chips: int = Field(1, ge=1)
    kind: str | None = None
    memory: int = Field(6 * 2**30, gt=0, description="Limit of its engine's memory, bytes")
    gang: GangOf | None = None
    required: str | None = Field(None, description="Level that is not left: by a gang, or from the affinity's domain")
    preferred: str | None = Field(None, description="Level below it that is left only where nothing is free in it")
    affinity: str | None = Field(None, description="Path of the domain to run in or near, such as sn0 or c0/u1/sn0")

    def annotations(self) -> dict[str, Any]:
        """Keyword arguments for ``dask.annotate``; memory counts where it was asked for by name."""
        resources: dict[str, float] = {"chip": self.chips}
        if self.kind is not None:
            resources[f"chip.{self.kind}"] = self.chips
        where = self.model_dump(include={"required", "preferred", "affinity"}, exclude_none=True)
        return {
            "resources": resources,
            **({"memory": self.memory} if "memory" in self.model_fields_set else {}),
            **({"gang": self.gang.model_dump()} if self.gang else {}),
            **({"where": where} if where else {}),
        }

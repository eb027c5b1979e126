"""What a shard asks of the cluster."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Need(BaseModel):
    """Chips (of a kind, if it matters) and memory that one shard holds while it runs.

    A shard always asks for ``chip`` and, where a kind is named, for ``chip.<kind>`` as well: Dask counts each name
    alone, so only both together draw on one ledger.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    chips: int = Field(1, ge=1)
    kind: str | None = None
    memory: int = Field(6 * 2**30, gt=0, description="Limit of the address space of its engine, bytes")

    def annotations(self) -> dict[str, Any]:
        """Keyword arguments for ``dask.annotate``."""
        resources: dict[str, float] = {"chip": self.chips}
        if self.kind is not None:
            resources[f"chip.{self.kind}"] = self.chips
        return {"resources": resources}

"""The base of everything that a file or a person says about the cluster."""

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """Cannot change after it was checked; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

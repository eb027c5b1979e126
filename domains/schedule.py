"""When something runs by itself: a cron expression, or every so often."""

import re
from datetime import UTC, datetime
from typing import Any, Self
from zoneinfo import available_timezones

from cronsim import CronSim, CronSimError
from pydantic import field_validator, model_validator

from domains.errors import closest
from domains.model import Frozen

SHORTEST_S = 60.0
UNITS_S = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


class Schedule(Frozen):
    """A cron expression with five fields, or an interval such as ``6h``: exactly one of them."""

    cron: str | None = None
    interval: str | None = None
    timezone: str = "UTC"

    @field_validator("cron")
    @classmethod
    def _a_cron(cls, given: str | None) -> str | None:
        if given is not None:
            if len(given.split()) != 5:
                raise ValueError("needs five fields: minute hour day month weekday, such as '0 2 * * *'")
            try:
                next(CronSim(given, datetime.now(UTC)))
            except (CronSimError, StopIteration) as error:
                problem = str(error) or "it never comes"
                raise ValueError(f"{problem}; an example: '0 2 * * *' is every night at two") from None
        return given

    @field_validator("interval", mode="before")
    @classmethod
    def _an_interval(cls, given: Any) -> str | None:
        text = f"{given}s" if isinstance(given, int) and not isinstance(given, bool) else given
        if text is None:
            return None
        if not isinstance(text, str) or not re.fullmatch(r"\d+(\.\d+)?[smhd]", text):
            raise ValueError("write 30m, 6h or 1d")
        if _seconds(text) < SHORTEST_S:
            raise ValueError("is shorter than a minute")
        return text

    @field_validator("timezone")
    @classmethod
    def _a_zone(cls, given: str) -> str:
        zones = available_timezones()
        if given not in zones:
            near = closest(given.split("/")[-1], {zone.split("/")[-1] for zone in zones})
            found = [zone for name in near for zone in sorted(zones) if zone.split("/")[-1] == name]
            raise ValueError(f"is no time zone; closest: {', '.join(found[:4]) or 'UTC, Asia/Shanghai'}")
        return given

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.cron is None) == (self.interval is None):
            raise ValueError("a schedule has either cron or interval")
        return self

    @property
    def seconds(self) -> float | None:
        """The interval; None for a cron expression."""
        return _seconds(self.interval) if self.interval else None

    @property
    def words(self) -> str:
        """As people read it."""
        return f"every {self.interval}" if self.interval else f"{self.cron} ({self.timezone})"


def _seconds(text: str) -> float:
    return float(text[:-1]) * UNITS_S[text[-1]]

"""From everything that the rules found to the slots of one intent."""

from collections.abc import Mapping
from typing import Any

from agent.catalogue import templates
from agent.resource import read_data
from agent.slots.model import Period, Slots

COST = "ops.cost_estimate"
INITIAL_TIME = ("climate.forecast", "climate.data_assimilation", "climate.air_quality")


def relevant(found: Mapping[str, Any], intent: str, task: str | None = None) -> Slots:
    """The slots that an intent knows, in their types; a question of cost keeps those of the work it asks about."""
    domain = templates()[intent].domain
    data = read_data("evidence")
    known = {*data["domain_slots"]["any"], *data["domain_slots"][domain]}
    if intent == COST:
        known |= {slot for slots in data["domain_slots"].values() for slot in slots} - {"genes"}
    slots = dict(found)
    models = slots.pop("models", [])
    if models and intent != "ops.list_models":
        slots |= {"model": models[0]} if len(models) == 1 else {"models": models}
    if task:
        slots["task"] = task
    if intent not in (*data["forecasts"], COST):
        slots = {slot: value for slot, value in slots.items() if slot not in ("lead_days", "lead_months")}
    if "start" in slots and intent not in (*INITIAL_TIME, COST):
        day = slots.pop("start")[:10]
        slots.setdefault("period", Period(start=day, end=day))
    if domain not in ("drug", "materials") and "properties" in slots:
        slots["properties"] = [one for one in slots["properties"] if one.op != "report"]
    return Slots(**{slot: _frozen(value) for slot, value in slots.items() if slot in known and value not in ([], None)})


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value

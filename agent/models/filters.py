"""The rows of the catalogue that somebody asks for."""

from collections.abc import Iterable
from typing import get_args

from agent.models.licences import COMMERCIAL_OK, commercial, licence_named
from agent.models.memory import need
from agent.models.schema import Domain, Model
from agent.models.tasks import tasks_for
from domains.errors import InvalidRequest


def filtered(
    models: Iterable[Model],
    task: str | None = None,
    domain: str | None = None,
    licence: str | None = None,
    most_parameters: float | None = None,
    memory_gib: float | None = None,
    search: str = "",
) -> list[Model]:
    """The models that meet all of it, in their order.

    Raises:
        InvalidRequest: the task, the domain or the licence is unknown.
    """
    wanted = {one.id for one in tasks_for(task)} if task else None
    named = licence_named(licence) if licence else None
    if domain is not None and domain not in get_args(Domain):
        raise InvalidRequest("domain", domain, "unknown domain", ", ".join(get_args(Domain)))
    words = search.casefold().split()

    def meets(model: Model) -> bool:
        about = f"{model.about.en} {model.about.zh}" if model.about else ""
        text = " ".join((model.id, model.name, *model.aliases, about)).casefold()
        return (
            (wanted is None or not wanted.isdisjoint(model.tasks))
            and (domain is None or model.domain == domain)
            and (named is None or _licensed(model, named))
            and (most_parameters is None or (model.parameters or float("inf")) <= most_parameters)
            and (memory_gib is None or fits(model, memory_gib))
            and all(word in text for word in words)
        )

    return [model for model in models if meets(model)]


def fits(model: Model, memory_gib: float) -> bool:
    """Whether one chip of this memory is known to hold it, as it was released."""
    alone = need(model, model.precisions[0])
    return alone is not None and alone.fits(memory_gib)


def _licensed(model: Model, named: str) -> bool:
    if named == COMMERCIAL_OK:
        return commercial(model.licence) == "yes"
    return model.licence.weights == named

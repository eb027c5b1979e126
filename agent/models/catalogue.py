"""All models: the reviewed list, the offline list of general models, and what was synced from a model hub."""

from collections import Counter
from collections.abc import Iterable
from functools import cached_property
from typing import NamedTuple

from agent.models.curated import curated
from agent.models.llmfit import llmfit_models
from agent.models.schema import Model
from agent.models.synced import synced_models
from domains.errors import InvalidRequest, closest

NO_LIST = "The list of general models is not installed: pip install 'ai4s[agent]' (package llmfit)."


class Catalogue:
    """Models by id and by every other name."""

    def __init__(self, models: Iterable[Model]) -> None:
        self.models = tuple(models)

    @cached_property
    def _by_name(self) -> dict[str, Model]:
        """An id wins over a name, a name over an alias; of two with one alias the first."""
        found: dict[str, Model] = {}
        for names in (lambda one: (one.id,), lambda one: (one.name,), lambda one: one.aliases):
            for model in self.models:
                for name in names(model):
                    found.setdefault(name.casefold(), model)
        return found

    @cached_property
    def origins(self) -> dict[str, int]:
        """How many models come from where."""
        return dict(Counter(model.origin for model in self.models))

    def find(self, name: str) -> Model:
        """The model of this id, name or alias, in any case; raises InvalidRequest with the closest names."""
        if model := self._by_name.get(name.strip().casefold()):
            return model
        near = closest(name, self._by_name)
        raise InvalidRequest(
            "model",
            name,
            "is not in the catalogue"
            + (f", closest: {', '.join(self._by_name[one].id for one in near)}" if near else ""),
            "an id or a name of ai4s models list",
        )

    def __contains__(self, name: str) -> bool:
        return name.strip().casefold() in self._by_name


class Loaded(NamedTuple):
    """The catalogue of this machine, and what a reader must know of it."""

    catalogue: Catalogue
    notes: tuple[str, ...]


def load() -> Loaded:
    """The catalogue of this machine; of a model in several lists the reviewed row counts, then the synced one."""
    reviewed, general = curated(), llmfit_models()
    taken = {model.id.casefold() for model in reviewed}
    taken |= {model.weights.where.removeprefix("https://huggingface.co/").casefold() for model in reviewed}
    found = {model.id.casefold(): model for model in general}
    for model in synced_models():
        found[model.id.casefold()] = _newer(model, found.get(model.id.casefold()))
    rest = (model for name, model in found.items() if name not in taken)
    return Loaded(Catalogue((*reviewed, *rest)), () if general else (NO_LIST,))


def _newer(synced: Model, listed: Model | None) -> Model:
    """A synced row with what only the list says: the shape, the context, the active parameters."""
    if listed is None:
        return synced
    active = listed.active_parameters if (listed.active_parameters or 0) <= (synced.parameters or 0) else None
    return synced.model_copy(
        update={
            "tasks": listed.tasks,
            "attention": listed.attention,
            "context": listed.context,
            "active_parameters": active,
            "sources": (*synced.sources, *listed.sources),
        }
    )

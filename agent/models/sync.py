"""Models as a model hub lists them today, kept beside the offline lists. A site that cannot be asked changes nothing."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from agent.models.general import day, general, unique, vendors
from agent.models.hub_client import Unreachable, models_of
from agent.models.schema import Model, Source, Weights
from agent.models.synced import keep_models, synced_models
from domains.errors import InvalidRequest, closest

SITE = "https://huggingface.co"
ORIGIN = "synced"
TASKS = {
    "text-generation": "text_generation",
    "image-text-to-text": "vision_language",
    "feature-extraction": "text_embedding",
    "sentence-similarity": "text_embedding",
    "text-to-speech": "text_to_speech",
}


class Synced(NamedTuple):
    """What a sync did: entries that the site listed, models kept of them, new ones among these, and what is kept in all."""

    listed: int
    kept: int
    new: int
    total: int


def sync(authors: Sequence[str] = (), site: str = SITE, most: int = 200) -> Synced:
    """Ask a site for the models of organisations (default: all that the catalogue knows), at most so many of each.

    Raises:
        InvalidRequest: an organisation is unknown to the catalogue; the site cannot be asked. What was kept stays as it is.
    """
    names = [_author(name) for name in authors] or list(vendors().values())
    before = {model.id.casefold(): model for model in synced_models()}
    try:
        entries = [entry for name in names for entry in models_of(site, name, most)]
    except Unreachable as error:
        problem = f"cannot be asked ({error}); the catalogue stays as it is, with {len(before)} synced models"
        raise InvalidRequest("site", site, problem, f"{SITE}, or a mirror of it") from None
    source = Source(url=site.rstrip("/"), seen=date.today(), what="all facts of the row")
    found = {model.id.casefold(): model for model in unique(_model(entry, source) for entry in entries)}
    after = {**before, **found}
    keep_models(tuple(after.values()))
    return Synced(len(entries), len(found), len(found.keys() - before.keys()), len(after))


def _author(name: str) -> str:
    if known := vendors().get(name.casefold()):
        return known
    near = closest(name, vendors().values())
    raise InvalidRequest(
        "author",
        name,
        "is no organisation of the catalogue" + (f", closest: {', '.join(near)}" if near else ""),
        ", ".join(vendors().values()),
    )


def _model(entry: Mapping[str, Any], source: Source) -> Model | None:
    """A model of an entry; None where it is not kept, or does not say what is needed."""
    name, task = entry.get("id"), TASKS.get(str(entry.get("pipeline_tag")))
    if not isinstance(name, str) or task is None:
        return None
    made = general(
        name,
        _licence(_part(entry, "cardData")),
        _number(_part(entry, "safetensors").get("total")),
        (task,),
        source,
        ORIGIN,
        architecture=str(_part(entry, "config").get("model_type") or ""),
        released=day(str(entry.get("createdAt"))),
    )
    if made is None:
        return None
    revision = f"/tree/{entry['sha']}" if isinstance(entry.get("sha"), str) else ""
    weights = Weights(how="gated" if entry.get("gated") else "download", where=f"{source.url}/{name}{revision}")
    return made.model_copy(update={"weights": weights})


def _part(entry: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = entry.get(name)
    return part if isinstance(part, dict) else {}


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _licence(card: Mapping[str, Any]) -> str | None:
    found = card.get("license_name") if card.get("license") == "other" else card.get("license")
    return found if isinstance(found, str) else None

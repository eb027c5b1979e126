"""What was synced from a model hub, kept in the user's cache."""

from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from agent.models.schema import Model
from domains.public_file import cache_folder, keep

MODELS = TypeAdapter(tuple[Model, ...])


def path() -> Path:
    """Where synced models are kept."""
    return cache_folder() / "models" / "synced.json"


def synced_models() -> tuple[Model, ...]:
    """The synced models; none where nothing was synced, or by another version of the catalogue."""
    try:
        return MODELS.validate_json(path().read_bytes())
    except (OSError, ValidationError):
        return ()


def keep_models(models: tuple[Model, ...]) -> None:
    """Keep these instead of what was there."""
    keep(path(), MODELS.dump_json(models, exclude_defaults=True))

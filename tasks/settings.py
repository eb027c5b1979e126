"""The one settings model: environment ``AI4S_*``, or ``[tool.ai4s]`` of the pyproject.toml here."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    PyprojectTomlConfigSettingsSource,
    SettingsConfigDict,
)


class Settings(BaseSettings):
    """Where runs are kept and where they compute, unless a request says otherwise."""

    model_config = SettingsConfigDict(
        env_prefix="AI4S_", pyproject_toml_table_header=("tool", "ai4s"), extra="ignore", frozen=True
    )

    runs: Path = Field(Path("runs"), description="Folder of the run stores")
    templates: Path = Field(Path("templates"), description="Folder of the templates that people own")
    reports_url: str = Field("", description="Where a server shows the folder of the run stores; none: nowhere")
    profile: str = Field("laptop", description="Where stages run")
    budgets: dict[str, Annotated[float, Field(gt=0)]] = Field(
        default_factory=dict, description="Chip-hours that a session may use, by profile"
    )
    llm_url: str = Field(
        "", description="A server that speaks OpenAI's protocol, to help read sentences; none: never asked"
    )
    llm_model: str = Field("local", description="The model's name there")
    llm_key: SecretStr = Field(SecretStr(""), description="The server's key, if it wants one")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment before pyproject.toml."""
        return init_settings, env_settings, PyprojectTomlConfigSettingsSource(settings_cls)

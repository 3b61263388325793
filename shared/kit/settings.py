"""Every setting there is, read once from the environment (WEBCARE_…) and then passed on; never a global.

`docs/settings.md` is made from the descriptions here, so a setting is explained in one place.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

PREFIX = "WEBCARE_"
SPACY_MODEL_PREFIX = f"{PREFIX}SPACY_MODEL_"
SHORTEST_SECRET = 32

Network = IPv4Network | IPv6Network


class _SpacyModels(PydanticBaseSettingsSource):
    """Gathers WEBCARE_SPACY_MODEL_EN, WEBCARE_SPACY_MODEL_NL, … into one mapping by language code."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        models = {
            name.removeprefix(SPACY_MODEL_PREFIX).lower(): value
            for name, value in os.environ.items()
            if name.startswith(SPACY_MODEL_PREFIX) and value
        }
        return {"spacy_models": models} if models else {}


class Settings(BaseSettings):
    """How this installation runs. Immutable; `model_copy(update=…)` makes a changed one."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", frozen=True)

    # --- where rows and wake-ups are
    database_url: str = Field(
        default="",
        description="Postgres 18, as `postgresql://user:password@host:5432/name`. Unset: a Postgres of our own is "
        "started under the data folder.",
    )
    valkey_url: str = Field(
        default="",
        description="Valkey 9 (or Redis 7.2), as `redis://host:6379/0`. Unset: a Valkey of our own is started under "
        "the data folder. It carries wake-ups only and may be emptied at any moment.",
    )
    data_dir: Path = Field(
        default=Path(".webcare"),
        description="Where the embedded servers, the generated secret and the logs of `--detach` live.",
    )
    database_pool_size: int = Field(
        default=10, ge=1, le=200, description="Connections to Postgres that one process keeps for writing."
    )
    database_read_pool_size: int = Field(
        default=10, ge=1, le=200, description="Connections to Postgres that one api process keeps for reading."
    )

    # --- doors
    host: str = Field(
        default="127.0.0.1", description="The address that api and ingest listen on; `0.0.0.0` inside a container."
    )
    api_port: int = Field(default=8000, ge=1, le=65535, description="The port of the api: REST, GraphQL, feeds.")
    ingest_port: int = Field(
        default=8001, ge=1, le=65535, description="The port of ingest: mentions and pushes come in."
    )
    public_url: str = Field(
        default="",
        description="How the world reaches the api, as `https://care.example.com`; written into links, feeds and "
        "reports. Unset: `http://127.0.0.1:` and the api's port.",
    )
    ingest_public_url: str = Field(
        default="",
        description="How networks reach ingest, as `https://in.example.com`; the addresses of channels' hooks begin with it. "
        "Unset: `WEBCARE_PUBLIC_URL`, which then has to pass `/v1/hooks/{channel_id}` on to ingest; with neither, no hook has an address.",
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="Browser origins that may call the api, with commas between them."
    )
    max_body_bytes: int = Field(
        default=5_000_000, ge=1_000, description="The largest request body that is read, unpacked, in bytes."
    )
    requests_per_minute: int = Field(
        default=1_200, ge=1, description="How many requests a minute one API key may make before it gets a 429."
    )

    # --- secrets
    secret_key: SecretStr = Field(
        default=SecretStr(""),
        description="Encrypts what channels and webhooks keep secret; 32 characters or more. Made and kept in the data "
        "folder when Postgres is embedded; required otherwise. Losing it means entering every credential again.",
    )
    admin_key: SecretStr = Field(
        default=SecretStr(""),
        description="The admin key to create on the first start; 32 characters or more. "
        "Unset: one is made and printed.",
    )
    allowed_networks: Annotated[tuple[Network, ...], NoDecode] = Field(
        default=(),
        description="Private ranges that webhooks and feeds may reach, with commas between them, as `127.0.0.0/8`; for "
        "development and intranets. Empty: only public addresses.",
    )

    # --- understanding
    spacy_models: dict[str, str] = Field(
        default={"en": "webcare"},
        description="The spaCy model (a package or a folder) for a language: `WEBCARE_SPACY_MODEL_EN=…`, "
        "`WEBCARE_SPACY_MODEL_NL=…`; `webcare` is the one that comes with the project. A language without one gets a "
        "tokenizer and our own rules.",
        json_schema_extra={"env": f"{SPACY_MODEL_PREFIX}<LANG>"},
    )
    triage_processes: int = Field(
        default=0,
        ge=0,
        le=256,
        description="Child processes that read texts in one triage worker. 0: one fewer than the machine has cores, "
        "and at least one.",
    )

    # --- watching over it
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least important line that is logged: debug, info, warning or error."
    )

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split_origins(cls, value: object) -> object:
        return _split(value)

    @field_validator("allowed_networks", mode="before")
    @classmethod
    def _read_networks(cls, value: object) -> object:
        parts = _split(value)
        return tuple(_network(part) for part in parts) if isinstance(parts, tuple) else parts

    @field_validator("secret_key", "admin_key")
    @classmethod
    def _long_enough(cls, value: SecretStr) -> SecretStr:
        length = len(value.get_secret_value())
        if 0 < length < SHORTEST_SECRET:
            raise ValueError(f"has {length} characters; give it {SHORTEST_SECRET} or more")
        return value

    @field_validator("public_url", "ingest_public_url")
    @classmethod
    def _no_trailing_slash(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("starts with http:// or https://")
        return value.rstrip("/")

    @field_validator("spacy_models")
    @classmethod
    def _keep_defaults(cls, value: dict[str, str]) -> dict[str, str]:
        # naming a Dutch model must not take the English one away
        defaults: dict[str, str] = cls.model_fields["spacy_models"].default
        return {**defaults, **value}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments first, then the environment; no .env file is read, so that what runs is what was asked."""
        return init_settings, env_settings, _SpacyModels(settings_cls)

    @property
    def api_url(self) -> str:
        """Where this machine reaches the api."""
        return f"http://{self._reachable_host}:{self.api_port}"

    @property
    def ingest_url(self) -> str:
        """Where this machine reaches ingest."""
        return f"http://{self._reachable_host}:{self.ingest_port}"

    @property
    def base_url(self) -> str:
        """Where the world reaches the api: the start of every link we write."""
        return self.public_url or self.api_url

    @property
    def hooks_url(self) -> str:
        """What stands before a channel's id in the address of its hook; empty where the world is not said to reach us."""
        known = self.ingest_public_url or self.public_url
        return f"{known}/v1/hooks/" if known else ""

    @property
    def _reachable_host(self) -> str:
        return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.host, self.host)  # noqa: S104  # compared, not bound


def environment_name(field_name: str) -> str:
    """The environment variable that sets a field: `api_port` is `WEBCARE_API_PORT`."""
    extra = Settings.model_fields[field_name].json_schema_extra
    if isinstance(extra, Mapping) and "env" in extra:
        return str(extra["env"])
    return f"{PREFIX}{field_name.upper()}"


def explain(error: ValidationError) -> str:
    """What is wrong with the environment, a sentence a line, without the values (they may be secrets)."""
    return "\n".join(
        f"{environment_name(str(problem['loc'][0]))} is not right: {problem['msg'].removeprefix('Value error, ')}."
        for problem in error.errors(include_input=False, include_url=False)
    )


def _split(value: object) -> object:
    if isinstance(value, str):
        return tuple(part for part in (piece.strip() for piece in value.split(",")) if part)
    return tuple(value) if isinstance(value, list) else value


def _network(part: object) -> Network:
    try:
        return ip_network(str(part), strict=False)
    except ValueError as error:
        raise ValueError(f"{part!r} is not a network; write it as 127.0.0.0/8 or fd00::/8") from error

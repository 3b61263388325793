"""Which channels there are. A channel's type is the name of its file in `channels/`."""

import inspect
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from services.ingest import channels
from services.ingest.channel import (
    Backfills,
    Channel,
    ChannelBroken,
    ChecksCredential,
    DeletesReplies,
    Disputes,
    Hides,
    HttpClient,
    PagesByCursor,
    ReadsBack,
    ReceivesPushes,
    RepliesPrivately,
    RepliesPublicly,
    Reports,
    Streams,
    explain,
)
from shared.kit.errors import Invalid
from shared.models.display_rules import DisplayRules

ABILITIES: Mapping[str, type] = {
    "pages": PagesByCursor,
    "stream": Streams,
    "push": ReceivesPushes,
    "reply_public": RepliesPublicly,
    "reply_private": RepliesPrivately,
    "read_back": ReadsBack,
    "backfill": Backfills,
    "check": ChecksCredential,
    "hide": Hides,
    "report": Reports,
    "dispute": Disputes,
    "delete_reply": DeletesReplies,
}
FOLDER_SETTING = "data_dir"
"""A setting that the house fills in, never a person: where a channel may keep files of its own."""
HOOK_SETTING = "hook_url"
"""A setting that the house fills in where a person leaves it empty: where the channel's network calls us."""


@dataclass(frozen=True, slots=True)
class ChannelTypeInfo:
    """A channel type as it is published for the api to show."""

    type: str
    title: str
    abilities: tuple[str, ...]
    settings_schema: Mapping[str, Any]
    secrets_schema: Mapping[str, Any]
    reply_rules: Mapping[str, Any]
    display_rules: Mapping[str, Any]
    docs: str


def types() -> list[str]:
    """The names of all channel types, in alphabetical order."""
    return sorted(found.name for found in pkgutil.iter_modules(channels.__path__))


@cache
def load(type_: str) -> type[Channel]:
    """The channel class of a type. Raises Invalid where there is none."""
    if type_ not in types():
        raise Invalid(
            f"There is no channel type {type_!r}. There are: {', '.join(types())}.",
            errors=[("/type", f"is none of {', '.join(types())}")],
        )
    module = import_module(f"{channels.__name__}.{type_}")
    return cast(type[Channel], module.CHANNEL)


def describe(type_: str) -> ChannelTypeInfo:
    """What the api shows of a type. The docs are the file's own first words."""
    channel = load(type_)
    return ChannelTypeInfo(
        type=type_,
        title=channel.title,
        abilities=abilities(channel),
        settings_schema=_schema(channel.Settings),
        secrets_schema=_schema(channel.Secrets),
        reply_rules=channel.reply_rules.model_dump(mode="json"),
        display_rules=display_rules(channel).model_dump(mode="json"),
        docs=inspect.getdoc(inspect.getmodule(channel)) or "",
    )


def display_rules(channel: type[Channel]) -> DisplayRules:
    """What its venue lets us keep and show; a channel that says nothing of it has a venue that asks for nothing."""
    found: DisplayRules = getattr(channel, "display_rules", DisplayRules())
    return found


def abilities(channel: type[Channel]) -> tuple[str, ...]:
    """The names of what a channel can do, in the order of `ABILITIES`."""
    return tuple(name for name, protocol in ABILITIES.items() if issubclass(channel, protocol))


@cache
def types_with(ability: str) -> tuple[str, ...]:
    """The types whose channels can do this, in alphabetical order. `ability` is one of `ABILITIES`."""
    return tuple(type_ for type_ in types() if issubclass(load(type_), ABILITIES[ability]))


def check(type_: str, settings: Mapping[str, Any], secrets: Mapping[str, str] | None = None) -> None:
    """Raises Invalid, with a sentence for each field that is wrong; `secrets` None are not checked."""
    channel = load(type_)
    errors: list[tuple[str, str]] = []
    if FOLDER_SETTING in settings:
        errors.append((f"/settings/{FOLDER_SETTING}", f"{FOLDER_SETTING} is not a setting of this channel."))
    for name, model, values in (("settings", channel.Settings, settings), ("secrets", channel.Secrets, secrets)):
        if values is None:
            continue
        try:
            model.model_validate({key: value for key, value in values.items() if key != FOLDER_SETTING})
        except ValidationError as wrong:
            errors += [(f"/{name}{pointer}", detail) for pointer, detail in explain(wrong, of=f"{name} of {type_}")]
    if errors:
        raise Invalid(" ".join(detail for _, detail in errors), errors=errors)


def open_channel(
    type_: str, settings: Mapping[str, Any], secrets: Mapping[str, str], http: HttpClient, *, data_dir: Path,
    hook_url: str = "",
) -> Channel:  # fmt: skip
    """A channel ready to work. `hook_url` is where its network may call us, "" for nowhere. Raises ChannelBroken where its stored
    settings or secrets no longer fit its type."""
    channel = load(type_)
    known = {key: value for key, value in settings.items() if key != FOLDER_SETTING}
    if FOLDER_SETTING in channel.Settings.model_fields:
        known[FOLDER_SETTING] = data_dir
    if hook_url and HOOK_SETTING in channel.Settings.model_fields and not known.get(HOOK_SETTING):
        known[HOOK_SETTING] = hook_url
    try:
        return channel(known, secrets, http)
    except ValidationError as wrong:
        said = " ".join(detail for _, detail in explain(wrong, of=f"settings of {type_}"))
        raise ChannelBroken(f"The settings of this {type_} channel are not right. {said}") from wrong


def _schema(model: type[Any]) -> Mapping[str, Any]:
    """The model's JSON Schema, without the folder that the house fills in."""
    schema: dict[str, Any] = model.model_json_schema()
    schema.get("properties", {}).pop(FOLDER_SETTING, None)
    return schema

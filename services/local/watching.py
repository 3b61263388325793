"""`webcare watch`: a brand, a query and the channels that hear a text without a credential; the same call again changes nothing.

Everything goes through the desk's own verbs and read models, as a caller of the REST door would have it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

import orjson

from services.api.desk import channels, workspaces
from services.api.desk.desk import Desk
from services.local.open_channels import Planned, plan
from services.local.operator import all_of
from services.local.trouble import LocalTrouble
from shared.rules.query_language import QuerySyntaxError

State = Literal["made", "there", "would be made", "left out"]


@dataclass(frozen=True, slots=True)
class Listening:
    """One channel that listens, or would: what became of it, and for what was left out, why."""

    planned: Planned
    state: State
    channel_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Watch:
    """What `watch` made or found; without ids where it only looked."""

    listening: Sequence[Listening]
    feeds: Sequence[str] = ()
    brand_id: UUID | None = None
    query_id: UUID | None = None


async def watch(
    desk: Desk,
    text: str,
    *,
    feeds: Sequence[str] = (),
    apps: Sequence[str] = (),
    countries: Sequence[str] = ("us",),
    dry_run: bool = False,
) -> Watch:
    """Starts to listen for a text: to `feeds` where there are any, else to every venue that needs no credential.

    Raises LocalTrouble for a query that cannot be read, and what the desk raises."""
    plans = [] if feeds else await _plans(desk, text, apps, countries)
    known = await all_of(desk, "channel") if plans else []
    if dry_run:
        found = [_found(one, known) or Listening(one, "left out" if one.left_out else "would be made") for one in plans]
        return Watch(found, feeds)
    async with desk.writing() as writing:
        made = await workspaces.watch(writing, text, feeds)
        listening = [_found(one, known) or await _connect(writing, one) for one in plans]
    return Watch(listening, feeds, made.brand_id, made.query_id)


async def _plans(desk: Desk, text: str, apps: Sequence[str], countries: Sequence[str]) -> list[Planned]:
    published = {one["type"]: one["settings_schema"] for one in await all_of(desk, "channel_type")}
    try:
        return list(plan(text, published, apps, countries))
    except QuerySyntaxError as wrong:
        raise LocalTrouble(f"The query cannot be read at position {wrong.position}: {wrong.message}") from wrong


async def _connect(desk: Desk, one: Planned) -> Listening:
    if one.left_out:
        return Listening(one, "left out")
    return Listening(one, "made", await channels.create_channel(desk, one.body()))


def _found(one: Planned, known: Iterable[Mapping[str, Any]]) -> Listening | None:
    """The channel that listens so already: of this type, with this name or these settings."""
    for channel in known:
        if channel["type"] == one.of.type and (
            channel["name"] == one.name or channel["settings"] == orjson.loads(orjson.dumps(one.settings))
        ):
            return Listening(one, "there", UUID(channel["id"]))
    return None

"""`webcare channel add`: tries a channel out before it is saved, and saves it by the desk's own verb.

Trying out goes through ingest's own opening, so that addresses are judged and the pace is kept as in earnest. Nothing that
is heard then is taken in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from services.api.desk import channels
from services.api.desk.desk import Desk
from services.ingest.channel import Account, Channel, ChannelError, ChecksCredential, IncomingMention, PagesByCursor
from services.ingest.checking import whom
from services.ingest.opening import Opener, workspace_folder
from services.ingest.pacing import Pacer
from services.ingest.worker import folder_of
from services.local.questions import Wanted
from shared.kit.http import HttpClient

PATIENCE_S = 60.0
"""How long trying a channel out may take."""
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Tried:
    """What trying a channel out brought. `account`: whom the network takes us for, where there was a credential and
    `can_check`; `heard`: what would come in, the newest first; None where nothing could be asked. `trouble`: what is wrong."""

    account: Account | None = None
    can_check: bool = False
    heard: Sequence[IncomingMention] | None = None
    trouble: str | None = None


async def try_out(
    desk: Desk,
    type_: str,
    settings: Mapping[str, Any],
    secrets: Mapping[str, str],
    *,
    last: bool,
    http: HttpClient | None = None,
) -> Tried:
    """Asks the network who we are there, where there is a credential and the type can, and, where `last` is wanted, for the
    newest it has. Nothing is kept. A network that charges for reading charges for the last items. `http` is another
    client than the usual one, and stays open."""
    client = http or HttpClient(desk.settings.allowed_networks)
    pacer = Pacer.of(desk.settings)
    account, can_check = None, False
    try:
        async with asyncio.timeout(PATIENCE_S):
            data_dir = folder_of(desk.settings)
            opener = Opener(desk.vault, client, data_dir, pacer)
            network = opener.unsaved(type_, settings, secrets, workspace_folder(data_dir, desk.workspace_id))
            if isinstance(network, ChecksCredential):
                can_check = True
                account = await whom(network) if secrets else None
            return Tried(account, can_check, await _last(network) if last else None)
    except ChannelError as wrong:
        return Tried(account, can_check, trouble=str(wrong))
    except TimeoutError:
        return Tried(account, can_check, trouble=f"It did not answer within {PATIENCE_S:.0f} seconds.")
    finally:
        await pacer.close()
        if http is None:
            await client.close()


async def _last(network: Channel) -> Sequence[IncomingMention] | None:
    """The newest of the first page; None where there is nothing that could be asked."""
    if not isinstance(network, PagesByCursor):
        return None
    page = await network.page(None)
    there = [one for one in page.mentions if one.deleted_at is None]
    return sorted(there, key=lambda one: one.published_at, reverse=True)[:SHOWN]


@dataclass(frozen=True, slots=True)
class Connected:
    """A channel that was saved; `hook` is where its network calls us, if it does."""

    channel_id: UUID
    hook: str | None


async def save(desk: Desk, wanted: Wanted) -> Connected:
    """Saves the channel. Raises Invalid and Conflict, as the desk does."""
    body = {
        "type": wanted.type, "name": wanted.name, "settings": dict(wanted.settings), "owned": wanted.owned,
        **({"secrets": dict(wanted.secrets)} if wanted.secrets else {}),
    }  # fmt: skip
    async with desk.writing() as writing:
        made = await channels.create_channel(writing, body)
    hooks = desk.settings.hooks_url or f"{desk.settings.ingest_url}/v1/hooks/"
    hook = f"{hooks}{made}" if "push" in wanted.abilities else None
    return Connected(made, hook)

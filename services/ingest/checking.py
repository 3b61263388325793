"""Whom a network takes us for: asked when somebody wants to know, of a channel that is stored or of one that is being set up."""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import UUID

from services.ingest.channel import Account, ChannelBroken, ChannelError, ChecksCredential, TryLater, cleaned
from services.ingest.channel import Channel as Network
from services.ingest.opening import Opener
from shared.kit import clock, logging
from shared.kit.database import Database
from shared.store import channel as channels
from shared.store import work
from shared.store.work import Claim

log = logging.get(__name__)

DEADLINE_S = 30.0
AT_ONCE = 8


async def whom(network: Network) -> Account:
    """Whom the network takes us for. Raises ChannelError, in a sentence for whoever sets the channel up."""
    if not isinstance(network, ChecksCredential):
        raise ChannelBroken("This kind of channel has no account that could be checked.")
    try:
        async with asyncio.timeout(DEADLINE_S):
            return await network.account()
    except TimeoutError as late:
        raise TryLater("The network took too long to answer.") from late
    except ChannelError:
        raise
    except Exception as wrong:
        log.exception("checking a channel went wrong", type=type(network).__name__)
        raise ChannelBroken(f"Something went wrong on our side ({type(wrong).__name__}); the log says what.") from wrong


async def whom_unsaved(
    opener: Opener, type_: str, settings: Mapping[str, Any], secrets: Mapping[str, str], folder: Path
) -> Account:
    """The same for settings and secrets that nobody has saved yet. Raises ChannelError, and Invalid for an unknown type."""
    return await whom(opener.unsaved(type_, settings, secrets, folder))


class Checker:
    """Asks for stored channels, of all workspaces, and writes down what was answered."""

    def __init__(self, database: Database, opener: Opener) -> None:
        self._database = database
        self._opener = opener

    async def once(self) -> bool:
        """Does the checks that are asked for. False where none is."""
        async with self._database.lookup() as connection:
            claim = await work.claim(connection, channels.CHECK, AT_ONCE, lease_s=DEADLINE_S * 2)
        if claim is None:
            return False
        await asyncio.gather(*(self._check(claim, work_id, channel_id) for work_id, channel_id, _ in claim.works))
        return True

    async def _check(self, claim: Claim, work_id: UUID, channel_id: UUID) -> None:
        async with self._database.write(claim.workspace_id) as session:
            channel = await channels.get(session, claim.workspace_id, channel_id)
        account: Account | None = None
        error: str | None = None
        if channel is not None:
            try:
                account = await whom(self._opener.network(channel))
            except ChannelError as said:
                error = cleaned(str(said))[:1000]
        async with self._database.write(claim.workspace_id) as session:
            if await work.done(session, claim, [work_id]) and channel is not None:
                told = None
                if account is not None:
                    told = {name: value and cleaned(value) for name, value in asdict(account).items()}
                await channels.note_check(session, claim.workspace_id, channel_id, told, error, clock.now())

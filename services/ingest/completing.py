"""Asks for the words of mentions that were delivered as ids only; until then the mention stands there with what came."""

import asyncio
from datetime import timedelta
from uuid import UUID

from services.ingest import pages
from services.ingest.channel import ChannelError, Completes, IncomingMention, SkipThis, TryLater
from services.ingest.intake import COMPLETE, complete
from services.ingest.opening import Opener, source_of
from shared.kit import logging
from shared.kit.database import Database
from shared.models.channel import Channel
from shared.store import channel as channels
from shared.store import mention as mentions
from shared.store import work
from shared.store.work import Claim

log = logging.get(__name__)

DEADLINE_S = 30.0
AT_ONCE = 8
WAITS = (timedelta(seconds=30), timedelta(minutes=5), timedelta(hours=1), timedelta(hours=6), timedelta(hours=24))
"""How long to wait after each try that failed; after the last the mention stays as it came."""


class Completer:
    """Asks for what came as ids, of all workspaces."""

    def __init__(self, database: Database, opener: Opener) -> None:
        self._database = database
        self._opener = opener

    async def once(self) -> bool:
        """Asks for those that are due. False where none is."""
        async with self._database.lookup() as connection:
            claim = await work.claim(connection, COMPLETE, AT_ONCE, lease_s=DEADLINE_S * 2)
        if claim is None:
            return False
        await asyncio.gather(*(self._complete(claim, *one) for one in claim.works))
        return True

    async def _complete(self, claim: Claim, work_id: UUID, mention_id: UUID, tries: int) -> None:
        async with self._database.write(claim.workspace_id) as session:
            came = dict(await mentions.as_it_came(session, claim.workspace_id, mention_id) or {})
            channel = await channels.get(session, claim.workspace_id, came.pop("channel_id")) if came else None
            if channel is None:
                await work.done(session, claim, [work_id])
                return
        try:
            whole = await self._asked(channel, IncomingMention.model_validate(came))
        except SkipThis:
            whole = None
        except ChannelError as failed:
            log.info("a mention could not be completed", channel_id=str(channel.id), reason=str(failed)[:300])
            if tries < len(WAITS):
                wait = max(WAITS[tries], failed.after if isinstance(failed, TryLater) else timedelta(0))
                async with self._database.lookup() as connection:
                    await work.look_again(connection, claim, [work_id], after_s=wait.total_seconds())
                return
            whole = None
        async with self._database.write(claim.workspace_id) as session:
            if await work.done(session, claim, [work_id]) and whole is not None:
                source = await source_of(session, channel, self._opener.network(channel))
                await complete(session, claim.workspace_id, source, mention_id, whole)

    async def _asked(self, channel: Channel, mention: IncomingMention) -> IncomingMention | None:
        """The mention whole, known as it was. Raises ChannelError; TryLater while the channel is paused."""
        if channel.status != "active":
            raise TryLater("The channel is paused.")
        network = self._opener.network(channel)
        if not isinstance(network, Completes):
            return None
        whole = await pages.ask(channel, network.complete(mention), DEADLINE_S)
        return whole and whole.model_copy(update={"external_id": mention.external_id})

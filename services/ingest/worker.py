"""The ingest worker: reads channels that are due, carries replies and moderations, settles replies whose outcome is
unknown."""

import asyncio
import contextlib
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from services.ingest import catalog
from services.ingest.checking import Checker
from services.ingest.completing import Completer
from services.ingest.gaps import Filler
from services.ingest.gone_accounts import Taker
from services.ingest.intake import COMPLETE
from services.ingest.moderator import REQUESTED, Moderator
from services.ingest.opening import Opener
from services.ingest.pacing import Pacer
from services.ingest.pages import GONE
from services.ingest.poller import GRACE_S, Poller
from services.ingest.replies import QUEUED, UNKNOWN, Sender
from services.ingest.streams import Streaming
from shared.kit import logging
from shared.kit.database import Database
from shared.kit.http import HttpClient
from shared.kit.jobs import Nudger, Wakeups, drain
from shared.kit.secrets import Vault
from shared.kit.settings import Settings
from shared.store import channel as channels
from shared.store import heartbeats

log = logging.get(__name__)
DUE, GAP = "channel.due", "channel.gap"


async def publish_types(database: Database) -> None:
    """Tells the api which channel types there are."""
    described = [catalog.describe(one) for one in catalog.types()]
    async with database.lookup() as connection:
        await channels.publish_types(
            connection,
            [
                {"type": one.type, "title": one.title, "abilities": one.abilities, "settings_schema": one.settings_schema,
                 "secrets_schema": one.secrets_schema, "reply_rules": one.reply_rules,
                 "display_rules": one.display_rules}
                for one in described
            ],
        )  # fmt: skip


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Works until `stop`."""
    database = await Database.open(settings, "ingest-worker")
    http = HttpClient(settings.allowed_networks)
    pacer = Pacer.of(settings)
    opener = Opener(Vault(settings.secret_key.get_secret_value()), http, folder_of(settings), pacer, settings.hooks_url)
    nudger = Nudger(settings)
    nudger.attach(database)
    streams = Streaming(database)
    poller, sender = Poller(database, opener, streams), Sender(database, opener)
    filler, taker, checker = Filler(database, opener), Taker(database), Checker(database, opener)
    try:
        await publish_types(database)
        async with (
            Wakeups(settings, [QUEUED, UNKNOWN, REQUESTED, DUE, GAP, GONE, COMPLETE, channels.CHECK]) as wakeups,
            asyncio.TaskGroup() as group,
        ):
            group.create_task(sender.run(wakeups, stop))
            group.create_task(Moderator(database, opener).run(wakeups, stop))
            group.create_task(poller.run(DUE, wakeups, stop))
            group.create_task(streams.run(stop))
            group.create_task(_until(stop, drain(GAP, wakeups, stop, filler.once)))
            group.create_task(drain(GONE, wakeups, stop, taker.once))
            group.create_task(_until(stop, drain(COMPLETE, wakeups, stop, Completer(database, opener).once)))
            group.create_task(_until(stop, drain(channels.CHECK, wakeups, stop, checker.once)))
            group.create_task(heartbeats.pulse(database, "ingest-worker", stop))
            log.info("ingest-worker is ready", channel_types=catalog.types())
    finally:
        await streams.close()
        await nudger.close()
        await pacer.close()
        await http.close()
        await database.close()


async def _until(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    """Works until `stop`. What asks a network then and does not come to its end soon is done again when its lease has ended."""
    running, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            await asyncio.wait({running}, timeout=GRACE_S)
    finally:
        stopping.cancel()
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


def folder_of(settings: Settings) -> Path:
    """Where channels may keep files of their own."""
    folder = settings.data_dir.expanduser().absolute() / "channels"
    folder.mkdir(parents=True, exist_ok=True)
    return folder

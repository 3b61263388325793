"""The ingest worker: reads channels that are due, carries replies, settles those whose outcome is unknown."""

import asyncio
from pathlib import Path

from services.ingest import catalog
from services.ingest.opening import Opener
from services.ingest.poller import Poller
from services.ingest.replies import QUEUED, UNKNOWN, Sender
from shared.kit import logging
from shared.kit.database import Database
from shared.kit.http import HttpClient
from shared.kit.jobs import Nudger, Wakeups, drain
from shared.kit.secrets import Vault
from shared.kit.settings import Settings
from shared.store import channel as channels
from shared.store import heartbeats

log = logging.get(__name__)
DUE = "channel.due"


async def publish_types(database: Database) -> None:
    """Tells the api which channel types there are."""
    described = [catalog.describe(one) for one in catalog.types()]
    async with database.lookup() as connection:
        await channels.publish_types(
            connection,
            [
                {"type": one.type, "title": one.title, "abilities": one.abilities, "settings_schema": one.settings_schema,
                 "secrets_schema": one.secrets_schema, "reply_rules": one.reply_rules}
                for one in described
            ],
        )  # fmt: skip


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Works until `stop`."""
    database = await Database.open(settings, "ingest-worker")
    http = HttpClient(settings.allowed_networks)
    opener = Opener(Vault(settings.secret_key.get_secret_value()), http, folder_of(settings))
    nudger = Nudger(settings)
    nudger.attach(database)
    poller, sender = Poller(database, opener), Sender(database, opener)
    try:
        await publish_types(database)
        async with Wakeups(settings, [QUEUED, UNKNOWN, DUE]) as wakeups, asyncio.TaskGroup() as group:
            group.create_task(sender.run(wakeups, stop))
            group.create_task(drain(DUE, wakeups, stop, poller.once))
            group.create_task(heartbeats.pulse(database, "ingest-worker", stop))
            log.info("ingest-worker is ready", channel_types=catalog.types())
    finally:
        await nudger.close()
        await http.close()
        await database.close()


def folder_of(settings: Settings) -> Path:
    """Where channels may keep files of their own."""
    folder = settings.data_dir.expanduser().absolute() / "channels"
    folder.mkdir(parents=True, exist_ok=True)
    return folder

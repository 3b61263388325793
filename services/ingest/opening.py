"""A stored channel, made ready to work: its secrets opened, its rules and its source of mentions known."""

from dataclasses import dataclass
from pathlib import Path

import orjson

from services.ingest import catalog
from services.ingest.channel import Channel as Network
from services.ingest.channel import HttpClient
from services.ingest.intake import Source
from shared.kit.database import WriteSession
from shared.kit.secrets import Vault
from shared.models.channel import Channel
from shared.models.sealed import channel_secrets
from shared.store import channel as store


@dataclass(frozen=True, slots=True)
class Opener:
    """Opens channels. `http` judges every address; `data_dir` is where a channel may keep files of its own."""

    vault: Vault
    http: HttpClient
    data_dir: Path

    def network(self, channel: Channel) -> Network:
        """The network behind a channel. Raises ChannelBroken where what is stored no longer fits its type."""
        secrets: dict[str, str] = {}
        if channel.secrets is not None:
            secrets = orjson.loads(self.vault.open(channel.secrets, channel.workspace_id, channel_secrets(channel.id)))
        return catalog.open_channel(channel.type, channel.settings, secrets, self.http, data_dir=self.data_dir)


async def source_of(session: WriteSession, channel: Channel, network: Network) -> Source:
    """Where a channel's mentions come from, as intake needs it."""
    own = network.ids_unique_within == "channel"
    return Source(
        channel_id=channel.id,
        channel_type=channel.type,
        scope=str(channel.id) if own else "",
        own_handles=await store.own_handles(session, channel.workspace_id),
        rules=network.reply_rules,
    )

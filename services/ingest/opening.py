"""A stored channel, made ready to work: its secrets opened, its rules and its source of mentions known."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from services.ingest import catalog
from services.ingest.channel import Channel as Network
from services.ingest.channel import ChannelBroken, HttpClient, KnowsItself
from services.ingest.intake import Source
from services.ingest.pacing import Pacer
from shared.kit.database import WriteSession
from shared.kit.errors import WebcareError
from shared.kit.secrets import Vault
from shared.models.channel import Channel
from shared.models.sealed import channel_secrets
from shared.store import channel as store


@dataclass(frozen=True, slots=True)
class Opener:
    """Opens channels. `http` judges every address; `data_dir` is where channels may keep files, each workspace's apart; `pacer`
    keeps the pace that a network allows a credential; `hooks_url` stands before a channel's id in its hook's address."""

    vault: Vault
    http: HttpClient
    data_dir: Path
    pacer: Pacer = field(default_factory=Pacer)
    hooks_url: str = ""

    def network(self, channel: Channel) -> Network:
        """The network behind a channel. Raises ChannelBroken where what is stored no longer fits its type, or cannot be read."""
        folder = workspace_folder(self.data_dir, channel.workspace_id)
        try:
            secrets = self._secrets(channel)
            hook_url = f"{self.hooks_url}{channel.id}" if self.hooks_url else ""
            return self.unsaved(channel.type, channel.settings, secrets, folder, hook_url)
        except WebcareError as wrong:  # sealed with another secret key, or of a type that is no longer there
            raise ChannelBroken(str(wrong)) from wrong

    def unsaved(
        self, type_: str, settings: Mapping[str, Any], secrets: Mapping[str, str], folder: Path, hook_url: str = ""
    ) -> Network:
        """The network behind settings and secrets that need not be stored; without an id it has no hook. Raises ChannelBroken, and
        Invalid for a type that is not there."""
        pace = getattr(catalog.load(type_), "pace", None)
        http = self.pacer.client(self.http, type_, secrets, pace)
        return catalog.open_channel(type_, settings, secrets, http, data_dir=folder, hook_url=hook_url)

    def _secrets(self, channel: Channel) -> dict[str, str]:
        if channel.secrets is None:
            return {}
        opened: dict[str, str] = orjson.loads(
            self.vault.open(channel.secrets, channel.workspace_id, channel_secrets(channel.id))
        )
        return opened


def workspace_folder(data_dir: Path, workspace_id: UUID) -> Path:
    """Where the channels of one workspace may keep files: no other workspace's channel reads there, whatever its settings."""
    return data_dir / str(workspace_id)


async def source_of(session: WriteSession, channel: Channel, network: Network) -> Source:
    """Where a channel's mentions come from, as intake needs it."""
    own = network.ids_unique_within == "channel"
    return Source(
        channel_id=channel.id,
        channel_type=channel.type,
        scope=str(channel.id) if own else "",
        own_handles=await store.own_handles(session, channel.workspace_id),
        own_accounts=network.own_accounts() if isinstance(network, KnowsItself) else frozenset(),
        rules=network.reply_rules,
    )

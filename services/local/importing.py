"""`webcare import`: mentions from a file go the same way as those that are pushed. The same file again adds nothing."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from services.api.desk import channels
from services.api.desk.desk import Desk
from services.ingest.incoming_mention import IncomingMention, Rejected, read_mentions
from services.ingest.intake import BULK, take_in
from services.ingest.opening import Opener, source_of
from services.ingest.worker import folder_of, publish_types
from services.local.mapping import FileMapping
from services.local.mention_files import Item, MentionFile, Unreadable
from services.local.operator import desk_of
from shared.kit.http import HttpClient
from shared.kit.ids import parse_id
from shared.kit.settings import Settings
from shared.models.channel import Channel
from shared.store import named

JsonObject = dict[str, Any]
BATCH = 1_000
"""Mentions in one transaction."""
USUAL_CHANNEL = "import"


@dataclass
class Imported:
    """What became of a file: how many of each outcome, and which lines were refused and why."""

    outcomes: Counter[str] = field(default_factory=Counter)
    refused: list[tuple[int, str]] = field(default_factory=list)

    @property
    def problems(self) -> list[str]:
        """A sentence for each line that was refused, in the file's order."""
        return [f"Line {line}: {detail}" for line, detail in sorted(self.refused)]

    @property
    def read(self) -> int:
        """How many there were in the file."""
        return self.outcomes.total()


async def import_file(
    source: MentionFile,
    settings: Settings,
    *,
    workspace: str,
    channel: str | None,
    progress: Callable[[int], None],
    mapping: FileMapping | None = None,
) -> Imported:
    """Takes a whole file in, a transaction for each BATCH of one channel. `channel` is a name or an id and holds for
    all lines; without it the mapping's counts, or each line's own, and `import` where it has none. A push channel of a new
    name is made.
    Raises LocalTrouble and WebcareError; what was committed before stays, and is a duplicate the next time."""
    found = Imported()
    http = HttpClient(settings.allowed_networks)
    try:
        async with desk_of(settings, workspace, "import") as desk:
            await publish_types(desk.database)
            intake = _Intake(desk, Opener(desk.vault, http, folder_of(settings)), found)
            items = mapped(source, mapping)
            while batch := list(itertools.islice(items, BATCH)):
                groups: dict[str, list[Item]] = {}
                for item in batch:
                    groups.setdefault(channel or channel_of(item, mapping), []).append(item)
                for name, group in groups.items():
                    await intake.take(name, group)
                progress(batch[-1].position)
    finally:
        await http.close()
    return found


class _Intake:
    """Takes batches in, each into the channel it is for."""

    def __init__(self, desk: Desk, opener: Opener, found: Imported) -> None:
        self._desk = desk
        self._opener = opener
        self._found = found
        self._channels: dict[str, Channel] = {}

    async def take(self, name: str, items: Sequence[Item]) -> None:
        good, bad = read_mentions(_readable(place, item) for place, item in enumerate(items))
        for refused in bad:
            self._found.refused.append((items[refused.index].line, refused.detail))
        channel = await self._channel(name)
        network = self._opener.network(channel)
        mentions: list[IncomingMention] = [mention for _, mention in good]
        async with self._desk.database.write(self._desk.workspace_id) as session:
            source = await source_of(session, channel, network)
            taken = await take_in(
                session, self._desk.workspace_id, source, mentions, rejected=len(bad), priority=BULK
            )  # fmt: skip
        for outcome in ("stored", "updated", "duplicate", "filtered", "rejected"):
            self._found.outcomes[outcome] += getattr(taken, outcome)

    async def _channel(self, name: str) -> Channel:
        """The channel of that name or id; a new push channel where there is none of that name."""
        if name not in self._channels:
            async with self._desk.writing() as desk:
                key: UUID | None = parse_id(name)
                known = await named.find(desk.session, Channel, desk.workspace_id, "id" if key else "name", key or name)
                if known is None:
                    made = await channels.create_channel(desk, {"type": "push", "name": name, "settings": {}})
                    known = await named.find(desk.session, Channel, desk.workspace_id, "id", made)
            assert known is not None
            self._channels[name] = known
        return self._channels[name]


def mapped(source: MentionFile, mapping: FileMapping | None) -> Iterator[Item]:
    """What stands in the file, as the fields of mentions."""
    for item in source.items():
        if mapping is None or isinstance(item.content, Unreadable):
            yield item
        else:
            yield Item(item.line, mapping.mention(item.content), item.position)


def channel_of(item: Item, mapping: FileMapping | None = None) -> str:
    """The name of the channel that an item is for, where none was named for all."""
    given = item.content.get("channel") if isinstance(item.content, dict) else None
    named = given.strip() if isinstance(given, str) else ""
    return named or (mapping.channel if mapping else None) or USUAL_CHANNEL


def previewed(items: Iterable[Item], channel: str | None, mapping: FileMapping | None) -> Iterator[JsonObject | str]:
    """What would be taken in, as `POST /v1/mentions` takes it, without the payloads; a sentence for what would not."""
    for item in items:
        good, bad = read_mentions([_readable(0, item)])
        for one in bad:
            yield f"Line {item.line}: {one.detail}"
        for _, mention in good:
            said = mention.model_dump(mode="json", exclude_defaults=True, exclude={"raw", "channel"})
            yield {"channel": channel or channel_of(item, mapping), **said}


def _readable(place: int, item: Item) -> object:
    if isinstance(item.content, Unreadable):
        return Rejected(place, "unreadable", f"It {item.content.detail}.")
    return item.content

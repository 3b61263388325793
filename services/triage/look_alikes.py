"""Earlier mentions that a new one may be a copy of: a sliding window over each workspace, kept in this process.

Exact copies are also looked up in the database, however old; near copies are sought among the last ones only.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from uuid import UUID

import asyncpg

from services.triage.stage import LookAlike, Sketch
from services.triage.stages.duplicates import sketch
from shared.store import assessment as store

WINDOW = 20_000
WARM = 5_000
MOST = 8  # look-alikes of one band that are compared: a storm of copies needs no more
_FIRST = UUID(int=0)


class Window:
    """The last mentions of one workspace by the bands of their sketches."""

    def __init__(self) -> None:
        self._one_at_a_time = asyncio.Lock()
        self._last = _FIRST
        self._kept: OrderedDict[UUID, tuple[int, ...]] = OrderedDict()
        self._by_band: dict[int, list[LookAlike]] = {}

    async def refresh(self, connection: asyncpg.Connection, up_to: UUID) -> None:
        """Takes in what came since the last look, up to a mention: what came after it is nothing that it could copy."""
        async with self._one_at_a_time:
            if up_to > self._last:
                for row in await store.texts_between(connection, self._last, up_to, WARM):
                    self.add(_look_alike(row))
                self._last = up_to

    def add(self, like: LookAlike) -> None:
        """Puts a mention into the window, and lets the oldest go."""
        bands = (like.sketch or sketch(like.text)).bands
        self._kept[like.mention_id] = bands
        for band in bands:
            held = self._by_band.setdefault(band, [])
            if len(held) < MOST:
                held.append(like)
        if len(self._kept) > WINDOW:
            oldest, gone = self._kept.popitem(last=False)
            for band in gone:
                left = [one for one in self._by_band.get(band, ()) if one.mention_id != oldest]
                if left:
                    self._by_band[band] = left
                else:
                    self._by_band.pop(band, None)

    def near(self, mention_id: UUID, made: Sketch) -> dict[UUID, LookAlike]:
        """The earlier mentions that share a band with this sketch."""
        return {
            like.mention_id: like
            for band in made.bands
            for like in self._by_band.get(band, ())
            if like.mention_id < mention_id
        }


async def find(
    connection: asyncpg.Connection, window: Window, texts: Mapping[UUID, str]
) -> tuple[dict[UUID, tuple[LookAlike, ...]], dict[UUID, Sketch]]:
    """For each mention, its look-alikes, and its own sketch."""
    if texts:
        await window.refresh(connection, max(texts))
    made = {mention_id: sketch(text) for mention_id, text in texts.items()}
    same: dict[bytes, list[LookAlike]] = {}
    for row in await store.same_texts(connection, list({one.exact for one in made.values() if one.bands})):
        same.setdefault(bytes(row["text_hash"]), []).append(_look_alike(row))
    found = {}
    for mention_id, one in made.items():
        likes = window.near(mention_id, one)
        likes |= {like.mention_id: like for like in same.get(one.exact, ()) if like.mention_id < mention_id}
        found[mention_id] = tuple(likes[key] for key in sorted(likes))
    return found, made


def _look_alike(row: asyncpg.Record) -> LookAlike:
    return LookAlike(
        row["id"],
        row["text"],
        row["author"],
        row["channel_type"],
        row["published_at"],
        row["permalink"],
        row["kind"],
        sketch(row["text"]),
    )

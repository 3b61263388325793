"""Earlier mentions that a new one may be a copy of: a sliding window over each workspace, kept in this process.

Exact copies are also looked up in the database, however old, and so is the post that a feed's item links to; near copies,
and items that linked to a post before its venue told of it, are sought among the last ones only.
"""

import asyncio
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import UUID

import asyncpg

from services.triage.pipeline import VERSION
from services.triage.same_page import BROADCAST, is_own, may_be_one, page_of, post_linked
from services.triage.stage import LookAlike, Sketch
from services.triage.stages.duplicates import NEAR, similarity, sketch, sketches
from shared.store import assessment as store

WINDOW = 20_000
WARM = 5_000
MOST = 8  # look-alikes of one band that are compared: a storm of copies needs no more
MOST_LINKS = 4  # links in the words of one item that are followed to posts we have
_FIRST = UUID(int=0)
_LINK = re.compile(r"https?://[^\s<>\"]{4,500}")


class Window:
    """The last mentions of one workspace by the bands of their sketches, and by the pages that they link to."""

    def __init__(self) -> None:
        self._one_at_a_time = asyncio.Lock()
        self._last = _FIRST
        self._kept: OrderedDict[UUID, tuple[int | str, ...]] = OrderedDict()
        self._by_band: dict[int | str, list[LookAlike]] = {}

    async def refresh(self, connection: asyncpg.Connection, up_to: UUID) -> None:
        """Takes in what came since the last look, up to a mention: what came after it is nothing that it could copy."""
        async with self._one_at_a_time:
            if up_to > self._last:
                rows = await store.texts_between(connection, self._last, up_to, WARM)
                for row, made in zip(rows, sketches([row["text"] for row in rows]), strict=True):
                    self.add(_look_alike(row, made))
                self._last = up_to

    def add(self, like: LookAlike) -> None:
        """Puts a mention into the window, and lets the oldest go."""
        bands: tuple[int | str, ...] = (like.sketch or sketch(like.text)).bands
        # A venue's own post is looked up by its id: it need not be held by its page, which nearly all would be.
        if not is_own(like.channel_type) and (page := page_of(like.channel_type, like.kind, like.permalink)):
            bands = (*bands, page)
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

    def of_page(self, row: asyncpg.Record) -> dict[UUID, LookAlike]:
        """The earlier mentions that stand for the same page as this one."""
        page = page_of(row["channel_type"], row["kind"], row["permalink"], row["external_id"])
        return {
            like.mention_id: replace(like, same_page=True)
            for like in (self._by_band.get(page, ()) if page else ())
            if like.mention_id < row["id"]
            and may_be_one(row["kind"], row["channel_type"], like.kind, like.channel_type)
        }


async def find(
    connection: asyncpg.Connection, window: Window, rows: Sequence[asyncpg.Record]
) -> tuple[dict[UUID, tuple[LookAlike, ...]], dict[UUID, Sketch]]:
    """For each mention as triage reads it, its look-alikes, and its own sketch."""
    if rows:
        await window.refresh(connection, max(row["id"] for row in rows))
    made = dict(zip([row["id"] for row in rows], sketches([row["text"] for row in rows]), strict=True))
    same: dict[bytes, list[LookAlike]] = {}
    for found in await store.same_texts(connection, list({one.exact for one in made.values() if one.bands})):
        same.setdefault(bytes(found["text_hash"]), []).append(_look_alike(found))
    linked = {row["id"]: posts for row in rows if (posts := _posts_linked(row))}
    known = await _posts(connection, {post for posts in linked.values() for post in posts})
    likes: dict[UUID, tuple[LookAlike, ...]] = {}
    for row in rows:
        mention_id, one = row["id"], made[row["id"]]
        each = window.near(mention_id, one)
        each |= {like.mention_id: like for like in same.get(one.exact, ()) if like.mention_id < mention_id}
        each |= window.of_page(row)
        for post, itself in linked.get(mention_id, {}).items():
            if (like := known.get(post)) and like.mention_id < mention_id:
                each[like.mention_id] = replace(like, same_page=itself)
        likes[mention_id] = tuple(each[key] for key in sorted(each))
    return await _with_entities(connection, likes, made), made


async def _with_entities(
    connection: asyncpg.Connection, likes: Mapping[UUID, tuple[LookAlike, ...]], made: Mapping[UUID, Sketch]
) -> dict[UUID, tuple[LookAlike, ...]]:
    """The same with what was found in those of which a mention may inherit."""
    near = {
        like.mention_id
        for mention_id, each in likes.items()
        for like in each
        if like.sketch is not None and similarity(made[mention_id], like.sketch) >= NEAR
    }
    known = await store.entities(connection, sorted(near), VERSION) if near else {}
    if not known:
        return dict(likes)
    found = {
        mention_id: tuple((str(one.get("type")), str(one.get("text")), str(one["decided_by"])) for one in entities)
        for mention_id, entities in known.items()
    }
    return {
        mention_id: tuple(replace(like, entities=found.get(like.mention_id)) for like in each)
        for mention_id, each in likes.items()
    }


def _posts_linked(row: asyncpg.Record) -> dict[tuple[str, str], bool]:
    """The posts of venues that a mention of another channel links to, and for each whether it is that post itself, as its
    permalink tells, or only names it in its words."""
    found: dict[tuple[str, str], bool] = {}
    if row["kind"] in BROADCAST and not is_own(row["channel_type"]):
        for link in _LINK.findall(row["text"][:20_000])[:MOST_LINKS]:
            if post := post_linked(row["channel_type"], row["kind"], link.rstrip(".,;:!?)]'\"")):
                found[post] = False
    if post := post_linked(row["channel_type"], row["kind"], row["permalink"]):
        found[post] = True
    return found


async def _posts(connection: asyncpg.Connection, posts: set[tuple[str, str]]) -> dict[tuple[str, str], LookAlike]:
    if not posts:
        return {}
    rows = await store.posts_at_venues(connection, sorted(posts))
    return {(row["channel_type"], row["external_id"]): _look_alike(row) for row in rows}


def _look_alike(row: asyncpg.Record, made: Sketch | None = None) -> LookAlike:
    return LookAlike(
        row["id"],
        row["text"],
        row["author"],
        row["channel_type"],
        row["published_at"],
        row["permalink"],
        row["kind"],
        made or sketch(row["text"]),
        row["handle"],
    )

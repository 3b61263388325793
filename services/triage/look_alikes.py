"""Earlier mentions that a new one may be a copy of: a sliding window over each workspace, kept in this process.

After a start it is read back from the database. Exact copies are also looked up there, however old, and so is the post
that a feed's item links to; near copies, and items that linked to a post before its venue told of it, are sought among
the last ones only.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import UUID

import asyncpg

from services.triage.banded import Banded
from services.triage.held import Held
from services.triage.pipeline import VERSION
from services.triage.same_page import BROADCAST, is_own, may_be_one, page_of, post_linked
from services.triage.sketching import sketch, sketches
from services.triage.stage import LookAlike, Sketch
from services.triage.stages.duplicates import NEAR
from shared.store import assessment as store

WINDOW = 20_000
AT_ONCE = 1_000  # are read and sketched in one go
MOST_LINKS = 4  # links in the words of one item that are followed to posts we have
_FIRST = UUID(int=0)
_LINK = re.compile(r"https?://[^\s<>\"]{4,500}")


class Window:
    """The last mentions of one workspace by the bands of their sketches, and by the pages that they link to."""

    def __init__(self, most: int = WINDOW) -> None:
        self._one_at_a_time = asyncio.Lock()
        self._last = _FIRST
        self._most = most
        self._by_band: Banded[LookAlike] = Banded(most)
        self._by_page: Held[LookAlike] = Held(most)

    async def refresh(self, connection: asyncpg.Connection, up_to: UUID) -> None:
        """Takes in what came since the last look, up to a mention: what came after it is nothing that it could copy. The first look
        takes in as many as the window holds: so copies of what came before a start are known after it."""
        async with self._one_at_a_time:
            if up_to <= self._last:
                return
            newest: list[list[LookAlike]] = []
            bound, room = up_to, self._most
            while room:
                rows = await store.texts_between(connection, self._last, bound, min(room, AT_ONCE))
                made = sketches([row["text"] for row in rows])
                newest.append([_look_alike(row, one) for row, one in zip(rows, made, strict=True)])
                if len(rows) < AT_ONCE:
                    break
                bound, room = UUID(int=rows[0]["id"].int - 1), room - len(rows)
            for likes in reversed(newest):
                self.add(likes)
            self._last = up_to

    def add(self, likes: Sequence[LookAlike]) -> None:
        """Puts mentions into the window, and lets the oldest go."""
        made = [(like, (like.sketch or sketch(like.text)).bands) for like in likes]
        long = [(like, bands) for like, bands in made if bands]
        self._by_band.add([like for like, _ in long], [bands for _, bands in long])
        for like in likes:
            # A venue's own post is looked up by its id: it need not be held by its page, which nearly all would be.
            page = None if is_own(like.channel_type) else page_of(like.channel_type, like.kind, like.permalink)
            self._by_page.add(like, (page,) if page else ())

    def near(self, mention_ids: Sequence[UUID], made: Sequence[Sketch]) -> list[dict[UUID, LookAlike]]:
        """For each mention the earlier ones that share a band with its sketch."""
        found = self._by_band.near([one.bands for one in made])
        return [
            {like.mention_id: like for like in likes if like.mention_id < mention_id}
            for mention_id, likes in zip(mention_ids, found, strict=True)
        ]

    def of_page(self, row: asyncpg.Record) -> dict[UUID, LookAlike]:
        """The earlier mentions that stand for the same page as this one."""
        page = page_of(row["channel_type"], row["kind"], row["permalink"], row["external_id"])
        return {
            like.mention_id: replace(like, same_page=True)
            for like in self._by_page.of((page,) if page else ())
            if like.mention_id < row["id"]
            and may_be_one(row["kind"], row["channel_type"], like.kind, like.channel_type)
        }


async def find(
    connection: asyncpg.Connection, window: Window, rows: Sequence[asyncpg.Record]
) -> tuple[dict[UUID, tuple[LookAlike, ...]], dict[UUID, Sketch]]:
    """For each mention as triage reads it, its look-alikes, and its own sketch."""
    if rows:
        await window.refresh(connection, max(row["id"] for row in rows))
    mention_ids = [row["id"] for row in rows]
    made = dict(zip(mention_ids, sketches([row["text"] for row in rows]), strict=True))
    long = {one.exact: one for one in made.values() if one.bands}
    same: dict[bytes, list[LookAlike]] = {}
    for found in await store.same_texts(connection, list(long)):
        exact = bytes(found["text_hash"])
        same.setdefault(exact, []).append(_look_alike(found, long[exact]))  # what is the same has the same sketch
    linked = {row["id"]: posts for row in rows if (posts := _posts_linked(row))}
    known = await _posts(connection, {post for posts in linked.values() for post in posts})
    likes: dict[UUID, tuple[LookAlike, ...]] = {}
    for row, each in zip(rows, window.near(mention_ids, list(made.values())), strict=True):
        mention_id, one = row["id"], made[row["id"]]
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
        if like.sketch is not None and made[mention_id].similarity(like.sketch) >= NEAR
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

"""One post is heard from its venue and again from a feed, and one writer posts the same at two venues: what becomes of them."""

from datetime import timedelta
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest

from services.ingest.channel import IncomingAuthor, IncomingMention
from services.ingest.intake import Source, take_in
from shared.kit import clock
from shared.kit.database import Database
from shared.kit.settings import Settings
from shared.models.mention import MentionKind
from tests.journeys.house import House, a_house, wait_until

pytestmark = [pytest.mark.journey, pytest.mark.timeout(400)]

WAIT_S = 120.0
WORDS = "@northwind my internet is down since this morning and nobody in your shop answers the phone"
STATUS = "https://social.example/users/ann/statuses/111222333444555666"


def _google(link: str) -> str:
    """As an alert's feed links to what it found."""
    return f"https://www.google.com/url?rct=j&sa=t&url={quote(link, safe='')}&ct=ga&cd=1"


def _tweet(number: int) -> str:
    return f"17900000000000000{number:02}"


async def _hear(house: House, database: Database, type_: str, *said: IncomingMention) -> None:
    """As a poll of a channel of that type would bring it; ids of feeds are their own, those of venues the venue's."""
    channel = await house.get("/v1/channels?limit=100")
    channel_id = next(UUID(one["id"]) for one in channel["data"] if one["type"] == "push")
    scope = str(channel_id) if type_ in ("rss", "push") else ""
    async with database.write(house.workspace_id) as session:
        await take_in(session, house.workspace_id, Source(channel_id, type_, scope), said)


def _post(external_id: str, permalink: str, *, text: str = WORDS, handle: str = "ann") -> IncomingMention:
    author = IncomingAuthor(external_id=f"{external_id} {handle}", handle=handle)
    at = clock.now() - timedelta(minutes=30)
    return IncomingMention(external_id=external_id, text=text, permalink=permalink, author=author, published_at=at)


def _item(external_id: str, link: str, text: str = "@northwind my internet is down ...") -> IncomingMention:
    at = clock.now() - timedelta(minutes=10)
    return IncomingMention(
        external_id=external_id, text=text, title="Ann on X", permalink=link, published_at=at, kind=MentionKind.ARTICLE
    )


async def _triaged(house: House, count: int) -> dict[str, dict[str, Any]]:
    async def seen() -> dict[str, Any] | None:
        if len(await house.feed(type="mention.triaged")) < count:
            return None
        mentions = await house.all_of("/v1/mentions")
        return {one["external_id"]: await house.get(f"/v1/mentions/{one['id']}") for one in mentions}

    found: dict[str, Any] = await wait_until(seen, WAIT_S)
    return found


async def test_a_post_heard_twice_is_one_and_a_cross_post_is_two(settings: Settings) -> None:
    async with a_house(settings, sectors=["telecom"]) as house:
        database = await Database.open(settings, "tests")
        try:
            await _story(house, database)
        finally:
            await database.close()


async def _story(house: House, database: Database) -> None:
    await house.post("/v1/brands", {"name": "Northwind", "handles": ["@northwind"]})
    await house.post("/v1/channels", {"type": "push", "name": "inbox"})

    # the venue first, then the alert; an alert whose post is told by its venue only later
    first, late = _tweet(1), _tweet(2)
    await _hear(house, database, "x", _post(first, f"https://x.com/ann/status/{first}"))
    early = _item("alert-2", _google(f"https://twitter.com/bob/status/{late}"), "@northwind your shop in Leeds ...")
    await _hear(house, database, "rss", early)
    await _triaged(house, 2)
    await _hear(
        house, database, "rss", _item("alert-1", _google(f"https://mobile.twitter.com/ann/status/{first}?s=20"))
    )
    bob = "@northwind your shop in Leeds will not take my router back, what do I do with it now?"
    await _hear(house, database, "x", _post(late, f"https://x.com/bob/status/{late}", text=bob, handle="bob"))
    # and the first writer says it at another venue too, in nearly the same words
    words = WORDS.replace("@northwind", "@northwind@social.example") + "!! #northwind"
    await _hear(house, database, "mastodon", _post(STATUS, STATUS, text=words, handle="ann@social.example"))
    seen = await _triaged(house, 5)
    tweet, alert, reply, toot = seen[first], seen["alert-1"], seen[late], seen[STATUS]

    assert (alert["duplicate_of"], alert["disposition"]) == (tweet["id"], "dismissed")
    assert (alert["dismissed_because"], alert["conversation_id"]) == ("found again by a feed", None)
    assert (reply["duplicate_of"], reply["disposition"]) == (seen["alert-2"]["id"], "engage")
    assert seen["alert-2"]["disposition"] == "watch"

    assert toot["duplicate_of"] == tweet["id"]
    assert toot["findings"]["duplicate"]["cross_post"] is True
    assert toot["findings"]["duplicate"]["copied_by"] == 0
    assert None not in (toot["conversation_id"], tweet["conversation_id"])
    assert toot["conversation_id"] != tweet["conversation_id"]
    assert [one["id"] for one in tweet["also_on"]] == [toot["id"]]
    assert [one["id"] for one in toot["also_on"]] == [tweet["id"]]
    assert reply["also_on"] == []

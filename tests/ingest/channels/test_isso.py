"""Comments of an Isso server, read and answered at a played one."""

from datetime import timedelta
from typing import Any

import httpx
import orjson
import pytest

from services.ingest.channel import ChannelBroken, OutcomeUnknown, OutgoingReply, SkipThis, TryLater
from services.ingest.channels.isso import LISTED, LISTED_AT_MOST, Isso
from tests.ingest.site import Now
from tests.venues import lost, read_on
from tests.venues.isso import SERVER, SITE, IssoServer


@pytest.fixture
def server() -> IssoServer:
    return IssoServer()


def channel(server: IssoServer, **settings: Any) -> Isso:
    return Isso({"url": SERVER, "site": SITE, "author": "Acme Care", **settings}, {}, server.http())


def a_reply(to: int, text: str = "Wij kijken *het* na <nu>.", **more: Any) -> OutgoingReply:
    return OutgoingReply(text=text, token="t1", in_reply_to=str(to), thread_id=more.pop("thread_id", "/nieuws"), **more)


async def test_comments_come_once(server: IssoServer, now: Now) -> None:
    first = server.says("kapot")
    answer = server.says("bij mij ook", parent=first)
    heard = await read_on(channel(server))
    assert heard.ids == [str(first), str(answer)]
    assert heard.mentions[1].in_reply_to == str(first)
    assert heard.mentions[0].permalink == f"{SITE}/nieuws#isso-{first}"
    assert (await read_on(channel(server), heard.cursor)).ids == []
    now.at += timedelta(minutes=1)
    new = server.says("nieuw")
    assert (await read_on(channel(server), heard.cursor)).ids == [str(new)]


async def test_at_the_start_a_few_days_are_read_back(server: IssoServer, now: Now) -> None:
    server.says("oud", at=now.at - timedelta(days=8))
    heard = await read_on(channel(server))
    assert heard.ids == []
    new = server.says("nieuw")
    assert (await read_on(channel(server), heard.cursor)).ids == [str(new)]


async def test_edits_and_deletions(server: IssoServer, now: Now) -> None:
    edited, gone, kept = (server.says(text, at=now.at - timedelta(hours=3)) for text in ("een", "twee", "drie"))
    answered = server.says("vier")
    server.says("vijf", parent=answered)
    cursor = (await read_on(channel(server))).cursor
    now.at += timedelta(minutes=1)
    server.edits(edited, "één")
    server.deletes(gone)
    server.deletes(answered)
    heard = await read_on(channel(server), cursor)
    assert heard.gone == [str(gone)]
    (one,) = (one for one in heard.mentions if not one.deleted_at)
    assert (one.external_id, one.text, one.edited_at) == (str(edited), "één", now.at)
    assert str(kept) not in heard.ids
    assert (await read_on(channel(server), heard.cursor)).ids == []


async def test_many_at_once_are_all_read_and_too_many_are_a_gap(server: IssoServer, now: Now) -> None:
    server.says("eerst", at=now.at - timedelta(hours=30))
    cursor = (await read_on(channel(server))).cursor
    for number in range(LISTED * 3):
        server.says(f"klacht {number}", at=now.at - timedelta(hours=20) + timedelta(seconds=number))
    heard = await read_on(channel(server), cursor)
    assert len(heard.ids) == LISTED * 3
    assert heard.gaps() == []
    assert len(orjson.dumps(heard.cursor)) < 12_000
    assert (await read_on(channel(server), heard.cursor)).ids == []
    for number in range(LISTED_AT_MOST + 1):
        server.says(f"vloed {number}", at=now.at - timedelta(hours=2) + timedelta(seconds=number))
    flood = await read_on(channel(server), heard.cursor)
    assert len(flood.ids) == LISTED_AT_MOST
    (gap,) = flood.gaps()
    assert gap.since == now.at - timedelta(hours=20) + timedelta(seconds=LISTED * 3 - 1)
    assert gap.until == now.at - timedelta(hours=2) + timedelta(seconds=1)


async def test_too_many_after_none_are_a_gap_since_it_was_looked_at(server: IssoServer, now: Now) -> None:
    cursor, looked = (await read_on(channel(server))).cursor, now.at
    now.at += timedelta(days=30)
    for number in range(LISTED_AT_MOST + 1):
        server.says(f"vloed {number}", at=now.at - timedelta(hours=2) + timedelta(seconds=number))
    (gap,) = (await read_on(channel(server), cursor)).gaps()
    assert timedelta(0) <= looked - gap.since <= timedelta(days=7), "no more than the history that was looked at"


async def test_a_server_that_is_away_takes_nothing_for_deleted(server: IssoServer, now: Now) -> None:
    number = server.says("kapot")
    server.says("stuk")
    cursor = (await read_on(channel(server))).cursor
    server.deletes(number)
    server.faults += [None, httpx.Response(503, headers={"Retry-After": "77"})]
    with pytest.raises(TryLater):
        await channel(server).page(cursor)
    assert (await read_on(channel(server), cursor)).gone == [str(number)]


async def test_a_server_that_lists_nothing(server: IssoServer) -> None:
    server.latest_enabled = False
    with pytest.raises(ChannelBroken, match="latest-enabled"):
        await channel(server).page(None)
    with pytest.raises(ChannelBroken):
        await channel(server).account()
    server.latest_enabled = True
    assert (await channel(server).account()).name == "Acme Care"


async def test_an_answer_stands_below_its_comment(server: IssoServer, now: Now) -> None:
    first = server.says("kapot", uri="/storing")
    second = server.says("bij mij ook", uri="/storing", parent=first)
    mentions = (await read_on(channel(server))).mentions
    sent = await channel(server).reply_publicly(a_reply(second, thread_id=None, raw=mentions[1].raw))
    ours = server.comments[int(sent.external_id)]
    assert (ours.uri, ours.parent, ours.author, ours.text) == (
        "/storing",
        first,
        "Acme Care",
        "Wij kijken *het* na <nu>.",
    )
    assert sent.permalink == f"{SITE}/storing#isso-{ours.id}"
    assert sent.sent_at == now.at
    assert server.asked[-1].headers["origin"] == SITE


async def test_an_answer_of_unknown_outcome_is_found(server: IssoServer, now: Now) -> None:
    first = server.says("kapot")
    second = server.says("ook", parent=first)
    server.faults.append(lost)
    with pytest.raises(OutcomeUnknown):
        await channel(server).reply_publicly(a_reply(second))
    found = await channel(server).find_reply(a_reply(second), private=False, since=now.at - timedelta(minutes=1))
    assert found is not None
    assert found.external_id == "3"
    assert await channel(server).find_reply(a_reply(second), private=False, since=now.at + timedelta(minutes=1)) is None
    assert await channel(server).find_reply(a_reply(second, "anders"), private=False, since=now.at) is None
    assert channel(server).idempotency() == "read_back"
    assert channel(server, moderated=True).idempotency() == "neither"


async def test_what_the_server_refuses(server: IssoServer) -> None:
    number = server.says("kapot")
    with pytest.raises(SkipThis, match="too long"):
        await channel(server).reply_publicly(a_reply(number, "x" * 65_536))
    with pytest.raises(SkipThis, match="email address required"):
        await channel(server).reply_publicly(a_reply(77))
    with pytest.raises(SkipThis, match="which page"):
        await channel(server).reply_publicly(a_reply(number, thread_id=None))
    with pytest.raises(SkipThis):
        await channel(server).reply_publicly(OutgoingReply("x", "t", "<a@b>", "/nieuws"))
    server.ratelimit = 0
    with pytest.raises(TryLater, match="ratelimit"):
        await channel(server).reply_publicly(a_reply(number))
    server.ratelimit, server.moderated = None, True
    sent = await channel(server).reply_publicly(a_reply(number))
    assert server.comments[int(sent.external_id)].mode == 2

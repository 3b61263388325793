"""Rooms of a Matrix homeserver, read and answered at a played one: what a sync leaves out is fetched, edits are genuine."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import orjson
import pytest

from services.ingest.channel import AskForNewCredential, OutcomeUnknown, OutgoingReply, Post, SkipThis, TryLater
from services.ingest.channels.matrix import Matrix
from tests.ingest.site import Now
from tests.venues import lost, read_on
from tests.venues.matrix import ROOM, SERVER, TOKEN, US, Homeserver


@pytest.fixture
def server() -> Homeserver:
    return Homeserver()


def channel(server: Homeserver, token: str = TOKEN, **settings: Any) -> Matrix:
    return Matrix({"homeserver": SERVER, "user_id": US, **settings}, {"access_token": token}, server.http())


def a_reply(to: str, **more: Any) -> OutgoingReply:
    link = f"https://matrix.to/#/{ROOM}/{to}?via=matrix.example"
    return OutgoingReply(
        **{"text": "Wij kijken het na 🙏", "token": "t1", "in_reply_to": to, "permalink": link, **more}
    )


async def test_messages_come_once_also_those_that_a_sync_leaves_out(server: Homeserver, now: Now) -> None:
    for number in range(35):
        server.says(f"klacht {number}", at=now.at - timedelta(minutes=200 - number))
    heard = await read_on(channel(server))
    assert sorted(heard.ids) == sorted(f"$event{number}" for number in range(1, 36))
    assert len(set(heard.ids)) == 35
    again = await read_on(channel(server), heard.cursor)
    assert again.ids == []
    for number in range(35):
        server.says(f"later {number}")
    later = await read_on(channel(server), again.cursor)
    assert sorted(later.ids) == sorted(f"$event{number}" for number in range(36, 71))
    assert (await read_on(channel(server), later.cursor)).ids == []
    assert len(orjson.dumps(later.cursor)) < 200


async def test_at_the_start_a_few_days_are_read_back(server: Homeserver, now: Now) -> None:
    for number in range(50):
        server.says(f"klacht {number}", at=now.at - timedelta(days=50 - number))
    assert sorted((await read_on(channel(server, history_days=15))).ids) == sorted(
        f"$event{number}" for number in range(36, 51)
    )
    assert (await read_on(channel(server, history_days=0))).ids == []


async def test_a_failure_on_the_way_back_loses_nothing(server: Homeserver, now: Now) -> None:
    for number in range(35):
        server.says(f"klacht {number}")
    first = await channel(server).page(None)
    server.faults += [
        httpx.Response(502), httpx.ReadTimeout, httpx.Response(429, json={"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": 4_000})
    ]  # fmt: skip
    for _ in range(2):
        with pytest.raises(TryLater):
            await channel(server).page(first.cursor)
    with pytest.raises(TryLater) as asked:
        await channel(server).page(first.cursor)
    assert asked.value.after == timedelta(seconds=4)
    rest = await read_on(channel(server), first.cursor)
    assert len({one.external_id for one in first.mentions} | set(rest.ids)) == 35


async def test_rooms_are_read_as_set_and_one_that_was_left_does_not_stop_the_others(
    server: Homeserver, now: Now
) -> None:
    server.rooms["!other:matrix.example"] = type(server.rooms[ROOM])()
    for number in range(15):
        server.says(f"hier {number}")
        server.says(f"daar {number}", room="!other:matrix.example")
    assert len((await read_on(channel(server, rooms=[ROOM]))).ids) == 15
    first = await channel(server).page(None)
    server.rooms[ROOM].joined = False
    rest = await read_on(channel(server), first.cursor)
    assert len([one for one in (*first.mentions, *rest.mentions) if one.text.startswith("daar")]) == 15


async def test_edits_redactions_and_forged_edits(server: Homeserver, now: Now) -> None:
    root = server.says("eerst")
    edited = server.says("tweede", told={"m.relates_to": {"m.in_reply_to": {"event_id": root}}})
    gone = server.says("derde")
    cursor = (await read_on(channel(server))).cursor
    now.at += timedelta(minutes=5)
    server.edits(edited, "tweede, beter")
    server.edits(root, "ik haat mezelf", sender="@vals:elders.example")
    server.redacts(gone)
    heard = await read_on(channel(server), cursor)
    assert heard.gone == [gone]
    (one,) = (one for one in heard.mentions if not one.deleted_at)
    assert (one.external_id, one.text, one.edited_at) == (edited, "tweede, beter", now.at)
    assert (one.published_at, one.in_reply_to, one.thread_id) == (now.at - timedelta(minutes=5), root, root)


async def test_what_was_redacted_before_it_was_read_is_not_there(server: Homeserver, now: Now) -> None:
    number = server.says("weg")
    server.redacts(number)
    heard = await read_on(channel(server))
    assert heard.gone == [number]
    assert [one.text for one in heard.mentions] == [""]


async def test_names_threads_and_media(server: Homeserver, now: Now) -> None:
    root = server.says("Wie heeft er storing?")
    server.says("Ik", told={"m.relates_to": {"rel_type": "m.thread", "event_id": root, "is_falling_back": True,
                                          "m.in_reply_to": {"event_id": root}}})  # fmt: skip
    server.says("foto.jpg", msgtype="m.image", url="mxc://matrix.example/abc")
    first, second, third = (await read_on(channel(server))).mentions
    assert first.author is not None
    assert (first.author.external_id, first.author.name) == ("@klant:matrix.example", "Klant")
    assert first.permalink == f"https://matrix.to/#/{ROOM}/{root}?via=matrix.example"
    assert (second.in_reply_to, second.thread_id) == (root, root)
    assert (third.text, third.media[0].kind, third.media[0].alt) == ("", "image", "foto.jpg")
    assert third.media[0].url == f"{SERVER}/_matrix/client/v1/media/download/matrix.example/abc"


async def test_encrypted_messages_are_told_as_skipped(server: Homeserver, now: Now) -> None:
    server.says(kind="m.room.encrypted", algorithm="m.megolm.v1.aes-sha2", ciphertext="x")
    heard = await read_on(channel(server))
    assert heard.ids == []
    assert "encrypted" in heard.skipped[0].reason


async def test_the_stream_tells_what_comes(server: Homeserver, now: Now) -> None:
    stream = channel(server).stream(None)
    assert (await anext(stream)).mentions == ()
    said = server.says("nieuw")
    async with asyncio.timeout(60):
        assert [one.external_id for one in (await anext(stream)).mentions] == [said]
    assert server.asked[-1].url.params["timeout"] == "30000"
    await stream.aclose()  # type: ignore[attr-defined]


async def test_an_answer_is_posted_once_however_often_it_is_sent(server: Homeserver, now: Now) -> None:
    said = server.says()
    (one,) = (await read_on(channel(server))).mentions
    server.faults.append(lost)
    asking = a_reply(said, raw=one.raw, permalink=None, author_external_id="@klant:matrix.example")
    with pytest.raises(OutcomeUnknown):
        await channel(server).reply_publicly(asking)
    sent = await channel(server).reply_publicly(asking)
    assert channel(server).idempotency() == "client_token"
    assert len(server.rooms[ROOM].events) == 2
    event = server.rooms[ROOM].events[-1][1]
    assert event["event_id"] == sent.external_id
    assert event["content"]["m.relates_to"] == {"m.in_reply_to": {"event_id": said}}
    assert event["content"]["m.mentions"] == {"user_ids": ["@klant:matrix.example"]}
    assert channel(server).own_accounts() >= {US}


async def test_an_answer_to_a_message_in_a_thread_stands_in_it(server: Homeserver, now: Now) -> None:
    root = server.says("Wie heeft er storing?")
    said = server.says("Ik", told={"m.relates_to": {"rel_type": "m.thread", "event_id": root}})
    mentions = (await read_on(channel(server))).mentions
    await channel(server).reply_publicly(a_reply(said, raw=mentions[-1].raw))
    relation = server.rooms[ROOM].events[-1][1]["content"]["m.relates_to"]
    assert (relation["rel_type"], relation["event_id"], relation["m.in_reply_to"]) == (
        "m.thread",
        root,
        {"event_id": said},
    )


async def test_without_the_payload_the_room_is_known_by_the_address(server: Homeserver, now: Now) -> None:
    said = server.says()
    await channel(server).reply_publicly(a_reply(said))
    assert len(server.rooms[ROOM].events) == 2
    with pytest.raises(SkipThis, match="which room"):
        await channel(server).reply_publicly(a_reply(said, permalink=None))


async def test_what_the_homeserver_refuses(server: Homeserver, now: Now) -> None:
    said = server.says()
    with pytest.raises(AskForNewCredential):
        await channel(server, "withdrawn").page(None)
    with pytest.raises(AskForNewCredential):
        await channel(server, "withdrawn").reply_publicly(a_reply(said))
    with pytest.raises(SkipThis, match="too large"):
        await channel(server).reply_publicly(a_reply(said, text="x" * 70_000))
    server.faults.append(httpx.Response(429, json={"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": 1_500}))
    with pytest.raises(TryLater) as asked:
        await channel(server).reply_publicly(a_reply(said))
    assert asked.value.after == timedelta(seconds=1.5)
    server.rooms[ROOM].joined = False
    with pytest.raises(SkipThis):
        await channel(server).reply_publicly(a_reply(said))


async def test_whose_token_it_is(server: Homeserver) -> None:
    assert (await channel(server).account()).external_id == US
    with pytest.raises(AskForNewCredential, match="not of @other"):
        await channel(server, user_id="@other:matrix.example").account()


async def test_deleting_and_reporting(server: Homeserver, now: Now) -> None:
    said = server.says()
    sent = await channel(server).reply_publicly(a_reply(said))
    for _ in range(2):
        link = f"https://matrix.to/#/{ROOM}/{sent.external_id}"
        await channel(server).delete_reply(Post(sent.external_id, permalink=link))
    assert [event["type"] for _, event in server.rooms[ROOM].events].count("m.room.redaction") == 1
    await channel(server).report(Post(said, permalink=f"https://matrix.to/#/{ROOM}/{said}"), "bedreiging")
    assert server.reported == [(said, "bedreiging")]

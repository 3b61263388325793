"""Newsgroups read and answered at a played server: nothing lost, nothing doubled, expiry no deletion, cancelling one."""

from collections.abc import AsyncIterator
from datetime import timedelta
from email import message_from_bytes
from typing import Any

import orjson
import pytest

from services.ingest.channel import (
    AskForNewCredential,
    ChannelBroken,
    HttpClient,
    OutcomeUnknown,
    OutgoingReply,
    SkipThis,
    TryLater,
)
from services.ingest.channels.nntp import PAGE_SIZE, WATCHED, NewsServer
from tests.ingest.site import Now
from tests.venues import read_on
from tests.venues.nntp import PASSWORD, USER, NewsServerPlayed, an_article


@pytest.fixture
async def server() -> AsyncIterator[NewsServerPlayed]:
    played = NewsServerPlayed()
    await played.start()
    yield played
    await played.stop()


def channel(server: NewsServerPlayed, secrets: dict[str, str] | None = None, **more: Any) -> NewsServer:
    settings = {
        "host": "127.0.0.1",
        "port": server.port,
        "security": "none",
        "groups": ["acme.support"],
        "address": "care@acme.test",
    }
    return NewsServer({**settings, "name": "Acme Care", **more}, secrets or {}, HttpClient(["127.0.0.0/8"]))


def a_reply(to: str = "a1@klant.test", **more: Any) -> OutgoingReply:
    token = "018f2f6e-0000-7000-8000-000000000001"
    return OutgoingReply(
        **{"text": ".Wij kijken het na\n.\nGroet 🙏", "token": token, "in_reply_to": to, "title": "Router", **more}
    )


async def test_articles_come_once_over_many_pages_and_groups(server: NewsServerPlayed, now: Now) -> None:
    server.groups["acme.general"] = {}
    for number in range(PAGE_SIZE * 2 + 3):
        server.take(an_article(f"a{number}@klant.test", at=now.at - timedelta(minutes=300 - number)))
    server.take(an_article("both@klant.test", groups="acme.support,acme.general", at=now.at))
    server.take(an_article("other@klant.test", groups="acme.general", at=now.at))
    both = channel(server, groups=["acme.support", "acme.general"])
    heard = await read_on(both)
    assert heard.ids[: PAGE_SIZE * 2 + 3] == [f"a{number}@klant.test" for number in range(PAGE_SIZE * 2 + 3)]
    assert set(heard.ids[PAGE_SIZE * 2 + 3 :]) == {"both@klant.test", "other@klant.test"}
    assert (await read_on(both, heard.cursor)).ids == []
    now.at += timedelta(minutes=5)
    server.take(an_article("new@klant.test", groups="acme.general"))
    assert (await read_on(both, heard.cursor)).ids == ["new@klant.test"]


async def test_at_the_start_a_few_days_are_read_back(server: NewsServerPlayed, now: Now) -> None:
    for day in range(1_200):
        server.take(an_article(f"d{day}@klant.test", at=now.at - timedelta(hours=1_200 - day)))
    heard = await read_on(channel(server, history_days=2))
    assert heard.ids == [f"d{day}@klant.test" for day in range(1_152, 1_200)]
    assert (await read_on(channel(server, history_days=0))).ids == []


async def test_a_server_that_counts_anew_hides_nothing(server: NewsServerPlayed, now: Now) -> None:
    for number in range(5):
        server.take(an_article(f"a{number}@klant.test", at=now.at - timedelta(days=6) + timedelta(minutes=number)))
    cursor = (await read_on(channel(server))).cursor
    server.groups["acme.support"], server.highest["acme.support"] = {}, 0
    server.take(an_article("new@klant.test", at=now.at))
    heard = await read_on(channel(server), cursor)
    assert heard.ids == ["new@klant.test"]
    assert heard.gone == []


async def test_what_expired_before_it_was_read_is_a_gap(server: NewsServerPlayed, now: Now) -> None:
    server.take(an_article("first@klant.test", at=now.at - timedelta(days=3)))
    cursor = (await read_on(channel(server))).cursor
    for number in range(10):
        server.take(an_article(f"a{number}@klant.test", at=now.at - timedelta(hours=10 - number)))
    server.expire("acme.support", 8)
    heard = await read_on(channel(server), cursor)
    assert heard.ids == [f"a{number}@klant.test" for number in range(6, 10)]
    assert heard.gone == []  # expired, not cancelled
    (gap,) = heard.gaps()
    assert (gap.since, gap.until) == (now.at - timedelta(days=3), now.at - timedelta(hours=4))
    assert (await read_on(channel(server), heard.cursor)).gaps() == []


async def test_what_expired_in_a_group_that_was_empty_is_a_gap_too(server: NewsServerPlayed, now: Now) -> None:
    cursor, looked = (await read_on(channel(server))).cursor, now.at
    now.at += timedelta(days=30)
    for number in range(10):
        server.take(an_article(f"a{number}@klant.test", at=now.at - timedelta(hours=10 - number)))
    server.expire("acme.support", 8)
    heard = await read_on(channel(server), cursor)
    (gap,) = heard.gaps()
    assert (gap.since, len(heard.ids)) == (looked, 3)


async def test_what_was_cancelled_is_told_once(server: NewsServerPlayed, now: Now) -> None:
    for number in range(4):
        server.take(an_article(f"a{number}@klant.test"))
    cursor = (await read_on(channel(server))).cursor
    server.cancel("a2@klant.test")
    server.expire("acme.support", 2)
    heard = await read_on(channel(server), cursor)
    assert heard.gone == ["a2@klant.test"]
    assert (await read_on(channel(server), heard.cursor)).gone == []


async def test_the_cursor_stays_small(server: NewsServerPlayed, now: Now) -> None:
    for number in range(WATCHED * 2):
        server.take(an_article(f"a{number}@klant.test"))
    heard = await read_on(channel(server))
    assert len(heard.ids) == WATCHED * 2
    assert len(orjson.dumps(heard.cursor)) < 10_000


@pytest.mark.parametrize("cut", ["GROUP", "OVER", "ARTICLE"])
async def test_a_connection_that_is_cut_leaves_the_cursor(server: NewsServerPlayed, now: Now, cut: str) -> None:
    server.take(an_article("a1@klant.test"))
    server.fault = (cut, "cut")
    with pytest.raises(TryLater):
        await channel(server).page(None)
    server.fault = None
    assert (await read_on(channel(server))).ids == ["a1@klant.test"]


async def test_an_old_server_is_understood(server: NewsServerPlayed, now: Now) -> None:
    server.old = True
    server.take(an_article("a1@klant.test"))
    assert (await read_on(channel(server))).ids == ["a1@klant.test"]


async def test_what_the_server_refuses(server: NewsServerPlayed, now: Now) -> None:
    with pytest.raises(ChannelBroken, match="no such group"):
        await channel(server, groups=["no.such.group"]).page(None)
    server.asks_who = True
    with pytest.raises(AskForNewCredential):
        await channel(server).page(None)
    with pytest.raises(AskForNewCredential):
        await channel(server, {"user": USER, "password": "wrong"}).page(None)
    assert (await channel(server, {"user": USER, "password": PASSWORD}).account()).external_id == "care@acme.test"
    with pytest.raises(ChannelBroken, match="blank"):
        await channel(server, {"user": f"{USER}\r\nPOST", "password": "x"}).page(None)
    server.fault = ("GROUP", "400 going down")
    with pytest.raises(TryLater):
        await channel(server, {"user": USER, "password": PASSWORD}).page(None)
    with pytest.raises(ChannelBroken, match="not called"):
        await NewsServer({"host": "127.0.0.1", "port": server.port, "groups": ["x"]}, {}, HttpClient()).page(None)


async def test_a_follow_up_stands_in_its_thread(server: NewsServerPlayed, now: Now) -> None:
    server.take(an_article("a1@klant.test", References="<r0@x.test> <r1@x.test>", Subject="Re: Router"))
    (one,) = (await read_on(channel(server))).mentions
    assert (one.in_reply_to, one.thread_id, one.kind) == ("r1@x.test", "r0@x.test", "reply")
    sent = await channel(server).reply_publicly(a_reply(raw=one.raw, thread_id=one.thread_id))
    told = message_from_bytes(server.posted[0])
    assert told["Newsgroups"] == "acme.support"
    assert told["From"] == "Acme Care <care@acme.test>"
    assert told["Subject"] == "Re: Router"
    assert told["References"].split() == ["<r0@x.test>", "<r1@x.test>", "<a1@klant.test>"]
    assert told["Message-ID"] == f"<{sent.external_id}>"
    assert told["To"] is None
    assert told.get_payload(decode=True).decode().replace("\r\n", "\n").strip() == ".Wij kijken het na\n.\nGroet 🙏"  # type: ignore[union-attr]
    without_raw = a_reply(token="018f2f6e-0000-7000-8000-000000000002")
    await channel(server).reply_publicly(without_raw)
    assert message_from_bytes(server.posted[1])["References"] == told["References"]


async def test_followup_to_is_honoured(server: NewsServerPlayed, now: Now) -> None:
    server.groups["acme.general"] = {}
    moved = an_article("a1@klant.test", groups="acme.support,acme.general", Followup_To="acme.general")
    await channel(server).reply_publicly(a_reply(raw=moved))
    assert message_from_bytes(server.posted[0])["Newsgroups"] == "acme.general"
    by_mail = an_article("a2@klant.test", Followup_To="poster")
    with pytest.raises(SkipThis, match="by mail"):
        await channel(server).reply_publicly(a_reply("a2@klant.test", raw=by_mail, token="018f2f6e-1111"))
    with pytest.raises(SkipThis, match="no longer"):
        await channel(server).reply_publicly(a_reply("gone@klant.test", token="018f2f6e-2222"))


async def test_an_answer_is_never_posted_twice(server: NewsServerPlayed, now: Now) -> None:
    raw = an_article("a1@klant.test")
    server.fault = ("POST", "after")
    with pytest.raises(OutcomeUnknown):
        await channel(server).reply_publicly(a_reply(raw=raw))
    server.fault = None
    found = await channel(server).find_reply(a_reply(raw=raw), private=False, since=now.at)
    assert found is not None
    again = await channel(server).reply_publicly(a_reply(raw=raw))
    assert again.external_id == found.external_id
    assert len(server.posted) == 1
    other = a_reply(raw=raw, token="018f2f6e-0000-7000-8000-000000000009")
    assert await channel(server).find_reply(other, private=False, since=now.at) is None


async def test_what_is_not_taken(server: NewsServerPlayed, now: Now) -> None:
    raw = an_article("a1@klant.test", groups="not.here")
    with pytest.raises(SkipThis, match="No such group"):
        await channel(server).reply_publicly(a_reply(raw=raw))
    server.fault = ("POST", "440 reading only")
    with pytest.raises(SkipThis, match="takes no articles"):
        await channel(server).reply_publicly(a_reply(raw=raw))
    server.fault = ("POST", "cut")
    with pytest.raises(TryLater):  # it broke before the article was sent
        await channel(server).reply_publicly(a_reply(raw=raw))
    with pytest.raises(SkipThis, match="address"):
        await channel(server, address="").reply_publicly(a_reply(raw=raw))
    assert channel(server).own_accounts() == {"care@acme.test"}
    assert server.posted == []

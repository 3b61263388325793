"""Direct messages at a played Bluesky: as they stand, then by their log; nothing lost, nothing doubled, our own left out."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from services.ingest.channel import AskForNewCredential, OutgoingReply, TryLater
from services.ingest.channels.bluesky import Bluesky as Channel
from services.ingest.networks import atproto_session
from tests.ingest.site import Now
from tests.venues import lost, read_on
from tests.venues.bluesky import AT, PASSWORD, THEM, US, Bluesky, names_us

pytestmark = pytest.mark.usefixtures("now")
OTHER = "did:plc:ander444444444444444444"
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _nobody_is_signed_in() -> Iterator[None]:
    atproto_session._sessions.clear()
    yield
    atproto_session._sessions.clear()


def opened(venue: Bluesky, **settings: Any) -> Channel:
    known = {"handle": "acmetel.test", "direct_messages": True, **settings}
    return Channel(known, {"app_password": PASSWORD}, venue.http())


async def test_what_stands_there_is_read_and_then_what_happens(now: Now) -> None:
    venue = Bluesky(page_size=2)
    venue.says(1, "vorige week", at=AT - 7 * DAY)
    told = [venue.says(10 + n, f"Vraag {n}", by=(THEM, OTHER)[n % 2]) for n in range(7)]
    venue.says(30, "Ons antwoord", by=US, to=THEM)
    channel = opened(venue)
    first = await read_on(channel)
    assert sorted(first.ids) == sorted(told)
    assert {(str(one.kind), str(one.visibility)) for one in first.mentions} == {("message", "private")}
    one = next(one for one in first.mentions if one.external_id == told[0])
    assert one.author is not None
    assert (one.author.external_id, one.author.handle, one.author.name) == (THEM, "klant.test", "Klant")
    assert (one.thread_id, one.permalink) == (f"convo-{THEM}", None)
    later = [venue.says(100 + n, f"Nog {n}") for n in range(5)]
    venue.says(200, "Weer wij", by=US, to=THEM)
    second = await read_on(channel, first.cursor)
    assert second.ids == later
    assert (await read_on(channel, second.cursor)).ids == []
    assert all("direct" not in str(request.url) for request in venue.asked)


async def test_what_comes_while_the_conversations_are_read_is_in_the_log() -> None:
    venue = Bluesky(page_size=2)
    told = {venue.says(n, f"Vraag {n}") for n in range(6)}
    channel, cursor, seen = opened(venue), None, set[str]()
    for number in range(40):
        if number == 4:
            told.add(venue.says(500, "ertussendoor"))
        page = await channel.page(cursor)
        cursor, seen = json.loads(json.dumps(page.cursor)), seen | {one.external_id for one in page.mentions}
    assert seen == told


async def test_faults_in_the_middle_lose_and_double_nothing() -> None:
    venue = Bluesky(page_size=2)
    told = [venue.says(n, f"Vraag {n}") for n in range(5)]
    channel, cursor, ids = opened(venue), None, list[str]()
    for number in range(120):
        if number * 7 % 5 < 2:
            venue.faults.append((httpx.Response(502), httpx.ConnectError, lost)[number % 3])
        if number == 60:
            told += [venue.says(100 + n, f"Later {n}") for n in range(5)]
        try:
            page = await channel.page(cursor)
        except TryLater:
            continue
        cursor, ids = json.loads(json.dumps(page.cursor)), ids + [one.external_id for one in page.mentions]
    assert sorted(ids) == sorted(told)


async def test_a_message_that_is_taken_away_is_taken_away_here(now: Now) -> None:
    venue = Bluesky()
    channel = opened(venue)
    cursor = (await read_on(channel)).cursor
    known, other = venue.says(1, "Mijn wachtwoord is x"), venue.says(2, "Help")
    first = await read_on(channel, cursor)
    assert first.ids == [known, other]
    venue.takes_away(known)
    second = await read_on(channel, first.cursor)
    assert [(one.external_id, one.text, one.deleted_at) for one in second.mentions] == [(known, "", now.at)]
    hasty = venue.says(3, "toch maar niet")
    venue.takes_away(hasty)
    third = await read_on(channel, second.cursor)
    assert [(one.external_id, one.deleted_at is not None) for one in third.mentions] == [(hasty, True)]


async def test_posts_are_read_while_messages_are_away() -> None:
    venue = Bluesky()
    venue.chat_away = True
    uri = venue.post(1, "Hoi @acmetel.test", facets=names_us("Hoi @acmetel.test"))
    message = venue.says(2, "Help")
    channel = opened(venue)
    heard = await read_on(channel)
    assert heard.ids == [uri]
    assert "chat" in [name for page in heard.pages for name in page.drift]
    venue.chat_away = False
    assert message in (await read_on(channel, heard.cursor)).ids


async def test_an_app_password_without_access_is_told() -> None:
    venue = Bluesky()
    venue.sees_messages = False
    with pytest.raises(AskForNewCredential, match="direct messages"):
        await read_on(opened(venue))
    answer = OutgoingReply("Dag", "token", "convo/d1", author_external_id=THEM, kind="message")
    with pytest.raises(AskForNewCredential, match="direct messages"):
        await opened(venue).reply_privately(answer)
    assert (await read_on(opened(venue, direct_messages=False))).ids == []


async def test_a_cut_of_two_hours_is_read_back(now: Now) -> None:
    venue = Bluesky(page_size=3)
    venue.says(1, "gisteren", at=now.at - DAY)
    missed = [venue.says(10 + n, f"V{n}", at=now.at - timedelta(minutes=5 * n)) for n in range(24)]
    channel, since = opened(venue), now.at - timedelta(hours=2)
    page = await channel.backfill(since, None)
    ids = [one.external_id for one in page.mentions]
    for _ in range(60):
        if not page.has_more:
            break
        page = await channel.backfill(since, json.loads(json.dumps(page.cursor)))
        ids += [one.external_id for one in page.mentions]
    assert sorted(ids) == sorted(missed)


async def test_an_answer_goes_to_who_wrote_it() -> None:
    venue = Bluesky()
    known = venue.says(1, "Help")
    channel = opened(venue)
    (one,) = (await read_on(channel)).mentions
    assert one.author is not None
    answer = OutgoingReply("Dag", "token", known, author_external_id=one.author.external_id, kind="message")
    sent = await channel.reply_privately(answer)
    assert sent.external_id.partition("/")[0] == one.thread_id

"""What came as ids only is stored at once, and whole when its words were asked for; and nothing puts the ids back in their place."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from services.ingest import pages
from services.ingest.channel import (
    BudgetSpent,
    ChannelBroken,
    IncomingMention,
    Page,
    ReplyRules,
    ReplyWay,
    SkipThis,
    TryLater,
)
from services.ingest.completing import WAITS, Completer
from shared.kit import clock
from shared.kit.database import Database
from tests.builders import a_workspace
from tests.ingest.scripted import Bench, Knowing, Paging, Script, a_mention


class Completing(Knowing):
    """It tells what the test lets it tell."""

    reply_rules = ReplyRules(public=ReplyWay(requires=("author_known",)))
    answers: list[IncomingMention | Exception | None]
    asked: list[IncomingMention]

    def __init__(self, *answers: IncomingMention | Exception | None) -> None:
        super().__init__(Script(own=frozenset({"us"})))
        self.answers, self.asked = list(answers), []

    async def complete(self, mention: IncomingMention) -> IncomingMention | None:
        self.asked.append(mention)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def ids_only(external_id: str = "1") -> IncomingMention:
    return a_mention(external_id, text="", title="Words to come.", author=None, thread_id="t9", raw=b'{"id": 1}')


def whole(external_id: str = "1", **fields: Any) -> IncomingMention:
    at = clock.now() - timedelta(hours=3)
    return a_mention(external_id, text="Alles stuk", published_at=at, author={"external_id": "77"}, **fields)


@pytest.fixture
async def bench(database: Database) -> AsyncIterator[Bench]:
    bench = Bench(database, await a_workspace(database))
    yield bench
    await bench.execute("DELETE FROM work WHERE kind = 'mention.complete'")


async def deliver(
    bench: Bench, network: Any, channel: Any, *mentions: IncomingMention, incomplete: Any = ("1",)
) -> None:
    async with bench.database.write(bench.workspace_id) as session:
        await pages.enter(session, channel, network, Page(mentions, incomplete=incomplete))


async def work_left(bench: Bench) -> list[dict[str, Any]]:
    return await bench.rows("SELECT attempts, due_at FROM work WHERE kind = 'mention.complete'")


async def row(bench: Bench, external_id: str = "1") -> dict[str, Any]:
    (found,) = await bench.rows(
        "SELECT m.*, (m.reply->'public'->>'allowed')::bool AS open FROM mention m WHERE external_id = $1", external_id
    )
    return found


async def test_it_is_there_at_once_and_whole_after_asking(bench: Bench) -> None:
    network = Completing(told := whole(permalink="https://x.example/1"))
    channel = await bench.a_channel(network)
    await deliver(bench, network, channel, ids_only(), whole("2"))
    came = await row(bench)
    assert (came["text"], came["title"], came["open"]) == ("", "Words to come.", False)
    assert await Completer(bench.database, bench.opener).once()
    (asked,) = network.asked
    assert (asked.external_id, asked.thread_id, asked.raw) == ("1", "t9", b'{"id": 1}')
    stands = await row(bench)
    assert (stands["text"], stands["title"], stands["permalink"]) == ("Alles stuk", None, "https://x.example/1")
    assert (stands["published_at"], stands["edited_at"], stands["open"]) == (told.published_at, None, True)
    assert stands["author_id"] is not None
    assert stands["id"] == came["id"]
    assert await work_left(bench) == []
    assert await bench.told("mention.") == ["mention.received", "mention.received", "mention.edited"]
    await deliver(bench, network, channel, ids_only())
    assert (await row(bench))["text"] == "Alles stuk", "a repeat of the ids says nothing new"
    assert not await Completer(bench.database, bench.opener).once()
    await deliver(bench, network, channel, told, incomplete=())
    assert (await bench.told("mention."))[3:] == [], "the whole once more is a repeat"


async def test_what_was_read_before_is_not_overwritten_by_ids(bench: Bench) -> None:
    network = Completing()
    channel = await bench.a_channel(network)
    await deliver(bench, network, channel, whole(), incomplete=())
    await deliver(bench, network, channel, ids_only())
    assert (await row(bench))["text"] == "Alles stuk"
    assert await work_left(bench) == []


@pytest.mark.parametrize("answer", [None, SkipThis("It is not there."), a_mention("1", author={"external_id": "us"})])
async def test_where_there_is_no_more_it_stays_as_it_came(bench: Bench, answer: Any) -> None:
    network = Completing(answer)
    await deliver(bench, network, await bench.a_channel(network), ids_only())
    assert await Completer(bench.database, bench.opener).once()
    assert (await row(bench))["title"] == "Words to come."
    assert await work_left(bench) == []


async def test_a_network_that_fails_is_asked_again_and_given_up_in_the_end(bench: Bench) -> None:
    until = clock.now() + timedelta(days=3)
    failures = [
        TryLater("Away.", timedelta(minutes=9)),
        ChannelBroken("No."),
        BudgetSpent("Spent.", until),
        RuntimeError("x"),
    ]
    network = Completing(*failures, *[TryLater("Away.")] * (len(WAITS) + 1 - len(failures)))
    await deliver(bench, network, await bench.a_channel(network), ids_only())
    for number in range(len(WAITS)):
        before = clock.now()
        assert await Completer(bench.database, bench.opener).once()
        (left,) = await work_left(bench)
        assert left["attempts"] == number + 1
        least = timedelta(minutes=9) if number == 0 else WAITS[number]
        assert left["due_at"] >= before + least
        assert not await Completer(bench.database, bench.opener).once(), "it is not due yet"
        await bench.execute("UPDATE work SET due_at = now() WHERE kind = 'mention.complete'")
    assert await Completer(bench.database, bench.opener).once()
    assert await work_left(bench) == []
    assert len(network.asked) == len(WAITS) + 1
    assert (await row(bench))["title"] == "Words to come."


async def test_what_was_deleted_meanwhile_stays_deleted(bench: Bench) -> None:
    network = Completing()
    channel = await bench.a_channel(network)
    now = clock.now()
    await deliver(bench, network, channel, ids_only())
    await deliver(bench, network, channel, a_mention("1", text="", deleted_at=now, published_at=now), incomplete=())
    assert await Completer(bench.database, bench.opener).once()
    assert network.asked == []
    assert (await row(bench))["deleted_at"] is not None
    assert await work_left(bench) == []


async def test_a_channel_that_cannot_ask_takes_what_comes(bench: Bench) -> None:
    network = Paging(Script())
    channel = await bench.a_channel(network)
    await deliver(bench, network, channel, ids_only())
    await deliver(bench, network, channel, whole(), incomplete=("1",))
    assert (await row(bench))["text"] == "Alles stuk"
    assert await work_left(bench) == []

"""Real tweets from one door to the other: all taken in, understood, waiting in order, and told to the world once each."""

import gzip
import json
import os
import time
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from shared.kit import clock
from shared.kit.settings import Settings
from shared.models.conversation import PRIORITY_RANK, Priority
from tests.api.webhooks.receiver import Receiver, a_receiver
from tests.journeys.house import House, a_house, wait_until

pytestmark = [pytest.mark.journey, pytest.mark.timeout(1_200)]

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "airline_dev.jsonl.gz"
MENTIONS = int(os.environ.get("WEBCARE_JOURNEY_MENTIONS", "2000"))
BRANDS = {
    "United": "united", "US Airways": "usairways", "Southwest": "southwestair", "American": "americanair",
    "Delta": "jetblue",  # so it is labelled in the data
    "Virgin America": "virginamerica",
}  # fmt: skip
PER_REQUEST = 500
AUTHORS = 700  # so that people come back, and conversations grow
WAIT_S = 900.0
COUNTS = ("stored", "updated", "duplicate", "filtered", "quarantined", "rejected")


def tweets(newest: datetime) -> list[dict[str, Any]]:
    """The earliest tweets, in their order, as if they had been written within the last minutes of one day."""
    with gzip.open(DATA, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line, _ in zip(lines, range(MENTIONS), strict=False)]
    midnight = newest.replace(hour=0, minute=0, second=0, microsecond=0)
    oldest = max(newest - timedelta(minutes=10), midnight)
    step = (newest - oldest) / len(rows)
    return [
        {
            "channel": "tweets", "external_id": row["id"], "text": row["text"],
            "published_at": clock.iso(oldest + step * n), "thread_id": f"thread-{n % AUTHORS}",
            "author": {"external_id": f"author-{n % AUTHORS}", "handle": f"traveller_{n % AUTHORS}"},
        }
        for n, row in enumerate(rows)
    ]  # fmt: skip


async def test_every_tweet_is_taken_understood_queued_and_told_once(settings: Settings) -> None:
    if not DATA.exists():
        reason = f"the airline tweets are not at hand ({DATA})"
        print(reason)
        pytest.skip(reason)
    newest = clock.now() - timedelta(seconds=5)
    sent = tweets(newest)
    began = time.monotonic()
    async with a_house(settings, sectors=["airline"]) as house, a_receiver() as receiver:
        for name, handle in BRANDS.items():
            await house.post("/v1/brands", {"name": name, "handles": [f"@{handle}"]})
        await house.post("/v1/channels", {"type": "push", "name": "tweets", "settings": {}})
        secret = (
            await house.post("/v1/webhook-endpoints", {"url": f"{receiver.url}/hook", "event_types": ["*"]})
        )["secret"]  # fmt: skip

        assert await import_all(house, sent) == (len(sent), 0)
        await all_triaged(house, len(sent))
        understood = time.monotonic() - began
        await balanced(house, stored=len(sent), received=len(sent))
        mentions = await understood_all(house, sent)
        await waiting_in_order(house, mentions)
        await issues_of_the_day(house, newest, mentions)
        feed = await told_in_full(house, receiver, secret)

        assert await import_all(house, sent) == (0, len(sent))
        await balanced(house, stored=len(sent), received=2 * len(sent))
        assert [event["id"] for event in await house.feed()] == [event["id"] for event in feed]
    took = time.monotonic() - began
    print(f"\n{len(sent)} tweets: understood after {understood:.1f} s, {len(feed)} events told, {took:.1f} s in all")


async def import_all(house: House, sent: list[dict[str, Any]]) -> tuple[int, int]:
    """(accepted, known already)"""
    accepted = known = 0
    for start in range(0, len(sent), PER_REQUEST):
        answer = await house.push(sent[start : start + PER_REQUEST])
        assert answer["rejected"] == []
        accepted, known = accepted + answer["accepted"], known + answer["duplicates"]
    return accepted, known


async def all_triaged(house: House, count: int) -> None:
    told: list[Any] = []
    after = 0

    async def triaged() -> bool:
        nonlocal after
        after = await house.feed_on(told, after, type="mention.triaged")
        return len(told) == count

    await wait_until(triaged, WAIT_S, 0.5)


async def balanced(house: House, *, stored: int, received: int) -> None:
    rows = (await house.get("/v1/ledger"))["data"]
    for row in rows:
        assert row["received"] == sum(row[name] for name in COUNTS), row
    assert sum(row["received"] for row in rows) == received
    assert sum(row["stored"] for row in rows) == stored
    assert sum(row["quarantined"] for row in rows) == 0


async def understood_all(house: House, sent: list[dict[str, Any]]) -> dict[str, Any]:
    """Every mention by its id: each is there with the words that were sent, and with findings."""
    mentions = {one["id"]: one for one in await house.all_of("/v1/mentions")}
    assert {one["external_id"]: one["text"] for one in mentions.values()} == {
        one["external_id"]: one["text"] for one in sent
    }
    assert all(one["disposition"] in ("dismissed", "watch", "engage") for one in mentions.values())
    assert [one["id"] for one in mentions.values() if one["failed_stages"]] == []
    dispositions = Counter(one["disposition"] for one in mentions.values())
    assert dispositions["engage"] > len(sent) / 4  # most of them complain or ask
    for one in mentions.values():
        assert (one["conversation_id"] is not None) == (one["disposition"] == "engage")
    print(f"\n{dict(dispositions)}")
    return mentions


async def waiting_in_order(house: House, mentions: dict[str, Any]) -> None:
    """What is engaged waits in a queue, and the head of each queue is what an agent is given."""
    conversations = await house.all_of("/v1/conversations")
    assert {one["id"] for one in conversations} == {
        one["conversation_id"] for one in mentions.values() if one["conversation_id"]
    }
    assert sum(one["message_count"] for one in conversations) == sum(
        1 for one in mentions.values() if one["conversation_id"]
    )
    assert all(one["status"] == "open" and one["queue_id"] and one["waiting_since"] for one in conversations)
    agent = await house.post("/v1/agents", {"name": "Jo Doe", "initials": "JD", "languages": []})
    key = (await house.post("/v1/api-keys", {"name": "Jo", "role": "agent", "agent_id": agent["id"]}))["key"]
    used = {one["queue_id"] for one in conversations}
    assert len(used) > 1  # the urgent ones wait apart
    for queue_id in used:
        shown = await house.all_of(f"/v1/conversations?queue={queue_id}&order=queue")
        assert {one["id"] for one in shown} == {one["id"] for one in conversations if one["queue_id"] == queue_id}
        assert [one["id"] for one in shown] == [one["id"] for one in sorted(shown, key=place)]
        for expected in shown[:3]:
            given = await house.post(f"/v1/queues/{queue_id}/next", status=200, key=key)
            assert (given["id"], given["assignee_id"]) == (expected["id"], agent["id"])


def place(one: dict[str, Any]) -> tuple[Any, ...]:
    """Priority, then the nearest deadline, then time waited."""
    far = "9999"
    rank = PRIORITY_RANK[Priority(one["priority"])]
    return rank, one["next_deadline_at"] or far, one["waiting_since"] or far, one["id"]


async def issues_of_the_day(house: House, newest: datetime, mentions: dict[str, Any]) -> None:
    """The day's issues are ranked, and their phrases stand so in the mentions that they cite."""
    listed = (await house.get(f"/v1/issues/daily?day={newest.date().isoformat()}"))["data"]
    assert 3 <= len(listed) <= 5
    assert [one["rank"] for one in listed] == list(range(1, len(listed) + 1))
    for issue in listed:
        assert issue["count"] > 0
        assert issue["samples"]
        assert set(issue["samples"]) <= set(mentions)
        for phrase in issue["phrases"]:
            assert phrase["mention_ids"]
            assert all(phrase["text"] in mentions[cited]["text"] for cited in phrase["mention_ids"])
    assert any(issue["phrases"] for issue in listed)
    print([(issue["issue"], issue["count"]) for issue in listed])


async def told_in_full(house: House, receiver: Receiver, secret: str) -> list[Any]:
    """The feed; the receiver got every event of it once, signed, and no conversation's sequence has a gap."""

    feed: list[Any] = []
    after = 0

    async def settled() -> bool:
        nonlocal after
        after = await house.feed_on(feed, after)
        return len({post.id for post in receiver.posts}) >= len(feed)

    await wait_until(settled, WAIT_S, 1.0)
    verifier = Webhook(secret)
    got = {event["id"]: event for event in (verifier.verify(post.body, post.headers) for post in receiver.posts)}
    assert Counter(post.id for post in receiver.posts).most_common(1)[0][1] == 1
    assert len(receiver.posts) == len(feed)
    assert got == {event["id"]: event for event in feed}
    sequences: dict[str, list[int]] = {}
    for event in feed:
        if event["sequence"] is not None:
            sequences.setdefault(conversation_of(event), []).append(event["sequence"])
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in sequences.values())
    kinds = Counter(event["type"] for event in feed)
    assert kinds["mention.received"] == kinds["mention.triaged"] == MENTIONS
    assert kinds["conversation.opened"] == len(sequences)
    return feed


def conversation_of(event: dict[str, Any]) -> str:
    """The conversation that an event's sequence counts in."""
    data = event["data"]
    return str(data["id"] if event["type"].startswith("conversation.") else data["conversation_id"])

"""What a network tells afterwards of our answers: settled, failed after all, and nothing changed by what is not ours."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from services.ingest import pages
from services.ingest.channel import Page, Receipt
from shared.acts import replies as acts
from shared.kit import clock, ids
from shared.models.channel import Channel
from shared.models.reply import ReplyState
from shared.store import reply as store
from tests.ingest.post import Post

AT = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


@dataclass
class Answered:
    post: Post
    channel: Channel
    reply_id: UUID

    async def become(self, state: str) -> None:
        async with self.post.database.write(self.post.workspace_id) as session:
            reply = await store.lock(session, self.post.workspace_id, self.reply_id)
            if state == "queued":
                return
            acts.begin(reply)
            if state == "unknown":
                await acts.unknown(session, reply, "Nobody knows.")
            elif state == "sent":
                await acts.sent(session, reply, at=AT, external_id="there", permalink="https://x.example/there")

    async def hear(self, *receipts: Receipt, channel: Channel | None = None) -> dict[str, Any]:
        channel = channel or self.channel
        network = self.post.opener.network(channel)
        async with self.post.database.write(self.post.workspace_id) as session:
            await pages.enter(session, channel, network, Page(receipts=receipts))
        return await self.post.one(self.channel)

    @property
    def token(self) -> str:
        return str(self.reply_id)


@pytest.fixture
async def answered(post: Post) -> Answered:
    channel = await post.a_venue(idempotency="neither")
    (reply_id,) = await post.queue(channel)
    return Answered(post, channel, reply_id)


@pytest.mark.parametrize("outcome", ["sent", "delivered", "read"])
@pytest.mark.parametrize("state", ["unknown", "sending"])
async def test_what_the_network_took_is_sent(answered: Answered, outcome: Any, state: str) -> None:
    await answered.become(state)
    row = await answered.hear(Receipt(outcome, AT, answered.token, "wamid.1"))
    assert (row["state"], row["external_id"], row["sent_at"], row["settled_by"]) == ("sent", "wamid.1", AT, "receipt")
    assert (await answered.post.told(answered.reply_id))[-1] == "reply.sent"
    later = await answered.hear(Receipt("read", AT + timedelta(hours=1), answered.token, "wamid.1"))
    assert (later["state"], later["sent_at"], later["version"]) == ("sent", AT, row["version"])


async def test_what_is_being_sent_waits_for_the_venues_name_of_it(answered: Answered) -> None:
    await answered.become("sending")
    assert (await answered.hear(Receipt("delivered", AT, answered.token)))["state"] == "sending"


@pytest.mark.parametrize(
    ("state", "by"), [("unknown", "token"), ("sending", "token"), ("sent", "token"), ("sent", "external_id")]
)
async def test_what_could_not_be_delivered_has_failed(answered: Answered, state: str, by: str) -> None:
    await answered.become(state)
    known = {"token": answered.token} if by == "token" else {"external_id": "there"}
    row = await answered.hear(Receipt("failed", AT, reason="No such number\x00.", **known))
    assert (row["state"], row["error"], row["settled_by"]) == ("failed", "No such number.", "receipt")
    assert (await answered.post.told(answered.reply_id)).count("reply.failed") == 1
    again = await answered.hear(Receipt("failed", AT, **known), Receipt("delivered", AT, **known))
    assert (again["state"], again["error"], again["version"]) == ("failed", "No such number.", row["version"])


async def test_what_is_not_ours_to_tell_changes_nothing(answered: Answered) -> None:
    await answered.become("unknown")
    other = await answered.post.a_venue()
    failed = Receipt("failed", AT, answered.token, "there")
    assert (await answered.hear(failed, channel=other))["state"] == "unknown", "a receipt of another channel"
    for token in ("", "no id", str(ids.new_id()), "\ud83d"):
        assert (await answered.hear(Receipt("failed", AT, token)))["state"] == "unknown"
    assert (await answered.hear(Receipt("failed", AT, None, "\x00\ud83d elsewhere")))["state"] == "unknown"


async def test_an_answer_that_never_went_out_has_no_receipt(answered: Answered) -> None:
    await answered.become("queued")
    for outcome in ("failed", "delivered"):
        row = await answered.hear(Receipt(outcome, clock.now(), answered.token, "x"))
        assert row["state"] == ReplyState.QUEUED

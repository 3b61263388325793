"""Moderations are carried to their venue: once where a repeat would count, until it is done where it would not."""

import asyncio
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from services.ingest import moderator as carrying
from services.ingest.channel import Post as There
from services.ingest.channels.simulated import Simulated
from services.ingest.moderator import REQUESTED, Moderator
from services.ingest.networks.simulated_venue import Moderated, Venue
from shared.acts import moderation as acts
from shared.kit import clock, ids
from shared.models.channel import Channel
from shared.models.moderation import REPEATABLE, Moderation, ModerationAction
from shared.store import moderation as store
from tests.builders import a_workspace, an_item, taken
from tests.ingest.post import Post

A = ModerationAction
OF_A_MENTION = [one for one in A if one != A.DELETE_REPLY]
NEVER_REPEATED = [one for one in A if one not in REPEATABLE]
NOT_TAKEN = ("refuse_connection", "too_many_requests")
LOST = {
    "cut_before_accept": 0, "cut_after_accept": 1, "time_out_before_accept": 0, "time_out_after_accept": 1,
    "server_error": 0, "server_error_after_accept": 1, "garbage": 1, "cut_off_answer": 1,
}  # fmt: skip
"""What goes wrong so that nobody knows → how often the venue did it all the same."""


@dataclass
class Office:
    """Posts at venues, and what is asked about them."""

    post: Post

    @property
    def moderator(self) -> Moderator:
        return Moderator(self.post.database, self.post.opener)

    async def a_venue(self, *faults: Any, plays: str = "trustpilot", **settings: Any) -> Channel:
        return await self.post.a_venue(faults=[{"on": "moderate", **one} for one in faults], plays=plays, **settings)

    async def ask(self, channel: Channel, action: ModerationAction, mention_id: UUID | None = None) -> UUID:
        """Asks for an action, about something new unless a mention is named."""
        reply_id = None
        if action == A.DELETE_REPLY:
            (reply_id,) = await self.post.queue(channel)
            await self.post.carried()
        elif mention_id is None:
            mention_id = await self.a_mention(channel)
        moderation = Moderation(
            workspace_id=self.post.workspace_id, id=ids.new_id(), action=action.value, channel_id=channel.id,
            reason="It is a threat.", actor="key:test", mention_id=mention_id, reply_id=reply_id,
        )  # fmt: skip
        async with self.post.database.write(self.post.workspace_id) as session:
            await acts.request(session, moderation)
        return moderation.id

    async def a_mention(self, channel: Channel) -> UUID:
        name = f"m{next(self.post.names)}"
        self.post.venue(channel).post("kapot", id=name, author={"id": "a1"})
        await taken(self.post.database, self.post.workspace_id, channel, an_item(name), scope=str(channel.id))
        async with self.post.database.read(self.post.workspace_id) as connection:
            found: UUID = await connection.fetchval("SELECT id FROM mention WHERE external_id = $1", name)
        return found

    async def row(self, moderation_id: UUID) -> dict[str, Any]:
        async with self.post.database.read(self.post.workspace_id) as connection:
            found = await connection.fetchrow(
                "SELECT d.*, coalesce(m.external_id, r.external_id) AS there, m.hidden_at, r.state AS reply_state, r.deleted_at "
                "FROM moderation d LEFT JOIN mention m ON m.id = d.mention_id LEFT JOIN reply r ON r.id = d.reply_id "
                "WHERE d.id = $1",
                moderation_id,
            )  # fmt: skip
        assert found is not None
        return dict(found)

    async def carried(self) -> None:
        """Carries until nothing is left to be done."""
        end = time.monotonic() + 60
        while await self.post.number("SELECT count(*) FROM work WHERE kind = $1", REQUESTED):
            assert time.monotonic() < end
            if not await self.moderator.once():
                await asyncio.sleep(0.02)

    async def tried(self, moderation_id: UUID, times: int) -> None:
        """Carries until the venue was asked so many times, and its last answer is written."""
        end = time.monotonic() + 60
        while (await self.row(moderation_id))["attempts"] < times:
            assert time.monotonic() < end
            if not await self.moderator.once():
                await asyncio.sleep(0.02)

    async def asked_for(self, moderation_id: UUID, since: timedelta) -> None:
        """Sets the moment at which a person asked for it back to so long ago."""
        async with self.post.database.write(self.post.workspace_id) as session:
            await session.execute(
                text("UPDATE moderation SET created_at = :at WHERE id = :id"),
                {"at": clock.now() - since, "id": moderation_id},
            )

    async def lease_ends(self) -> None:
        async with self.post.database.write(self.post.workspace_id) as session:
            await session.execute(text("UPDATE work SET lease_until = now() - interval '1 second'"))


@pytest.fixture
def office(post: Post, monkeypatch: pytest.MonkeyPatch) -> Office:
    monkeypatch.setattr(carrying, "AGAIN_AFTER", (0.01,))
    return Office(post)


def in_force(venue: Venue, row: dict[str, Any]) -> bool:
    """Whether things stand at the venue as was asked."""
    match row["action"]:
        case A.HIDE:
            return venue.is_hidden(row["there"])
        case A.UNHIDE:
            return not venue.is_hidden(row["there"])
        case A.DELETE_REPLY:
            return venue.is_deleted(row["there"])
    return bool(venue.moderated(row["there"]))


@pytest.mark.parametrize("action", list(A))
async def test_what_is_asked_is_done_once_and_told(office: Office, action: ModerationAction) -> None:
    channel = await office.a_venue()
    moderation_id = await office.ask(channel, action)
    await office.carried()
    row, venue = await office.row(moderation_id), office.post.venue(channel)
    assert (row["state"], row["attempts"], row["error"]) == ("done", 1, None)
    assert row["done_at"] is not None
    (done,) = venue.moderated()
    assert (done.action, done.subject, done.reason) == (
        action, row["there"], "It is a threat." if action in NEVER_REPEATED else "",
    )  # fmt: skip
    assert in_force(venue, row)
    assert (row["hidden_at"] is not None) == (action == A.HIDE)
    if action == A.DELETE_REPLY:
        assert row["reply_state"] == "deleted"
        assert row["deleted_at"] == row["done_at"]
        assert await office.post.told(row["reply_id"]) == ["reply.queued", "reply.sent", "reply.deleted"]
    assert await office.post.told(moderation_id) == ["moderation.requested", "moderation.done"]


async def test_what_is_hidden_can_be_shown_again(office: Office) -> None:
    channel = await office.a_venue()
    mention_id = await office.a_mention(channel)
    for action, hidden in ((A.HIDE, True), (A.UNHIDE, False), (A.HIDE, True)):
        row = await office.row(await office.ask(channel, action, mention_id))
        await office.carried()
        assert office.post.venue(channel).is_hidden(row["there"]) == hidden
        assert ((await office.row(row["id"]))["hidden_at"] is not None) == hidden


@pytest.mark.parametrize("what", NOT_TAKEN)
@pytest.mark.parametrize("action", list(A))
async def test_what_the_venue_did_not_take_is_asked_again(
    office: Office, action: ModerationAction, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carrying, "_again_after", _soon(carrying._again_after))
    channel = await office.a_venue({"what": what, "calls": [1, 2], "seconds": 0.05})
    moderation_id = await office.ask(channel, action)
    await office.carried()
    row = await office.row(moderation_id)
    assert (row["state"], row["attempts"], row["error"]) == ("done", 3, None)
    assert len(office.post.venue(channel).moderated()) == 1
    assert await office.post.told(moderation_id) == ["moderation.requested", "moderation.done"]


@pytest.mark.parametrize("what", LOST)
@pytest.mark.parametrize("action", sorted(REPEATABLE))
async def test_what_does_no_harm_is_repeated_until_it_is_done(
    office: Office, action: ModerationAction, what: str
) -> None:
    channel = await office.a_venue({"what": what, "calls": [1]})
    moderation_id = await office.ask(channel, action)
    await office.carried()
    row, venue = await office.row(moderation_id), office.post.venue(channel)
    assert (row["state"], row["attempts"]) == ("done", 2)
    assert in_force(venue, row)
    assert len(venue.moderated()) == 1 + LOST[what]


@pytest.mark.parametrize("what", LOST)
@pytest.mark.parametrize("action", NEVER_REPEATED)
async def test_a_report_of_unknown_outcome_is_never_repeated(
    office: Office, action: ModerationAction, what: str
) -> None:
    channel = await office.a_venue({"what": what, "calls": [1]})
    moderation_id = await office.ask(channel, action)
    await office.carried()
    assert not await office.moderator.once()
    row = await office.row(moderation_id)
    assert (row["state"], row["attempts"], row["done_at"]) == ("unknown", 1, None)
    assert row["error"].endswith(".")
    assert len(office.post.venue(channel).moderated()) == LOST[what]
    assert await office.post.told(moderation_id) == ["moderation.requested", "moderation.outcome_unknown"]


@pytest.mark.parametrize("action", list(A))
async def test_a_venue_that_says_no_fails_it_with_its_words(office: Office, action: ModerationAction) -> None:
    channel = await office.a_venue({"what": "bad_credential", "percent": 100})
    moderation_id = await office.ask(channel, action)
    await office.carried()
    row = await office.row(moderation_id)
    assert (row["state"], row["attempts"]) == ("failed", 1)
    assert row["error"].endswith("Then ask again.")
    assert row["hidden_at"] is None
    assert row["reply_state"] in (None, "sent")
    assert await office.post.told(moderation_id) == ["moderation.requested", "moderation.failed"]


async def test_a_venue_takes_no_dispute_of_what_is_no_review(office: Office) -> None:
    channel = await office.a_venue(plays="plain")
    moderation_id = await office.ask(channel, A.DISPUTE)
    await office.carried()
    row = await office.row(moderation_id)
    assert row["state"] == "failed"
    assert "only a review" in row["error"]


async def test_what_is_gone_at_the_venue_fails(office: Office) -> None:
    channel = await office.a_venue()
    moderation_id = await office.ask(channel, A.HIDE)
    office.post.venue(channel).delete((await office.row(moderation_id))["there"])
    await office.carried()
    row = await office.row(moderation_id)
    assert (row["state"], row["hidden_at"]) == ("failed", None)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("UPDATE channel SET status = 'paused'", "paused or gone"),
        ("UPDATE channel SET type = 'no-longer-there'", "no channel type"),
        ("UPDATE channel SET type = 'push', settings = '{}'", "cannot do that"),
        ("DELETE FROM mention", "no longer here"),
    ],
)
async def test_what_cannot_be_carried_any_more_fails_with_a_reason(office: Office, change: str, reason: str) -> None:
    channel = await office.a_venue()
    moderation_id = await office.ask(channel, A.HIDE)
    async with office.post.database.write(office.post.workspace_id) as session:
        await session.execute(text(change))
    await office.carried()
    row = await office.row(moderation_id)
    assert row["state"] == "failed"
    assert reason in row["error"]
    assert office.post.venue(channel).moderated() == []


@pytest.mark.parametrize("action", list(A))
async def test_a_worker_that_died_while_the_venue_was_asked(
    office: Office, action: ModerationAction, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = await office.a_venue()
    moderation_id = await office.ask(channel, action)
    venue, asked, ask = office.post.venue(channel), asyncio.Event(), Simulated._moderate

    async def ask_and_hang(simulated: Simulated, what: str, post: There, reason: str = "") -> None:
        await ask(simulated, what, post, reason)
        asked.set()
        await asyncio.Event().wait()

    with monkeypatch.context() as hanging:
        hanging.setattr(Simulated, "_moderate", ask_and_hang)
        worker = asyncio.create_task(office.moderator.once())
        await asyncio.wait_for(asked.wait(), 60)
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)
    assert (await office.row(moderation_id))["state"] == "sending"
    assert not await office.moderator.once(), "its lease still holds"
    await office.lease_ends()
    await office.carried()
    row = await office.row(moderation_id)
    assert in_force(venue, row)
    if action in REPEATABLE:
        assert (row["state"], row["attempts"], len(venue.moderated())) == ("done", 2, 2)
    else:
        assert (row["state"], row["attempts"], len(venue.moderated())) == ("unknown", 1, 1)
        assert "interrupted" in row["error"]


async def test_who_lost_its_lease_settles_what_was_given_up(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    channel = await office.a_venue()
    moderation_id = await office.ask(channel, A.REPORT)
    asked, told, ask = asyncio.Event(), asyncio.Event(), Simulated._moderate

    async def ask_and_wait(simulated: Simulated, what: str, post: There, reason: str = "") -> None:
        await ask(simulated, what, post, reason)
        asked.set()
        await told.wait()

    monkeypatch.setattr(Simulated, "_moderate", ask_and_wait)
    slow = asyncio.create_task(office.moderator.once())
    await asyncio.wait_for(asked.wait(), 60)
    await office.lease_ends()
    await office.carried()
    assert (await office.row(moderation_id))["state"] == "unknown"
    told.set()
    await asyncio.wait_for(slow, 60)
    row = await office.row(moderation_id)
    assert (row["state"], row["settled_by"]) == ("done", "moderator")
    assert [one.action for one in office.post.venue(channel).moderated()] == ["report"]


@pytest.mark.parametrize(
    ("action", "what", "state"),
    [
        (A.HIDE, "server_error", "unknown"),
        (A.HIDE, "refuse_connection", "unknown"),
        (A.REPORT, "refuse_connection", "failed"),
    ],
)
async def test_a_venue_that_stays_away_leaves_it_to_a_person_in_the_end(
    office: Office, action: ModerationAction, what: str, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carrying, "_again_after", _soon(carrying._again_after))
    channel = await office.a_venue({"what": what, "percent": 100})
    moderation_id = await office.ask(channel, action)
    await office.asked_for(moderation_id, carrying.PATIENCE - timedelta(hours=1))
    await office.tried(moderation_id, 3)
    assert (await office.row(moderation_id))["state"] == "queued", "the venue has an hour left"
    await office.asked_for(moderation_id, carrying.PATIENCE)
    await office.carried()
    row = await office.row(moderation_id)
    assert (row["state"], row["attempts"]) == (state, 4)


async def test_what_was_taken_back_is_not_carried(office: Office) -> None:
    channel = await office.a_venue()
    moderation_id = await office.ask(channel, A.HIDE)
    async with office.post.database.write(office.post.workspace_id) as session:
        moderation = await store.lock(session, office.post.workspace_id, moderation_id)
        await acts.failed(session, moderation, "Taken back.")
    await office.carried()
    assert office.post.venue(channel).moderated() == []


async def test_of_two_workers_one_carries_it(office: Office) -> None:
    channel = await office.a_venue({"what": "slow", "percent": 100, "seconds": 0.2})
    made = [await office.ask(channel, A.REPORT) for _ in range(6)]
    await asyncio.gather(*(office.moderator.once() for _ in range(3)))
    await office.carried()
    done: list[Moderated] = office.post.venue(channel).moderated()
    assert len(done) == len({one.subject for one in done}) == len(made)


async def test_workspaces_do_not_see_each_others(office: Office) -> None:
    channel = await office.a_venue()
    await office.ask(channel, A.HIDE)
    other = await a_workspace(office.post.database)
    async with office.post.database.read(other) as connection:
        assert await connection.fetchval("SELECT count(*) FROM moderation") == 0


def _soon(again_after: Any) -> Any:
    """Sooner than the venue or the house would have it, so that a test is short."""

    def sooner(*given: Any) -> float | None:
        after = again_after(*given)
        return None if after is None else min(after, 0.05)

    return sooner

"""The figures that are read from the database: each against rows that were put there for it."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from services.api.listening import issues, weekly
from services.api.listening.reading import snapshot
from services.api.listening.report import Bucket, ConversationFlow, Count, DayCount, IssueTotal, LedgerLine, Week
from shared import outbox
from shared.kit import ids
from shared.kit.database import Database
from shared.kit.errors import NotFound
from shared.models.brand import Brand, IssueType, Playbook
from shared.models.channel import Channel
from shared.models.conversation import Conversation, Message
from shared.models.facts import ConversationReopened, ConversationResolved
from shared.models.mention import Assessment, Author, Mention
from shared.models.people import Queue
from shared.models.sla import SlaClock, SlaClockEvent
from shared.models.work import LedgerDelta, LedgerHour
from tests.builders import a_channel, a_workspace

WEEK = Week(2026, 45)
MONDAY = datetime(2026, 11, 2, tzinfo=UTC)
SUNDAY_AFTER = MONDAY + timedelta(days=7)
ZONE = "Europe/Amsterdam"
OUTAGE = "network.outage"


@pytest.fixture
async def workspace_id(database: Database) -> UUID:
    return await a_workspace(database)


@pytest.fixture
async def channel(database: Database, workspace_id: UUID) -> Channel:
    return await a_channel(database, workspace_id, name="the venue")


def found(start: int, end: int, value: str = OUTAGE) -> dict[str, Any]:
    return {
        "value": value,
        "confidence": 0.9,
        "why": "",
        "decided_by": "issues",
        "version": "1",
        "start": start,
        "end": end,
    }


async def heard(
    database: Database, channel: Channel, at: datetime, said: str = "geen internet", *, reach: int | None = None,
    author_id: UUID | None = None, deleted: bool = False, visibility: str = "public", permalink: str | None = None,
    received_at: datetime | None = None, **assessed: Any,
) -> UUID:  # fmt: skip
    """A mention that was understood; `assessed` are columns of its assessment."""
    received = received_at or at + timedelta(minutes=1)
    mention_id = ids.new_id(received)
    async with database.write(channel.workspace_id) as session:
        session.add(
            Mention(
                workspace_id=channel.workspace_id, id=mention_id, channel_id=channel.id, channel_type=channel.type,
                external_id=mention_id.hex, text=said, published_at=at, received_at=received, reach=reach, author_id=author_id,
                deleted_at=received if deleted else None, visibility=visibility, permalink=permalink,
            )
        )  # fmt: skip
        row: Mapping[str, Any] = {
            "disposition": "engage", "lang": "nl", "sentiment": "negative", "findings": {}, "pipeline_version": "t",
            "triaged_at": received, "text_hash": hashlib.sha256(said.encode()).digest(), **assessed,
        }  # fmt: skip
        session.add(Assessment(workspace_id=channel.workspace_id, mention_id=mention_id, **row))
    return mention_id


async def test_counts_are_by_the_day_of_the_zone_and_of_what_counts(
    database: Database, workspace_id: UUID, channel: Channel
) -> None:
    late = MONDAY + timedelta(hours=23, minutes=30)  # already Tuesday in Amsterdam
    await heard(database, channel, MONDAY + timedelta(hours=9))
    await heard(database, channel, late, sentiment=None, lang=None)
    await heard(database, channel, late, disposition="dismissed")
    await heard(database, channel, late, deleted=True)
    await heard(database, channel, SUNDAY_AFTER)
    async with snapshot(database, workspace_id) as reader:
        volume = await reader.by_day("channel_type", MONDAY, SUNDAY_AFTER, ZONE)
        assert volume == [DayCount(WEEK.days()[0], "push", 1), DayCount(WEEK.days()[1], "push", 1)]
        sounds = await reader.by_day("sentiment", MONDAY, SUNDAY_AFTER, ZONE)
        assert sounds == [DayCount(WEEK.days()[0], "negative", 1), DayCount(WEEK.days()[1], None, 1)]
        assert await reader.counts("disposition", MONDAY, SUNDAY_AFTER) == [Count("engage", 2), Count("dismissed", 1)]
        assert await reader.counts("language", MONDAY, SUNDAY_AFTER) == [Count("nl", 1), Count("unknown", 1)]
        assert await reader.by_day("channel_type", SUNDAY_AFTER, SUNDAY_AFTER + timedelta(days=1), "UTC") == [
            DayCount(WEEK.days()[-1] + timedelta(days=1), "push", 1)
        ]


async def test_what_came_in_long_after_it_was_published_counts_where_it_was_published(
    database: Database, workspace_id: UUID, channel: Channel
) -> None:
    await heard(database, channel, MONDAY, received_at=MONDAY + timedelta(days=400))
    await heard(database, channel, MONDAY, received_at=MONDAY - timedelta(hours=2))  # a venue's clock runs ahead
    async with snapshot(database, workspace_id) as reader:
        (day,) = await reader.by_day("channel_type", MONDAY, SUNDAY_AFTER, "UTC")
    assert day.count == 2


async def test_a_mention_of_two_brands_counts_for_both(
    database: Database, workspace_id: UUID, channel: Channel
) -> None:
    north = Brand(workspace_id=workspace_id, name="Northwind", aliases=["northwind mobile"])
    south = Brand(workspace_id=workspace_id, name="Southwind")
    async with database.write(workspace_id) as session:
        session.add(north)
        session.add(south)
    await heard(database, channel, MONDAY, brand_ids=[north.id, south.id])
    await heard(database, channel, MONDAY, brand_ids=[north.id, ids.new_id()])
    async with snapshot(database, workspace_id) as reader:
        assert await reader.by_day("brand", MONDAY, SUNDAY_AFTER, "UTC") == [
            DayCount(WEEK.monday, "Northwind", 2), DayCount(WEEK.monday, "Southwind", 1),
        ]  # fmt: skip
        assert await reader.brand_names() == ["Northwind", "northwind mobile", "Southwind"]


async def test_copies_count_once_and_set_aside_reposts_only_reach(
    database: Database, workspace_id: UUID, channel: Channel
) -> None:
    author = ids.new_id()
    about: dict[str, Any] = {"issue_keys": [OUTAGE, "service.waiting"]}
    first = await heard(database, channel, MONDAY, reach=100, author_id=author, **about)
    copy = await heard(database, channel, MONDAY, reach=10, duplicate_of=first, issue_keys=[OUTAGE])
    await heard(database, channel, MONDAY, reach=1, duplicate_of=copy, issue_keys=[OUTAGE])  # a copy of the copy
    await heard(database, channel, MONDAY, reach=40, author_id=author, issue_keys=[OUTAGE])  # heard by the same people
    await heard(database, channel, MONDAY, reach=5_000, duplicate_of=first, disposition="dismissed", issue_keys=[])
    await heard(database, channel, MONDAY, reach=9_000, disposition="dismissed", issue_keys=[OUTAGE])  # spam
    gone = await heard(database, channel, MONDAY, disposition="dismissed", issue_keys=["service.lost"])
    await heard(database, channel, MONDAY, duplicate_of=gone, disposition="dismissed")
    async with snapshot(database, workspace_id) as reader:
        totals = await reader.issue_totals(MONDAY, SUNDAY_AFTER)
        assert totals == [IssueTotal(OUTAGE, 2, 100 + 10 + 1 + 5_000), IssueTotal("service.waiting", 1, 5_100)]
        by_day = await reader.by_day("issue", MONDAY, SUNDAY_AFTER, "UTC")
        assert by_day == [DayCount(WEEK.monday, OUTAGE, 2), DayCount(WEEK.monday, "service.waiting", 1)]
        assert await reader.issue_totals(SUNDAY_AFTER, SUNDAY_AFTER + timedelta(days=1)) == []


async def test_mentions_come_with_their_places_originals_first(
    database: Database, workspace_id: UUID, channel: Channel
) -> None:
    said = "😡 geen internet, groet Maria"
    start = said.index("geen")
    findings = {
        "issues": [found(start, start + 13), found(0, 1, "service.waiting"), {"value": OUTAGE}],
        "pii": [{**found(said.index("Maria"), len(said), None), "type": "name"}, "a person's own words"],  # type: ignore[arg-type]
    }
    first = await heard(database, channel, MONDAY, said, issue_keys=[OUTAGE], findings=findings, reach=7)
    for n in range(4):
        await heard(
            database, channel, MONDAY - timedelta(hours=n), said, issue_keys=[OUTAGE], findings=findings, duplicate_of=first,
        )  # fmt: skip
    unread = await heard(database, channel, MONDAY, issue_keys=[OUTAGE], failed_stages=["pii"])
    other = await heard(database, channel, MONDAY, "which phone do you recommend?")
    async with snapshot(database, workspace_id) as reader:
        long_ago = MONDAY - timedelta(days=1)
        only = await reader.issue_mentions([OUTAGE, "nothing"], long_ago, SUNDAY_AFTER, 1)
        assert [one.id for one in only[OUTAGE]] == [first]
        assert only["nothing"] == []
        (mention,) = only[OUTAGE]
        assert [mention.text[a:b] for a, b in mention.spans] == ["geen internet"]
        assert [mention.text[a:b] for a, b in mention.hidden] == ["Maria"]
        assert (mention.reach, mention.lang, mention.channel_type) == (7, "nl", "push")
        every = await reader.issue_mentions([OUTAGE], long_ago, SUNDAY_AFTER, 100)
        assert len(every[OUTAGE]) == 5
        assert unread not in {one.id for one in every[OUTAGE]}
        assert [one.id for one in await reader.other_mentions(MONDAY, SUNDAY_AFTER, 10)] == [other]


async def test_links_are_told_of_public_mentions_only(database: Database, workspace_id: UUID, channel: Channel) -> None:
    public = await heard(database, channel, MONDAY, permalink="https://venue.example/1")
    private = await heard(database, channel, MONDAY, permalink="https://venue.example/2", visibility="private")
    nowhere = await heard(database, channel, MONDAY)
    async with snapshot(database, workspace_id) as reader:
        assert await reader.permalinks([public, private, nowhere]) == {public: "https://venue.example/1"}
        assert await reader.permalinks([]) == {}


async def test_an_issue_type_brings_its_playbook(database: Database, workspace_id: UUID) -> None:
    named = Playbook(workspace_id=workspace_id, name="Outage")
    for_key = Playbook(workspace_id=workspace_id, name="Waiting", issue_key="service.waiting")
    async with database.write(workspace_id) as session:
        session.add(named)
        session.add(for_key)
        await session.flush()
        session.add(IssueType(workspace_id=workspace_id, key=OUTAGE, name="Outage", severity=5, playbook_id=named.id))
        session.add(IssueType(workspace_id=workspace_id, key="service.waiting", name="Waiting", severity=2))
        session.add(IssueType(workspace_id=workspace_id, key="wish", name="Wish", severity=1))
    async with snapshot(database, workspace_id) as reader:
        told = {one.key: (one.severity, one.playbook_id) for one in await reader.issue_types()}
    assert told == {OUTAGE: (5, named.id), "service.waiting": (2, for_key.id), "wish": (1, None)}


async def a_conversation(database: Database, channel: Channel, at: datetime, **fields: Any) -> Conversation:
    one = Conversation(
        workspace_id=channel.workspace_id, channel_id=channel.id, channel_type=channel.type, thread_key=ids.new_id().hex,
        created_at=at, last_message_at=at, **fields,
    )  # fmt: skip
    async with database.write(channel.workspace_id) as session:
        session.add(one)
    return one


async def a_clock(database: Database, one: Conversation, metric: str, started_at: datetime, **fields: Any) -> None:
    calendar_id = fields.pop("counts_by", None)
    promise = SlaClock(
        workspace_id=one.workspace_id, conversation_id=one.id, policy_id=ids.new_id(), policy_version=1, priority="normal",
        metric=metric, started_at=started_at, **{"target_s": 3600.0, **fields},
    )  # fmt: skip
    async with database.write(one.workspace_id) as session:
        session.add(promise)
        await session.flush()
        session.add(
            SlaClockEvent(
                workspace_id=one.workspace_id, clock_id=promise.id, kind="started", at=started_at, recorded_at=started_at,
                cause="m", terms={"within_s": 3600, "calendar_id": calendar_id, "marks": []},
            )
        )  # fmt: skip


async def test_conversations_that_came_and_went(database: Database, workspace_id: UUID, channel: Channel) -> None:
    at = MONDAY + timedelta(days=1)
    before, after = MONDAY - timedelta(days=1), SUNDAY_AFTER + timedelta(hours=1)
    await a_conversation(database, channel, at)
    await a_conversation(database, channel, at, first_replied_at=at, resolved_at=at, status="resolved")
    await a_conversation(database, channel, before, first_replied_at=at, resolved_at=after, status="resolved")
    await a_conversation(database, channel, before, first_replied_at=before, resolved_at=before, status="closed")
    await a_conversation(database, channel, after)
    reopened = await a_conversation(database, channel, before)
    async with database.write(workspace_id) as session:
        about: dict[str, Any] = {"subject_id": reopened.id, "conversation_id": reopened.id}
        told = [
            (ConversationResolved, at),
            (ConversationReopened, at),
            (ConversationResolved, at),
            (ConversationReopened, before),
        ]
        await outbox.add(session, workspace_id, [fact(**about, at=when) for fact, when in told])
    async with snapshot(database, workspace_id) as reader:
        flow = await reader.conversation_flow(MONDAY, SUNDAY_AFTER)
    assert flow == ConversationFlow(opened=2, answered=2, resolved=1, reopened=1, open_at_end=3)


async def test_critical_conversations_say_why_and_the_worst_comes_first(
    database: Database, workspace_id: UUID, channel: Channel
) -> None:
    at, before = MONDAY + timedelta(days=1), MONDAY - timedelta(days=20)
    queue = Queue(workspace_id=workspace_id, name="Urgent", filter={})
    async with database.write(workspace_id) as session:
        session.add(queue)
    urgent = await a_conversation(database, channel, at, priority="urgent", subject="It burns", queue_id=queue.id)
    late = await a_conversation(database, channel, before)
    await a_clock(database, late, "resolution", before, state="breached", breached_at=at)
    unnoticed = await a_conversation(database, channel, at)
    await a_clock(database, unnoticed, "first_response", at, deadline_at=at + timedelta(hours=1))
    loud = await a_conversation(database, channel, at)
    said = "My name is Maria and your app is broken"
    mention_id = await heard(
        database, channel, at, said, reach=10_000, conversation_id=loud.id, findings={"pii": [found(11, 16)]}
    )
    answered = await a_conversation(database, channel, before, priority="urgent")
    long_over = await a_conversation(database, channel, before, priority="urgent")
    await a_clock(database, long_over, "first_response", before, state="breached", breached_at=before)
    quiet = await a_conversation(database, channel, at)
    await a_clock(
        database, quiet, "first_response", at, state="met", stopped_at=at, deadline_at=at + timedelta(hours=1)
    )
    async with database.write(workspace_id) as session:
        session.add(
            Message(workspace_id=workspace_id, conversation_id=loud.id, kind="inbound", mention_id=mention_id, at=at)
        )
        session.add(Message(workspace_id=workspace_id, conversation_id=answered.id, kind="outbound", at=at))
        session.add(Message(workspace_id=workspace_id, conversation_id=long_over.id, kind="note", text="hm", at=at))
        await session.execute(
            text("UPDATE conversation SET last_message_at = :at"), {"at": SUNDAY_AFTER + timedelta(days=9)}
        )
    async with snapshot(database, workspace_id) as reader:
        count, critical = await reader.critical_conversations(MONDAY, SUNDAY_AFTER, 10_000, 3)
        everyone = (await reader.critical_conversations(MONDAY, SUNDAY_AFTER, 10_000, 50))[1]
    assert count == 5
    reasons = {one.conversation_id: one.reasons for one in everyone}
    assert reasons == {
        urgent.id: ("urgent",), answered.id: ("urgent",), late.id: ("sla_breached",), unnoticed.id: ("sla_breached",),
        loud.id: ("high_reach",),
    }  # fmt: skip
    assert {one.conversation_id for one in critical[:2]} == {urgent.id, answered.id}
    assert list(critical) == list(everyone[:3])
    told = {one.conversation_id: one for one in everyone}
    assert (told[urgent.id].subject, told[urgent.id].queue) == ("It burns", "Urgent")
    assert (told[loud.id].subject, told[loud.id].reach) == ("My name is [hidden] and your app is broken", 10_000)


async def test_promises_by_metric_with_the_most_common_target(
    database: Database, workspace_id: UUID, channel: Channel
) -> None:
    at, before, after = MONDAY + timedelta(days=1), MONDAY - timedelta(days=2), SUNDAY_AFTER + timedelta(days=1)
    states: list[tuple[str, dict[str, Any]]] = [
        ("first_response", {"state": "met", "stopped_at": at, "counts_by": str(ids.new_id())}),
        ("first_response", {"state": "met", "stopped_at": before}),
        (
            "first_response",
            {"state": "breached", "breached_at": at, "stopped_at": after, "counts_by": str(ids.new_id())},
        ),
        ("first_response", {"state": "breached", "breached_at": before, "target_s": 60.0}),
        ("first_response", {"state": "running", "deadline_at": at}),  # nobody has looked since
        ("first_response", {"state": "met", "stopped_at": after, "deadline_at": after, "counts_by": str(ids.new_id())}),
        ("first_response", {"state": "cancelled", "breached_at": at}),
        ("resolution", {"state": "running", "deadline_at": after, "target_s": 60.0}),
        ("resolution", {"state": "paused", "target_s": 120.0}),
        ("resolution", {"state": "breached", "breached_at": after, "target_s": 180.0}),
    ]
    for metric, fields in states:
        one = await a_conversation(database, channel, before)
        await a_clock(database, one, metric, before, **fields)
    late = await a_conversation(database, channel, after)
    await a_clock(database, late, "first_response", after)
    async with snapshot(database, workspace_id) as reader:
        first, resolution = await reader.sla(MONDAY, SUNDAY_AFTER)
    assert (first.metric, first.met, first.breached, first.running) == ("first_response", 1, 2, 1)
    assert (first.target, first.hours) == (timedelta(hours=1), "business")
    assert (resolution.metric, resolution.met, resolution.breached, resolution.running) == ("resolution", 0, 0, 3)
    assert resolution.target is None


async def test_answer_times_fall_into_the_bucket_they_reach_up_to(
    database: Database, workspace_id: UUID, channel: Channel
) -> None:
    asked = MONDAY + timedelta(hours=1)
    for minutes in (10, 15, 16, 100):
        one = await a_conversation(database, channel, asked, first_replied_at=asked + timedelta(minutes=minutes))
        await a_clock(database, one, "first_response", asked, state="met", stopped_at=one.first_replied_at)
    unpromised = await a_conversation(
        database, channel, asked + timedelta(hours=3), first_replied_at=asked + timedelta(hours=3)
    )
    async with database.write(workspace_id) as session:
        session.add(
            Message(
                workspace_id=workspace_id,
                conversation_id=unpromised.id,
                kind="inbound",
                at=asked + timedelta(hours=2, minutes=40),
            )
        )
    await a_conversation(database, channel, asked, first_replied_at=SUNDAY_AFTER)
    again = await a_conversation(database, channel, asked)
    await a_clock(database, again, "next_response", asked, state="met", stopped_at=asked + timedelta(minutes=5))
    edges = (timedelta(minutes=15), timedelta(minutes=30))
    async with snapshot(database, workspace_id) as reader:
        first, following = await reader.answer_times(MONDAY, SUNDAY_AFTER, edges)
    assert (first.metric, first.count, first.p50) == ("first_response", 5, timedelta(minutes=16))
    assert first.p90 == timedelta(minutes=68)
    assert first.histogram == (Bucket(edges[0], 2), Bucket(edges[1], 2), Bucket(None, 1))
    assert (following.metric, following.count, following.p50) == ("next_response", 1, timedelta(minutes=5))


async def test_the_ledger_is_added_up_by_channel(database: Database, workspace_id: UUID, channel: Channel) -> None:
    other = await a_channel(database, workspace_id, name="another")
    async with database.write(workspace_id) as session:
        session.add(
            LedgerHour(workspace_id=workspace_id, channel_id=channel.id, hour=MONDAY, received=5, stored=4, duplicate=1)
        )
        for where, hour, received in ((channel, MONDAY, 2), (other, MONDAY, 1), (other, SUNDAY_AFTER, 9)):
            session.add(
                LedgerDelta(
                    workspace_id=workspace_id, channel_id=where.id, hour=hour, received=received, stored=received
                )
            )
    async with snapshot(database, workspace_id) as reader:
        told = await reader.ledger(MONDAY, SUNDAY_AFTER)
    assert told == [LedgerLine("another", 1, 1), LedgerLine("the venue", 7, 6, duplicate=1)]


async def test_nobody_reads_another_workspace(database: Database, workspace_id: UUID, channel: Channel) -> None:
    author = Author(workspace_id=workspace_id, channel_type="push", external_id="a")
    async with database.write(workspace_id) as session:
        session.add(author)
    mention_id = await heard(database, channel, MONDAY, issue_keys=[OUTAGE], permalink="https://venue.example/1")
    one = await a_conversation(database, channel, MONDAY, priority="urgent", first_replied_at=MONDAY)
    await a_clock(database, one, "first_response", MONDAY, state="met", stopped_at=MONDAY)
    stranger = await a_workspace(database)
    async with snapshot(database, stranger) as reader:
        when = (MONDAY, SUNDAY_AFTER)
        assert await reader.issue_totals(*when) == []
        assert await reader.issue_mentions([OUTAGE], *when, 5) == {OUTAGE: []}
        assert await reader.permalinks([mention_id]) == {}
        assert await reader.conversation_flow(*when) == ConversationFlow()
        assert await reader.critical_conversations(*when, 0, 5) == (0, [])
        assert await reader.sla(*when) == []
        assert await reader.answer_times(*when, ()) == []
        assert (await reader.workspace())[2] is None
    told = await weekly.weekly_figures(database, stranger, WEEK)
    assert sum(day.count for day in told.figures.days) == 0


async def test_only_weeks_in_which_somebody_listened_say_what_is_usual(
    database: Database, workspace_id: UUID, channel: Channel
) -> None:
    async with database.write(workspace_id) as session:
        session.add(IssueType(workspace_id=workspace_id, key=OUTAGE, name="Outage", severity=5))
    for weeks, times in ((0, 6), (1, 2), (3, 4)):  # nothing two weeks before, and nobody listened earlier than three
        for n in range(times):
            at = MONDAY - timedelta(weeks=weeks) + timedelta(hours=9)
            await heard(database, channel, at, f"geen internet sinds {n} uur, echt waar", issue_keys=[OUTAGE])
    told = (await weekly.weekly_figures(database, workspace_id, WEEK)).figures
    assert told.weeks_before == (4, 0, 2)
    assert told.days[0].usual == 2.0
    assert told.days[1].usual == 0.0
    assert told.sentiment_before is not None
    assert told.sentiment_before.negative == 2
    (top,) = told.issues
    assert (top.issue.count, top.issue.baseline, top.issue.change) == (6, 2.0, 2.0)
    daily = await issues.daily(database, workspace_id, WEEK.monday)
    (issue,) = daily.issues
    assert (issue.count, issue.rank, issue.playbook_id) == (6, 1, None)
    assert issue.baseline == pytest.approx(6 / 21)
    first = await weekly.weekly_figures(database, workspace_id, WEEK.before(3))
    assert first.figures.weeks_before == ()
    assert first.figures.days[0].usual is None
    assert first.figures.issues[0].issue.baseline is None


async def test_a_week_that_has_not_begun_is_not_there(database: Database, workspace_id: UUID) -> None:
    with pytest.raises(NotFound, match="has not begun"):
        await weekly.weekly_figures(database, workspace_id, Week(2999, 1))

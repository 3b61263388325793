"""The figures that are read of mentions: each against rows that were put there for it."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from services.api.listening import issues, weekly
from services.api.listening.reading import snapshot
from services.api.listening.report import ConversationFlow, Count, DayCount, IssueTotal, LedgerLine, Week
from shared.kit import ids
from shared.kit.database import Database
from shared.kit.errors import NotFound
from shared.models.brand import Brand, IssueType, Playbook
from shared.models.channel import Channel
from shared.models.mention import Author
from shared.models.work import LedgerDelta, LedgerHour
from tests.api.listening.stored import MONDAY, OUTAGE, SUNDAY_AFTER, WEEK, ZONE, a_clock, a_conversation, found, heard
from tests.builders import a_channel, a_workspace


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

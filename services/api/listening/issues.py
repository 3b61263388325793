"""The issues of a time as the database has them: the day's top ones, one issue's words, and a sample of its mentions."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from services.api.listening.daily import MOST, DailyIssue, IssueDay, daily_issues, weight
from services.api.listening.phrases import BACKGROUND, Phrase, phrases
from services.api.listening.reading import Reader, snapshot
from services.api.listening.report import IssueTotal, IssueType, ListeningReader, Quote, day_bounds, excerpt, masked
from services.api.listening.sample import IssueMention, representative
from shared.kit import clock
from shared.kit.database import Database
from shared.kit.errors import NotFound

LOOKED_AT = 2_000
"""So many mentions of an issue are enough to know its words and to draw a sample; its count and reach are of all."""
BESIDE = 200
"""So many mentions of each issue below the top are read, to know what is said anyway."""
PAST_DAYS = 56
QUOTED = 600
"""So many code points of a mention are quoted."""


@dataclass(frozen=True, slots=True)
class Issues:
    """What was read about the issues of a time: enough to rank them, outside the database, without blocking anybody."""

    days: tuple[IssueDay, ...]
    others: tuple[IssueMention, ...]
    names: tuple[str, ...]

    def top(self, *, season: int = 7, sample_size: int = 5) -> tuple[DailyIssue, ...]:
        """Rank them (see daily.py). Takes up to a second; run it in a thread."""
        return daily_issues(self.days, self.others, names=self.names, season=season, sample_size=sample_size)


@dataclass(frozen=True, slots=True)
class Daily:
    """A day's top issues, with the day's bounds in UTC (the end excluded) and the zone by which it is a day."""

    day: date
    zone: str
    since: datetime
    until: datetime
    issues: tuple[DailyIssue, ...]


@dataclass(frozen=True, slots=True)
class Words:
    """The phrases in which people express an issue, and how many of its `count` mentions (copies once) were looked at."""

    issue: IssueType
    count: int
    looked_at: int
    phrases: tuple[Phrase, ...]

    def as_query(self) -> str:
        """Return the phrases as a search: in the query language, to be saved or pasted elsewhere."""
        return " OR ".join(f'"{phrase.text}"' for phrase in self.phrases if '"' not in phrase.text)


@dataclass(frozen=True, slots=True)
class Sample:
    """Mentions that stand for all `count` of an issue (copies once), the most representative first."""

    issue: IssueType
    count: int
    quotes: tuple[Quote, ...]


async def daily(database: Database, workspace_id: UUID, day: date | None = None) -> Daily:
    """Tell the top issues of a day of the workspace's time zone; today's where none is named."""
    async with snapshot(database, workspace_id) as reader:
        _, name, first_received_at = await reader.workspace()
        zone = ZoneInfo(name)
        day = day or clock.now().astimezone(zone).date()
        since, until = day_bounds(day, zone)
        past = await _days_before(reader, day, zone, first_received_at)
        read = await read_issues(reader, since, until, past)
    return Daily(day, name, since, until, await asyncio.to_thread(read.top))


async def words(database: Database, workspace_id: UUID, key: str, since: datetime, until: datetime, size: int) -> Words:
    """Find the words for an issue in a time. Raises NotFound for an issue type that is not there."""
    async with snapshot(database, workspace_id) as reader:
        issue, count, mentions = await _one_issue(reader, key, since, until)
        others = await reader.other_mentions(since, until, BACKGROUND)
        beside = await reader.issue_mentions(
            [one.key for one in await reader.issue_types() if one.key != key], since, until, BESIDE
        )
        names = await reader.brand_names()
    background = [*others, *(mention for many in beside.values() for mention in many)]
    found = await asyncio.to_thread(phrases, mentions, background, names=names, top=size)
    return Words(issue, count, len(mentions), found)


async def sample(
    database: Database, workspace_id: UUID, key: str, since: datetime, until: datetime, size: int
) -> Sample:
    """Choose mentions of an issue in a time that stand for all. Raises NotFound for an issue type that is not there."""
    async with snapshot(database, workspace_id) as reader:
        issue, count, mentions = await _one_issue(reader, key, since, until)
    chosen = await asyncio.to_thread(representative, mentions, size)
    async with database.read(workspace_id) as connection:
        links = await Reader(connection).permalinks(chosen)
    known = {mention.id: mention for mention in mentions}
    return Sample(issue, count, quotes([known[one] for one in chosen], links))


async def read_issues(
    reader: ListeningReader,
    since: datetime,
    until: datetime,
    past: Mapping[str, Sequence[int]],
    *,
    usual_without: Sequence[int] = (),
) -> Issues:
    """Read what ranking the issues of a time takes. `past` are their earlier counts, the oldest first; an issue that is not in it
    has `usual_without`. An issue type that was removed is told no more."""
    types = {one.key: one for one in await reader.issue_types()}
    totals = [one for one in await reader.issue_totals(since, until) if one.key in types]
    totals.sort(key=lambda one: (-weight(one.count, types[one.key].severity, one.reach), -one.count, one.key))
    top, rest = [one.key for one in totals[:MOST]], [one.key for one in totals[MOST:]]
    said = {
        **await reader.issue_mentions(top, since, until, LOOKED_AT),
        **await reader.issue_mentions(rest, since, until, BESIDE),
    }
    return Issues(
        tuple(_issue_day(types[one.key], one, said[one.key], past.get(one.key, usual_without)) for one in totals),
        tuple(await reader.other_mentions(since, until, BACKGROUND)),
        tuple(await reader.brand_names()),
    )


def quotes(mentions: Iterable[IssueMention], links: Mapping[UUID, str]) -> tuple[Quote, ...]:
    """Write mentions out: personal data masked, the author not named, long ones cut."""
    return tuple(
        Quote(
            mention_id=mention.id,
            text=excerpt(masked(mention.text, mention.hidden), QUOTED),
            channel_type=mention.channel_type,
            published_at=mention.published_at,
            lang=mention.lang,
            permalink=links.get(mention.id),
            reach=mention.reach,
        )
        for mention in mentions
    )


def known_since(first_received_at: datetime | None, days: Iterable[date], zone: ZoneInfo) -> date:
    """Return the first day that is known: that of the first mention that came in, or an earlier one that is told of (`days`).

    A quiet day before is no usual day, it is a day on which nobody listened. Far in the future where nothing came in.
    """
    received = first_received_at.astimezone(zone).date() if first_received_at else date.max
    return min([received, *days])


def _issue_day(kind: IssueType, total: IssueTotal, mentions: Sequence[IssueMention], past: Sequence[int]) -> IssueDay:
    return IssueDay(
        key=kind.key,
        name=kind.name,
        severity=kind.severity,
        mentions=mentions,
        previous=past,
        playbook_id=kind.playbook_id,
        count=total.count,
        reach=total.reach,
    )


async def _days_before(
    reader: ListeningReader, day: date, zone: ZoneInfo, first_received_at: datetime | None
) -> Mapping[str, Sequence[int]]:
    """The counts of each issue on the days before that are known, the oldest first; noughts included."""
    first = day - timedelta(days=PAST_DAYS)
    rows = await reader.by_day("issue", day_bounds(first, zone)[0], day_bounds(day, zone)[0], zone.key)
    since = max(first, known_since(first_received_at, (row.day for row in rows), zone))
    counted = {(row.name, row.day): row.count for row in rows}
    days = [since + timedelta(days=n) for n in range((day - since).days)] if since < day else []
    keys = {row.name for row in rows} | {one.key for one in await reader.issue_types()}
    return {key: [counted.get((key, each), 0) for each in days] for key in keys if key is not None}


async def _one_issue(
    reader: ListeningReader, key: str, since: datetime, until: datetime
) -> tuple[IssueType, int, Sequence[IssueMention]]:
    issue = next((one for one in await reader.issue_types() if one.key == key), None)
    if issue is None:
        raise NotFound(f"There is no issue type {key[:100]}; GET /v1/issue-types lists those there are.")
    total = next((one.count for one in await reader.issue_totals(since, until) if one.key == key), 0)
    return issue, total, (await reader.issue_mentions([key], since, until, LOOKED_AT))[key]

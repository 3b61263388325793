"""The weekly listening report put together: its figures read at one moment, and how it looks."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import median
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from services.api.listening.daily import DailyIssue, usual
from services.api.listening.issues import LOOKED_AT, Issues, known_since, quotes, read_issues
from services.api.listening.reading import Reader, snapshot
from services.api.listening.report import (
    AnswerTimes,
    BrandVoice,
    ConversationFlow,
    Count,
    CriticalConversation,
    DayCount,
    DaySentiment,
    DayVolume,
    LedgerLine,
    Sentiment,
    SlaAttainment,
    TopIssue,
    Week,
    WeeklyFigures,
    day_bounds,
)
from shared.kit import clock
from shared.kit.database import Database
from shared.kit.errors import NotFound

PAST: Final = 8
"""How many weeks before are looked at to know what is usual."""
HIGH_REACH: Final = 10_000
"""An author with so many followers makes a conversation critical."""
CRITICAL_SHOWN: Final = 20
QUOTES: Final = 3
EDGES: Final = tuple(timedelta(minutes=minutes) for minutes in (15, 30, 60, 120, 240, 480, 1440))


@dataclass(frozen=True, slots=True)
class Weekly:
    """The figures of a week, and whether they are final: the week is over and all that came in is understood."""

    figures: WeeklyFigures
    waiting: int

    @property
    def final(self) -> bool:
        """Whether it may be kept: nothing of it is still to come, and there is something to tell."""
        heard = self.figures.dispositions or self.figures.ledger or self.figures.conversations.opened
        return self.figures.as_of is None and not self.waiting and bool(heard)


async def weekly_figures(database: Database, workspace_id: UUID, week: Week) -> Weekly:
    """Gather what a week's report says, by the workspace's time zone. All is read from one snapshot of the database; of a week that
    is not over, what is known by now. Raises NotFound for a week that has not begun."""
    async with snapshot(database, workspace_id) as reader:
        read = await _read(reader, week, clock.now())
    top = await asyncio.to_thread(read.issues.top, season=1, sample_size=QUOTES)
    async with database.read(workspace_id) as connection:
        links = await Reader(connection).permalinks([one for issue in top for one in issue.samples])
    return Weekly(read.told(top, links), read.waiting)


@dataclass(frozen=True, slots=True)
class _Read:
    """What was read of a week. `volume`, `brands` and `moods` go back as far as is looked; `known` is the first known day."""

    workspace: str
    week: Week
    zone: ZoneInfo
    as_of: datetime | None
    days: tuple[date, ...]
    known: date
    volume: Sequence[DayCount]
    brands: Sequence[DayCount]
    moods: Sequence[DayCount]
    issues: Issues
    critical: tuple[int, Sequence[CriticalConversation]]
    sla: Sequence[SlaAttainment]
    answer_times: Sequence[AnswerTimes]
    conversations: ConversationFlow
    dispositions: Sequence[Count]
    languages: Sequence[Count]
    ledger: Sequence[LedgerLine]
    waiting: int

    def told(self, top: Sequence[DailyIssue], links: Mapping[UUID, str]) -> WeeklyFigures:
        """Turn it into the figures of the report."""
        known = {mention.id: mention for issue in self.issues.days for mention in issue.mentions}
        before = self.week.before()
        return WeeklyFigures(
            workspace=self.workspace,
            week=self.week,
            zone=self.zone.key,
            as_of=self.as_of,
            days=tuple(self._day(day) for day in self.days),
            weeks_before=tuple(_sum(self.volume, week.days()) for week in self._weeks_known()),
            brands=self._voices(),
            sentiment=tuple(DaySentiment(day, _sentiment(self.moods, (day,))) for day in self.days),
            sentiment_before=_sentiment(self.moods, before.days()) if before.monday >= self.known else None,
            issues=tuple(TopIssue(one, quotes([known[each] for each in one.samples], links)) for one in top),
            critical=tuple(self.critical[1]),
            critical_count=self.critical[0],
            sla=tuple(self.sla),
            answer_times=tuple(self.answer_times),
            conversations=self.conversations,
            dispositions=tuple(self.dispositions),
            languages=tuple(self.languages),
            ledger=tuple(self.ledger),
            notes=tuple(self._notes()),
        )

    def _weeks_known(self) -> list[Week]:
        """The whole weeks before that are known, the oldest first."""
        return [week for week in _weeks_before(self.week) if week.monday >= self.known]

    def _day(self, day: date) -> DayVolume:
        of_day = sorted((row for row in self.volume if row.day == day), key=lambda row: row.name or "")
        past = [
            _sum(self.volume, [each]) for n in range(1, PAST + 1) if (each := day - timedelta(weeks=n)) >= self.known
        ]
        return DayVolume(
            day, tuple(Count(row.name or "unknown", row.count) for row in of_day), float(median(past)) if past else None
        )

    def _voices(self) -> tuple[BrandVoice, ...]:
        weeks = [week.days() for week in self._weeks_known()]
        voices = []
        for name in sorted({row.name for row in self.brands if row.name is not None}):
            rows = [row for row in self.brands if row.name == name]
            voices.append(
                BrandVoice(name, _sum(rows, self.days), usual([_sum(rows, days) for days in weeks], season=1))
            )
        return tuple(sorted(voices, key=lambda voice: (-voice.count, voice.brand)))

    def _notes(self) -> Iterable[str]:
        yield f"A conversation counts as widely heard where its author reaches {HIGH_REACH:,} accounts or more."
        yield (
            "Status, priority and queue of conversations, and findings that people corrected, are those of the moment at which "
            "this report was made. The ledger goes by the hour in which mentions came in, all else by when they were published."
        )
        if many := [one.name for one in self.issues.days if (one.count or 0) > LOOKED_AT]:
            yield f"Phrases and samples of {', '.join(many)} are from {LOOKED_AT:,} mentions that were drawn."
        if self.waiting:
            they_are = "mention of this week is" if self.waiting == 1 else "mentions of this week are"
            yield f"{self.waiting:,} {they_are} not understood yet and not in these figures."


async def _read(reader: Reader, week: Week, now: datetime) -> _Read:
    name, zone_name, first_received_at = await reader.workspace()
    zone = ZoneInfo(zone_name)
    since, ends = week.bounds(zone)
    if since > now:
        raise NotFound(f"The week {week} has not begun; the present one is {Week.of(now, zone)}.")
    until = min(ends, now)
    earliest = _weeks_before(week)[0].bounds(zone)[0]
    volume = await reader.by_day("channel_type", earliest, until, zone_name)
    known = known_since(first_received_at, (row.day for row in volume), zone)
    return _Read(
        workspace=name,
        week=week,
        zone=zone,
        as_of=None if until == ends else until,
        days=tuple(day for day in week.days() if day_bounds(day, zone)[0] < until),
        known=known,
        volume=volume,
        brands=await reader.by_day("brand", earliest, until, zone_name),
        moods=await reader.by_day("sentiment", week.before().bounds(zone)[0], until, zone_name),
        issues=await _issues(reader, week, zone, (since, until), known),
        critical=await reader.critical_conversations(since, until, HIGH_REACH, CRITICAL_SHOWN),
        sla=await reader.sla(since, until),
        answer_times=await reader.answer_times(since, until, EDGES),
        conversations=await reader.conversation_flow(since, until),
        dispositions=await reader.counts("disposition", since, until),
        languages=await reader.counts("language", since, until),
        ledger=await reader.ledger(since, until),
        waiting=await reader.waiting(since, until),
    )


async def _issues(reader: Reader, week: Week, zone: ZoneInfo, within: tuple[datetime, datetime], known: date) -> Issues:
    """The week's issues with their counts in the whole weeks before."""
    weeks = [each for each in _weeks_before(week) if each.monday >= known]
    totals = [{one.key: one.count for one in await reader.issue_totals(*each.bounds(zone))} for each in weeks]
    past = {key: [counts.get(key, 0) for counts in totals] for key in {key for counts in totals for key in counts}}
    return await read_issues(reader, *within, past, usual_without=[0] * len(weeks))


def _weeks_before(week: Week) -> list[Week]:
    """The weeks before, the oldest first."""
    return [week.before(n) for n in range(PAST, 0, -1)]


def _sum(rows: Iterable[DayCount], days: Iterable[date]) -> int:
    wanted = set(days)
    return sum(row.count for row in rows if row.day in wanted)


def _sentiment(rows: Iterable[DayCount], days: Iterable[date]) -> Sentiment:
    wanted = set(days)
    told = dict.fromkeys(("positive", "neutral", "negative", "unknown"), 0)
    for row in rows:
        if row.day in wanted:
            told[row.name if row.name in told else "unknown"] += row.count
    return Sentiment(**told)

"""What the weekly listening report says: its week, its figures, and what must be read from the database for them."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal, Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

from services.api.listening.daily import DailyIssue
from services.api.listening.sample import IssueMention
from shared.kit.errors import Invalid
from shared.rules.masking import mask

_WEEK = re.compile(r"(\d{4})-W(\d{2})", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Week:
    """A week of ISO 8601: Monday to Sunday, the first with a Thursday of its year in it. Written `2026-W47`."""

    year: int
    number: int

    @classmethod
    def parse(cls, text: str) -> "Week":
        """Read `2026-W47`. Raises Invalid for another form and for a week its year does not have."""
        found = _WEEK.fullmatch(text)
        if not found or not 1970 <= int(found[1]) < 9999:
            raise Invalid(f"Give the week as in 2026-W47; {text[:40]!r} is none.", errors=[("/week", "is no ISO week")])
        week = cls(int(found[1]), int(found[2]))
        try:
            date.fromisocalendar(week.year, week.number, 1)
        except ValueError:
            last = date(week.year, 12, 28).isocalendar().week
            detail = f"{week.year} has the weeks W01 to W{last}; choose one of them."
            raise Invalid(detail, errors=[("/week", "is not in that year")]) from None
        return week

    @classmethod
    def of(cls, moment: datetime, zone: ZoneInfo) -> "Week":
        """Return the week in which an aware moment falls by the wall clock of `zone`."""
        found = moment.astimezone(zone).isocalendar()
        return cls(found.year, found.week)

    def __str__(self) -> str:
        return f"{self.year:04d}-W{self.number:02d}"

    @property
    def monday(self) -> date:
        """The day it begins on."""
        return date.fromisocalendar(self.year, self.number, 1)

    def days(self) -> tuple[date, ...]:
        """Return its seven days, Monday first."""
        return tuple(self.monday + timedelta(days=day) for day in range(7))

    def before(self, weeks: int = 1) -> "Week":
        """Return the week that many weeks earlier."""
        found = (self.monday - timedelta(weeks=weeks)).isocalendar()
        return Week(found.year, found.week)

    def bounds(self, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """Return its beginning and its end in UTC, the end excluded. 167 or 169 hours where clocks change."""
        return day_bounds(self.monday, zone)[0], day_bounds(self.days()[-1], zone)[1]


def day_bounds(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return where a day of `zone` begins and ends in UTC, the end excluded.

    Where midnight is skipped the day begins when the clocks jump; where it comes twice, at the first one.
    """
    midnights = (datetime(at.year, at.month, at.day, tzinfo=zone) for at in (day, day + timedelta(days=1)))
    begins, ends = (midnight.astimezone(UTC) for midnight in midnights)
    return begins, ends


def masked(text: str, hidden: Iterable[tuple[int, int]]) -> str:
    """Return the text with `[hidden]` for each span (code points) of personal data, overlapping ones as one."""
    return mask(text, [{"type": "hidden", "start": start, "end": end} for start, end in hidden]).text


def excerpt(text: str, length: int) -> str:
    """Return the beginning of a text, at most `length` code points, with an ellipsis where it goes on."""
    whole = text.strip()
    return whole if len(whole) <= length else f"{whole[: length - 1].rstrip()}…"


@dataclass(frozen=True, slots=True)
class Count:
    """How many of what."""

    name: str
    count: int


@dataclass(frozen=True, slots=True)
class DayVolume:
    """A day's mentions by channel type; `usual` is the median of the same weekday in the weeks before."""

    day: date
    by_channel_type: tuple[Count, ...]
    usual: float | None = None

    @property
    def count(self) -> int:
        """All of them."""
        return sum(one.count for one in self.by_channel_type)


@dataclass(frozen=True, slots=True)
class BrandVoice:
    """A brand's mentions this week and in a usual week; a mention of two brands counts for both."""

    brand: str
    count: int
    usual: float | None = None


@dataclass(frozen=True, slots=True)
class Sentiment:
    """How many mentions sound how; `unknown` are those triage could not tell."""

    positive: int = 0
    neutral: int = 0
    negative: int = 0
    unknown: int = 0

    @property
    def told(self) -> int:
        """Those with a sentiment, of which shares are taken."""
        return self.positive + self.neutral + self.negative

    @property
    def negative_share(self) -> float | None:
        """The part that is negative, 0..1; None where nothing was told."""
        return self.negative / self.told if self.told else None


@dataclass(frozen=True, slots=True)
class DaySentiment:
    """A day's sentiment."""

    day: date
    sentiment: Sentiment


@dataclass(frozen=True, slots=True)
class Quote:
    """A mention as the report shows it. `text` has personal data masked; the author is not named."""

    mention_id: UUID
    text: str
    channel_type: str
    published_at: datetime
    lang: str | None = None
    permalink: str | None = None
    reach: int = 0


@dataclass(frozen=True, slots=True)
class TopIssue:
    """One of the week's issues (see daily.py; the baseline is a usual week) with its sample written out."""

    issue: DailyIssue
    quotes: tuple[Quote, ...]


@dataclass(frozen=True, slots=True)
class CriticalConversation:
    """A conversation people should look at. `reasons` of `urgent`, `sla_breached`, `high_reach`; `url` is the customer's post where
    everybody may read it, else the conversation's path at the api."""

    conversation_id: UUID
    number: int
    subject: str
    reasons: tuple[str, ...]
    priority: str
    status: str
    channel_type: str
    opened_at: datetime
    reach: int = 0
    queue: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class SlaAttainment:
    """The clocks of one metric that were decided this week, and those still running at its end.

    `target` is the most common one, in `hours` of the wall clock (`calendar`) or of business; None where policies differ
    too much to name one.
    """

    metric: str
    met: int
    breached: int
    running: int = 0
    target: timedelta | None = None
    hours: str = "calendar"

    @property
    def attainment(self) -> float | None:
        """The part that was met, 0..1; None where none was decided."""
        decided = self.met + self.breached
        return self.met / decided if decided else None


@dataclass(frozen=True, slots=True)
class Bucket:
    """Answers that took up to and including `until` (None: longer than all others) and more than the one before."""

    until: timedelta | None
    count: int


@dataclass(frozen=True, slots=True)
class AnswerTimes:
    """How long answers took that were given this week, by the wall clock (`hours` calendar) or in business hours."""

    metric: str
    count: int
    p50: timedelta | None
    p90: timedelta | None
    histogram: tuple[Bucket, ...] = ()
    hours: str = "calendar"


@dataclass(frozen=True, slots=True)
class ConversationFlow:
    """What came and went; `answered` had its first answer this week."""

    opened: int = 0
    answered: int = 0
    resolved: int = 0
    reopened: int = 0
    open_at_end: int = 0


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """What came in by one channel and what became of it; it balances when the outcomes add up to `received`."""

    channel: str
    received: int
    stored: int
    updated: int = 0
    duplicate: int = 0
    filtered: int = 0
    quarantined: int = 0
    rejected: int = 0

    @property
    def missing(self) -> int:
        """By how much it does not balance; 0 when it does."""
        outcomes = self.stored + self.updated + self.duplicate + self.filtered + self.quarantined + self.rejected
        return self.received - outcomes


@dataclass(frozen=True, slots=True)
class WeeklyFigures:
    """All the report says, and nothing that changes when it is rendered again. Moments are UTC.

    `as_of` is set where the week is not over and says up to when the figures go; `weeks_before` are the totals of
    earlier weeks, the oldest first; `critical_count` counts those in `critical` and those left off;
    `notes` are assumptions that hold for this report beside the definitions.
    """

    workspace: str
    week: Week
    zone: str
    as_of: datetime | None = None
    days: tuple[DayVolume, ...] = ()
    weeks_before: tuple[int, ...] = ()
    brands: tuple[BrandVoice, ...] = ()
    sentiment: tuple[DaySentiment, ...] = ()
    sentiment_before: Sentiment | None = None
    issues: tuple[TopIssue, ...] = ()
    critical: tuple[CriticalConversation, ...] = ()
    critical_count: int = 0
    sla: tuple[SlaAttainment, ...] = ()
    answer_times: tuple[AnswerTimes, ...] = ()
    conversations: ConversationFlow = ConversationFlow()
    dispositions: tuple[Count, ...] = ()
    languages: tuple[Count, ...] = ()
    ledger: tuple[LedgerLine, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DayCount:
    """A day of the zone asked for, one of the things counted (None: the mention has none), and how many."""

    day: date
    name: str | None
    count: int


@dataclass(frozen=True, slots=True)
class IssueType:
    """An issue type as the ranking needs it."""

    key: str
    name: str
    severity: int
    playbook_id: UUID | None


@dataclass(frozen=True, slots=True)
class IssueTotal:
    """An issue's mentions with reposts once, and its audience: each author's widest mention, reposts included."""

    key: str
    count: int
    reach: int


class ListeningReader(Protocol):
    """What the day's issues and the report read, of one workspace. Moments are UTC, `until` is excluded.

    Mentions are those with an assessment, by `published_at`, neither deleted nor dismissed; where copies are wanted
    too it says so.
    """

    async def by_day(
        self, what: Literal["channel_type", "brand", "sentiment", "issue"], since: datetime, until: datetime, zone: str
    ) -> Sequence[DayCount]:
        """Count by day in `zone`; a brand is told by its name, an issue by its key."""

    async def counts(
        self, what: Literal["disposition", "language"], since: datetime, until: datetime
    ) -> Sequence[Count]:
        """Count the most frequent first; for dispositions the dismissed are counted too."""

    async def brand_names(self) -> Sequence[str]:
        """Return names and aliases of all brands."""

    async def issue_types(self) -> Sequence[IssueType]:
        """Return all issue types."""

    async def issue_totals(self, since: datetime, until: datetime) -> Sequence[IssueTotal]:
        """Return the issues that have mentions; those dismissed as copies count for the reach alone."""

    async def issue_mentions(
        self, keys: Collection[str], since: datetime, until: datetime, limit: int
    ) -> Mapping[str, Sequence[IssueMention]]:
        """Return for each key up to `limit` mentions, originals before copies, with spans and personal data."""

    async def other_mentions(self, since: datetime, until: datetime, limit: int) -> Sequence[IssueMention]:
        """Return up to `limit` mentions without any issue, evenly spread."""

    async def permalinks(self, mention_ids: Collection[UUID]) -> Mapping[UUID, str]:
        """Return the addresses of public mentions that have one."""

    async def conversation_flow(self, since: datetime, until: datetime) -> ConversationFlow:
        """Return what came and went, and what was open at `until`."""

    async def critical_conversations(
        self, since: datetime, until: datetime, high_reach: int, limit: int
    ) -> tuple[int, Sequence[CriticalConversation]]:
        """Return how many were urgent, breached a clock or reach `high_reach` accounts; and the most pressing."""

    async def sla(self, since: datetime, until: datetime) -> Sequence[SlaAttainment]:
        """Return by metric the clocks decided in that time, and those running at `until`."""

    async def answer_times(self, since: datetime, until: datetime, edges: Sequence[timedelta]) -> Sequence[AnswerTimes]:
        """Return by metric how long the answers of that time took, in buckets that end at `edges`, then longer."""

    async def ledger(self, since: datetime, until: datetime) -> Sequence[LedgerLine]:
        """Return the ledger by channel."""

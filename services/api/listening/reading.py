"""What listening reads from the database, in listening's own words. The statements stand in shared/store."""

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import asyncpg
import orjson

from services.api.listening.report import (
    AnswerTimes,
    Bucket,
    ConversationFlow,
    Count,
    CriticalConversation,
    DayCount,
    IssueTotal,
    IssueType,
    LedgerLine,
    SlaAttainment,
    excerpt,
    masked,
)
from services.api.listening.sample import IssueMention
from shared.kit.database import Database
from shared.store import answering
from shared.store import listening as store

SUBJECT = 140
"""So many code points of how a customer began stand for a subject where there is none."""


@asynccontextmanager
async def snapshot(database: Database, workspace_id: UUID) -> AsyncIterator["Reader"]:
    """A reader to whom the workspace stands still, so that figures read one after another agree. Think outside of it."""
    async with (
        database.read(workspace_id) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        yield Reader(connection)


class Reader:
    """Reads one workspace through a connection that shows it (see ListeningReader in report.py)."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def by_day(
        self, what: Literal["channel_type", "brand", "sentiment", "issue"], since: datetime, until: datetime, zone: str
    ) -> Sequence[DayCount]:
        """Count by day in `zone`; a brand is told by its name, an issue by its key, with copies and reposts once a day."""
        rows = await store.by_day(self._connection, what, since, until, zone)
        return [DayCount(row["day"], row["name"], row["count"]) for row in rows]

    async def counts(
        self, what: Literal["disposition", "language"], since: datetime, until: datetime
    ) -> Sequence[Count]:
        """Count the most frequent first; for dispositions the dismissed are counted too."""
        return [Count(row["name"], row["count"]) for row in await store.counts(self._connection, what, since, until)]

    async def brand_names(self) -> Sequence[str]:
        """Return names and aliases of all brands."""
        return await store.brand_names(self._connection)

    async def issue_types(self) -> Sequence[IssueType]:
        """Return all issue types."""
        return [IssueType(**row) for row in await store.issue_types(self._connection)]

    async def issue_totals(self, since: datetime, until: datetime) -> Sequence[IssueTotal]:
        """Return the issues that have mentions; those dismissed as copies count for the reach alone."""
        return [IssueTotal(**row) for row in await store.issue_totals(self._connection, since, until)]

    async def issue_mentions(
        self, keys: Collection[str], since: datetime, until: datetime, limit: int
    ) -> Mapping[str, Sequence[IssueMention]]:
        """Return for each key up to `limit` mentions, originals before copies, with spans and personal data."""
        found: dict[str, list[IssueMention]] = {key: [] for key in keys}
        if keys:
            for row in await store.issue_mentions(self._connection, keys, since, until, limit):
                found[row["key"]].append(_mention(row, row["key"]))
        return found

    async def other_mentions(self, since: datetime, until: datetime, limit: int) -> Sequence[IssueMention]:
        """Return up to `limit` mentions without any issue, evenly spread."""
        return [_mention(row) for row in await store.other_mentions(self._connection, since, until, limit)]

    async def permalinks(self, mention_ids: Collection[UUID]) -> Mapping[UUID, str]:
        """Return the addresses of public mentions that have one."""
        return await store.permalinks(self._connection, mention_ids) if mention_ids else {}

    async def conversation_flow(self, since: datetime, until: datetime) -> ConversationFlow:
        """Return what came and went, and what was open at `until`."""
        return ConversationFlow(**await answering.flow(self._connection, since, until))

    async def critical_conversations(
        self, since: datetime, until: datetime, high_reach: int, limit: int
    ) -> tuple[int, Sequence[CriticalConversation]]:
        """Return how many were urgent, breached a clock or reach `high_reach` accounts; and the most pressing."""
        rows = await answering.critical(self._connection, since, until, high_reach, limit)
        return (rows[0]["total"] if rows else 0), [_critical(row, high_reach) for row in rows]

    async def sla(self, since: datetime, until: datetime) -> Sequence[SlaAttainment]:
        """Return by metric the clocks decided in that time, and those running at `until`."""
        by_metric: dict[str, list[asyncpg.Record]] = {}
        for row in await answering.promises(self._connection, since, until):
            by_metric.setdefault(row["metric"], []).append(row)
        order = {"first_response": 0, "next_response": 1, "update": 2, "resolution": 3}
        return [_attainment(metric, by_metric[metric]) for metric in sorted(by_metric, key=lambda m: order.get(m, 9))]

    async def answer_times(self, since: datetime, until: datetime, edges: Sequence[timedelta]) -> Sequence[AnswerTimes]:
        """Return by metric how long the answers of that time took, in buckets that end at `edges`, then longer."""
        rows = await answering.answer_times(self._connection, since, until, [edge.total_seconds() for edge in edges])
        ends: list[timedelta | None] = [*edges, None]
        return [
            AnswerTimes(
                metric=row["metric"],
                count=row["count"],
                p50=timedelta(seconds=round(row["p50"])),
                p90=timedelta(seconds=round(row["p90"])),
                histogram=tuple(Bucket(until, count) for until, count in zip(ends, row["buckets"], strict=True)),
            )
            for row in rows
        ]

    async def ledger(self, since: datetime, until: datetime) -> Sequence[LedgerLine]:
        """Return the ledger by channel."""
        return [LedgerLine(**row) for row in await store.ledger(self._connection, since, until)]

    async def waiting(self, since: datetime, until: datetime) -> int:
        """Return how many mentions are not understood yet."""
        return await store.waiting(self._connection, since, until)

    async def workspace(self) -> tuple[str, str, datetime | None]:
        """Return the workspace's name, its time zone, and when its first mention came in."""
        row = await store.workspace(self._connection)
        return row["name"], row["timezone"], row["first_received_at"]


def _mention(row: asyncpg.Record, key: str | None = None) -> IssueMention:
    return IssueMention(
        id=row["id"],
        text=row["text"],
        published_at=row["published_at"],
        lang=row["lang"],
        author_id=row["author_id"],
        channel_type=row["channel_type"],
        reach=row["reach"],
        spans=_places(found for found in _findings(row["issues"]) if found.get("value") == key),
        hidden=_places(_findings(row["pii"])),
        duplicate_of=row["duplicate_of"],
    )


def _findings(written: str | None) -> list[dict[str, Any]]:
    """The findings of one question. What a person set right may have another form; only what can be read counts."""
    found = orjson.loads(written) if written else []
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _places(findings: Iterable[Mapping[str, Any]]) -> tuple[tuple[int, int], ...]:
    """Where findings stand, in code points; one without a place (a person's) stands nowhere."""
    places = ((one.get("start"), one.get("end")) for one in findings)
    return tuple((start, end) for start, end in places if isinstance(start, int) and isinstance(end, int))


def _critical(row: asyncpg.Record, high_reach: int) -> CriticalConversation:
    began = masked(row["said"] or "", _places(_findings(row["pii"])))
    reasons = {"urgent": row["urgent"], "sla_breached": row["breached"], "high_reach": row["reach"] >= high_reach}
    return CriticalConversation(
        conversation_id=row["id"],
        number=row["number"],
        subject=excerpt(row["subject"] or began, SUBJECT) or "(nothing to show)",
        reasons=tuple(reason for reason, holds in reasons.items() if holds),
        priority=row["priority"],
        status=row["status"],
        channel_type=row["channel_type"],
        opened_at=row["created_at"],
        reach=row["reach"],
        queue=row["queue"],
        url=row["permalink"] or f"/v1/conversations/{row['id']}",
    )


def _attainment(metric: str, rows: Sequence[asyncpg.Record]) -> SlaAttainment:
    """One metric over all its targets; the target is named where half of the clocks or more have it."""
    totals = {name: sum(row[name] for row in rows) for name in ("met", "breached", "running")}
    sizes = [row["met"] + row["breached"] + row["running"] for row in rows]
    largest = max(range(len(rows)), key=lambda at: sizes[at])
    common = rows[largest] if 2 * sizes[largest] >= sum(sizes) else None
    return SlaAttainment(
        metric=metric,
        **totals,
        target=timedelta(seconds=common["target_s"]) if common else None,
        hours="business" if common and common["business"] else "calendar",
    )

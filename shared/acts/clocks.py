"""SLA clocks: started, kept as the history of their conversation says, and their facts told to the world once. The arithmetic is in
shared/rules.

What is stored of a clock is the fold of its events at the last look; `read` and `explain` fold again, so they are exact. Its events are
what `sla_history` makes of the conversation's changes: when one of these comes to light late, they are made anew.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from shared.acts.policies import calendar_of
from shared.kit import clock, ids
from shared.kit.database import WriteSession
from shared.models import facts
from shared.models.facts import Fact
from shared.rules import sla_clock
from shared.rules.sla_clock import Clock, Event, Mark, Terms
from shared.rules.sla_policy import Metric
from shared.store import sla

_TOLD = {
    "started": facts.SlaStarted, "paused": facts.SlaPaused, "resumed": facts.SlaResumed, "warning": facts.SlaWarning,
    "breached": facts.SlaBreached, "met": facts.SlaMet, "corrected": facts.SlaCorrected,
}  # fmt: skip
Histories = Mapping[Metric, Sequence[tuple[Event, ...]]]
"""The events of a conversation's clocks, by metric."""
CalendarIds = Mapping[tuple[str, int], str | None]
"""The calendar of a policy at a version."""


@dataclass(slots=True)
class _Drawn:
    """A clock as it is to be stored: its key, its events (none: it never was), and its row where there is one."""

    id: UUID
    conversation_id: UUID
    metric: str
    instance: int
    events: tuple[Event, ...]
    row: Row[Any] | None = None

    def at(self, now: datetime) -> datetime:
        """Until when it is told: now, and not before what happened to it, also where the wall clock was set back."""
        return _until(self.events, now)


def first_deadline(histories: Histories) -> datetime | None:
    """The nearest deadline of clocks about to be started."""
    now = clock.now()
    stands = [sla_clock.read(events, _until(events, now)) for many in histories.values() for events in many]
    return min((one.deadline_at for one in stands if one and one.deadline_at and not one.stopped_at), default=None)


async def start(
    session: WriteSession, workspace_id: UUID, many: Mapping[UUID, Histories], calendars: CalendarIds
) -> list[Fact]:
    """Starts the clocks of conversations that have none yet, in bulk. Returns the facts to be told."""
    drawn = [
        _Drawn(ids.new_id(), conversation_id, metric, n, events)
        for conversation_id, histories in many.items()
        for metric, instances in histories.items()
        for n, events in enumerate(instances, 1)
    ]
    return await _store(session, workspace_id, drawn, {}, calendars)


async def refold(
    session: WriteSession, workspace_id: UUID, many: Mapping[UUID, Histories], calendars: CalendarIds
) -> tuple[list[Fact], dict[UUID, datetime | None]]:
    """Makes the clocks of locked conversations what their histories say. Returns the facts to be told and, for each conversation, its
    nearest deadline."""
    if not many:
        return [], {}
    rows = await sla.lock_clocks(session, workspace_id, conversation_ids=list(many))
    stored = await sla.events_of(session, workspace_id, [row.id for row in rows])
    drawn: list[_Drawn] = []
    for conversation_id, histories in many.items():
        mine = [row for row in rows if row.conversation_id == conversation_id]
        for metric in dict.fromkeys([*histories, *(row.metric for row in mine)]):
            known = [row for row in mine if row.metric == metric]
            drawn += _matched(conversation_id, metric, known, stored, histories.get(metric, ()))
    told = await _store(session, workspace_id, drawn, stored, calendars)
    nearest: dict[UUID, datetime | None] = dict.fromkeys(many)
    for one in drawn:
        stands = sla_clock.read(one.events, one.at(clock.now()))
        if stands is None or stands.stopped_at is not None or stands.deadline_at is None:
            continue
        former = nearest[one.conversation_id]
        nearest[one.conversation_id] = min(former or stands.deadline_at, stands.deadline_at)
    return told, nearest


async def look(
    session: WriteSession, workspace_id: UUID, clock_ids: Sequence[UUID], at: datetime | None = None
) -> list[Fact]:
    """What is due about these clocks by a moment (now): warnings and breaches. Whoever looks, and however late, the same is told."""
    rows = await sla.lock_clocks(session, workspace_id, clock_ids=clock_ids)
    events = await histories(session, workspace_id, rows)
    drawn = [
        _Drawn(row.id, row.conversation_id, row.metric, row.instance, tuple(events[row.id]), row)
        for row in rows
        if events.get(row.id)
    ]
    now = at or clock.now()
    await _set(session, workspace_id, drawn, now)
    return await _tell(session, workspace_id, drawn, now)


async def histories(session: WriteSession, workspace_id: UUID, clocks: Sequence[Row[Any]]) -> dict[UUID, list[Event]]:
    """The events of clocks as the rules read them."""
    rows = await sla.events_of(session, workspace_id, [row.id for row in clocks])
    wanted = {
        (UUID(event.terms["calendar_id"]), int(event.terms["calendar_version"]))
        for events in rows.values() for event in events if event.terms and event.terms.get("calendar_id")
    }  # fmt: skip
    bodies = await sla.versions_at(session, workspace_id, list(wanted))
    calendars = {key: calendar_of(body, key[1]) for key, body in bodies.items()}
    return {clock_id: [_event(row, calendars) for row in events] for clock_id, events in rows.items()}


def _matched(
    conversation_id: UUID, metric: str, rows: Sequence[Row[Any]], stored: Mapping[UUID, Sequence[Row[Any]]],
    wanted: Sequence[tuple[Event, ...]],
) -> Iterable[_Drawn]:  # fmt: skip
    """Which clock each history belongs to: the one that the same message or answer began; else one that began with what turned out not
    to have been first; else a new one. A clock that no history is of any more never was: what began it is annulled."""
    by_start: dict[str, list[Row[Any]]] = {}
    for row in rows:
        for event in stored.get(row.id, ()):
            if event.kind == "started":
                by_start.setdefault(event.cause, []).append(row)
    left = {row.id: row for row in rows}
    unmatched: list[tuple[Event, ...]] = []
    for events in wanted:
        same = next((one for one in by_start.get(events[0].cause, ()) if one.id in left), None)
        if same is None:
            unmatched.append(events)
            continue
        yield _Drawn(same.id, conversation_id, metric, same.instance, events, left.pop(same.id))
    instance = max((row.instance for row in rows), default=0)
    for events in unmatched:
        other = next((one for one in left.values() if one.state != "cancelled"), None)
        if other is not None:
            yield _Drawn(other.id, conversation_id, metric, other.instance, events, left.pop(other.id))
        else:
            instance += 1
            yield _Drawn(ids.new_id(), conversation_id, metric, instance, events)
    for row in left.values():
        yield _Drawn(row.id, conversation_id, metric, row.instance, (), row)


async def _store(
    session: WriteSession, workspace_id: UUID, drawn: Sequence[_Drawn], stored: Mapping[UUID, Sequence[Row[Any]]],
    calendars: CalendarIds,
) -> list[Fact]:  # fmt: skip
    if not drawn:
        return []
    now = clock.now()
    rows = []
    for one in drawn:
        folded = sla_clock.read(one.events, one.at(now))
        if one.row is None and folded is not None:
            about = {
                "id": one.id,
                "conversation_id": one.conversation_id,
                "metric": one.metric,
                "instance": one.instance,
            }
            rows.append({**about, **_stored(folded, calendars)})
    await sla.add_clocks(session, workspace_id, rows)
    begun = {row["id"] for row in rows}
    dropped, added, touched = [], [], []
    for one in drawn:
        if one.row is None and one.id not in begun:
            continue
        known = {(row.kind, row.cause): row for row in stored.get(one.id, ())}
        wanted = {(row["kind"], row["cause"]): row for row in _rows(one, known, calendars)}
        gone = [key for key, row in known.items() if key not in wanted or not _alike(row, wanted[key])]
        new = [row for key, row in wanted.items() if key not in known or key in gone]
        dropped += [{"clock_id": one.id, "kind": kind, "cause": cause} for kind, cause in gone]
        added += new
        if gone or new:
            touched.append(one)
    await sla.drop_events(session, workspace_id, dropped)
    await sla.add_events(session, workspace_id, added)
    await _set(session, workspace_id, [one for one in touched if one.row is not None], now, calendars)
    return await _tell(session, workspace_id, touched, now)


def _rows(one: _Drawn, known: Mapping[tuple[str, str], Row[Any]], calendars: CalendarIds) -> list[dict[str, Any]]:
    """The events of a clock as they are stored. Of one that never was, its start is kept, and that it is annulled."""
    if one.events:
        return [_event_row(one.id, event, calendars) for event in one.events]
    began = [row for (kind, _), row in known.items() if kind == "started"]
    return [
        {"clock_id": one.id, "kind": kind, "at": row.at, "cause": row.cause, "reason": row.reason, "terms": terms}
        for row in began
        for kind, terms in (("started", row.terms), ("annulled", None))
    ]


async def _set(
    session: WriteSession,
    workspace_id: UUID,
    drawn: Sequence[_Drawn],
    now: datetime,
    calendars: CalendarIds | None = None,
) -> None:
    """Stores what the fold now says of clocks that have a row; without `calendars` they keep the one that it names."""
    sent: list[dict[str, Any]] = []
    for one in drawn:
        folded = sla_clock.read(one.events, one.at(now))
        stands = {name: getattr(one.row, name) for name in sla.STATE}
        if folded is None:
            sent.append({"id": one.id, **stands, **_NEVER_WAS})
            continue
        says = _stored(folded, calendars or {})
        if calendars is None:
            says |= {name: stands[name] for name in ("calendar_id", "calendar_version")}
        sent.append({"id": one.id, **says})
    await sla.set_clocks(session, workspace_id, sent)


async def _tell(session: WriteSession, workspace_id: UUID, drawn: Sequence[_Drawn], now: datetime) -> list[Fact]:
    """Facts about clocks that nobody told yet. The unique key of a notice makes each of them tellable once."""
    told = await sla.told(session, workspace_id, [one.id for one in drawn if one.row is not None])
    untold: dict[tuple[UUID, str], Fact] = {}
    notices: list[tuple[UUID, str, str, datetime]] = []
    for one in drawn:
        about = {"metric": one.metric, "instance": one.instance}
        for fact in sla_clock.untold(told.get(one.id, set()), one.events, one.at(now)):
            if fact.kind not in _TOLD or (fact.kind == "started" and _has_begun(told.get(one.id, set()))):
                continue
            notices.append((one.id, fact.key, fact.kind, fact.at))
            detail = {**about, "at": clock.iso(fact.at), "note": fact.detail}
            if fact.kind == "corrected":
                detail = {**about, "no_longer": fact.detail}
            untold[one.id, fact.key] = _TOLD[fact.kind](
                subject_id=one.id, conversation_id=one.conversation_id, detail=detail
            )
    new = await sla.add_notices(session, workspace_id, notices)
    return [fact for key, fact in untold.items() if key in new]


def _has_begun(told: set[str]) -> bool:
    """Whether it was told that a clock began: it does so once, also where an older message comes to light."""
    return any(key.startswith("started:") for key in told)


_NEVER_WAS: Mapping[str, Any] = {
    "state": "cancelled", "deadline_at": None, "notice_at": None, "stopped_at": None, "breached_at": None, "elapsed_s": 0.0,
}  # fmt: skip


def _until(events: Sequence[Event], now: datetime) -> datetime:
    return max([now, *(event.at for event in events)])


def _stored(folded: Clock, calendars: CalendarIds) -> dict[str, Any]:
    """What is stored of a clock: its fold, with when to look again. A breached clock that still runs has nothing more due."""
    terms = folded.terms
    by = calendars.get((terms.policy_id, terms.policy_version)) if terms.calendar else None
    return {
        "policy_id": terms.policy_id, "policy_version": terms.policy_version,
        "calendar_id": by, "calendar_version": terms.calendar.version if terms.calendar and by else None,
        "priority": terms.priority, "started_at": folded.started_at,
        "state": folded.state, "target_s": terms.within.total_seconds(), "deadline_at": folded.deadline_at,
        "notice_at": folded.next_at, "stopped_at": folded.stopped_at, "breached_at": folded.breached_at,
        "elapsed_s": folded.elapsed.total_seconds(),
    }  # fmt: skip


def _alike(row: Row[Any], wanted: Mapping[str, Any]) -> bool:
    return bool(row.at == wanted["at"] and row.reason == wanted["reason"] and (row.terms or None) == wanted["terms"])


def _event_row(clock_id: UUID, event: Event, calendars: CalendarIds) -> dict[str, Any]:
    terms = event.terms
    by = calendars.get((terms.policy_id, terms.policy_version)) if terms and terms.calendar else None
    written = terms and {
        "within_s": terms.within.total_seconds(),
        "marks": [[mark.name, mark.used.total_seconds()] for mark in terms.marks],
        "policy_id": terms.policy_id, "policy_version": terms.policy_version, "priority": terms.priority,
        "calendar_id": by, "calendar_version": terms.calendar.version if terms.calendar and by else None,
    }  # fmt: skip
    return {"clock_id": clock_id, "kind": event.kind, "at": event.at, "cause": event.cause, "reason": event.reason,
            "terms": written}  # fmt: skip


def _event(row: Row[Any], calendars: Mapping[tuple[UUID, int], Any]) -> Event:
    terms = None
    if row.terms:
        key = row.terms.get("calendar_id")
        terms = Terms(
            within=timedelta(seconds=row.terms["within_s"]),
            calendar=calendars[UUID(key), int(row.terms["calendar_version"])] if key else None,
            marks=tuple(Mark(name, timedelta(seconds=used)) for name, used in row.terms["marks"]),
            policy_id=row.terms["policy_id"], policy_version=row.terms["policy_version"], priority=row.terms["priority"],
        )  # fmt: skip
    return Event(row.kind, row.at, row.cause, terms, row.reason)

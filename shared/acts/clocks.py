"""SLA clocks: started, told what happened, and their facts told to the world once. The arithmetic is in shared/rules.

What is stored of a clock is the fold of its events at the last look; `read` and `explain` fold again, so they are exact.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from shared.acts.policies import PolicyInForce, calendar_of, in_force
from shared.kit import clock, ids
from shared.kit.database import WriteSession
from shared.models import facts
from shared.models.facts import Fact
from shared.rules import business_calendar, sla_clock, sla_policy
from shared.rules.sla_clock import Clock, Event, EventKind, Mark, Terms
from shared.rules.sla_policy import Metric
from shared.store import sla

REPLY_METRICS: tuple[Metric, ...] = ("first_response", "next_response")
_TOLD = {
    "started": facts.SlaStarted, "paused": facts.SlaPaused, "resumed": facts.SlaResumed, "warning": facts.SlaWarning,
    "breached": facts.SlaBreached, "met": facts.SlaMet,
}  # fmt: skip


@dataclass(frozen=True)  # no slots: what is worked out is kept
class Promise:
    """A clock to be started: for which conversation, by which policy, from when, because of what."""

    conversation_id: UUID
    in_force: PolicyInForce
    metric: Metric
    priority: str
    at: datetime
    cause: str
    instance: int = 1

    @cached_property
    def terms(self) -> Terms | None:
        """What the policy promises for this metric and priority, if anything."""
        return sla_policy.terms(self.in_force.policy, self.metric, self.priority)

    @cached_property
    def event(self) -> Event:
        """What starts the clock."""
        return Event("started", self.at, self.cause, self.terms)

    @cached_property
    def stands(self) -> Clock | None:
        """How the clock stands when it is first asked for; None where nothing is promised."""
        return sla_clock.read([self.event], max(clock.now(), self.at))


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happened to a conversation's clocks of some metrics."""

    conversation_id: UUID
    kind: EventKind
    at: datetime
    cause: str
    metrics: tuple[Metric, ...] = sla_policy.METRICS
    reason: str = ""


def promises(
    policies: Iterable[PolicyInForce], conversation_id: UUID, row: Mapping[str, Any], *, priority: str,
    received_at: datetime, published_at: datetime, cause: str,
) -> list[Promise]:  # fmt: skip
    """The clocks that a new conversation starts: the first policy whose filter matches says. None for what was found late."""
    known = {one.policy.id: one for one in policies}
    policy = sla_policy.choose([one.policy for one in known.values()], row)
    if policy is None:
        return []
    at = sla_policy.starts(policy, received_at=received_at, published_at=published_at)
    if at is None:
        return []
    wanted: tuple[Metric, ...] = ("first_response", "resolution", "update")
    offered = [Promise(conversation_id, known[policy.id], metric, priority, at, cause) for metric in wanted]
    return [promise for promise in offered if promise.terms is not None]


def first_deadline(made: Sequence[Promise]) -> datetime | None:
    """The nearest deadline of clocks about to be started."""
    deadlines = [promise.stands.deadline_at for promise in made if promise.stands is not None]
    return min((one for one in deadlines if one is not None), default=None)


async def start(session: WriteSession, workspace_id: UUID, made: Sequence[Promise]) -> list[Fact]:
    """Starts clocks, in bulk. Returns the facts to be told. A clock that runs already for its conversation, metric and instance
    stays as it is."""
    if not made:
        return []
    now = clock.now()
    rows, by_clock = [], dict[UUID, Promise]()
    for promise in made:
        if promise.stands is None:
            continue
        clock_id, in_force_ = ids.new_id(), promise.in_force
        by_clock[clock_id] = promise
        rows.append(
            {"id": clock_id, "conversation_id": promise.conversation_id, "metric": promise.metric, "instance": promise.instance,
             "started_at": promise.at, **_stored(promise.stands, in_force_.calendar_id, in_force_.calendar_version)}
        )  # fmt: skip
    await _keep_calendars(session, workspace_id, made)
    new = await sla.add_clocks(session, workspace_id, rows)
    begun = {one: promise for one, promise in by_clock.items() if one in new}
    await sla.add_events(
        session, workspace_id, [_event_row(one, promise.event, promise) for one, promise in begun.items()]
    )
    return await _tell(
        session, workspace_id, now,
        [(one, promise.conversation_id, promise.metric, promise.instance, [promise.event]) for one, promise in begun.items()], {},
    )  # fmt: skip


async def happened(
    session: WriteSession, workspace_id: UUID, happenings: Sequence[Happening]
) -> tuple[list[Fact], dict[UUID, datetime | None]]:
    """Tells clocks what happened and stores what they now say. Returns the facts to be told and, for each conversation, its
    nearest deadline."""
    if not happenings:
        return [], {}
    clocks = await sla.lock_clocks(
        session, workspace_id, conversation_ids=list({one.conversation_id for one in happenings})
    )
    touched: dict[UUID, list[Happening]] = {}
    for row in clocks:
        for one in happenings:
            if one.conversation_id == row.conversation_id and row.metric in one.metrics:
                touched.setdefault(row.id, []).append(one)
    await sla.add_events(
        session, workspace_id,
        [{"clock_id": clock_id, "kind": one.kind, "at": one.at, "cause": one.cause, "reason": one.reason}
         for clock_id, many in touched.items() for one in many],
    )  # fmt: skip
    told, stored = await _refold(session, workspace_id, [row for row in clocks if row.id in touched])
    return told, _deadlines(clocks, stored)


async def reprioritised(
    session: WriteSession, workspace_id: UUID, conversation_id: UUID, priority: str, cause: str
) -> tuple[list[Fact], dict[UUID, datetime | None]]:
    """Puts a conversation's clocks that still run under the terms of another priority, by the policy they run under; the time
    used is kept. A metric that is promised nothing at that priority keeps its terms. Returns as `happened` does."""
    policies = {one.policy_id: one for one in await in_force(session, workspace_id)}
    clocks = await sla.lock_clocks(session, workspace_id, conversation_ids=[conversation_id])
    events, made = [], []
    for row in clocks:
        if row.state == "cancelled" or row.policy_id not in policies:
            continue
        promise = Promise(
            conversation_id, policies[row.policy_id], row.metric, priority, clock.now(), cause, row.instance
        )
        if (terms := promise.terms) is not None:
            made.append(promise)
            events.append(_event_row(row.id, Event("reapplied", promise.at, cause, terms), promise))
    await _keep_calendars(session, workspace_id, made)
    await sla.add_events(session, workspace_id, events)
    touched = {event["clock_id"] for event in events}
    told, stored = await _refold(session, workspace_id, [row for row in clocks if row.id in touched])
    return told, _deadlines(clocks, stored)


async def that_pause(
    session: WriteSession, workspace_id: UUID, conversation_id: UUID, status: str
) -> tuple[Metric, ...]:
    """The metrics of a conversation whose clocks stand still in this status, by the policy that they run under."""
    policies = {one.policy_id: one.policy for one in await in_force(session, workspace_id)}
    clocks = await sla.lock_clocks(session, workspace_id, conversation_ids=[conversation_id])
    return tuple(
        row.metric
        for row in clocks
        if row.policy_id in policies and sla_policy.pauses(policies[row.policy_id], row.metric, status)
    )


async def look(session: WriteSession, workspace_id: UUID, clock_ids: Sequence[UUID]) -> list[Fact]:
    """What is due about these clocks by now: warnings and breaches. Whoever looks, and however late, the same is told."""
    told, _ = await _refold(session, workspace_id, await sla.lock_clocks(session, workspace_id, clock_ids=clock_ids))
    return told


async def histories(session: WriteSession, workspace_id: UUID, clocks: Sequence[Row[Any]]) -> dict[UUID, list[Event]]:
    """The events of clocks as the rules read them."""
    rows = await sla.events_of(session, workspace_id, [row.id for row in clocks])
    wanted = {
        (UUID(event.terms["calendar_id"]), int(event.terms["calendar_version"]))
        for events in rows.values() for event in events if event.terms and event.terms.get("calendar_id")
    }  # fmt: skip
    bodies = await sla.calendars_at(session, workspace_id, list(wanted)) if wanted else {}
    calendars = {key: calendar_of(body, key[1]) for key, body in bodies.items()}
    return {clock_id: [_event(row, calendars) for row in events] for clock_id, events in rows.items()}


async def _refold(
    session: WriteSession, workspace_id: UUID, clocks: Sequence[Row[Any]]
) -> tuple[list[Fact], dict[UUID, dict[str, Any]]]:
    now = clock.now()
    events = await histories(session, workspace_id, clocks)
    stored = {}
    for row in clocks:
        folded = sla_clock.read(events[row.id], max(now, row.started_at))
        if folded is not None:
            stored[row.id] = {"id": row.id, **_stored(folded, row.calendar_id, row.calendar_version)}
    await sla.set_clocks(session, workspace_id, list(stored.values()))
    told = await sla.told(session, workspace_id, [row.id for row in clocks])
    facts_ = await _tell(
        session, workspace_id, now,
        [(row.id, row.conversation_id, row.metric, row.instance, events[row.id]) for row in clocks], told,
    )  # fmt: skip
    return facts_, stored


async def _tell(
    session: WriteSession, workspace_id: UUID, until: datetime,
    clocks: Sequence[tuple[UUID, UUID, str, int, list[Event]]], told: Mapping[UUID, set[str]],
) -> list[Fact]:  # fmt: skip
    """Facts about clocks that nobody told yet. The unique key of a notice makes each of them tellable once."""
    untold: dict[tuple[UUID, str], Fact] = {}
    notices: list[tuple[UUID, str, str, datetime]] = []
    for clock_id, conversation_id, metric, instance, events in clocks:
        known = told.get(clock_id, set())
        about = {"metric": metric, "instance": instance}
        for fact in sla_clock.facts(events, until):
            if fact.key not in known and fact.kind in _TOLD:
                notices.append((clock_id, fact.key, fact.kind, fact.at))
                detail = {**about, "at": clock.iso(fact.at), "note": fact.detail}
                untold[clock_id, fact.key] = _TOLD[fact.kind](
                    subject_id=clock_id, conversation_id=conversation_id, detail=detail
                )
        for key in sla_clock.corrected(known, events, until) if known else ():
            if (correction := f"corrected:{key}") not in known:
                notices.append((clock_id, correction, "corrected", until))
                untold[clock_id, correction] = facts.SlaCorrected(
                    subject_id=clock_id, conversation_id=conversation_id, detail={**about, "no_longer": key}
                )
    new = await sla.add_notices(session, workspace_id, notices)
    return [fact for key, fact in untold.items() if key in new]


async def _keep_calendars(session: WriteSession, workspace_id: UUID, made: Sequence[Promise]) -> None:
    kept = {(one.in_force.calendar_id, one.in_force.calendar_version): one.in_force.policy.calendar for one in made}
    for (calendar_id, version), calendar in kept.items():
        if calendar_id is not None and version is not None and calendar is not None:
            body = business_calendar.write(calendar)
            await sla.keep_version(session, workspace_id, "calendar", calendar_id, version, body)


def _stored(folded: Clock, calendar_id: UUID | None, calendar_version: int | None) -> dict[str, Any]:
    """What is stored of a clock: its fold, with when to look again. A breached clock that still runs has nothing more due."""
    return {
        "policy_id": UUID(folded.terms.policy_id), "policy_version": folded.terms.policy_version,
        "calendar_id": calendar_id, "calendar_version": calendar_version, "priority": folded.terms.priority,
        "state": folded.state, "target_s": folded.terms.within.total_seconds(), "deadline_at": folded.deadline_at,
        "notice_at": folded.next_at, "stopped_at": folded.stopped_at, "breached_at": folded.breached_at,
        "elapsed_s": folded.elapsed.total_seconds(),
    }  # fmt: skip


def _event_row(clock_id: UUID, event: Event, promise: Promise) -> dict[str, Any]:
    terms = event.terms
    written = terms and {
        "within_s": terms.within.total_seconds(),
        "marks": [[mark.name, mark.used.total_seconds()] for mark in terms.marks],
        "policy_id": terms.policy_id, "policy_version": terms.policy_version, "priority": terms.priority,
        "calendar_id": str(promise.in_force.calendar_id) if terms.calendar else None,
        "calendar_version": promise.in_force.calendar_version if terms.calendar else None,
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


def _deadlines(clocks: Sequence[Row[Any]], stored: Mapping[UUID, Mapping[str, Any]]) -> dict[UUID, datetime | None]:
    """For each conversation, the nearest deadline among clocks that have not stopped."""
    nearest: dict[UUID, datetime | None] = {}
    for row in clocks:
        now_says = stored.get(row.id)
        deadline = now_says["deadline_at"] if now_says else row.deadline_at
        stopped = now_says["stopped_at"] if now_says else row.stopped_at
        former = nearest.setdefault(row.conversation_id, None)
        if stopped is None and deadline is not None and (former is None or deadline < former):
            nearest[row.conversation_id] = deadline
    return nearest

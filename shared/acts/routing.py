"""Who gets what waits in a queue: what is known at that moment, the rules of shared/rules/routing.py, and the row that keeps both.

Whoever hands out work first waits for shared/store/queues.py's `lock_routing`: it is what keeps an agent's capacity.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Row

from shared.kit import ids
from shared.kit.database import WriteSession
from shared.models.people import Queue
from shared.rules import business_calendar, routing, routing_record, shifts
from shared.rules.routing import Candidate, Decision, Item, Rules
from shared.rules.shifts import Shift, Span, Weekly
from shared.store import routing as store

Kind = Literal["next", "offer", "alarm"]


@dataclass(frozen=True, slots=True)
class Situation:
    """What a decision goes by: a queue's rules, what waits in it, in its order, and the agents as they are at `at`."""

    queue: Queue
    rules: Rules
    items: tuple[Item, ...]
    candidates: tuple[Candidate, ...]
    at: datetime


async def situation(
    session: WriteSession,
    queue: Queue,
    at: datetime,
    *,
    limit: int,
    only: UUID | None = None,
    teams: Iterable[UUID] | None = None,
) -> Situation:
    """How things stand in a queue. `only` looks at one agent alone, who asks and so is there; `teams` says which teams may have the
    work at present (left out: the queue's own and its secondary ones)."""
    every = frozenset([*queue.team_ids, *queue.secondary_team_ids])
    allowed = every if teams is None else frozenset(teams)
    since = at - timedelta(seconds=queue.fairness_window_s)
    agents = await store.candidates(session, queue.workspace_id, sorted(every), since=since, only=only)
    shifts_ = await _shifts(session, queue.workspace_id, agents)
    found = [_candidate(row, shifts.at_work(shifts_.get(row.id, ()), at)) for row in agents]
    if only is not None:
        found = [replace(one, presence="online", on_shift=True) for one in found]
    rows = await store.waiting(session, queue.workspace_id, queue.id, limit)
    return Situation(queue, rules_of(queue), tuple(_item(row, queue, allowed) for row in rows), tuple(found), at)


async def every_candidate(session: WriteSession, workspace_id: UUID, at: datetime) -> list[Candidate]:
    """All agents of a workspace as they are at a moment. What they got lately is counted over an hour."""
    agents = await store.candidates(session, workspace_id, [], since=at - timedelta(hours=1))
    shifts_ = await _shifts(session, workspace_id, agents)
    return [_candidate(row, shifts.at_work(shifts_.get(row.id, ()), at)) for row in agents]


def rules_of(queue: Queue) -> Rules:
    """How a queue hands out work, as the rules read it."""
    return Rules(relax_after_s=queue.relax_after_s, affinity_s=queue.affinity_s, share=queue.share)


def written(
    found: Situation,
    item: Item,
    decision: Decision,
    *,
    kind: Kind,
    reason: str,
    considered: Sequence[Candidate] | None = None,
) -> dict[str, Any]:
    """A decision as `store.add_decisions` keeps it, under an id of its own. `considered` are the candidates it was taken among (left
    out: all that were found)."""
    among = found.candidates if considered is None else considered
    record = routing_record.write(item, among, found.rules, decision)
    return {
        "id": ids.new_id(), "conversation_id": item.conversation_id, "kind": kind, "queue_id": found.queue.id,
        "agent_id": decision.agent_id, "reason": reason, "decided_at": decision.decided_at,
        **{name: record[name] for name in ("item", "rules", "candidates", "relaxed", "seed")},
    }  # fmt: skip


def replay(row: Any) -> Decision:
    """A kept decision (a row of routing_decision that weighed agents) taken again from what was known then."""
    return routing_record.replay(
        {
            "item": row.item, "rules": row.rules, "candidates": row.candidates, "seed": row.seed,
            "decided_at": row.decided_at.isoformat(),
        }
    )  # fmt: skip


async def _shifts(session: WriteSession, workspace_id: UUID, agents: Sequence[Row[Any]]) -> dict[UUID, list[Shift]]:
    """Each agent's shifts, with those of its teams."""
    of_agent: dict[UUID, list[Shift]] = {}
    of_team: dict[UUID, list[Shift]] = {}
    for row in await store.shifts(session, workspace_id, [one.id for one in agents]):
        where = of_agent if row.agent_id else of_team
        where.setdefault(row.agent_id or row.team_id, []).append(_shift(row))
    for agent in agents:
        for team in agent.team_ids:
            of_agent.setdefault(agent.id, []).extend(of_team.get(team, ()))
    return of_agent


def _shift(row: Row[Any]) -> Shift:
    if row.weekly is None:
        return Shift(row.kind, Span(row.starts_at, row.ends_at))
    week = business_calendar.parse({"timezone": row.timezone, "weekly": row.weekly})
    return Shift(row.kind, Weekly(week.weekly, row.timezone, row.first_day, row.last_day))


def _candidate(row: Row[Any], on_shift: bool) -> Candidate:
    return Candidate(
        agent_id=row.id, team_ids=frozenset(row.team_ids), presence=row.presence, on_shift=on_shift, capacity=row.capacity,
        load=row.load, skills=routing.skills(row.skills, row.languages), recent=row.recent,
    )  # fmt: skip


def _item(row: Row[Any], queue: Queue, teams: frozenset[UUID]) -> Item:
    required, preferred = routing.needs(queue.needs, language=row.lang, country=row.country, channel=row.channel_type)
    return Item(
        conversation_id=row.id, waiting_since=row.waiting_since, priority=row.priority, deadline_at=row.next_deadline_at,
        queue_id=queue.id, team_ids=teams, weight=row.weight, required=required, preferred=preferred,
        refused_by=frozenset(row.refused_by), last_agent_id=row.last_agent_id, last_agent_at=row.last_agent_at,
        queued_at=row.queued_at,
    )  # fmt: skip

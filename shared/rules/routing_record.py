"""The row a routing decision leaves: all that was known when it was taken, so that it can be taken again."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.rules.routing import Candidate, Decision, Item, Need, Rules, decide


def write(item: Item, candidates: Iterable[Candidate], rules: Rules, decision: Decision) -> dict[str, Any]:
    """The record as JSON: `item`, `rules`, `candidates` (each with its reason or its score), `relaxed`, `seed`,
    `agent_id`, `decided_at`.
    """
    known = {candidate.agent_id: candidate for candidate in candidates}
    return {
        "item": {
            "conversation_id": str(item.conversation_id),
            "waiting_since": item.waiting_since.isoformat(),
            "priority": item.priority,
            "deadline_at": item.deadline_at and item.deadline_at.isoformat(),
            "queue_id": _text(item.queue_id),
            "team_ids": _texts(item.team_ids),
            "weight": item.weight,
            "required": [[need.skill, need.level] for need in item.required],
            "preferred": [[need.skill, need.level] for need in item.preferred],
            "refused_by": _texts(item.refused_by),
            "last_agent_id": _text(item.last_agent_id),
            "last_agent_at": item.last_agent_at and item.last_agent_at.isoformat(),
            "queued_at": item.queued_at and item.queued_at.isoformat(),
        },
        "rules": {"relax_after_s": rules.relax_after_s, "affinity_s": rules.affinity_s, "share": rules.share},
        "candidates": [
            _candidate(known[seen.agent_id])
            | (
                {"excluded": seen.excluded, "detail": seen.detail}
                if seen.excluded
                else {"score": seen.score, "parts": dict(seen.parts)}
            )
            for seen in decision.considered
        ],
        "relaxed": list(decision.relaxed),
        "seed": decision.seed,
        "agent_id": _text(decision.agent_id),
        "decided_at": decision.decided_at.isoformat(),
    }


def replay(record: Mapping[str, Any]) -> Decision:
    """The decision taken again from its record; with an untouched record it is the same."""
    item = record["item"]
    return decide(
        Item(
            conversation_id=UUID(item["conversation_id"]),
            waiting_since=datetime.fromisoformat(item["waiting_since"]),
            priority=item["priority"],
            deadline_at=_moment(item["deadline_at"]),
            queue_id=_id(item["queue_id"]),
            team_ids=_ids(item["team_ids"]),
            weight=item["weight"],
            required=_needs(item["required"]),
            preferred=_needs(item["preferred"]),
            refused_by=_ids(item["refused_by"]),
            last_agent_id=_id(item["last_agent_id"]),
            last_agent_at=_moment(item["last_agent_at"]),
            queued_at=_moment(item.get("queued_at")),
        ),
        [
            Candidate(
                agent_id=UUID(one["agent_id"]),
                team_ids=_ids(one["team_ids"]),
                presence=one["presence"],
                on_shift=one["on_shift"],
                capacity=one["capacity"],
                load=one["load"],
                skills=dict(one["skills"]),
                recent=one["recent"],
            )
            for one in record["candidates"]
        ],
        Rules(**record["rules"]),
        at=datetime.fromisoformat(record["decided_at"]),
        seed=record["seed"],
    )


def _candidate(candidate: Candidate) -> dict[str, Any]:
    return {
        "agent_id": str(candidate.agent_id),
        "team_ids": _texts(candidate.team_ids),
        "presence": candidate.presence,
        "on_shift": candidate.on_shift,
        "capacity": candidate.capacity,
        "load": candidate.load,
        "skills": dict(candidate.skills),
        "recent": candidate.recent,
    }


def _needs(written: Iterable[tuple[str, int]]) -> tuple[Need, ...]:
    return tuple(Need(skill, level) for skill, level in written)


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)


def _texts(values: Iterable[UUID]) -> list[str]:
    return sorted(str(value) for value in values)


def _id(written: str | None) -> UUID | None:
    return None if written is None else UUID(written)


def _ids(written: Iterable[str]) -> frozenset[UUID]:
    return frozenset(UUID(one) for one in written)


def _moment(written: str | None) -> datetime | None:
    return None if written is None else datetime.fromisoformat(written)

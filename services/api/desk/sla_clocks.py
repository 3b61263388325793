"""How the promises to a conversation stand at this moment, and why."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from services.api.desk.desk import Desk
from shared.acts import clocks
from shared.kit import clock
from shared.kit.errors import NotFound
from shared.models.conversation import Conversation
from shared.rules import duration, sla_clock
from shared.store import rows, sla_clocks


async def list_clocks(desk: Desk, conversation_id: UUID) -> list[dict[str, Any]]:
    """The clocks of a conversation, folded at this moment, so that `elapsed` is exact. Raises NotFound."""
    at = clock.now()
    return [
        {
            "id": str(row.id),
            "metric": row.metric,
            "instance": row.instance,
            "state": folded.state,
            "priority": folded.terms.priority,
            "policy_id": folded.terms.policy_id,
            "policy_version": folded.terms.policy_version,
            "target": duration.write(folded.terms.within),
            "started_at": _iso(folded.started_at),
            "deadline_at": _iso(folded.deadline_at),
            "elapsed": duration.write(folded.elapsed),
            "stopped_at": _iso(folded.stopped_at),
            "breached_at": _iso(folded.breached_at),
        }
        for row, events in await _histories(desk, conversation_id, None)
        if (folded := sla_clock.read(events, _until(events, at))) is not None
    ]


async def explain_clock(desk: Desk, conversation_id: UUID, metric: str, instance: int | None = None) -> dict[str, Any]:
    """The counted and uncounted intervals of a clock, from its start to now, with their reasons; the counted ones sum to
    `elapsed`. `instance` None takes the latest. Raises NotFound where the conversation has no such clock."""
    at = clock.now()
    known = [
        (row, events)
        for row, events in await _histories(desk, conversation_id, metric)
        if instance is None or row.instance == instance
    ]
    if not known:
        raise NotFound(f"This conversation has no clock for {metric}.")
    row, events = max(known, key=lambda pair: pair[0].instance)
    until = _until(events, at)
    folded = sla_clock.read(events, until)
    if folded is None:
        raise NotFound(f"The clock for {metric} has not started.")
    return {
        "metric": row.metric,
        "instance": row.instance,
        "state": folded.state,
        "target": duration.write(folded.terms.within),
        "intervals": [
            {"from": _iso(one.start), "to": _iso(one.end), "counted": one.counted, "reason": one.reason}
            for one in sla_clock.explain(events, until)
        ],
        "elapsed": duration.write(folded.elapsed),
        "deadline_at": _iso(folded.deadline_at),
        "breached_at": _iso(folded.breached_at),
    }


async def _histories(desk: Desk, conversation_id: UUID, metric: str | None) -> list[tuple[Any, list[sla_clock.Event]]]:
    async with desk.writing() as inside:
        if await rows.missing(inside.session, Conversation, desk.workspace_id, [conversation_id]):
            raise NotFound(f"There is no conversation {conversation_id}.")
        found = await sla_clocks.of_conversation(inside.session, desk.workspace_id, conversation_id, metric)
        events = await clocks.histories(inside.session, desk.workspace_id, found)
    return [(row, events.get(row.id, [])) for row in found]


def _until(events: Sequence[sla_clock.Event], at: datetime) -> datetime:
    """Now, and not before what happened: the wall clock may have been set back since."""
    return max([at, *(event.at for event in events)])


def _iso(at: datetime | None) -> str | None:
    """To the microsecond, so that intervals sum to `elapsed` exactly."""
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")

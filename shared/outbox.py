"""Facts, told in the transaction that made them true.

`add` writes them beside the change, with a row of work where something must still be done. After the commit a hint wakes
whoever waits; a lost hint costs a second, not a fact.
"""

from collections.abc import Sequence
from uuid import UUID

import orjson
from sqlalchemy import text

from shared.kit import ids
from shared.kit.database import WriteSession, wake_after_commit
from shared.kit.tracing import new_traceparent, traceparent
from shared.models.facts import Fact

__all__ = ["SEQUENCER", "add", "add_work", "new_traceparent", "traceparent"]

SEQUENCER = "outbox"


async def add(session: WriteSession, workspace_id: UUID, facts: Sequence[Fact]) -> None:
    """Writes facts, and the work that they ask for, in the caller's transaction, in two statements however many."""
    if not facts:
        return
    await session.execute(
        _ADD,
        {
            "workspace_id": workspace_id,
            "ids": [ids.new_id() for _ in facts],
            "types": [fact.type for fact in facts],
            "subjects": [fact.subject_id for fact in facts],
            "conversations": [fact.conversation_id for fact in facts],
            "ats": [fact.at for fact in facts],
            "payloads": [orjson.dumps(fact.detail, default=str).decode() if fact.detail else "{}" for fact in facts],
            "traceparent": traceparent.get(),
        },
    )
    wake_after_commit(session, SEQUENCER)
    await add_work(session, workspace_id, [(fact.type, fact.subject_id, fact.priority) for fact in facts if fact.work])


async def add_work(session: WriteSession, workspace_id: UUID, work: Sequence[tuple[str, UUID, int]]) -> None:
    """Writes work to be done: (kind, subject, priority 0 first)."""
    if not work:
        return
    await session.execute(
        _ADD_WORK,
        {
            "workspace_id": workspace_id,
            "ids": [ids.new_id() for _ in work],
            "kinds": [kind for kind, _, _ in work],
            "subjects": [subject for _, subject, _ in work],
            "priorities": [priority for _, _, priority in work],
        },
    )
    for kind in {kind for kind, _, _ in work}:
        wake_after_commit(session, kind)


_ADD = text("""
    INSERT INTO outbox (workspace_id, id, type, subject_id, conversation_id, at, payload, traceparent)
    SELECT :workspace_id, u.id, u.type, u.subject, u.conversation, coalesce(u.at, clock_timestamp()), u.payload::jsonb, :traceparent
    FROM unnest(CAST(:ids AS uuid[]), CAST(:types AS text[]), CAST(:subjects AS uuid[]), CAST(:conversations AS uuid[]),
                CAST(:ats AS timestamptz[]), CAST(:payloads AS text[])) AS u(id, type, subject, conversation, at, payload)
""")

_ADD_WORK = text("""
    INSERT INTO work (workspace_id, id, kind, subject_id, priority, due_at)
    SELECT :workspace_id, u.id, u.kind, u.subject, u.priority, now()
    FROM unnest(CAST(:ids AS uuid[]), CAST(:kinds AS text[]), CAST(:subjects AS uuid[]), CAST(:priorities AS int[]))
         AS u(id, kind, subject, priority)
""")

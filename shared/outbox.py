"""Facts, told in the transaction that made them true.

`add` writes them beside the change, with a row of work where something must still be done. After the commit a hint wakes
whoever waits; a lost hint costs a second, not a fact.
"""

from collections.abc import Sequence
from itertools import groupby
from uuid import UUID

import orjson
from sqlalchemy import text

from shared.kit.database import WriteSession, driver, wake_after_commit
from shared.kit.tracing import new_traceparent, traceparent
from shared.models.facts import Fact
from shared.models.work import lane

__all__ = ["SEQUENCER", "add", "add_work", "new_traceparent", "traceparent"]

SEQUENCER = "outbox"


async def add(session: WriteSession, workspace_id: UUID, facts: Sequence[Fact]) -> None:
    """Writes facts, and the work that they ask for, in the caller's transaction and in the order given: in one statement those
    in a row that differ only in their subject, which are nearly all where there are many, and in two the rest."""
    for alike, some in groupby(facts, _alike):
        if alike is None:
            await _add_each(session, workspace_id, list(some))
        else:
            type_, asks, priority = alike
            told = list(some)
            subjects, heavy = _ids(told), [fact for fact in told if fact.heavy]
            connection = await driver(session)
            await connection.execute(
                _ADD_ALIKE, workspace_id, type_, subjects, traceparent.get(), asks, priority, _ids(heavy)
            )  # fmt: skip
            if asks:
                _wake(session, type_, heavy=len(heavy), of=len(told))
        wake_after_commit(session, SEQUENCER)


def _ids(facts: Sequence[Fact]) -> str:
    return orjson.dumps([fact.subject_id for fact in facts], default=str).decode()


def _wake(session: WriteSession, kind: str, *, heavy: int, of: int) -> None:
    if heavy:
        wake_after_commit(session, lane(kind, heavy=True))
    if heavy < of:
        wake_after_commit(session, kind)


def _alike(fact: Fact) -> tuple[str, bool, int] | None:
    """What a fact has in common with its like; None where it tells more than its subject."""
    if fact.conversation_id is not None or fact.at is not None or fact.detail:
        return None
    return fact.type, fact.work, fact.priority


async def _add_each(session: WriteSession, workspace_id: UUID, facts: Sequence[Fact]) -> None:
    rows = [
        {
            "type": fact.type,
            "subject": fact.subject_id,
            "conversation": fact.conversation_id,
            "at": fact.at,
            "payload": fact.detail,
        }
        for fact in facts
    ]
    sent = orjson.dumps(rows, default=str).decode()
    await session.execute(_ADD, {"workspace_id": workspace_id, "rows": sent, "traceparent": traceparent.get()})
    asked = [fact for fact in facts if fact.work]
    await _add_work(session, workspace_id, [(one.type, one.subject_id, one.priority, one.heavy) for one in asked])


async def add_work(session: WriteSession, workspace_id: UUID, work: Sequence[tuple[str, UUID, int]]) -> None:
    """Writes work to be done: (kind, subject, priority 0 first)."""
    await _add_work(session, workspace_id, [(*one, False) for one in work])


async def _add_work(session: WriteSession, workspace_id: UUID, work: Sequence[tuple[str, UUID, int, bool]]) -> None:
    if not work:
        return
    rows = [dict(zip(("kind", "subject", "priority", "heavy"), one, strict=True)) for one in work]
    await session.execute(_ADD_WORK, {"workspace_id": workspace_id, "rows": orjson.dumps(rows, default=str).decode()})
    for name in {lane(kind, heavy=heavy) for kind, _, _, heavy in work}:
        wake_after_commit(session, name)


_ADD_ALIKE = """
    WITH subjects AS MATERIALIZED (SELECT value::uuid AS subject FROM json_array_elements_text($3::json)),
    told AS (
        INSERT INTO outbox (workspace_id, id, type, subject_id, at, payload, traceparent)
        SELECT $1, uuidv7(), $2, subject, clock_timestamp(), '{}', $4 FROM subjects
    )
    INSERT INTO work (workspace_id, id, kind, subject_id, priority, heavy, due_at)
    SELECT $1, uuidv7(), $2, subject, $6, subject IN (SELECT value::uuid FROM json_array_elements_text($7::json)), now()
    FROM subjects WHERE $5
"""

_ADD = text("""
    INSERT INTO outbox (workspace_id, id, type, subject_id, conversation_id, at, payload, traceparent)
    SELECT :workspace_id, uuidv7(), u.type, u.subject, u.conversation, coalesce(u.at, clock_timestamp()), u.payload, :traceparent
    FROM json_to_recordset(CAST(:rows AS json))
        AS u(type text, subject uuid, conversation uuid, at timestamptz, payload jsonb)
""")

_ADD_WORK = text("""
    INSERT INTO work (workspace_id, id, kind, subject_id, priority, heavy, due_at)
    SELECT :workspace_id, uuidv7(), u.kind, u.subject, u.priority, u.heavy, now()
    FROM json_to_recordset(CAST(:rows AS json)) AS u(kind text, subject uuid, priority int, heavy boolean)
""")

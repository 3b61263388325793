"""Corrections: a person's word against a finding, laid over what triage found and kept beside it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text

from shared.kit.database import WriteSession
from shared.kit.errors import Conflict, NotFound


@dataclass(frozen=True, slots=True)
class Found:
    """What stands about a mention, locked: its findings, its text, and the conversation it is in."""

    findings: dict[str, Any]
    text: str
    conversation_id: UUID | None
    disposition: str


@dataclass(frozen=True, slots=True)
class Turn:
    """What stands about one of a customer's turns, as far as their conversation follows it."""

    mention_id: UUID
    disposition: str
    sentiment: str | None
    lang: str | None
    priority: str | None
    issue_keys: list[str]


FLAT: Mapping[str, str] = {
    "lang": "text", "sentiment": "text", "sentiment_score": "float8", "intent": "text", "urgency": "text",
    "priority": "text", "issue_keys": "text[]", "disposition": "text", "dismissed_because": "text", "duplicate_of": "uuid",
}  # fmt: skip
"""The columns beside the findings, by which lists are filtered, with their types."""


async def conversation_of(session: WriteSession, workspace_id: UUID, mention_id: UUID) -> UUID | None:
    """The conversation that a mention is a turn of. Whoever changes both locks it first, then the findings."""
    found: UUID | None = await session.scalar(
        text("SELECT conversation_id FROM assessment WHERE workspace_id = :w AND mention_id = :m"),
        {"w": workspace_id, "m": mention_id},
    )
    return found


async def turns(session: WriteSession, workspace_id: UUID, conversation_id: UUID) -> list[Turn]:
    """What stands about the turns of a conversation's customer, the oldest first."""
    found = await session.execute(
        text(
            "SELECT a.mention_id, a.disposition, a.sentiment, a.lang, a.priority, a.issue_keys FROM message g "
            "JOIN assessment a ON a.workspace_id = g.workspace_id AND a.mention_id = g.mention_id "
            "WHERE g.workspace_id = :w AND g.conversation_id = :c AND g.kind = 'inbound' ORDER BY g.id"
        ),
        {"w": workspace_id, "c": conversation_id},
    )
    return [Turn(*row) for row in found]


async def lock(session: WriteSession, workspace_id: UUID, mention_id: UUID) -> Found:
    """What stands about a mention. Raises NotFound, Conflict where it is not triaged yet."""
    row = (
        await session.execute(
            text(
                "SELECT a.findings, a.disposition, a.conversation_id, m.text FROM assessment a "
                "JOIN mention m ON m.workspace_id = a.workspace_id AND m.id = a.mention_id "
                "WHERE a.workspace_id = :w AND a.mention_id = :m FOR UPDATE OF a"
            ),
            {"w": workspace_id, "m": mention_id},
        )
    ).one_or_none()
    if row is not None:
        return Found(row.findings, row.text, row.conversation_id, row.disposition)
    there = await session.scalar(
        text("SELECT 1 FROM mention WHERE workspace_id = :w AND id = :m"), {"w": workspace_id, "m": mention_id}
    )
    if there is None:
        raise NotFound(f"There is no mention {mention_id}.")
    raise Conflict("This mention is not triaged yet; correct what is found when it is.", code="not_triaged")


async def write(
    session: WriteSession, workspace_id: UUID, mention_id: UUID, finding: str, value: Any, flat: Mapping[str, Any]
) -> None:
    """Puts a finding in the place of the former one, and the columns beside it (names of `FLAT`)."""
    columns = "".join(f", {name} = CAST(:{name} AS {FLAT[name]})" for name in flat)
    await session.execute(
        text(
            "UPDATE assessment SET findings = jsonb_set(findings, ARRAY[:finding], CAST(:value AS jsonb), true)"
            f"{columns} WHERE workspace_id = :w AND mention_id = :m"  # names of our own columns
        ),
        {"w": workspace_id, "m": mention_id, "finding": finding, "value": orjson.dumps(value).decode(), **flat},
    )

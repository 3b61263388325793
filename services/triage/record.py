"""The one place where triage writes its findings: assessment, conversation, clocks, queue and facts, all or nothing."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import asyncpg

from services.triage.briefing import Told
from services.triage.pipeline import VERSION, Assessed
from shared import outbox
from shared.acts import conversations
from shared.acts.conversations import Arrival
from shared.acts.policies import in_force
from shared.kit import clock
from shared.kit.database import WriteSession
from shared.models import facts
from shared.models.conversation import Priority
from shared.models.mention import Disposition
from shared.rules.folding import fold
from shared.store import assessment as store
from shared.store import conversation as conversation_store
from shared.store import ledger, work
from shared.store.work import Claim

SEARCHED = 50_000  # code points of a mention that search looks in


async def record(session: WriteSession, claim: Claim, told: Told, assessed: Sequence[Assessed]) -> int:
    """Writes what was found of a claimed batch and takes its work away. What somebody else has done meanwhile (the lease was
    lost) is left alone, so that nothing is recorded twice. Returns how many mentions were recorded."""
    ours = await work.done(session, claim, _done_work(claim, {one.mention_id for one in assessed}))
    mine = [one for one in assessed if one.mention_id in ours and one.mention_id in told.rows]
    engaged = [one for one in mine if one.disposition == Disposition.ENGAGE and _is_new(told.rows[one.mention_id])]
    placed = await _place(session, claim.workspace_id, told, engaged)
    await store.keep_many(session, claim.workspace_id, [_row(one, told, placed.get(one.mention_id)) for one in mine])
    await outbox.add(
        session,
        claim.workspace_id,
        [
            facts.MentionTriaged(
                subject_id=one.mention_id,
                conversation_id=placed.get(one.mention_id) or told.rows[one.mention_id]["already_in"],
            )
            for one in mine
        ],
    )
    return len(mine)


async def quarantine(session: WriteSession, claim: Claim, subject: UUID, reason: str, attempts: int) -> None:
    """Sets aside a mention that killed its reader thrice; a person looks. The ledger moves it from stored to quarantined."""
    row = await store.quarantine(session, claim.workspace_id, subject, reason, attempts)
    if row is not None:
        await ledger.requarantine(session, claim.workspace_id, row.channel_id, row.received_at, 1)
        await outbox.add(
            session, claim.workspace_id, [facts.MentionQuarantined(subject_id=subject, detail={"reason": reason})]
        )
    await work.done(session, claim)


def _is_new(row: asyncpg.Record) -> bool:
    """Whether a mention may open a conversation: it is in none, and nobody has set it aside."""
    return row["already_in"] is None and not row["set_aside"]


def _done_work(claim: Claim, subjects: set[UUID]) -> list[UUID]:
    return [work_id for work_id, subject, _ in claim.works if subject in subjects]


async def _place(
    session: WriteSession, workspace_id: UUID, told: Told, engaged: Sequence[Assessed]
) -> dict[UUID, UUID]:
    """The conversation of each engaged mention."""
    if not engaged:
        return {}
    rows = [told.rows[one.mention_id] for one in engaged]
    answering = [(row["channel_id"], row["parent_external_id"]) for row in rows if row["parent_external_id"]]
    parents = await conversation_store.parents(
        session, workspace_id, [channel for channel, _ in answering], [parent for _, parent in answering]
    ) if answering else {}  # fmt: skip
    arrivals = [_arrival(one, told.rows[one.mention_id], parents) for one in engaged]
    arrivals.sort(key=lambda one: (one.received_at, one.mention_id))
    return await conversations.open_or_extend(session, workspace_id, arrivals, await in_force(session, workspace_id))


def thread_key(
    row: asyncpg.Record, parents: Mapping[tuple[UUID, str], tuple[str, UUID | None]]
) -> tuple[str, str | None]:
    """What makes mentions one conversation, by the channel's thread mode, and the root it hangs on: (key, root).

    `post`: each its own. `contact`: all of one person. `author_thread`: one author in one thread; an answer to something of a
    conversation with the same author belongs to that conversation; private messages of an author are one thread.
    """
    root = row["root_external_id"] or row["external_id"]
    if row["thread_mode"] == "post" or row["author_id"] is None:
        return f"post:{row['id']}", root
    if row["thread_mode"] == "contact":
        return f"contact:{row['contact_id'] or row['author_id']}", root
    parent = parents.get((row["channel_id"], row["parent_external_id"])) if row["parent_external_id"] else None
    if parent is not None and parent[1] == row["author_id"]:
        return parent[0], root
    if row["visibility"] == "private" and row["root_external_id"] is None:
        return f"private:{row['channel_id']}:{row['author_id']}", root
    return f"thread:{row['channel_id']}:{row['author_id']}:{root}", root


def _arrival(
    one: Assessed, row: asyncpg.Record, parents: Mapping[tuple[UUID, str], tuple[str, UUID | None]]
) -> Arrival:
    key, root = thread_key(row, parents)
    priority = _value(one, "priority") or Priority.NORMAL
    return Arrival(
        mention_id=one.mention_id, channel_id=row["channel_id"], channel_type=row["channel_type"], author_id=row["author_id"],
        thread_key=key, root_external_id=root, published_at=row["published_at"], received_at=row["received_at"],
        subject=row["title"], lang=_value(one, "language") or row["lang"], visibility=row["visibility"],
        priority=Priority(priority), priority_score=_score(one, "priority") or 0.0, sentiment=_value(one, "sentiment"),
        issue_keys=_issue_keys(one), brand_ids=_ids(one, "brands"),
        seen={
            "kind": row["kind"], "country": row["country"], "rating": row["rating"], "intent": _value(one, "intent"),
            "urgency": _value(one, "urgency"), "channel": row["channel_name"],
            "author": {"handle": row["handle"], "followers": row["followers"], "verified": row["verified"]},
        },
    )  # fmt: skip


def _row(one: Assessed, told: Told, conversation_id: UUID | None) -> dict[str, Any]:
    row = told.rows[one.mention_id]
    duplicate = one.findings.get("duplicate") or {}
    words = f"{row['title'] or ''} {row['text']}"[:SEARCHED]
    return {
        "mention_id": one.mention_id, "conversation_id": conversation_id, "disposition": one.disposition,
        "dismissed_because": one.dismissed, "duplicate_of": _uuid(duplicate.get("value")), "lang": _value(one, "language"),
        "sentiment": _value(one, "sentiment"), "sentiment_score": _score(one, "sentiment"), "intent": _value(one, "intent"),
        "urgency": _value(one, "urgency"), "priority": _value(one, "priority"), "priority_score": _score(one, "priority"),
        "issue_keys": _issue_keys(one), "brand_ids": _ids(one, "brands"), "query_ids": _ids(one, "queries"),
        "findings": one.findings, "failed_stages": one.failed, "text_hash": told.sketches[one.mention_id].exact,
        "pipeline_version": VERSION, "triaged_at": clock.now(), "words": fold(words),
    }  # fmt: skip


def _value(one: Assessed, name: str) -> Any:
    found = one.findings.get(name)
    return found.get("value") if isinstance(found, dict) else None


def _score(one: Assessed, name: str) -> float | None:
    found = one.findings.get(name)
    return found.get("score") if isinstance(found, dict) else None


def _issue_keys(one: Assessed) -> tuple[str, ...]:
    return tuple(dict.fromkeys(found["value"] for found in one.findings.get("issues") or ()))


def _ids(one: Assessed, name: str) -> tuple[UUID, ...]:
    relevance = one.findings.get("relevance") or {}
    return tuple(found for text in relevance.get(name) or () if (found := _uuid(text)) is not None)


def _uuid(text: Any) -> UUID | None:
    try:
        return UUID(str(text)) if text else None
    except ValueError:
        return None

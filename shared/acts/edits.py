"""Puts what still runs under an edited policy or calendar: as of the edit, whenever it is worked through, and with the time used kept.

Each conversation is put under each version once, by its cause (`calendar:<id>:<version>`), so that nothing happens twice where this is
done again, or by several at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from shared import outbox
from shared.acts import calendars, policies, promises
from shared.acts.policies import PolicyInForce
from shared.acts.promises import History
from shared.kit import clock
from shared.kit.database import WriteSession
from shared.rules import filter as filters
from shared.rules import sla_history
from shared.rules.conversation_fields import CONVERSATION_FIELDS
from shared.rules.sla_history import Change
from shared.store import sla

POLICY_CHANGED = "sla_policy.changed"
"""The work of putting clocks under a new version of their policy."""
KINDS = {calendars.CHANGED: "calendar", POLICY_CHANGED: "sla_policy"}
AT_ONCE = 200
RECENT = timedelta(hours=1)
"""Edits this old have been worked through: what stopped since the first of the recent ones is looked at, too."""


@dataclass(frozen=True, slots=True)
class _Edit:
    """A version of a calendar or policy, from when on it holds; `calendar_version` of the calendar that a policy then went by."""

    of: str
    subject_id: UUID
    version: int
    at: datetime
    body: Any
    calendar_version: int | None


async def leave(session: WriteSession, workspace_id: UUID, policy_id: UUID) -> None:
    """Leaves the work of an edited policy to be done."""
    await outbox.add_work(session, workspace_id, [(POLICY_CHANGED, policy_id, 5)])


async def reapply(
    session: WriteSession, workspace_id: UUID, kind: str, subject_id: UUID, after: UUID | None, limit: int = AT_ONCE
) -> UUID | None:
    """Puts the next conversations under what their policy or calendar now says. Returns the last of them; None where there are no more."""
    of = KINDS[kind]
    policy_id, calendar_id = (subject_id, None) if of == "sla_policy" else (None, subject_id)
    edits = await _edits(session, workspace_id, of, subject_id)
    if not edits:
        return None
    recent = [edit.at for edit in edits if edit.at >= clock.now() - RECENT]
    since = min(recent, default=edits[-1].at)
    ids = await sla.under(
        session, workspace_id, policy_id=policy_id, calendar_id=calendar_id, since=since, after=after, limit=limit
    )
    if not ids:
        return None
    await sla.lock_conversations(session, workspace_id, ids)
    known = await promises.known(session, workspace_id, ids)
    present = await policies.in_force(session, workspace_id)
    for history in known.values():
        for edit in edits if history.is_whole else ():
            _put(history, edit, present)
    many = [history for history in known.values() if history.new]
    told, deadlines = await promises.settle(session, workspace_id, many, present)
    await sla.set_deadlines(session, workspace_id, deadlines)
    await outbox.add(session, workspace_id, told)
    return ids[-1]


async def _edits(session: WriteSession, workspace_id: UUID, of: str, subject_id: UUID) -> list[_Edit]:
    found = []
    for version, at, body in await sla.versions_of(session, workspace_id, subject_id):
        by = None
        if of == "sla_policy" and (calendar_id := body.get("calendar_id")):
            kept = await sla.versions_of(session, workspace_id, UUID(str(calendar_id)))
            by = max([n for n, since, _ in kept if since <= at] or [n for n, _, _ in kept[:1]], default=None)
        found.append(_Edit(of, subject_id, version, at, body, by))
    return found[1:]


def _put(history: History, edit: _Edit, present: Sequence[PolicyInForce]) -> None:
    """Puts a conversation under an edit from its moment on, and wherever it was put under an older version after that."""
    said = sorted((one for one in history.changes if "terms" in one.detail), key=sla_history.since)
    before = [one for one in said if sla_history.since(one) <= edit.at]
    moments = [(edit.at, before[-1])] if before else []
    moments += [(sla_history.since(one) + sla_history.TICK, one) for one in said if sla_history.since(one) > edit.at]
    known = {one.cause for one in history.changes if one.kind == "promised"}
    for at, held in moments:
        cause = f"{edit.of}:{edit.subject_id}:{edit.version}" + (f":{held.kind}:{held.cause}" if at > edit.at else "")
        terms = _terms(held, history, edit, present)
        if terms is not None and cause not in known:
            history.new.append(Change("promised", at, cause, {"terms": terms}))


def _terms(held: Change, history: History, edit: _Edit, present: Sequence[PolicyInForce]) -> dict[str, Any] | None:
    """What a conversation comes under by an edit; None where the edit does not concern it, or no policy matches any more: then its
    clocks keep their terms."""
    terms = held.detail["terms"]
    if terms is None:
        return None
    if edit.of == "calendar":
        if terms["calendar_id"] != str(edit.subject_id) or terms["calendar_version"] >= edit.version:
            return None
        return {**terms, "calendar_version": edit.version}
    if terms["policy_id"] != str(edit.subject_id) or terms["policy_version"] >= edit.version:
        return None
    seen = history.last_seen()
    if filters.evaluate(
        filters.parse(edit.body.get("filter") or {}, CONVERSATION_FIELDS), {**seen, "priority": terms["priority"]}
    ):
        calendar_id = edit.body.get("calendar_id")
        by = {"calendar_id": str(calendar_id) if calendar_id else None, "calendar_version": edit.calendar_version}
        return {**terms, "policy_version": edit.version, **by}
    return policies.terms_for(present, {**seen, "priority": terms["priority"]})

"""What happens to conversations, kept as promises see it; and the clocks made to agree with it, in the same transaction.

Every change of a conversation that a promise may hang on goes through here: `opening` and `hearing` for customers' messages, in bulk,
`changed` for what we do. What is kept is enough to tell the clocks under any policy (shared/rules/sla_history.py).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from shared.acts import clocks, policies
from shared.acts.clocks import Histories
from shared.acts.policies import PolicyInForce
from shared.kit import clock
from shared.kit.database import WriteSession
from shared.models.conversation import Conversation
from shared.models.facts import Fact
from shared.rules import conversation_fields, sla_history
from shared.rules.conversation_fields import CONVERSATION_FIELDS
from shared.rules.sla_history import Change, ChangeKind
from shared.store import sla

_OWN = tuple(name for name in CONVERSATION_FIELDS if name in Conversation.model_fields and name != "country")
"""What a conversation itself says of what filters ask; its country may be known from the customer alone."""
_UNKNOWN = object()


@dataclass(slots=True)
class History:
    """What is known of a conversation, and what is about to be added."""

    conversation_id: UUID
    known: list[Change] = field(default_factory=list)
    new: list[Change] = field(default_factory=list)
    begun: Histories | None = None

    @property
    def changes(self) -> list[Change]:
        """All of it."""
        return [*self.known, *self.new]

    @property
    def is_whole(self) -> bool:
        """Whether it is known from the beginning."""
        return any(one.kind == "opened" for one in self.changes)

    def moment(self) -> datetime:
        """When something happens that we do now."""
        return sla_history.next_moment(self.changes, clock.now())

    def last(self, name: str) -> Any:
        """What the latest change that says something of `name` says."""
        told = [one for one in self.changes if name in one.detail]
        return max(told, key=sla_history.since).detail[name] if told else _UNKNOWN

    def last_seen(self) -> dict[str, Any]:
        """The conversation as filters saw it last."""
        before = self.last("seen")
        return dict(before) if isinstance(before, Mapping) else {}

    def seen(self, conversation: Mapping[str, Any]) -> dict[str, Any]:
        """A conversation as filters see it now: its own fields, and what was seen of the customer before."""
        return _plain(self.last_seen() | {name: conversation[name] for name in _OWN if name in conversation})

    def add(
        self,
        kind: ChangeKind,
        at: datetime,
        cause: str,
        detail: Mapping[str, Any],
        in_force: Iterable[PolicyInForce] | None = None,
    ) -> None:
        """Adds a change. With policies, and `seen` in the detail, the conversation is put under the first that matches, from then on."""
        said = dict(detail)
        if in_force is not None:
            terms = policies.terms_for(in_force, said["seen"])
            if terms != self.last("terms"):
                said["terms"] = terms
                former = [sla_history.since(one) for one in self.changes if "terms" in one.detail]
                if former and max(former) >= at:
                    said["since"] = _iso(max(former) + sla_history.TICK)
        self.new.append(Change(kind, at, cause, said))

    def heard(
        self, kind: ChangeKind, cause: str, conversation: Mapping[str, Any], mention: Mapping[str, Any], *, received_at: datetime,
        published_at: datetime, in_force: Iterable[PolicyInForce],
    ) -> None:  # fmt: skip
        """Adds a customer's message; `conversation` as it stands by it, `mention` what filters may ask of it besides."""
        seen = _plain(conversation_fields.row(conversation, mention))
        detail = {"published_at": _iso(published_at), "seen": seen}
        self.add(kind, received_at, cause, detail, in_force)


async def known(session: WriteSession, workspace_id: UUID, conversation_ids: Sequence[UUID]) -> dict[UUID, History]:
    """What is known of conversations."""
    rows = await sla.changes_of(session, workspace_id, conversation_ids)
    return {
        one: History(one, [Change(row.kind, row.at, row.cause, row.detail) for row in rows.get(one, ())])
        for one in conversation_ids
    }


def foretold(history: History, in_force: Sequence[PolicyInForce]) -> Histories:
    """The clocks of a conversation that opens now, worked out once."""
    if history.begun is None:
        present = {(one.policy.id, one.policy.version, one.calendar_version): one.policy for one in in_force}
        history.begun = sla_history.histories(history.changes, sla_history.as_applied(present))
    return history.begun


async def opened(
    session: WriteSession, workspace_id: UUID, many: Sequence[History], in_force: Sequence[PolicyInForce]
) -> list[Fact]:
    """Keeps the first changes of conversations and starts their clocks. Returns the facts to be told."""
    await _keep(session, workspace_id, many, in_force)
    begun = {one.conversation_id: foretold(one, in_force) for one in many}
    return await clocks.start(session, workspace_id, begun, _calendars(many))


async def settle(
    session: WriteSession, workspace_id: UUID, many: Sequence[History], in_force: Sequence[PolicyInForce] = ()
) -> tuple[list[Fact], dict[UUID, datetime | None]]:
    """Keeps what is new of locked conversations and makes their clocks agree with it. Returns the facts to be told and, for each
    conversation, its nearest deadline."""
    await _keep(session, workspace_id, many, in_force)
    whole = [one for one in many if one.is_whole]
    named = policies.versions_in(change for one in whole for change in one.changes)
    choice = sla_history.as_applied(await policies.at_versions(session, workspace_id, named, in_force))
    says = {one.conversation_id: sla_history.histories(one.changes, choice) for one in whole}
    return await clocks.refold(session, workspace_id, says, _calendars(whole))


async def changed(
    session: WriteSession, conversation: Conversation, history: History, in_force: Sequence[PolicyInForce] = ()
) -> list[Fact]:
    """The same for one locked conversation, whose nearest deadline is stored. Returns the facts to be told."""
    told, deadlines = await settle(session, conversation.workspace_id, [history], in_force)
    if conversation.id in deadlines:
        conversation.next_deadline_at = deadlines[conversation.id]
        await session.flush()
    return told


async def of(session: WriteSession, conversation: Conversation) -> History:
    """What is known of one conversation."""
    found = await known(session, conversation.workspace_id, [conversation.id])
    return found[conversation.id]


async def _keep(
    session: WriteSession, workspace_id: UUID, many: Iterable[History], in_force: Iterable[PolicyInForce]
) -> None:
    new = [(one.conversation_id, change) for one in many for change in one.new]
    applied = [terms for _, change in new if (terms := change.detail.get("terms"))]
    if applied:
        await policies.keep(session, workspace_id, in_force, applied)
    await sla.add_changes(
        session, workspace_id,
        [{"conversation_id": one, "kind": change.kind, "at": change.at, "cause": change.cause, "detail": dict(change.detail)}
         for one, change in new],
    )  # fmt: skip


def _calendars(many: Iterable[History]) -> dict[tuple[str, int], str | None]:
    applied = (terms for one in many for change in one.changes if (terms := change.detail.get("terms")))
    return {(terms["policy_id"], terms["policy_version"]): terms["calendar_id"] for terms in applied}


def _plain(seen: Mapping[str, Any]) -> dict[str, Any]:
    """As it comes back from the database, so that filters see the same then."""
    found: dict[str, Any] = orjson.loads(orjson.dumps(seen, default=str))
    return found


def _iso(at: datetime) -> str:
    return at.isoformat()

"""Does what rules of automation say about what was told: each rule once about each event, in the order of the feed.

How far the rules have been asked, what they did and what that changed are committed together: a process that dies in between has
done nothing. What a rule changes is told like anything else and may set off another rule; a chain that comes back to a rule which acted
in it, or grows longer than five, ends there, and so does a rule that acts on one conversation again and again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.exc import DBAPIError

from services.api.desk.actions import BY_RULE
from services.api.desk.desk import Actor, Desk
from shared.kit import clock, ids, logging
from shared.kit.database import Database, WriteSession
from shared.kit.errors import WebcareError
from shared.kit.jobs import apart
from shared.kit.secrets import Vault
from shared.kit.settings import Settings
from shared.kit.tracing import new_traceparent, traceparent
from shared.models.automation import AutomationRun
from shared.models.workspace import Role
from shared.rules import filter as filters
from shared.rules.conversation_fields import CONVERSATION_FIELDS
from shared.store import automation as store
from shared.store import conversation_filter, rows
from shared.store.automation import Told

AUTOMATION: Final = "automation"
AT_ONCE = 50
LONGEST_CHAIN = 5
OFTEN = 20
"""How often a rule may act on one conversation within an hour, whatever brought it about."""

BROKE = "An action broke by an error of ours; the log of the api's worker has it."

log = logging.get(__name__)


@dataclass(frozen=True, slots=True)
class _Rule:
    """A rule with its filter read."""

    row: Row[Any]
    where: filters.Filter

    def is_for(self, event: Told) -> bool:
        """Whether it is asked about an event: one of its type that was told since it holds."""
        return bool(self.row.event == event.type and self.row.since < event.position)


@dataclass(frozen=True, slots=True)
class Automation:
    """Asks the rules of all workspaces. Several may run: one at a time is at a workspace."""

    database: Database
    vault: Vault
    settings: Settings

    async def once(self) -> bool:
        """Asks the rules of what was told. Returns whether there is more."""
        async with self.database.lookup() as connection:
            behind = await store.workspaces_behind(connection)
        more = False
        for workspace_id in behind:
            with apart("rules were not asked", workspace_id=str(workspace_id)):
                async with self.database.write(workspace_id) as session:
                    more = await self._ask(session, workspace_id) or more
        return more

    async def _ask(self, session: WriteSession, workspace_id: UUID) -> bool:
        position = await store.begin(session, workspace_id)
        if position is None:
            return False
        rules = [
            _Rule(row, filters.parse(row.filter, CONVERSATION_FIELDS))
            for row in await store.rules(session, workspace_id)
        ]
        types = sorted({rule.row.event for rule in rules})
        # what was told before the oldest of them, perhaps while all were paused, is nobody's business
        position = max(position, min((rule.row.since for rule in rules), default=0))
        told, reached = await store.told_after(session, workspace_id, position, types, AT_ONCE)
        meant = await _meant(session, rules, told)
        await store.lock(session, workspace_id, meant)
        for event in told:
            for rule in rules if event.conversation_id in meant else ():
                if rule.is_for(event):
                    await self._act(session, workspace_id, rule, event)
        await store.end(session, workspace_id, reached)
        return len(told) == AT_ONCE

    async def _act(self, session: WriteSession, workspace_id: UUID, asked: _Rule, event: Told) -> None:
        rule, connection = asked.row, await rows.connection_of(session)
        if not await conversation_filter.those(connection, [event.conversation_id], asked.where):
            return
        led = await store.led_to(session, workspace_id, event.traceparent)
        chain = [*led.chain, {"rule_id": str(led.rule_id), "run_id": str(led.id)}] if led is not None else []
        run = AutomationRun(
            workspace_id=workspace_id, id=ids.new_id(), rule_id=rule.id, rule_name=rule.name, rule_version=rule.version,
            event_id=event.id, event_type=event.type, conversation_id=event.conversation_id, outcome="done", chain=chain,
            traceparent=new_traceparent(), at=clock.now(),
        )  # fmt: skip
        if (looped := await _loops(session, rule, event, chain)) is not None:
            run.outcome, run.error = "looped", looped
            log.warning("automation ran in a circle", rule_id=str(rule.id), conversation_id=str(event.conversation_id))
        if not await store.keep(session, run) or looped is not None:
            return
        actor = Actor(rule.id, Role.ADMIN, f"rule {rule.name}", rule_id=rule.id)
        desk = Desk(workspace_id, actor, self.database, self.vault, self.settings, session)
        before = traceparent.set(run.traceparent)
        try:
            async with session.begin_nested():
                run.steps = await _done(desk, rule.actions, event.conversation_id)
        except WebcareError as refused:
            run.outcome, run.error = "failed", refused.detail
        except DBAPIError:  # another try may do it, and this transaction cannot
            raise
        except Exception:  # what nobody thought of must not stop all that comes after it
            log.exception("an action broke", rule_id=str(rule.id), conversation_id=str(event.conversation_id))
            run.outcome, run.error = "failed", BROKE
        finally:
            traceparent.reset(before)
        await store.settle(session, run)


async def _meant(session: WriteSession, rules: Sequence[_Rule], told: Sequence[Told]) -> frozenset[UUID]:
    """The conversations that some rule is to act on. All others are left alone: neither locked nor asked about one by one. What rules do
    stays within its conversation, so none of the others can come to match on the way."""
    connection = await rows.connection_of(session)
    found: frozenset[UUID] = frozenset()
    for rule in rules:
        if about := {event.conversation_id for event in told if rule.is_for(event)}:
            found |= await conversation_filter.those(connection, about, rule.where)
    return found


async def _loops(session: WriteSession, rule: Row[Any], event: Told, chain: Sequence[dict[str, Any]]) -> str | None:
    """Why this rule does not act on this event, if it must not."""
    if any(one["rule_id"] == str(rule.id) for one in chain):
        return "What this rule did brought the event about."
    if len(chain) >= LONGEST_CHAIN:
        return f"{LONGEST_CHAIN} rules in a row led to the event."
    lately = await store.done_lately(session, rule.workspace_id, rule.id, event.conversation_id, timedelta(hours=1))
    if lately >= OFTEN:
        return f"The rule acted on this conversation {OFTEN} times within an hour."
    return None


async def _done(desk: Desk, actions: Sequence[dict[str, Any]], conversation_id: UUID) -> list[dict[str, object]]:
    """Does the actions, all or none, and gives them as they were done. Raises what a verb refuses."""
    steps: list[dict[str, object]] = []
    for place, action in enumerate(actions):
        given = {name: value for name, value in action.items() if name != "do"}
        try:
            made = await BY_RULE[str(action["do"])](desk, conversation_id, given)
        except WebcareError as refused:
            refused.detail = f"Action {place + 1} ({action['do']}): {refused.detail}"
            raise
        steps.append({**action, "id": str(made) if made else None})
    return steps

"""Presence: who is there. An agent says it of themselves; whoever keeps the settings may say it of others."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from services.api.desk import fields
from services.api.desk.desk import Desk
from shared import outbox
from shared.acts import routing
from shared.acts.offers import DISPATCH
from shared.kit import clock
from shared.kit.database import wake_after_commit
from shared.kit.errors import Forbidden, Invalid, NotFound
from shared.models import facts
from shared.models.workspace import Role
from shared.store import skills as store

PRESENCES = ("online", "away", "offline")
MAY_SPEAK_FOR_OTHERS = frozenset({Role.ADMIN, Role.LEAD, Role.INTEGRATION})


async def list_presence(desk: Desk) -> list[dict[str, Any]]:
    """Every agent: agent_id, name, presence and since when, whether at work by their shifts, load (in weights, offers included) of
    capacity, and how many offers stand before them."""
    now = clock.now()
    async with desk.writing() as inside:
        agents = await store.standing(inside.session, desk.workspace_id)
        known = {one.agent_id: one for one in await routing.every_candidate(inside.session, desk.workspace_id, now)}
    return [
        {
            "agent_id": str(row.id), "name": row.name, "presence": row.presence,
            "presence_since": clock.iso(row.presence_since) if row.presence_since else None,
            "on_shift": known[row.id].on_shift, "load": known[row.id].load, "capacity": row.capacity, "offers": row.offers,
        }
        for row in agents if row.id in known
    ]  # fmt: skip


async def set_presence(desk: Desk, given: Mapping[str, Any]) -> UUID:
    """{"presence": "online"}: of the asking agent, or of another one, {"agent_id": …}, by whoever may. Returns the agent's id.

    Raises Invalid, NotFound, Forbidden."""
    fields.refuse_others(given, ("presence", "agent_id"))
    presence = given.get("presence")
    if presence not in PRESENCES:
        raise Invalid(f"presence is {', '.join(PRESENCES)}.", errors=[("/presence", "is none of these")])
    agent_id = fields.take_id(given, "agent_id", required=False) or desk.acting_agent()
    if agent_id != desk.actor.agent_id and desk.actor.role not in MAY_SPEAK_FOR_OTHERS:
        raise Forbidden(f"The role {desk.actor.role} may set only its own presence.")
    former = await store.set_presence(desk.session, desk.workspace_id, agent_id, str(presence), clock.now())
    if former is None:
        raise NotFound("There is no such agent.")
    await tell(desk, agent_id, former, str(presence))
    return agent_id


async def tell(desk: Desk, agent_id: UUID, former: str, presence: str) -> None:
    """Tells that an agent stands otherwise, and has whoever hands out work look at once."""
    if former != presence:
        detail = {"from": former, "to": presence, "by": desk.actor.said()}
        await outbox.add(desk.session, desk.workspace_id, [facts.PresenceChanged(subject_id=agent_id, detail=detail)])
        wake_after_commit(desk.session, DISPATCH)

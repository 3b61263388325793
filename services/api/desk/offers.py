"""Offers: an agent takes the work that is pushed, or lets it go to the next one."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from services.api.desk import fields
from services.api.desk.desk import Desk
from shared.acts import offers as acts
from shared.store import offers as store

LONGEST_REASON = 500


async def accept_offer(desk: Desk, offer_id: UUID) -> UUID:
    """Takes what is offered to the asking agent; the conversation is theirs.

    Raises NotFound, Forbidden where no agent asks or it is offered to another, OfferAnswered, OfferExpired."""
    agent_id = desk.acting_agent()
    offer = await store.lock(desk.session, desk.workspace_id, offer_id)
    await acts.accept(desk.session, offer, agent_id, actor=desk.actor.said())
    return offer.id


async def decline_offer(desk: Desk, offer_id: UUID, given: Mapping[str, Any]) -> UUID:
    """Lets what is offered to the asking agent go to the next one: {"reason": "…"}, which may be left out. Raises as `accept_offer`."""
    fields.refuse_others(given, ("reason",))
    reason = fields.take_text(given, "reason", most=LONGEST_REASON, required=False)
    agent_id = desk.acting_agent()
    offer = await store.lock(desk.session, desk.workspace_id, offer_id)
    await acts.decline(desk.session, offer, agent_id, reason=reason)
    return offer.id

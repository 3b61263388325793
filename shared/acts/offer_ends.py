"""How offers end without an answer: by time, or because their work needs nobody any more or went elsewhere; and how an offer is told of."""

from uuid import UUID

from shared import outbox
from shared.kit import clock
from shared.kit.database import WriteSession
from shared.models import facts
from shared.models.conversation import Conversation
from shared.models.facts import Fact
from shared.models.offer import Offer, OfferState
from shared.store import offers as store
from shared.store import routing


async def expire(session: WriteSession, workspace_id: UUID) -> int:
    """Ends offers that nobody answered in time. Returns how many."""
    now = clock.now()
    past = await store.past(session, workspace_id, now)
    for offer in past:
        offer.become(OfferState.EXPIRED, now)
    await session.flush()
    await outbox.add(session, workspace_id, [answered(facts.OfferExpired, one) for one in past])
    return len(past)


async def withdraw(session: WriteSession, conversation: Conversation, because: str) -> None:
    """Takes back the offer of a locked conversation that somebody got by hand, or that needs nobody any more."""
    offer = await store.open_of(session, conversation.workspace_id, conversation.id)
    if offer is not None:
        offer.become(OfferState.WITHDRAWN, clock.now(), because)
        await session.flush()
        await outbox.add(session, conversation.workspace_id, [answered(facts.OfferWithdrawn, offer)])


async def moved(session: WriteSession, conversation: Conversation) -> None:
    """Has a locked conversation that was put into another queue by hand wait there anew: whoever refused it in the former one is asked
    again, and what stood there of it is withdrawn."""
    conversation.queued_at = clock.now()
    await session.flush()
    await withdraw(session, conversation, "moved to another queue")
    by_hand = {
        "conversation_id": conversation.id, "kind": "manual", "queue_id": conversation.queue_id, "agent_id": conversation.assignee_id,
        "reason": "moved to this queue by hand" if conversation.queue_id else "taken out of its queue by hand",
    }  # fmt: skip
    await routing.add_decisions(session, conversation.workspace_id, [by_hand])


def answered(kind: type[Fact], offer: Offer) -> Fact:
    """What is told of an offer."""
    return told_of(kind, offer.id, offer.conversation_id, offer.agent_id, offer.queue_id)


def told_of(kind: type[Fact], offer_id: UUID, conversation_id: UUID, agent_id: UUID, queue_id: UUID) -> Fact:
    """What is told of an offer that is just being made."""
    return kind(
        subject_id=offer_id, conversation_id=conversation_id, detail={"agent_id": agent_id, "queue_id": queue_id}
    )

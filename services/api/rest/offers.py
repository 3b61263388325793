"""Offers over REST: work that is pushed to agents."""

from fastapi import Response

from services.api.auth import Action
from services.api.desk import offers
from services.api.rest.door import Call, Door, filters_of, one, page
from services.api.rest.inputs import TEXT, maybe, record

door = Door("queues")
_WHY = record(reason=maybe({**TEXT, "minLength": 1, "maxLength": offers.LONGEST_REASON}))


@door.get("/offers", "listOffers", Action.READ_CONVERSATIONS, page("offer"), query=filters_of("offer"))
async def list_offers(call: Call) -> Response:
    """Work that was offered to agents, the newest first; `?agent=…&state=open` is what stands before one."""
    return await call.listed("offer")


@door.get("/offers/{id}", "getOffer", Action.READ_CONVERSATIONS, one("offer"))
async def get_offer(call: Call) -> Response:
    """One offer."""
    return await call.one("offer", call.id())


@door.post("/offers/{id}/accept", "acceptOffer", Action.TAKE_WORK, one("offer"), status=200)
async def accept_offer(call: Call) -> Response:
    """Takes it: the conversation is the asking agent's.

    409 `offer_answered` where it was answered already, `offer_expired` where it ran out: then the next agent is asked.
    """
    return await call.write("offer", lambda desk: offers.accept_offer(desk, call.id()))


@door.post(
    "/offers/{id}/decline", "declineOffer", Action.TAKE_WORK, one("offer"), takes=_WHY, status=200,
    example={"reason": "I do not know this product."},
)  # fmt: skip
async def decline_offer(call: Call) -> Response:
    """Lets it go to the next agent. Declined work does not come back to the same agent while it waits."""
    key, given = call.id(), await call.body()
    return await call.write("offer", lambda desk: offers.decline_offer(desk, key, given))

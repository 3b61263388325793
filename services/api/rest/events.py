"""The feed of events over REST."""

from fastapi import Response

from services.api.auth import Action
from services.api.desk import events
from services.api.rest.door import Call, Door, Parameter, shape
from services.api.rest.inputs import EVENT_PAGE
from services.api.rest.params import PARAMETERS_OF_A_FEED

door = Door("events")


@door.get(
    "/events", "listEvents", Action.READ_EVENTS, shape(EVENT_PAGE), also={410: "The position has expired."},
    query={**PARAMETERS_OF_A_FEED, "conversation": Parameter("id", "Only those of this conversation.")},
)  # fmt: skip
async def list_events(call: Call) -> Response:
    """Everything that happened, in the one order in which everybody hears of it.

    Ask again with `after` = `page.next_cursor`: nothing is missed and nothing comes twice. Each item is byte for byte what
    webhooks carry; from whom personal data is hidden, gets it without words of customers. A position that has expired answers 410.
    """
    conversation = call.id_of("conversation")
    return await call.feed(lambda after, limit, types: events.read_feed(call.desk, after, limit, types, conversation))

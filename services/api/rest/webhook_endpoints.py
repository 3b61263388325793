"""Webhook endpoints and their deliveries over REST."""

from fastapi import Response

from services.api.auth import Action
from services.api.desk import webhook_endpoints as endpoints
from services.api.rest.door import Call, Door, filters_of, one, page, shape
from services.api.rest.inputs import COUNT_OF_DELIVERIES, SECRET, SINCE
from shared.models.event import WebhookEndpointFields

door = Door("webhooks")
_EXAMPLE = {"url": "https://crm.example.com/webcare", "event_types": ["conversation.*", "sla.breached"]}


@door.get("/webhook-endpoints", "listWebhookEndpoints", Action.READ_WEBHOOKS, page("webhook_endpoint"))
async def list_webhook_endpoints(call: Call) -> Response:
    """The endpoints, the newest first."""
    return await call.listed("webhook_endpoint")


@door.post(
    "/webhook-endpoints", "createWebhookEndpoint", Action.WRITE_WEBHOOKS, one("webhook_endpoint", secret=SECRET),
    takes=WebhookEndpointFields, example=_EXAMPLE,
)  # fmt: skip
async def create_webhook_endpoint(call: Call) -> Response:
    """Adds an endpoint; its secret is told in this answer only.

    Deliveries follow Standard Webhooks 1.0. The URL must be https and public, unless the operator allowed its network.
    """
    given = await call.body()
    return await call.write("webhook_endpoint", lambda desk: endpoints.create_webhook_endpoint(desk, given))


@door.get("/webhook-endpoints/{id}", "getWebhookEndpoint", Action.READ_WEBHOOKS, one("webhook_endpoint"))
async def get_webhook_endpoint(call: Call) -> Response:
    """One endpoint."""
    return await call.one("webhook_endpoint", call.id())


@door.patch(
    "/webhook-endpoints/{id}", "changeWebhookEndpoint", Action.WRITE_WEBHOOKS, one("webhook_endpoint"),
    takes=WebhookEndpointFields,
)  # fmt: skip
async def change_webhook_endpoint(call: Call) -> Response:
    """Changes what is sent of an endpoint; `status` enables it again."""
    key, given = call.id(), await call.body()
    return await call.write("webhook_endpoint", lambda desk: endpoints.change_webhook_endpoint(desk, key, given))


@door.delete("/webhook-endpoints/{id}", "removeWebhookEndpoint", Action.WRITE_WEBHOOKS)
async def remove_webhook_endpoint(call: Call) -> Response:
    """Takes an endpoint away; what still waits for it is not delivered."""
    return await call.do(lambda desk: endpoints.remove_webhook_endpoint(desk, call.id()))


@door.post(
    "/webhook-endpoints/{id}/test", "testWebhookEndpoint", Action.WRITE_WEBHOOKS, one("webhook_endpoint"), status=202
)
async def test_webhook_endpoint(call: Call) -> Response:
    """Sends this endpoint a `webhook_endpoint.tested` event."""
    return await call.write("webhook_endpoint", lambda desk: endpoints.test_webhook_endpoint(desk, call.id()))


@door.post(
    "/webhook-endpoints/{id}/rotate-secret", "rotateWebhookSecret", Action.WRITE_WEBHOOKS,
    one("webhook_endpoint", secret=SECRET), status=200,
)  # fmt: skip
async def rotate_webhook_secret(call: Call) -> Response:
    """Makes a new secret, told in this answer only; for a day the former one signs as well."""
    return await call.write("webhook_endpoint", lambda desk: endpoints.rotate_secret(desk, call.id()))


@door.post(
    "/webhook-endpoints/{id}/recover", "recoverWebhookDeliveries", Action.WRITE_WEBHOOKS, shape(COUNT_OF_DELIVERIES),
    takes=SINCE, status=202,
)  # fmt: skip
async def recover_webhook_deliveries(call: Call) -> Response:
    """Tries again what failed since a moment."""
    given = await call.body()
    return await call.do(lambda desk: endpoints.recover(desk, call.id(), given))


@door.post(
    "/webhook-endpoints/{id}/replay-missing", "replayMissingWebhookDeliveries", Action.WRITE_WEBHOOKS,
    shape(COUNT_OF_DELIVERIES), takes=SINCE, status=202,
)  # fmt: skip
async def replay_missing_webhook_deliveries(call: Call) -> Response:
    """Delivers what this endpoint was never sent since a moment."""
    given = await call.body()
    return await call.do(lambda desk: endpoints.replay_missing(desk, call.id(), given))


@door.get(
    "/webhook-endpoints/{id}/deliveries", "listDeliveriesOfWebhookEndpoint", Action.READ_WEBHOOKS, page("delivery"),
    query={name: item for name, item in filters_of("delivery").items() if name != "endpoint"},
)  # fmt: skip
async def list_deliveries_of_webhook_endpoint(call: Call) -> Response:
    """What was told to an endpoint and what became of it, the newest first."""
    await call.one("webhook_endpoint", call.id())
    return await call.listed("delivery", endpoint=call.id())


@door.get(
    "/webhook-endpoints/{id}/attempts", "listAttemptsOfWebhookEndpoint", Action.READ_WEBHOOKS, page("delivery_attempt")
)
async def list_attempts_of_webhook_endpoint(call: Call) -> Response:
    """Each try to reach an endpoint, the newest first."""
    await call.one("webhook_endpoint", call.id())
    return await call.listed("delivery_attempt", endpoint=call.id())


@door.get("/deliveries", "listDeliveries", Action.READ_WEBHOOKS, page("delivery"), query=filters_of("delivery"))
async def list_deliveries(call: Call) -> Response:
    """All deliveries, the newest first."""
    return await call.listed("delivery")


@door.get("/deliveries/{id}", "getDelivery", Action.READ_WEBHOOKS, one("delivery"))
async def get_delivery(call: Call) -> Response:
    """One delivery."""
    return await call.one("delivery", call.id())


@door.get("/deliveries/{id}/attempts", "listAttemptsOfDelivery", Action.READ_WEBHOOKS, page("delivery_attempt"))
async def list_attempts_of_delivery(call: Call) -> Response:
    """Each try of a delivery."""
    await call.one("delivery", call.id())
    return await call.listed("delivery_attempt", delivery=call.id())


@door.post("/deliveries/{id}/resend", "resendDelivery", Action.WRITE_WEBHOOKS, one("delivery"), status=202)
async def resend_delivery(call: Call) -> Response:
    """Delivers one event once more."""
    return await call.write("delivery", lambda desk: endpoints.resend(desk, call.id()))

"""Webhook endpoints: whom we tell, and what became of each telling."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from services.api.desk import fields
from services.api.desk.desk import Desk
from shared import outbox
from shared.kit import clock
from shared.kit.addresses import WEBHOOKS, AddressGuard, AddressRefused
from shared.kit.errors import Conflict, Invalid
from shared.kit.secrets import new_webhook_secret
from shared.models import facts
from shared.models.event import Delivery, WebhookEndpoint, WebhookEndpointFields
from shared.store import deliveries, rows

ROTATION = timedelta(hours=24)
"""For how long the former secret signs as well, so that a receiver can change over without losing an event."""
_FURTHEST_BACK = timedelta(days=30)


async def create_webhook_endpoint(desk: Desk, given: Mapping[str, Any]) -> tuple[UUID, str]:
    """Adds an endpoint and makes its secret. Returns its id and the secret, which is told this once."""
    asked = fields.read_fields(WebhookEndpointFields, given)
    _check_types(asked.event_types)
    await check_url(desk, asked.url)
    endpoint = WebhookEndpoint(workspace_id=desk.workspace_id, secret=b"", **fields.values_of(asked))
    secret = _new_secret(desk, endpoint)
    await rows.add(desk.session, endpoint)
    return endpoint.id, secret


async def change_webhook_endpoint(desk: Desk, endpoint_id: UUID, given: Mapping[str, Any]) -> UUID:
    """Changes what is given of an endpoint; enabling it again forgets its failures. Raises NotFound."""
    endpoint = await rows.take(desk.session, WebhookEndpoint, desk.workspace_id, endpoint_id)
    asked = fields.changed_fields(WebhookEndpointFields, endpoint, given)
    _check_types(asked.event_types)
    changed = fields.lay_over(endpoint, asked)
    if "url" in changed:
        await check_url(desk, asked.url)
    if endpoint.status == "enabled":
        endpoint.disabled_because = None
        if "status" in changed or "url" in changed:
            endpoint.failing_since = None
    await rows.touch(desk.session, endpoint)
    return endpoint.id


async def remove_webhook_endpoint(desk: Desk, endpoint_id: UUID) -> None:
    """Takes an endpoint away; what still waited for it is not delivered."""
    endpoint = await rows.take(desk.session, WebhookEndpoint, desk.workspace_id, endpoint_id)
    await deliveries.give_up(desk.session, desk.workspace_id, [endpoint_id], "the endpoint was removed")
    await rows.remove(desk.session, endpoint)


async def rotate_secret(desk: Desk, endpoint_id: UUID) -> tuple[UUID, str]:
    """Makes a new secret; the former one signs as well for a day. Returns the id and the secret, told this once."""
    endpoint = await rows.take(desk.session, WebhookEndpoint, desk.workspace_id, endpoint_id)
    endpoint.former_secret, endpoint.former_secret_until = endpoint.secret, clock.now() + ROTATION
    secret = _new_secret(desk, endpoint)
    await rows.touch(desk.session, endpoint)
    return endpoint.id, secret


async def test_webhook_endpoint(desk: Desk, endpoint_id: UUID) -> UUID:
    """Tells this endpoint, and no other, of a test. Raises NotFound, Conflict where it is disabled."""
    endpoint = await rows.take(desk.session, WebhookEndpoint, desk.workspace_id, endpoint_id)
    if endpoint.status != "enabled":
        raise Conflict("The endpoint is disabled; enable it before you test it.")
    await outbox.add(
        desk.session, desk.workspace_id,
        [facts.WebhookTested(subject_id=endpoint.id, detail={"by": desk.actor.said()})],
    )  # fmt: skip
    return endpoint.id


async def recover(desk: Desk, endpoint_id: UUID, given: Mapping[str, Any]) -> dict[str, int]:
    """Tries again what failed since a moment (`since`, with its zone). Returns how many deliveries are due again."""
    endpoint = await rows.take(desk.session, WebhookEndpoint, desk.workspace_id, endpoint_id)
    return {"deliveries": await deliveries.recover(desk.session, desk.workspace_id, endpoint.id, _since(given))}


async def replay_missing(desk: Desk, endpoint_id: UUID, given: Mapping[str, Any]) -> dict[str, int]:
    """Delivers what this endpoint was never sent since a moment (`since`). Returns how many deliveries that makes."""
    endpoint = await rows.take(desk.session, WebhookEndpoint, desk.workspace_id, endpoint_id)
    return {"deliveries": await deliveries.replay_missing(desk.session, desk.workspace_id, endpoint.id, _since(given))}


async def resend(desk: Desk, delivery_id: UUID) -> UUID:
    """Delivers one event once more, whatever became of it. Raises NotFound, Conflict while it is on its way."""
    delivery = await rows.take(desk.session, Delivery, desk.workspace_id, delivery_id)
    if not await deliveries.resend(desk.session, desk.workspace_id, delivery.id):
        raise Conflict("It is on its way at this very moment; look again in a few seconds.")
    return delivery.id


async def check_url(desk: Desk, url: str) -> None:
    """Raises Invalid where we would not call that URL."""
    guard = AddressGuard(desk.settings.allowed_networks, rules=WEBHOOKS)
    try:
        await guard.check(url)
    except AddressRefused as refused:
        raise Invalid(str(refused), errors=[("/url", str(refused))], code="address_refused") from refused
    except (OSError, TimeoutError) as unknown:
        said = "The host's name cannot be resolved; check it, or try again."
        raise Invalid(said, errors=[("/url", said)], code="address_refused") from unknown


def _check_types(names: list[str]) -> None:
    nouns = {name.partition(".")[0] for name in facts.FACTS}
    errors = [
        (f"/event_types/{place}", f"{name!r} is no event type. Write a name of the catalogue, as mention.triaged, or mention.*, or *.")
        for place, name in enumerate(names)
        if not (name == "*" or name in facts.FACTS or (name.endswith(".*") and name[:-2] in nouns))
    ]  # fmt: skip
    if not names:
        errors = [("/event_types", 'Say of what we tell: ["*"] is everything.')]
    if errors:
        raise Invalid("These event types are not known.", errors=errors)


def _new_secret(desk: Desk, endpoint: WebhookEndpoint) -> str:
    secret = new_webhook_secret()
    endpoint.secret = desk.vault.seal(secret, desk.workspace_id, deliveries.SECRET_FIELD)
    return secret


def _since(given: Mapping[str, Any]) -> datetime:
    fields.refuse_others(given, ("since",))
    value = given.get("since")
    try:
        since = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        since = None
    if since is None or since.tzinfo is None:
        raise Invalid(
            "since must be a moment with its zone, as 2026-11-22T10:00:00Z.", errors=[("/since", "is no such moment")]
        )
    if since < clock.now() - _FURTHEST_BACK:
        raise Invalid("since may be 30 days back at most.", errors=[("/since", "is too long ago")])
    return since

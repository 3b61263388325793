"""API keys over REST."""

from fastapi import Response

from services.api.auth import Action
from services.api.desk import keys
from services.api.rest.door import Call, Door, one, page
from services.api.rest.inputs import SECRET
from shared.models.workspace import ApiKeyFields

door = Door("keys")
_EXAMPLE = {"name": "CRM", "role": "integration", "expires_at": "2027-12-31T00:00:00Z"}


@door.get("/api-keys", "listApiKeys", Action.MANAGE_KEYS, page("api_key"))
async def list_api_keys(call: Call) -> Response:
    """The keys, by name: who has one, its role, when it was last used. The keys themselves are never shown."""
    return await call.listed("api_key")


@door.post(
    "/api-keys", "createApiKey", Action.MANAGE_KEYS, one("api_key", key=SECRET), takes=ApiKeyFields, example=_EXAMPLE
)
async def create_api_key(call: Call) -> Response:
    """Makes a key; it is told in this answer only."""
    given = await call.body()
    return await call.write("api_key", lambda desk: keys.create_api_key(desk, given), told_as="key")


@door.get("/api-keys/{id}", "getApiKey", Action.MANAGE_KEYS, one("api_key"))
async def get_api_key(call: Call) -> Response:
    """One key, without the key itself."""
    return await call.one("api_key", call.id())


@door.delete("/api-keys/{id}", "revokeApiKey", Action.MANAGE_KEYS)
async def revoke_api_key(call: Call) -> Response:
    """Ends a key within seconds, for good; it stays in the list as revoked."""
    return await call.do(lambda desk: keys.revoke_api_key(desk, call.id()))

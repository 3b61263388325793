"""From whom personal data is hidden, over REST."""

from fastapi import Response

from services.api.auth import Action
from services.api.desk import workspaces
from services.api.rest.door import Call, Door, answer, shape
from services.api.rest.inputs import Schema, many, record, shown
from shared.models.masking import PersonalData
from shared.models.workspace import Role

door = Door("masking")
_ROLES: Schema = {
    **many({"type": "string", "enum": [role for role in Role if role != Role.ADMIN]}),
    "description": "Who does not see personal data; admins always do.",
}
_KINDS: Schema = {
    **many({"type": "string", "enum": list(PersonalData)}),
    "minItems": 1,
    "description": "What is masked in texts. What cannot be masked by its place is hidden whole, whatever the kinds.",
}


@door.get("/masking", "readMasking", Action.READ_SETTINGS, shape(shown(roles=_ROLES, kinds=_KINDS)))
async def read_masking(call: Call) -> Response:
    """From which roles personal data is hidden, and which kinds of it."""
    call.only()
    return answer((await workspaces.read_masking(call.desk)).as_setting())


@door.patch(
    "/masking", "changeMasking", Action.MANAGE_MASKING, shape(shown(roles=_ROLES, kinds=_KINDS)),
    takes=record(roles=_ROLES, kinds=_KINDS), example={"roles": ["analyst"]},
)  # fmt: skip
async def change_masking(call: Call) -> Response:
    """Hides personal data from roles, or shows it again; it holds within seconds."""
    given = await call.body()
    return await call.do(lambda desk: workspaces.change_masking(desk, given))

"""The ledger over REST."""

from fastapi import Response

from services.api.auth import Action
from services.api.desk import ledger
from services.api.rest.door import Call, Door, Parameter, answer, shape
from services.api.rest.inputs import ID, TEXT, TIME, data_of, shown
from services.api.rest.params import SINCE_MOMENT, UNTIL_MOMENT

door = Door("ledger")
_COUNT = {"type": "integer"}
_HOUR = shown(
    channel=TEXT, channel_id=ID, hour=TIME, received=_COUNT, stored=_COUNT, updated=_COUNT, duplicate=_COUNT, filtered=_COUNT,
    quarantined=_COUNT, rejected=_COUNT,
)  # fmt: skip


@door.get(
    "/ledger", "readLedger", Action.READ_LEDGER, shape(data_of(_HOUR)),
    query={"from": SINCE_MOMENT, "to": UNTIL_MOMENT, "channel": Parameter("text", "One channel, by id or name.")},
)  # fmt: skip
async def read_ledger(call: Call) -> Response:
    """What came in and what became of it, per channel and hour, the newest first.

    received = stored + updated + duplicate + filtered + quarantined + rejected, or an alarm says by how much not.
    """
    call.only("from", "to", "channel")
    hours = await ledger.read_ledger(call.desk, call.moment("from"), call.moment("to"), call.query.get("channel"))
    return answer({"data": hours})

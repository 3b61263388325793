"""Calendars and SLA policies over REST."""

from fastapi import Response

from services.api.auth import Action
from services.api.desk import calendars, sla_policies
from services.api.rest.door import Call, Door, one, page
from services.api.rest.inputs import CALENDAR, SLA_POLICY

door = Door("sla")
_CALENDAR = {
    "name": "Office", "timezone": "Europe/Amsterdam", "weekly": {"mon": [["09:00", "17:00"]], "fri": [["09:00", "12:00"]]},
    "holidays": [{"date": "2026-12-25", "name": "Christmas"}],
}  # fmt: skip
_POLICY = {
    "name": "Standard", "position": 1, "filter": {}, "starts_at": "published_at", "ignore_older_than": "P7D",
    "targets": [{"metric": "first_response", "priority": "*", "within": "PT1H", "hours": "clock"}], "warnings": ["0.75"],
}  # fmt: skip


@door.get("/calendars", "listCalendars", Action.READ_SETTINGS, page("calendar"))
async def list_calendars(call: Call) -> Response:
    """The calendars, by name."""
    return await call.listed("calendar")


@door.post("/calendars", "createCalendar", Action.WRITE_SETTINGS, one("calendar"), takes=CALENDAR, example=_CALENDAR)
async def create_calendar(call: Call) -> Response:
    """Adds a calendar of business hours."""
    given = await call.body()
    return await call.write("calendar", lambda desk: calendars.create_calendar(desk, given))


@door.get("/calendars/{id}", "getCalendar", Action.READ_SETTINGS, one("calendar"))
async def get_calendar(call: Call) -> Response:
    """One calendar."""
    return await call.one("calendar", call.id())


@door.patch("/calendars/{id}", "changeCalendar", Action.WRITE_SETTINGS, one("calendar"), takes=CALENDAR)
async def change_calendar(call: Call) -> Response:
    """Changes what is sent of a calendar of business hours."""
    key, given = call.id(), await call.body()
    return await call.write("calendar", lambda desk: calendars.change_calendar(desk, key, given))


@door.delete("/calendars/{id}", "removeCalendar", Action.WRITE_SETTINGS)
async def remove_calendar(call: Call) -> Response:
    """Takes a calendar away; 409 while a policy goes by it."""
    return await call.do(lambda desk: calendars.remove_calendar(desk, call.id()))


@door.get("/sla-policies", "listSlaPolicies", Action.READ_SETTINGS, page("sla_policy"))
async def list_sla_policies(call: Call) -> Response:
    """The policies, in the order in which they are tried."""
    return await call.listed("sla_policy")


@door.post(
    "/sla-policies", "createSlaPolicy", Action.WRITE_SETTINGS, one("sla_policy"), takes=SLA_POLICY, example=_POLICY
)
async def create_sla_policy(call: Call) -> Response:
    """Adds a policy; the first by position whose filter matches a conversation holds."""
    given = await call.body()
    return await call.write("sla_policy", lambda desk: sla_policies.create_sla_policy(desk, given))


@door.get("/sla-policies/{id}", "getSlaPolicy", Action.READ_SETTINGS, one("sla_policy"))
async def get_sla_policy(call: Call) -> Response:
    """One policy."""
    return await call.one("sla_policy", call.id())


@door.patch("/sla-policies/{id}", "changeSlaPolicy", Action.WRITE_SETTINGS, one("sla_policy"), takes=SLA_POLICY)
async def change_sla_policy(call: Call) -> Response:
    """Changes what is sent of a policy; clocks that run keep their terms."""
    key, given = call.id(), await call.body()
    return await call.write("sla_policy", lambda desk: sla_policies.change_sla_policy(desk, key, given))


@door.delete("/sla-policies/{id}", "removeSlaPolicy", Action.WRITE_SETTINGS)
async def remove_sla_policy(call: Call) -> Response:
    """Takes a policy away; clocks that run keep what they were promised."""
    return await call.do(lambda desk: sla_policies.remove_sla_policy(desk, call.id()))

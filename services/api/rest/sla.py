"""Calendars and SLA policies over REST."""

from fastapi import Response

from services.api.auth import Action
from services.api.desk import calendars, sla_policies, sla_what_if
from services.api.rest.door import Call, Door, answer, one, page, shape
from services.api.rest.inputs import (
    CALENDAR,
    DURATION,
    ICAL,
    ID,
    SLA_POLICY,
    TEXT,
    TIME,
    Schema,
    many,
    maybe,
    record,
    shown,
)

door = Door("sla")
_CALENDAR = {
    "name": "Office", "timezone": "Europe/Amsterdam", "weekly": {"mon": [["09:00", "17:00"]], "fri": [["09:00", "12:00"]]},
    "holidays": [{"date": "2026-12-25", "name": "Christmas"}],
}  # fmt: skip
_POLICY = {
    "name": "Standard", "position": 1, "filter": {}, "starts_at": "published_at", "ignore_older_than": "P7D",
    "targets": [{"metric": "first_response", "priority": "*", "within": "PT1H", "hours": "clock"}], "warnings": ["0.75"],
}  # fmt: skip

_COUNT: Schema = {"type": "integer", "minimum": 0}
_VERDICTS = shown(met=_COUNT, breached=_COUNT)
_VERDICT = shown(
    metric=TEXT, state={"type": "string", "enum": ["met", "breached", "open"]}, started_at=TIME, deadline_at=maybe(TIME),
    stopped_at=maybe(TIME), breached_at=maybe(TIME), elapsed=maybe(DURATION),
)  # fmt: skip
_WHAT_IF = record(
    from_=TIME, to=TIME, policies=many({"type": "object", "description": "As for creating one; `calendar` may hold its hours."}),
    policy_id=ID, changes={"type": "object", "description": "What would be another of that policy."},
    calendar={"type": "object", "description": "Hours as for creating a calendar, instead of those of all policies that have one."},
)  # fmt: skip
_WOULD_BE = shown(
    from_=TIME, to=TIME, looked_at=_COUNT, complete={"type": "boolean", "description": "False where there is more than was looked at."},
    stored={**_COUNT, "description": "Clocks that stand."},
    reproduced={**_COUNT, "description": "Those of them that the policies that held reproduce exactly: all."},
    metrics=many(shown(metric=TEXT, clocks=_COUNT, stored=_VERDICTS, proposed=_VERDICTS, changed=_COUNT)),
    samples=many(shown(conversation_id=ID, stored=many(_VERDICT), proposed=many(_VERDICT))),
)  # fmt: skip


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
    """Changes what is sent of a calendar of business hours; clocks that run by it come under the new hours as of now."""
    key, given = call.id(), await call.body()
    return await call.write("calendar", lambda desk: calendars.change_calendar(desk, key, given))


@door.post(
    "/calendars/{id}/holidays", "importHolidays", Action.WRITE_SETTINGS, one("calendar"), takes=ICAL, status=200,
    example={"text": "BEGIN:VCALENDAR\r\nVERSION:2.0\r\n…\r\nEND:VCALENDAR\r\n"},
)  # fmt: skip
async def import_holidays(call: Call) -> Response:
    """Takes the holidays of an iCalendar file among the calendar's own.

    Events of whole days close them; events with times leave what they do not cover of the day's usual hours. A day that has an
    entry already keeps it. For a feed that is read daily set `ical_url` instead.
    """
    key, given = call.id(), await call.body()
    return await call.write("calendar", lambda desk: calendars.import_holidays(desk, key, given))


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
    """Changes what is sent of a policy; clocks that run come under it as of now and keep the time used."""
    key, given = call.id(), await call.body()
    return await call.write("sla_policy", lambda desk: sla_policies.change_sla_policy(desk, key, given))


@door.delete("/sla-policies/{id}", "removeSlaPolicy", Action.WRITE_SETTINGS)
async def remove_sla_policy(call: Call) -> Response:
    """Takes a policy away; clocks that run keep what they were promised."""
    return await call.do(lambda desk: sla_policies.remove_sla_policy(desk, call.id()))


@door.post(
    "/sla-policies/what-if", "whatIfSlaPolicies", Action.READ_METRICS, shape(_WOULD_BE), takes=_WHAT_IF, status=200,
    example={"policies": [{"targets": [{"metric": "first_response", "within": "PT30M", "hours": "clock"}]}]},
)  # fmt: skip
async def what_if_sla_policies(call: Call) -> Response:
    """What would have become of the promises of a period under other policies, or another calendar; nothing is changed.

    Replays the conversations opened then, 50,000 at most, under `policies` instead of those in force, or under these with `changes` to
    one of them. Four weeks are looked at unless `from` and `to` say otherwise. `samples` are conversations whose verdicts would differ.
    """
    return answer(await sla_what_if.what_if_sla_policies(call.desk, await call.body()))

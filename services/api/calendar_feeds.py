"""Reads the iCalendar feeds that calendars follow, once a day: new holidays are a new version of the calendar."""

from datetime import timedelta
from uuid import UUID

from shared.acts import calendars as acts
from shared.kit import clock, logging
from shared.kit.addresses import AddressRefused
from shared.kit.database import Database
from shared.kit.errors import Invalid, NotFound
from shared.kit.http import HttpClient, HttpError
from shared.models.sla import Calendar
from shared.rules import ical
from shared.store import calendars as store
from shared.store import rows

AGAIN = timedelta(hours=1)
"""When a feed is read again after it could not be."""
DEADLINE_S = 30.0
_HEADERS = {"Accept": "text/calendar, text/plain;q=0.5"}

log = logging.get(__name__)


async def read_due(database: Database, http: HttpClient) -> None:
    """Reads what is due. A feed that fails is told in `ical_error` and tried again in an hour; its holidays stay."""
    async with database.lookup() as connection:
        due = await store.due(connection)
    for workspace_id, calendar_id in due:
        async with database.write(workspace_id) as session:
            begun = await store.begin(session, workspace_id, calendar_id, clock.now() + AGAIN)
        if begun is not None:
            await _read(database, http, workspace_id, calendar_id, begun.ical_url)


async def _read(database: Database, http: HttpClient, workspace_id: UUID, calendar_id: UUID, url: str) -> None:
    try:
        body = await _fetch(http, url)
        async with database.write(workspace_id) as session:
            calendar = await rows.take(session, Calendar, workspace_id, calendar_id)
            if calendar.ical_url != url:
                return  # it follows another feed by now
            changed = await acts.follow(session, calendar, body, clock.now())
            version = calendar.version
    except NotFound:
        return
    except (Invalid, _Unread) as wrong:
        async with database.write(workspace_id) as session:
            await store.failed(session, workspace_id, calendar_id, url, str(wrong))
        log.warning("a calendar's feed was not read", calendar_id=str(calendar_id), error=str(wrong)[:200])
        return
    if changed:
        log.info("a calendar's feed brought other hours", calendar_id=str(calendar_id), version=version)


class _Unread(Exception):
    """The feed did not come, with a sentence that says why."""


async def _fetch(http: HttpClient, url: str) -> bytes:
    try:
        answer = await http.get(url, headers=_HEADERS, redirects=3, deadline_s=DEADLINE_S, max_bytes=ical.LARGEST)
    except (AddressRefused, HttpError) as failed:
        raise _Unread(str(failed)) from failed
    if answer.status != 200:
        raise _Unread(f"The feed's address answered {answer.status}.")
    return answer.body

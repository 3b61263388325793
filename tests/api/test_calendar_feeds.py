"""Calendars that follow an iCalendar feed, read from a real server on this machine, and holidays taken from a file."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from sqlalchemy import text

from services.api import calendar_feeds
from shared.kit.http import HttpClient
from tests.api.test_settings import HOURS
from tests.api.world import World
from tests.rules.test_ical import a_file

EVE = "SUMMARY:Christmas Eve / DTSTART;TZID=Europe/Amsterdam:20261224T120000 / DTEND;TZID=Europe/Amsterdam:20261225T000000"
CHRISTMAS = "SUMMARY:Christmas / DTSTART;VALUE=DATE:20261225"
MON_TO_FRI = {day: [["09:00", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}


@dataclass
class Feed:
    """A feed that says what a test has it say."""

    url: str = ""
    body: bytes = field(default_factory=lambda: a_file(EVE, CHRISTMAS))
    status: int = 200
    asked: int = 0

    async def answer(self, _: web.Request) -> web.Response:
        self.asked += 1
        return web.Response(status=self.status, body=self.body, content_type="text/calendar")


@asynccontextmanager
async def _served(feed: Feed) -> AsyncIterator[Feed]:
    app = web.Application()
    app.router.add_get("/holidays.ics", feed.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    feed.url = f"http://127.0.0.1:{runner.addresses[0][1]}/holidays.ics"
    try:
        yield feed
    finally:
        await runner.cleanup()


@pytest.fixture
async def feed() -> AsyncIterator[Feed]:
    async with _served(Feed()) as served:
        yield served


@pytest.fixture
async def http() -> AsyncIterator[HttpClient]:
    client = HttpClient(["127.0.0.0/8"])
    yield client
    await client.close()


async def _following(world: World, feed: Feed, **fields: Any) -> dict[str, Any]:
    made: dict[str, Any] = await world.post(
        "/v1/calendars", {**HOURS, "timezone": "Europe/Amsterdam", "weekly": MON_TO_FRI, "ical_url": feed.url, **fields}
    )
    return made


async def _read_again(world: World, http: HttpClient) -> None:
    async with world.database.write(world.workspace_id) as session:
        await session.execute(text("UPDATE calendar SET ical_due_at = now() - interval '1 second'"))
    await calendar_feeds.read_due(world.database, http)


async def _versions(world: World, calendar: dict[str, Any]) -> list[tuple[int, list[str]]]:
    async with world.database.read(world.workspace_id) as connection:
        rows = await connection.fetch(
            "SELECT version, ARRAY(SELECT h->>'name' FROM jsonb_array_elements(body->'holidays') h) AS names "
            "FROM sla_version WHERE subject_id::text = $1 ORDER BY version",
            calendar["id"],
        )
    return [(row["version"], row["names"]) for row in rows]


async def test_a_feed_is_read_at_once_and_then_daily(world: World, feed: Feed, http: HttpClient) -> None:
    calendar = await _following(world, feed, holidays=[{"date": "2026-12-25", "name": "Our own"}])
    await calendar_feeds.read_due(world.database, http)
    await calendar_feeds.read_due(world.database, http)
    assert feed.asked == 1, "it is due again tomorrow"
    shown = await world.get(f"/v1/calendars/{calendar['id']}")
    assert shown["ical_holidays"] == [
        {"date": "2026-12-24", "name": "Christmas Eve", "open": [["09:00", "12:00"]]},
        {"date": "2026-12-25", "name": "Christmas"},
    ]
    assert shown["ical_error"] is None
    assert shown["version"] == 2
    assert await _versions(world, calendar) == [(1, ["Our own"]), (2, ["Christmas Eve", "Our own"])]


async def test_what_says_the_same_makes_no_version(world: World, feed: Feed, http: HttpClient) -> None:
    calendar = await _following(world, feed)
    for _ in range(3):
        await _read_again(world, http)
    assert feed.asked == 3
    assert (await world.get(f"/v1/calendars/{calendar['id']}"))["version"] == 2
    feed.body = a_file(CHRISTMAS)
    await _read_again(world, http)
    assert (await _versions(world, calendar))[-1] == (3, ["Christmas"])


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [(503, b"", "answered 503"), (200, b"<html>", "BEGIN:VCALENDAR"), (200, b"x" * 1_100_000, "more than 1,000,000")],
)
async def test_a_feed_that_fails_is_told_and_its_holidays_stay(
    world: World, feed: Feed, http: HttpClient, status: int, body: bytes, says: str
) -> None:
    calendar = await _following(world, feed)
    await calendar_feeds.read_due(world.database, http)
    good = feed.body
    feed.status, feed.body = status, body
    await _read_again(world, http)
    shown = await world.get(f"/v1/calendars/{calendar['id']}")
    assert says in shown["ical_error"]
    assert [one["name"] for one in shown["ical_holidays"]] == ["Christmas Eve", "Christmas"]
    feed.status, feed.body = 200, good
    await _read_again(world, http)
    assert (await world.get(f"/v1/calendars/{calendar['id']}"))["ical_error"] is None


async def test_a_private_address_is_not_read(world: World, feed: Feed) -> None:
    calendar = await _following(world, feed)
    stranger = HttpClient()
    await calendar_feeds.read_due(world.database, stranger)
    await stranger.close()
    assert feed.asked == 0
    assert (await world.get(f"/v1/calendars/{calendar['id']}"))["ical_error"]


async def test_without_its_feed_a_calendar_forgets_what_it_said(world: World, feed: Feed, http: HttpClient) -> None:
    calendar = await _following(world, feed)
    await calendar_feeds.read_due(world.database, http)
    shown = (await world.call("PATCH", f"/v1/calendars/{calendar['id']}", {"ical_url": None})).json()
    assert (shown["ical_holidays"], shown["ical_read_at"], shown["version"]) == ([], None, 3)
    await _read_again(world, http)
    assert feed.asked == 1


async def test_other_usual_hours_leave_other_half_holidays(world: World, feed: Feed, http: HttpClient) -> None:
    calendar = await _following(world, feed)
    await calendar_feeds.read_due(world.database, http)
    weekly = {day: [["10:00", "14:00"]] for day in MON_TO_FRI}
    await world.call("PATCH", f"/v1/calendars/{calendar['id']}", {"weekly": weekly})
    await calendar_feeds.read_due(world.database, http)
    shown = await world.get(f"/v1/calendars/{calendar['id']}")
    assert shown["ical_holidays"][0] == {"date": "2026-12-24", "name": "Christmas Eve", "open": [["10:00", "12:00"]]}


async def test_holidays_from_a_file_become_the_calendars_own(world: World) -> None:
    own = [{"date": "2026-12-25", "name": "Our own"}]
    calendar = await world.post("/v1/calendars", {**HOURS, "weekly": MON_TO_FRI, "holidays": own})
    path = f"/v1/calendars/{calendar['id']}/holidays"
    shown = await world.post(
        path, {"text": a_file(CHRISTMAS, "SUMMARY:Second / DTSTART;VALUE=DATE:20261226").decode()}, status=200
    )
    assert [one["name"] for one in shown["holidays"]] == ["Our own", "Second"]
    assert shown["version"] == 2
    refused = await world.call("POST", path, {"text": "no calendar"})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/text")


@pytest.mark.parametrize("url", ["ftp://example.org/x.ics", "holidays.ics", "https://", 7, "https://[oops/"])
async def test_a_feed_needs_an_address(world: World, url: object) -> None:
    refused = await world.call("POST", "/v1/calendars", {**HOURS, "ical_url": url})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/ical_url")


async def test_webcal_is_https(world: World) -> None:
    made = await world.post("/v1/calendars", {**HOURS, "ical_url": "webcal://example.org/nl.ics"})
    assert made["ical_url"] == "https://example.org/nl.ics"

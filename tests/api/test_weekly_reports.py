"""Last week's report is there before anybody asks: rendered once its week is over, by the workspace's own clock, and only once."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson
import pytest
from sqlalchemy import text

from services.api import housekeeping
from services.api.figures import WorkerFigures
from services.api.listening import report_page, weekly_report
from services.api.listening.report import Week
from services.api.listening.weekly_report import SETTLES_IN, keep_last_week
from shared.kit import clock
from shared.kit.database import Database
from shared.kit.http import HttpClient
from shared.models.channel import Channel
from tests.api.listening.stored import WEEK, heard
from tests.api.world import World
from tests.builders import a_channel, a_workspace, an_item, taken

OVER_IN_AMSTERDAM = datetime(2026, 11, 8, 23, tzinfo=UTC)
WEDNESDAY = datetime(2026, 11, 4, 12, tzinfo=UTC)
QUERY = "query ($w: String!) { report(week: $w) { id week figures dataHash renderedAt url } }"


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Says what time it is."""

    def set_to(moment: datetime) -> None:
        monkeypatch.setattr(clock, "now", lambda: moment)

    return set_to


@pytest.fixture
def draws(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The weeks whose page was drawn, as it happens."""
    drawn: list[str] = []
    really = report_page.render

    def render(figures: Any) -> bytes:
        drawn.append(str(figures.week))
        return really(figures)

    monkeypatch.setattr(weekly_report, "render", render)
    return drawn


async def kept(database: Database, workspace_id: UUID) -> list[str]:
    async with database.read(workspace_id) as connection:
        return [row["week"] for row in await connection.fetch("SELECT week FROM report ORDER BY week")]


async def a_workspace_in(database: Database, zone: str) -> tuple[UUID, Channel]:
    workspace_id = await a_workspace(database)
    async with database.write(workspace_id) as session:
        await session.execute(
            text("UPDATE workspace SET timezone = :zone WHERE id = :id"), {"zone": zone, "id": workspace_id}
        )
    return workspace_id, await a_channel(database, workspace_id)


@pytest.mark.parametrize(
    ("zone", "over"),
    [
        ("Europe/Amsterdam", OVER_IN_AMSTERDAM),
        ("Pacific/Auckland", datetime(2026, 11, 8, 11, tzinfo=UTC)),
        ("America/Los_Angeles", datetime(2026, 11, 9, 8, tzinfo=UTC)),
    ],
)
async def test_a_week_ends_by_the_workspaces_own_clock(database: Database, at: Any, zone: str, over: datetime) -> None:
    workspace_id, channel = await a_workspace_in(database, zone)
    await heard(database, channel, WEDNESDAY)
    assert WEEK.bounds(ZoneInfo(zone))[1] == over
    at(over + SETTLES_IN - timedelta(seconds=1))
    assert await keep_last_week(database, workspace_id) is None
    at(over + SETTLES_IN)
    assert await keep_last_week(database, workspace_id) == WEEK
    assert await kept(database, workspace_id) == [str(WEEK)]


async def test_every_workspace_gets_its_report_once_whoever_looks_and_however_often(
    database: Database, at: Any, draws: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    at(OVER_IN_AMSTERDAM + timedelta(hours=3))
    broken, _ = await a_workspace_in(database, "Mars/Olympus")
    one, one_channel = await a_workspace_in(database, "Europe/Amsterdam")
    other, other_channel = await a_workspace_in(database, "Europe/London")
    silent, _ = await a_workspace_in(database, "Europe/Amsterdam")
    for channel in (one_channel, other_channel):
        await heard(database, channel, WEDNESDAY)
    draws.clear()
    await asyncio.gather(keep_last_week(database, one), keep_last_week(database, one))
    await housekeeping.keep_reports(database)  # as after a restart: what is there is known from the database alone
    drawn = len(draws)
    await housekeeping.keep_reports(database)
    assert len(draws) == drawn, "what is kept, and where there is nothing to tell, is not drawn again"
    for workspace_id, weeks in ((one, [str(WEEK)]), (other, [str(WEEK)]), (silent, []), (broken, [])):
        assert await kept(database, workspace_id) == weeks
        async with database.read(workspace_id) as connection:
            facts = await connection.fetch("SELECT payload FROM outbox WHERE type = 'report.ready'")
        assert [orjson.loads(fact["payload"])["week"] for fact in facts] == weeks


async def test_a_week_that_is_not_understood_yet_waits(database: Database, at: Any) -> None:
    workspace_id, channel = await a_workspace_in(database, "Europe/Amsterdam")
    at(WEDNESDAY + timedelta(minutes=5))
    await taken(database, workspace_id, channel, an_item("later", published_at=WEDNESDAY))
    at(OVER_IN_AMSTERDAM + timedelta(hours=3))
    await heard(database, channel, WEDNESDAY)
    assert await keep_last_week(database, workspace_id) is None
    async with database.write(workspace_id) as session:
        await session.execute(text("DELETE FROM work"))
    assert await keep_last_week(database, workspace_id) == WEEK


def test_it_is_one_of_the_chores() -> None:
    (chore,) = [
        one for one in housekeeping.chores(WorkerFigures(), HttpClient()) if one.do is housekeeping.keep_reports
    ]
    assert chore.every_s <= 3_600


async def test_what_was_kept_is_what_both_doors_show(world: World, draws: list[str]) -> None:
    zone = ZoneInfo("Europe/Amsterdam")
    week = Week.of(clock.now() - SETTLES_IN, zone).before()
    channel = await a_channel(world.database, world.workspace_id)
    await heard(world.database, channel, week.bounds(zone)[0] + timedelta(hours=30))
    await housekeeping.keep_reports(world.database)
    drawn = len(draws)
    assert drawn >= 1
    page = await world.call("GET", f"/v1/reports/{week}", headers={"accept": "text/html"})
    figures = await world.get(f"/v1/reports/{week}")
    told = (await world.post("/graphql", {"query": QUERY, "variables": {"w": str(week)}}, status=200))["data"]["report"]
    assert len(draws) == drawn, "it was there"
    assert told["figures"] == figures
    assert told["dataHash"] == figures["data_hash"]
    assert told["dataHash"] in page.text
    (listed,) = (await world.get("/v1/reports"))["data"]
    assert told["id"] == listed["id"]
    assert told["renderedAt"] == clock.iso(datetime.fromisoformat(listed["rendered_at"]))
    assert told["url"] == f"http://127.0.0.1:8000/v1/reports/{week}"


async def test_graphql_and_json_of_a_running_week_draw_nothing(world: World, draws: list[str]) -> None:
    zone = ZoneInfo("Europe/Amsterdam")
    running, past = Week.of(clock.now(), zone), Week.of(clock.now(), zone).before(2)
    channel = await a_channel(world.database, world.workspace_id)
    await heard(world.database, channel, past.bounds(zone)[0] + timedelta(hours=30))
    told: dict[str, Any] = {}
    for week in (running, past):
        answer = await world.post("/graphql", {"query": QUERY, "variables": {"w": str(week)}}, status=200)
        told = answer["data"]["report"]
        assert (told["id"], told["renderedAt"], told["week"]) == (None, None, str(week))
        assert told["figures"]["week"] == str(week)
    assert (await world.get(f"/v1/reports/{running}"))["as_of"] is not None
    assert draws == []
    assert (await world.get("/v1/reports"))["data"] == []
    first = await world.call("GET", f"/v1/reports/{past}")
    assert draws == [str(past)], "a week that is over is rendered when its figures are asked for over REST"
    assert first.json() == told["figures"]
    assert "etag" in first.headers

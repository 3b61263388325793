"""The day's issues and the weekly report over REST, of mentions that went the whole way: intake, triage, Postgres."""

import asyncio
import html
import re
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import orjson
import pytest

from services.api.desk import issues as desk_issues
from services.api.desk.desk import Actor, Desk
from services.api.desk.reports import read_report
from services.api.listening.report import Week
from services.api.rest.reports import NotAcceptable, preferred
from shared.kit import clock, ids
from shared.kit.errors import NotFound
from shared.kit.secrets import Vault
from shared.kit.settings import Settings
from shared.models.channel import Channel
from shared.models.workspace import Role
from shared.rules import query_language
from tests.api.listening.made_up import BILLING, OUTAGE, PRAISE, WAITING
from tests.api.listening.understood import say, understand
from tests.api.world import World, a_world
from tests.builders import a_channel, an_item, taken

ZONE = ZoneInfo("Europe/Amsterdam")
SECRET = "My name is Maria Jansen, no internet again, mail maria.jansen@example.org or call 06 12345678."


def a_past_week() -> Week:
    """The week before last, so that it is over whatever the day."""
    return Week.of(clock.now(), ZONE).before(2)


def at(day: date, hour: int = 12) -> datetime:
    return datetime.combine(day, time(hour), ZONE)


@pytest.fixture
async def channel(world: World) -> Channel:
    """A venue of ours, on which all that is said is about us."""
    return await a_channel(world.database, world.workspace_id, owned=True)


@pytest.fixture
async def talked(world: World) -> World:
    """The workspace in which people talked for a week (see a_week_of_talk). All who only read share one."""
    if "talked" not in _SHARED:
        channel = await a_channel(world.database, world.workspace_id, owned=True)
        await a_week_of_talk(world, channel, a_past_week())
        _SHARED["talked"] = world
    return replace(_SHARED["talked"], database=world.database, client=world.client)


_SHARED: dict[str, World] = {}
WEDNESDAY = a_past_week().days()[2]


async def a_week_of_talk(world: World, channel: Channel, week: Week) -> None:
    """An outage on Wednesday after a quiet week before."""
    wednesday = week.days()[2]
    for day in (wednesday - timedelta(days=7), wednesday - timedelta(days=1)):
        await say(world.database, world.workspace_id, channel, [OUTAGE[0][1]], at(day, 9))
    for texts in (OUTAGE, BILLING, WAITING, PRAISE):
        await say(world.database, world.workspace_id, channel, [text for _, text in texts], at(wednesday))
    await say(world.database, world.workspace_id, channel, [SECRET], at(wednesday, 13))


async def texts_of(world: World) -> dict[str, str]:
    async with world.database.read(world.workspace_id) as connection:
        return {str(row["id"]): row["text"] for row in await connection.fetch("SELECT id, text FROM mention")}


async def test_each_phrase_stands_letter_for_letter_in_every_mention_it_cites(talked: World) -> None:
    told = await talked.get(f"/v1/issues/daily?day={WEDNESDAY}", role=Role.ANALYST)
    assert (told["day"], told["timezone"]) == (WEDNESDAY.isoformat(), "Europe/Amsterdam")
    stored = await texts_of(talked)
    assert 1 <= len(told["data"]) <= 5
    cited = 0
    for rank, issue in enumerate(told["data"], start=1):
        assert issue["rank"] == rank
        assert issue["samples"]
        assert set(issue["samples"]) <= set(stored)
        for phrase in issue["phrases"]:
            assert phrase["count"] == len(phrase["mention_ids"]) == len(set(phrase["mention_ids"]))
            for mention_id in phrase["mention_ids"]:
                assert phrase["text"] in stored[mention_id]
                cited += 1
    assert cited > 10
    first = told["data"][0]
    assert "outage" in first["issue"]
    assert first["count"] >= 8
    assert any("geen internet" in phrase["text"] or "no internet" in phrase["text"] for phrase in first["phrases"])
    # One such mention on each of two of the eight known days before, so far fewer is usual.
    assert first["baseline"] is not None
    assert first["change"] > 5
    said = orjson.dumps([issue["phrases"] for issue in told["data"]]).decode()
    assert "Maria" not in said
    assert "example.org" not in said


async def test_days_are_those_of_the_workspaces_clock(world: World, channel: Channel) -> None:
    day = a_past_week().days()[3]
    await say(world.database, world.workspace_id, channel, [OUTAGE[0][1]], at(day, 0) + timedelta(minutes=5))
    await say(world.database, world.workspace_id, channel, [OUTAGE[4][1]], at(day, 23) + timedelta(minutes=55))
    (issue,) = (await world.get(f"/v1/issues/daily?day={day}"))["data"]
    assert issue["count"] == 2
    for other in (day - timedelta(days=1), day + timedelta(days=1)):
        assert (await world.get(f"/v1/issues/daily?day={other}"))["data"] == []


async def test_reposts_count_once_but_were_heard(world: World) -> None:
    """A repost that triage set aside is no mention of its own; it adds its author's reach and nothing else."""
    await world.post("/v1/brands", {"name": "Northwind", "handles": ["@northwind"]})
    open_venue = await a_channel(world.database, world.workspace_id)
    day = a_past_week().days()[1]
    original = "@northwind no internet since this morning in Leeds, what is going on with you people?"
    await say(world.database, world.workspace_id, open_venue, [original], at(day, 9))
    for n in range(4):
        await say(world.database, world.workspace_id, open_venue, [f"RT @somebody: {original}"], at(day, 10 + n))
    async with world.database.read(world.workspace_id) as connection:
        reposts = await connection.fetchval("SELECT count(*) FROM assessment WHERE duplicate_of IS NOT NULL")
    assert reposts == 4
    (issue,) = (await world.get(f"/v1/issues/daily?day={day}"))["data"]
    assert (issue["count"], issue["reach"]) == (1, 500)
    assert all(phrase["count"] == 1 for phrase in issue["phrases"])
    assert len(issue["samples"]) == 1


async def test_words_and_sample_of_an_issue(talked: World) -> None:
    key = (await talked.get(f"/v1/issues/daily?day={WEDNESDAY}"))["data"][0]["issue"]
    since, until = (clock.iso(at(WEDNESDAY, 0)), clock.iso(at(WEDNESDAY, 0) + timedelta(days=1)))
    stored = await texts_of(talked)
    words = await talked.get(f"/v1/issues/{key}/words?from={since}&to={until}&size=8", role=Role.AGENT)
    assert 1 <= len(words["data"]) <= 8
    assert words["count"] == words["looked_at"] >= 8
    assert all(phrase["text"] in stored[one] for phrase in words["data"] for one in phrase["mention_ids"])
    query_language.parse(words["query"])
    assert f'"{words["data"][0]["text"]}"' in words["query"]
    sample = await talked.get(f"/v1/issues/{key}/sample?from={since}&to={until}&size=50")
    assert len(sample["data"]) == len({one["mention_id"] for one in sample["data"]}) == sample["count"]
    masked = [one["text"] for one in sample["data"] if "[hidden]" in one["text"]]
    assert len(masked) == 1
    assert "example.org" not in masked[0]
    assert "Maria" not in masked[0]
    assert "12345678" not in masked[0]
    assert {one["text"] for one in sample["data"]} - set(masked) <= set(stored.values())
    shown = await talked.get(f"/v1/issues/{key}/sample?from={since}&to={until}&size=2")
    assert len(shown["data"]) == 2
    assert (await talked.get(f"/v1/issues/{key}/words"))["data"] == []  # of the last seven days


async def test_a_text_whose_personal_data_is_not_known_is_neither_quoted_nor_mined(
    world: World, channel: Channel
) -> None:
    day = a_past_week().days()[0]
    await say(world.database, world.workspace_id, channel, [OUTAGE[0][1]], at(day))
    key = (await world.get(f"/v1/issues/daily?day={day}"))["data"][0]["issue"]
    async with world.database.write(world.workspace_id) as session:
        connection = await session.connection()
        await connection.exec_driver_sql("UPDATE assessment SET failed_stages = '{pii}'")
    (issue,) = (await world.get(f"/v1/issues/daily?day={day}"))["data"]
    assert (issue["issue"], issue["count"], issue["phrases"], issue["samples"]) == (key, 1, [], [])


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/v1/issues/daily?day=2026-13-01", 422, "2026-11-22"),
        ("/v1/issues/daily?day=20261122", 422, "2026-11-22"),
        ("/v1/issues/daily?date=2026-11-22", 422, "not known"),
        ("/v1/issues/nothing.of.ours/words", 404, "no issue type"),
        ("/v1/issues/nothing.of.ours/sample", 404, "no issue type"),
        ("/v1/issues/x/words?size=0", 422, "size"),
        ("/v1/issues/x/words?size=101", 422, "size"),
        ("/v1/issues/x/sample?from=2026-01-01T00:00:00Z&to=2026-11-01T00:00:00Z", 422, "92 days"),
        ("/v1/issues/x/words?from=2026-11-02T00:00:00Z&to=2026-11-01T00:00:00Z", 422, "before to"),
        ("/v1/issues/x/words?to=0001-01-02T00:00:00Z", 422, "1970"),
        ("/v1/reports/2026-47", 422, "2026-W47"),
        ("/v1/reports/2025-W53", 422, "W52"),
        ("/v1/reports/2199-W01", 404, "has not begun"),
        ("/v1/reports/2026-W01?format=pdf", 422, "not known"),
    ],
)  # fmt: skip
async def test_what_cannot_be_answered_is_said_in_a_sentence(world: World, path: str, status: int, said: str) -> None:
    answer = await world.call("GET", path)
    assert answer.status_code == status, answer.text
    problem = answer.json()
    assert said in problem["detail"] + str(problem["errors"])
    assert problem["detail"].endswith(".")


async def test_a_finished_week_is_rendered_once_and_stays_byte_for_byte(world: World, channel: Channel) -> None:
    week = a_past_week()
    await say(world.database, world.workspace_id, channel, [text for _, text in OUTAGE], at(week.days()[2]))
    path, as_html = f"/v1/reports/{week}", {"accept": "text/html"}
    assert (await world.get("/v1/reports"))["data"] == []
    asked_by_two = (world.call("GET", path, headers=as_html, role=role) for role in (Role.ANALYST, Role.AGENT))
    first, at_once = await asyncio.gather(*asked_by_two)
    assert first.status_code == 200, first.text
    assert at_once.content == first.content
    assert first.headers["content-type"] == "text/html; charset=utf-8"
    assert first.headers["content-security-policy"].startswith("default-src 'none'")
    figures = await world.call("GET", path)
    await say(world.database, world.workspace_id, channel, [OUTAGE[3][1]], at(week.days()[4]))
    again = await world.call("GET", path, headers=as_html)
    assert again.content == first.content
    assert (await world.call("GET", path)).content == figures.content
    for headers, answer in ((as_html, first), ({}, figures)):
        unchanged = await world.call("GET", path, headers={**headers, "if-none-match": answer.headers["etag"]})
        assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert first.headers["etag"] != figures.headers["etag"]
    (listed,) = (await world.get("/v1/reports"))["data"]
    assert listed["week"] == str(week)
    assert listed["data_hash"] == figures.json()["data_hash"]
    assert listed["data_hash"] in first.text
    (fact,) = await world.events("report.ready")
    assert str(fact["subject_id"]) == listed["id"]
    assert orjson.loads(fact["payload"])["week"] == str(week)


async def test_the_report_says_what_happened(talked: World) -> None:
    week = a_past_week()
    daily = (await talked.get(f"/v1/issues/daily?day={WEDNESDAY}"))["data"]
    figures = await talked.get(f"/v1/reports/{week}")
    spoken = len(OUTAGE) + len(BILLING) + len(WAITING) + len(PRAISE) + 2
    assert sum(one["count"] for day in figures["days"] for one in day["by_channel_type"]) == spoken
    assert [day["day"] for day in figures["days"]] == [day.isoformat() for day in week.days()]
    assert figures["as_of"] is None
    sounds = [day["sentiment"] for day in figures["sentiment"]]
    assert sum(sum(each.values()) for each in sounds) == spoken
    assert sum(each["negative"] for each in sounds) > 5
    top = figures["issues"][0]["issue"]
    assert top["issue"] == daily[0]["issue"]
    assert top["count"] == daily[0]["count"]  # Tuesday's is a copy of one of Wednesday's, by somebody else
    assert {one["name"] for one in figures["languages"]} >= {"en", "nl"}
    assert sum(one["count"] for one in figures["dispositions"]) == spoken
    page = html.unescape((await talked.call("GET", f"/v1/reports/{week}", headers={"accept": "text/html"})).text)
    assert page.count("<svg") >= 3
    assert str(week) in page
    assert top["name"] in page
    for phrase in top["phrases"]:
        assert phrase["text"] in page
    stored = await texts_of(talked)
    for quote in figures["issues"][0]["quotes"]:
        assert quote["text"] in page
        assert "[hidden]" in quote["text"] or quote["text"] == stored[quote["mention_id"]]
    assert "Maria Jansen" not in page
    assert "maria.jansen@example.org" not in page


async def test_a_week_that_is_not_understood_yet_or_not_over_is_shown_and_not_kept(
    world: World, channel: Channel
) -> None:
    week = a_past_week()
    await say(world.database, world.workspace_id, channel, [OUTAGE[0][1]], at(week.days()[1]))
    await taken(
        world.database, world.workspace_id, channel,
        an_item("late", "geen internet sinds vanmorgen, wat is er aan de hand?", published_at=at(week.days()[2])),
    )  # fmt: skip
    shown = await world.call("GET", f"/v1/reports/{week}")
    assert "etag" not in shown.headers
    assert any(note.startswith("1 mention of this week is not understood yet") for note in shown.json()["notes"])
    running = Week.of(clock.now(), ZONE)
    present = await world.get(f"/v1/reports/{running}")
    assert present["as_of"] is not None
    assert "This week is not over" in (
        await world.call("GET", f"/v1/reports/{running}", headers={"accept": "text/html"})
    ).text  # fmt: skip
    assert (await world.get("/v1/reports"))["data"] == []
    await understand(world.database)
    kept = await world.call("GET", f"/v1/reports/{week}")
    assert "etag" in kept.headers
    assert sum(one["count"] for day in kept.json()["days"] for one in day["by_channel_type"]) == 2
    assert [one["week"] for one in (await world.get("/v1/reports"))["data"]] == [str(week)]


async def test_an_empty_week_is_told_as_such_and_not_kept(world: World) -> None:
    path = f"/v1/reports/{a_past_week()}"
    pages = [(await world.call("GET", path, headers={"accept": "text/html"})).content for _ in range(2)]
    assert pages[0] == pages[1]
    assert b"Nothing was heard this week" in pages[0]
    figures = await world.get(path)
    assert figures["issues"] == figures["ledger"] == figures["critical"] == []
    assert (await world.get("/v1/reports"))["data"] == []


async def test_another_workspace_sees_nothing_of_it(talked: World) -> None:
    week = a_past_week()
    issue = (await talked.get(f"/v1/issues/daily?day={WEDNESDAY}"))["data"][0]
    mine = await talked.call("GET", f"/v1/reports/{week}", headers={"accept": "text/html"})
    other = await a_world(talked.database, talked.client)
    assert (await other.get(f"/v1/issues/daily?day={WEDNESDAY}"))["data"] == []
    period = f"from={clock.iso(at(WEDNESDAY, 0))}&to={clock.iso(at(WEDNESDAY, 23))}"
    for what in ("words", "sample"):
        found = await other.get(f"/v1/issues/{issue['issue']}/{what}?{period}")
        assert (found["count"], found["data"]) == (0, [])
    assert (await other.get("/v1/reports"))["data"] == []
    theirs = await other.call("GET", f"/v1/reports/{week}", headers={"accept": "text/html"})
    assert theirs.status_code == 200
    assert theirs.content != mine.content
    assert b"Nothing was heard this week" in theirs.content
    assert not re.search(r"geen internet|no internet", theirs.text)


async def test_a_report_may_be_rendered_anew_where_its_week_changed(
    world: World, channel: Channel, api_settings: Settings
) -> None:
    week = a_past_week()
    desk = Desk(
        world.workspace_id, Actor(ids.new_id(), Role.ADMIN, "test"), world.database,
        Vault(api_settings.secret_key.get_secret_value()), api_settings,
    )  # fmt: skip
    await say(world.database, world.workspace_id, channel, [OUTAGE[0][1]], at(week.days()[1]))
    first = await read_report(desk, str(week))
    same = await read_report(desk, str(week), anew=True)
    assert (same.page, same.figures, same.rendered_at) == (first.page, first.figures, first.rendered_at)
    assert len(await world.events("report.ready")) == 1
    await say(world.database, world.workspace_id, channel, [OUTAGE[3][1]], at(week.days()[2]))
    assert (await read_report(desk, str(week))).page == first.page
    later = await read_report(desk, str(week), anew=True)
    assert later.id == first.id
    assert later.data_hash != first.data_hash
    assert (await read_report(desk, str(week))).page == later.page != first.page
    assert len(await world.events("report.ready")) == 2
    with pytest.raises(NotFound):
        await desk_issues.read_words(desk, "nothing.of.ours")


async def test_a_pdf_is_refused_with_what_to_do_instead(world: World) -> None:
    refused = await world.call("GET", f"/v1/reports/{a_past_week()}", headers={"accept": "application/pdf"})
    assert refused.status_code == 406
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["code"] == "not_acceptable"
    assert "text/html" in refused.json()["detail"]


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("text/html", "text/html"),
        ("text/*;q=0.5, application/json;q=0.4", "text/html"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html"),
        ("application/pdf, application/json;q=0.1", "application/json"),
        ("application/json;q=0, */*", "text/html"),
    ],
)  # fmt: skip
def test_the_form_that_the_caller_likes_best_is_given(accept: str, media: str) -> None:
    assert preferred(accept) == media


@pytest.mark.parametrize("accept", ["application/pdf", "text/html;q=0", "image/*", "text/html;q=nonsense"])
def test_a_form_that_is_not_to_be_had_is_refused(accept: str) -> None:
    with pytest.raises(NotAcceptable):
        preferred(accept)

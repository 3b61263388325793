"""The doorstep: every shape a push may have, what is refused and why, and who may push at all."""

import gzip
from datetime import timedelta
from pathlib import Path

import httpx
import orjson
import pytest

from services.api.desk import workspaces
from services.ingest.app import create_app
from shared.kit import clock
from shared.kit.settings import Settings
from shared.models.channel import Channel
from shared.models.workspace import Role
from tests.builders import a_channel, a_workspace
from tests.ingest.doorstep import Doorstep, item, problem, said

# ---------------------------------------------------------------- shapes


async def test_an_array_an_object_and_lines_all_come_in(door: Doorstep) -> None:
    for content, kind in (
        ([item("array-1"), item("array-2")], "application/json"),
        ({"mentions": [item("object-1"), item("object-2")]}, "application/json; charset=utf-8"),
        (b"\n".join(orjson.dumps(item(f"line-{n}")) for n in (1, 2)) + b"\n\n", "application/x-ndjson"),
    ):
        answer = said(await door.push(content, kind=kind))
        assert (answer["accepted"], answer["duplicates"], answer["rejected"]) == (2, 0, [])
    stored = {f"{shape}-{n}" for shape in ("array", "object", "line") for n in (1, 2)}
    assert set(await door.texts()) == stored


async def test_gzip_is_unpacked_and_what_only_says_so_is_refused(door: Doorstep) -> None:
    packed = gzip.compress(orjson.dumps([item("1", "ingepakt")]))
    assert said(await door.push(packed, content_encoding="gzip"))["accepted"] == 1
    assert await door.texts() == {"1": "ingepakt"}
    problem(await door.push(b"[]", content_encoding="gzip"), 400, "malformed")
    problem(await door.push(packed[:-12], content_encoding="gzip"), 400, "malformed")
    problem(await door.push(b"[]", content_encoding="br"), 415, "unsupported_media_type")


async def test_the_same_again_is_known_and_a_change_is_an_update(door: Doorstep) -> None:
    page = [item(str(n)) for n in range(20)]
    assert said(await door.push(page))["accepted"] == 20
    again = said(await door.push(page))
    assert (again["accepted"], again["duplicates"]) == (0, 20)
    edited = said(await door.push([{**page[0], "text": "Weer heel", "edited_at": clock.iso(clock.now())}]))
    assert (edited["accepted"], edited["updated"]) == (1, 1)
    assert (await door.texts())["0"] == "Weer heel"


async def test_a_channel_goes_by_its_id_and_by_its_name_in_any_case(door: Doorstep) -> None:
    named = ("shop", "SHOP", " Shop ", str(door.shop.id), str(door.shop.id).upper())
    answer = said(await door.push([item(str(n), channel=name) for n, name in enumerate(named)]))
    assert (answer["accepted"], answer["rejected"]) == (5, [])


# ---------------------------------------------------------------- what is refused


async def test_one_bad_item_spoils_no_other(door: Doorstep) -> None:
    future = clock.iso(clock.now() + timedelta(days=3))
    lines = [
        orjson.dumps(item("good-1")),
        b'{"channel": "shop", "external_id": ',  # cut off
        orjson.dumps({name: value for name, value in item("x").items() if name != "text"}),
        orjson.dumps(item("x", published_at=future)),
        orjson.dumps(item("x", colour="red")),
        orjson.dumps(item("x", channel="no such shop")),
        orjson.dumps({name: value for name, value in item("x").items() if name != "channel"}),
        b'"just words"',
        orjson.dumps(item("good-2")),
    ]
    answer = said(await door.push(b"\n".join(lines), kind="application/x-ndjson"))
    assert answer["accepted"] == 2
    refused = {one["index"]: (one["code"], one["detail"]) for one in answer["rejected"]}
    assert [one["index"] for one in answer["rejected"]] == [1, 2, 3, 4, 5, 6, 7]
    assert [refused[n][0] for n in range(1, 8)] == [
        "not_json", "invalid_mention", "invalid_mention", "invalid_mention", "unknown_channel", "unknown_channel",
        "invalid_mention",
    ]  # fmt: skip
    for index, word in {
        2: "text is missing.",
        3: "more than a day ahead",
        4: "colour is not a field",
        6: "missing",
    }.items():
        assert word in refused[index][1]
    assert set(await door.texts()) == {"good-1", "good-2"}
    counted = await door.counts()  # those that named a channel of ours are counted with it
    assert (counted["received"], counted["stored"], counted["rejected"]) == (5, 2, 3)


@pytest.mark.parametrize("name", ["a\\u0000b", "\\ud800", "shop\\u0000", "x" * 3_000])
async def test_a_channels_name_that_no_database_holds_spoils_no_other(door: Doorstep, name: str) -> None:
    bad = f'{{"channel": "{name}", "external_id": "x"}}'.encode()
    hostile = (
        f'{{"channel": "{name}", "external_id": "y", "text": "t", "published_at": "2026-01-01T00:00:00Z"}}'.encode()
    )
    answer = said(await door.push(b"[" + b",".join([orjson.dumps(item("1")), bad, hostile]) + b"]"))
    assert "1" in await door.texts()
    assert answer["rejected"][0]["index"] == 1


async def test_a_channel_that_cannot_be_opened_spoils_no_other(door: Doorstep) -> None:
    await a_channel(door.database, door.workspace_id, name="old", type="no-longer-there")
    async with door.database.write(door.workspace_id) as session:
        session.add(
            Channel(workspace_id=door.workspace_id, type="push", name="sealed", secrets=b"by another secret key" * 3)
        )
    answer = said(await door.push([item("1"), item("2", channel="old"), item("3", channel="sealed")]))
    assert answer["accepted"] == 1
    assert [(one["index"], one["code"]) for one in answer["rejected"]] == [(1, "broken_channel"), (2, "broken_channel")]
    assert await door.rejected() == {"old": 1, "sealed": 1}


async def test_a_paused_channel_takes_nothing_and_says_how_to_start_it(door: Doorstep) -> None:
    paused = await a_channel(door.database, door.workspace_id, name="old shop", status="paused")
    answer = said(await door.push([item("1"), item("2", channel="old shop"), {"channel": "old shop"}]))
    assert answer["accepted"] == 1
    assert [(one["index"], one["code"]) for one in answer["rejected"]] == [
        (1, "paused_channel"),
        (2, "invalid_mention"),
    ]
    detail = answer["rejected"][0]["detail"]
    assert "old shop is paused" in detail
    assert f'PATCH /v1/channels/{paused.id} and {{"status": "active"}}' in detail
    assert set(await door.texts()) == {"1"}
    assert await door.rejected() == {"old shop": 2}


async def test_a_channel_that_fetches_its_mentions_takes_none_and_says_which_do(door: Doorstep) -> None:
    await a_channel(door.database, door.workspace_id, name="asleep", status="paused")
    await a_channel(
        door.database, door.workspace_id, name="feed", type="rss", settings={"url": "https://site.example/feed"}
    )
    answer = said(await door.push([item("1", channel="feed"), item("2"), item("3", channel="feed")]))
    assert answer["accepted"] == 1
    assert [(one["index"], one["code"]) for one in answer["rejected"]] == [
        (0, "pulling_channel"), (2, "pulling_channel"),
    ]  # fmt: skip
    assert answer["rejected"][0]["detail"].endswith("as rss channels do. Push to one of these: shop.")
    assert set(await door.texts()) == {"2"}
    counted = await door.counts()
    assert (counted["received"], counted["stored"], counted["rejected"]) == (3, 1, 2)
    assert await door.rejected() == {"feed": 2}


async def test_where_no_channel_takes_pushes_it_says_how_to_make_one(door: Doorstep) -> None:
    stranger = await a_workspace(door.database)
    await a_channel(door.database, stranger, name="feed", type="rss", settings={"url": "https://site.example/feed"})
    key = await workspaces.create_key(door.database, stranger, Role.ADMIN, "stranger")
    answer = said(await door.push([item("1", channel="feed")], key=key))
    assert "Make a push channel with POST /v1/channels." in answer["rejected"][0]["detail"]


async def test_what_cannot_be_read_at_all_is_refused_whole(door: Doorstep) -> None:
    for body in (b"", b"no json", b'{"mentions": 1}', b'{"mentions": [], "more": 1}', b"17"):
        problem(await door.push(body), 400, "malformed")
    assert await door.texts() == {}


async def test_too_large_and_too_many(door: Doorstep) -> None:
    large = [item(str(n), "x" * 20_000) for n in range(11)]
    assert "200,000" in problem(await door.push(large), 413, "too_large")
    bomb = gzip.compress(orjson.dumps(large))
    assert len(bomb) < 5_000
    problem(await door.push(bomb, content_encoding="gzip"), 413, "too_large")
    assert "5,000" in problem(await door.push(b"[" + b"1," * 5_000 + b"1]"), 400, "malformed")
    assert await door.texts() == {}


# ---------------------------------------------------------------- who may


async def test_only_known_keys_of_roles_that_push_come_in(door: Doorstep) -> None:
    for authorization in ("", "Bearer", f"Bearer wc_live_{'x' * 60}", f"Basic {door.keys[Role.ADMIN]}"):
        answer = await door.client.post("/v1/mentions", json=[], headers={"authorization": authorization})
        problem(answer, 401, "unauthenticated")
    for role in Role:
        answer = await door.push([item(f"{role}")], key=door.keys[role])
        if role in (Role.ADMIN, Role.LEAD, Role.INTEGRATION):
            assert said(answer)["accepted"] == 1
        else:
            assert str(role) in problem(answer, 403, "forbidden")
    assert set(await door.texts()) == {"admin", "lead", "integration"}


async def test_a_key_pushes_into_its_own_workspace_only(door: Doorstep) -> None:
    stranger = await a_workspace(door.database)
    key = await workspaces.create_key(door.database, stranger, Role.ADMIN, "stranger")
    for name in ("shop", str(door.shop.id)):
        answer = said(await door.push([item("1", channel=name)], key=key))
        assert (answer["accepted"], answer["rejected"][0]["code"]) == (0, "unknown_channel")
    assert await door.texts() == {}


async def test_a_key_that_pushes_too_often_is_told_to_wait(settings: Settings, tmp_path: Path) -> None:
    app = create_app(settings.model_copy(update={"data_dir": tmp_path, "requests_per_minute": 3}))
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://ingest.test") as client:
            workspace_id = await a_workspace(app.state.database)
            key = await workspaces.create_key(app.state.database, workspace_id, Role.INTEGRATION, "busy")
            headers = {"authorization": f"Bearer {key}"}
            answers = [await client.post("/v1/mentions", json=[], headers=headers) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [202, 202, 202, 429]
    assert int(answers[3].headers["retry-after"]) > 0

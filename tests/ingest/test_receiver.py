"""The doorstep: every shape a push may have, what is refused and why, and who may push at all."""

import base64
import gzip
import json
import os
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import orjson
import pytest
from standardwebhooks.webhooks import Webhook

from services.api.desk import workspaces
from services.ingest.app import create_app
from shared.kit import clock, ids
from shared.kit.database import Database
from shared.kit.secrets import Vault
from shared.kit.settings import Settings
from shared.models.channel import Channel
from shared.models.sealed import channel_secrets
from shared.models.workspace import Role
from shared.store import ledger
from tests.builders import a_channel, a_workspace

SIGNING = "whsec_" + base64.b64encode(b"s" * 32).decode()
LARGEST = 200_000


class Doorstep:
    """The ingest app in this process, and a workspace with a push channel named shop."""

    def __init__(self, client: httpx.AsyncClient, database: Database, settings: Settings) -> None:
        self.client = client
        self.database = database
        self.settings = settings
        self.workspace_id = UUID(int=0)
        self.keys: dict[Role, str] = {}
        self.shop = Channel(workspace_id=self.workspace_id, type="push", name="shop")

    async def push(self, content: Any, *, key: str | None = None, **headers: str) -> httpx.Response:
        """Pushes bytes as they are, or anything else as JSON."""
        sent = {
            "authorization": f"Bearer {key or self.keys[Role.INTEGRATION]}",
            "content-type": headers.pop("kind", "application/json"),
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        body = content if isinstance(content, bytes) else orjson.dumps(content)
        return await self.client.post("/v1/mentions", content=body, headers=sent)

    async def texts(self) -> dict[str, str]:
        async with self.database.read(self.workspace_id) as connection:
            rows = await connection.fetch("SELECT external_id, text FROM mention")
        return {row["external_id"]: row["text"] for row in rows}

    async def counts(self) -> dict[str, int]:
        async with self.database.read(self.workspace_id) as connection:
            rows = await ledger.read(connection, since=None, until=None, channel=None)
        return {name: sum(row[name] for row in rows) for name in ledger.COUNTS}


@pytest.fixture
async def door(settings: Settings, tmp_path: Path) -> AsyncIterator[Doorstep]:
    chosen = settings.model_copy(update={"data_dir": tmp_path, "max_body_bytes": LARGEST})
    app = create_app(chosen)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://ingest.test") as client:
            door = Doorstep(client, app.state.database, chosen)
            door.workspace_id = await a_workspace(door.database)
            for role in Role:
                door.keys[role] = await workspaces.create_key(door.database, door.workspace_id, role, f"{role}")
            door.shop = await a_channel(door.database, door.workspace_id, name="shop")
            yield door


def item(external_id: str, text: str = "Kapot!", **fields: Any) -> dict[str, Any]:
    published_at = clock.iso(clock.now() - timedelta(minutes=1))
    return {"channel": "shop", "external_id": external_id, "text": text, "published_at": published_at, **fields}


def said(answer: httpx.Response, status: int = 202) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.json()
    return body


def problem(answer: httpx.Response, status: int, code: str) -> str:
    """The sentence of a problem."""
    body = said(answer, status)
    assert answer.headers["content-type"] == "application/problem+json"
    assert (body["status"], body["code"]) == (status, code)
    assert body["request_id"]
    return str(body["detail"])


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


# ---------------------------------------------------------------- hooks


async def a_hook(door: Doorstep, **fields: Any) -> str:
    """The path of a push channel's own hook."""
    channel = Channel(
        workspace_id=door.workspace_id, **{"id": ids.new_id(), "type": "push", "name": "signed", **fields}
    )
    if channel.type == "push":
        secrets = json.dumps({"signing_secret": SIGNING})
        vault = Vault(door.settings.secret_key.get_secret_value())
        channel.secrets = vault.seal(secrets, door.workspace_id, channel_secrets(channel.id))
    async with door.database.write(door.workspace_id) as session:
        session.add(channel)
    return f"/v1/hooks/{channel.id}"


def signed(body: bytes, delivery: str = "msg_1", secret: str = SIGNING, late: int = 0) -> dict[str, str]:
    """Headers of a delivery, as the reference library signs them."""
    at = clock.now().replace(microsecond=0) - timedelta(seconds=late)
    signature = Webhook(secret).sign(delivery, at, body.decode())
    return {"webhook-id": delivery, "webhook-timestamp": str(int(at.timestamp())), "webhook-signature": signature}


def unnamed(external_id: str, **fields: Any) -> dict[str, Any]:
    """An item that names no channel: the hook knows its own."""
    return {name: value for name, value in item(external_id, **fields).items() if name != "channel"}


async def test_a_signed_push_comes_in_and_its_repeat_changes_nothing(door: Doorstep) -> None:
    path = await a_hook(door)
    body = orjson.dumps({"mentions": [unnamed("1"), {"external_id": "bad"}, unnamed("2")]})
    headers = signed(body)
    first = said(await door.client.post(path, content=body, headers=headers))
    assert (first["accepted"], first["duplicates"], len(first["rejected"])) == (2, 0, 1)
    assert "Item 1" in first["rejected"][0]["detail"]
    again = said(await door.client.post(path, content=body, headers=headers))
    assert (again["accepted"], again["duplicates"]) == (0, 2)
    assert set(await door.texts()) == {"1", "2"}
    counted = await door.counts()
    assert (counted["received"], counted["stored"], counted["duplicate"], counted["rejected"]) == (6, 2, 2, 2)


async def test_what_is_not_signed_as_agreed_is_not_genuine(door: Doorstep) -> None:
    path = await a_hook(door)
    body = orjson.dumps([unnamed("1")])
    other = "whsec_" + base64.b64encode(os.urandom(32)).decode()
    for headers in ({}, signed(body, secret=other), signed(body, late=301), signed(body + b" ")):
        problem(await door.client.post(path, content=body, headers=headers), 401, "not_genuine")
    assert await door.texts() == {}


async def test_a_hook_that_is_none_is_not_found(door: Doorstep) -> None:
    body = orjson.dumps([unnamed("1")])
    paused = await a_hook(door, status="paused", name="paused")
    pulled = await a_hook(door, type="rss", name="feed", settings={"url": "https://site.example/feed"})
    for path in (paused, pulled, f"/v1/hooks/{ids.new_id()}", "/v1/hooks/nothing", "/v1/hooks/%00"):
        problem(await door.client.post(path, content=body, headers=signed(body)), 404, "not_found")
    assert await door.texts() == {}

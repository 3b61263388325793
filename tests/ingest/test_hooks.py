"""Hooks: pushes that are signed instead of keyed, each checked by its channel."""

import base64
import json
import os
from datetime import timedelta
from typing import Any

import orjson
import pytest
from standardwebhooks.webhooks import Webhook

from services.ingest.channel import HookAnswer, NotGenuine, Push
from services.ingest.channels.push import PushChannel
from shared.kit import clock, ids
from shared.kit.secrets import Vault
from shared.models.channel import Channel
from shared.models.sealed import channel_secrets
from tests.ingest.doorstep import Doorstep, item, problem, said

SIGNING = "whsec_" + base64.b64encode(b"s" * 32).decode()


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
    assert first["rejected"][0]["index"] == 1
    again = said(await door.client.post(path, content=body, headers=headers))
    assert (again["accepted"], again["duplicates"]) == (0, 2)
    assert set(await door.texts()) == {"1", "2"}
    counted = await door.counts()
    assert (counted["received"], counted["stored"], counted["duplicate"], counted["rejected"]) == (6, 2, 2, 2)


async def test_a_signed_push_tells_of_each_refused_item_as_a_keyed_one_does(door: Doorstep) -> None:
    path = await a_hook(door)
    lines = [
        orjson.dumps(unnamed("1")), b"{cut off", orjson.dumps(unnamed("2", colour="red")), orjson.dumps(unnamed("3")),
        b"7",
    ]  # fmt: skip
    body = b"\n".join(lines)
    kind = {"content-type": "application/x-ndjson"}
    signed_answer = said(await door.client.post(path, content=body, headers=signed(body) | kind))
    keyed_answer = said(
        await door.push(body.replace(b'"external_id"', b'"channel":"shop","external_id"'), kind=kind["content-type"])
    )
    assert [(one["index"], one["code"]) for one in signed_answer["rejected"]] == [
        (1, "not_json"), (2, "invalid_mention"), (4, "invalid_mention"),
    ]  # fmt: skip
    assert signed_answer["rejected"] == keyed_answer["rejected"]
    assert signed_answer["accepted"] == keyed_answer["accepted"] == 2
    assert await door.rejected() == {"signed": 3, "shop": 1}


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
    pulled = await a_hook(door, type="simulated", name="square")
    for path in (paused, pulled, f"/v1/hooks/{ids.new_id()}", "/v1/hooks/nothing", "/v1/hooks/%00"):
        problem(await door.client.post(path, content=body, headers=signed(body)), 404, "not_found")
    assert await door.texts() == {}


async def test_what_a_network_asks_of_the_hook_is_answered_as_it_is(
    door: Doorstep, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer_hook(_: PushChannel, push: Push, at: object) -> HookAnswer | None:
        if push.method == "GET":
            if push.query.get("token") != "ours":
                raise NotGenuine("The token is not ours.")
            return HookAnswer(body=push.query["challenge"].encode())
        return HookAnswer(204) if push.body == b'{"ping":true}' else None

    path = await a_hook(door)
    problem(await door.client.get(f"{path}?challenge=77"), 401, "not_genuine")  # as long as it answers none
    monkeypatch.setattr(PushChannel, "answer_hook", answer_hook, raising=False)
    for _ in range(2):
        answer = await door.client.get(f"{path}?token=ours&challenge=77%3Cb%3E")
        assert (answer.status_code, answer.text) == (200, "77<b>")
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    problem(await door.client.get(f"{path}?token=theirs&challenge=77"), 401, "not_genuine")
    assert (await door.client.post(path, content=b'{"ping":true}')).status_code == 204
    body = orjson.dumps([unnamed("1")])
    assert said(await door.client.post(path, content=body, headers=signed(body)))["accepted"] == 1
    problem(await door.client.post(path, content=body), 401, "not_genuine")
    assert set(await door.texts()) == {"1"}
    assert (await door.counts())["received"] == 1

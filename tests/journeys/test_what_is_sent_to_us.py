"""A partner's signed delivery and a shop's file of reviews, as a customer sets them up: by the doors and the command alone."""

import asyncio
import base64
import os
import secrets
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from standardwebhooks.webhooks import Webhook

from shared.kit import clock
from shared.kit.settings import Settings
from tests.journeys.house import House, a_house, wait_until
from tests.local.warm import webcare

pytestmark = [pytest.mark.journey, pytest.mark.timeout(400)]

WAIT_S = 120.0
REVIEWS = Path(__file__).resolve().parents[2] / "docs" / "examples" / "imports" / "shop_reviews.csv"


async def test_a_shop_s_file_and_a_partner_s_deliveries(settings: Settings) -> None:
    async with a_house(settings, sectors=["telecom"]) as house:
        await house.post("/v1/brands", {"name": "Northwind", "handles": ["@northwind"]})
        await _a_file_of_reviews(house)
        await _signed_deliveries(house)


async def _understood(house: House, channel: str, count: int) -> dict[str, Any]:
    """A channel's mentions by the sender's id, once as many are understood."""

    async def seen() -> Any:
        mentions = await house.all_of(f"/v1/mentions?channel={channel}")
        whole = [await house.get(f"/v1/mentions/{one['id']}") for one in mentions]
        done = {one["external_id"]: one for one in whole if one["disposition"] is not None}
        return done if len(done) == len(mentions) == count else None

    found: dict[str, Any] = await wait_until(seen, WAIT_S)
    return found


async def _signed_deliveries(house: House) -> None:
    old, new = (f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}" for _ in range(2))
    kind = {"type": "push", "name": "partner", "secrets": {"signing_secret": old}}
    channel = await house.post("/v1/channels", kind)
    shown = await house.get(f"/v1/channels/{channel['id']}")
    assert old not in orjson.dumps([channel, shown]).decode()
    hook = f"/v1/hooks/{channel['id']}"

    async def deliver(number: int, text: str, *, secret: str = old, late_s: int = 0, **more: Any) -> httpx.Response:
        at = clock.now().replace(microsecond=0) - timedelta(seconds=late_s)
        author = {"external_id": "c-17", "name": "Sanne"}
        told = {"external_id": f"ticket-{number}", "text": text, "published_at": clock.iso(at), "author": author}
        body = orjson.dumps({"mentions": [{**told, **more}]})
        headers = {
            "webhook-id": f"msg-{number}-{len(text)}", "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": Webhook(secret).sign(f"msg-{number}-{len(text)}", at, body.decode()),
        }  # fmt: skip
        return await house.ingest.post(hook, content=body, headers=headers)

    # only what is signed with the channel's own secret, and just now, comes in
    angry = "Northwind is down again, I am furious! No internet since Monday."
    for refused in (await deliver(1, angry, secret=new), await deliver(1, angry, late_s=600)):
        assert refused.status_code == 401, refused.text
    assert (await house.ingest.post(hook, content=b"{}")).status_code == 401
    for counted in ({"accepted": 1, "duplicates": 0}, {"accepted": 0, "duplicates": 1}):
        taken = await deliver(1, angry, published_at="2026-11-20T10:00:00Z")
        assert taken.status_code == 202, taken.text
        assert {name: taken.json()[name] for name in counted} == counted

    # it is understood and waits for an agent, who sees that it cannot be answered there
    mention = (await _understood(house, "partner", 1))["ticket-1"]
    assert (mention["disposition"], mention["findings"]["sentiment"]["value"]) == ("engage", "negative")
    conversation = await house.get(f"/v1/conversations/{mention['conversation_id']}")
    assert (conversation["status"], conversation["queue_id"] is not None) == ("open", True)
    asked = {"text": "Sorry!", "visibility": "public"}
    agent = await house.post("/v1/agents", {"name": "Jo Doe", "initials": "JD"})
    key = (await house.post("/v1/api-keys", {"name": "Jo", "role": "agent", "agent_id": agent["id"]}))["key"]
    refused = await house.call("POST", f"/v1/conversations/{conversation['id']}/replies", asked, key=key)
    assert refused.status_code in (409, 422), refused.text

    # the secret is changed: both count for a while, and then the new one alone
    for both, status in (
        ({"signing_secret": new, "former_signing_secret": old}, 202),
        ({"signing_secret": new}, 401),
    ):
        changed = await house.call("PATCH", f"/v1/channels/{channel['id']}", {"secrets": both})
        assert changed.status_code == 200, changed.text

        async def answers(expected: int = status) -> bool:
            return (await deliver(2, "Northwind, thank you!")).status_code == expected

        await wait_until(answers, WAIT_S)
        assert (await deliver(2, "Northwind, thank you!", secret=new)).status_code == 202
    assert set(await _understood(house, "partner", 2)) == {"ticket-1", "ticket-2"}


async def _a_file_of_reviews(house: House) -> None:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("WEBCARE_")},
        "WEBCARE_DATABASE_URL": house.settings.database_url,
        "WEBCARE_VALKEY_URL": house.settings.valkey_url,
        "WEBCARE_SECRET_KEY": house.settings.secret_key.get_secret_value(),
        "WEBCARE_DATA_DIR": str(house.settings.data_dir),
    }
    command = ("import", str(REVIEWS), "--mapping", "shop_reviews", "--workspace", house.slug)
    for outcome in ("3 read: 3 stored.", "3 read: 3 duplicate."):
        done = await asyncio.to_thread(webcare, command, environment)
        assert (done.returncode, outcome in done.stderr) == (0, True), done.stderr
    seen = await _understood(house, "shop%20reviews", 3)
    bad = seen["R-81001"]
    assert (bad["kind"], bad["rating"], bad["author"]["name"]) == ("review", 1, "Petra")
    assert bad["text"].startswith("The Northwind router stops every evening.")
    assert (bad["disposition"], bad["findings"]["language"]["value"]) == ("engage", "en")
    waiting = await house.get(f"/v1/conversations/{bad['conversation_id']}")
    assert (waiting["status"], waiting["queue_id"] is not None) == ("open", True)
    (row,) = [one for one in (await house.get("/v1/ledger"))["data"] if one["received"]]
    assert (row["received"], row["stored"], row["duplicate"]) == (6, 3, 3)

"""The bluesky channel against the network's own servers, on loopback: in, out, once, gone.

`make interop-bluesky` runs it. They come from npm into WEBCARE_INTEROP_DIR, which takes minutes the first time.
"""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.ingest.channel import AskForNewCredential, IncomingMention, OutgoingReply, Post, SkipThis
from services.ingest.channels.bluesky import Bluesky
from services.ingest.networks import atproto_session
from shared.kit import clock
from shared.kit.http import HttpClient
from shared.kit.ids import new_id
from tests.interop.bluesky_network import Network, bluesky_network, install_bluesky
from tests.interop.programs import MARKS, installing

pytestmark = MARKS
installed = installing(install_bluesky)


@dataclass
class Customer:
    """Somebody with an account, who uses the network as its app does."""

    pds: str
    did: str = ""
    token: str = ""

    async def call(self, nsid: str, asked: dict[str, Any]) -> Any:
        async with httpx.AsyncClient(headers={"Authorization": f"Bearer {self.token}"} if self.token else {}) as client:
            answer = await client.post(f"{self.pds}/xrpc/{nsid}", json=asked)
            assert answer.status_code == 200, answer.text
            return answer.json()

    async def sign_in(self) -> None:
        told = await self.call(
            "com.atproto.server.createSession", {"identifier": "klant.test", "password": "klant-pass"}
        )
        self.did, self.token = told["did"], told["accessJwt"]

    async def post(self, text: str, names: str | None = None) -> str:
        record: dict[str, Any] = {"$type": "app.bsky.feed.post", "text": text, "createdAt": clock.iso(clock.now())}
        if names:
            start = len(text[: text.index("@acmetel.test")].encode())
            feature = {"$type": "app.bsky.richtext.facet#mention", "did": names}
            record["facets"] = [{"index": {"byteStart": start, "byteEnd": start + 13}, "features": [feature]}]
        asked = {"repo": self.did, "collection": "app.bsky.feed.post", "record": record}
        return str((await self.call("com.atproto.repo.createRecord", asked))["uri"])

    async def delete(self, uri: str) -> None:
        _, _, did, collection, rkey = uri.split("/")
        await self.call("com.atproto.repo.deleteRecord", {"repo": did, "collection": collection, "rkey": rkey})


async def _until(channel: Bluesky, wanted: str, *, gone: bool = False) -> IncomingMention:
    """Reads on until a mention is there, or is gone."""
    cursor = None
    for _ in range(120):
        page = await channel.page(cursor)
        cursor = json.loads(json.dumps(page.cursor))
        for one in page.mentions:
            if one.external_id == wanted and bool(one.deleted_at) == gone:
                return one
        if not page.has_more:
            await asyncio.sleep(0.5)
    raise AssertionError(f"{wanted} was not {'taken away' if gone else 'read'}")


async def test_in_and_out_and_gone(folder: Path, http: HttpClient) -> None:
    atproto_session._sessions.clear()
    with bluesky_network(folder) as network:
        await _in_and_out_and_gone(network, http)


async def _in_and_out_and_gone(network: Network, http: HttpClient) -> None:
    settings = {"handle": "acmetel.test", "service": network.pds, "queries": ["router"]}
    channel = Bluesky(settings, {"app_password": "acme-pass"}, http)
    customer = Customer(network.pds)
    await customer.sign_in()
    account = await channel.account()
    assert (account.external_id, account.handle) == (network.dids["acmetel"], "acmetel.test")
    with pytest.raises(AskForNewCredential):
        await Bluesky(settings, {"app_password": "wrong"}, http).account()

    # in: by notification, and by search
    text = "👋 @acmetel.test mijn internet valt uit 😡"
    named = await customer.post(text, names=network.dids["acmetel"])
    heard = await _until(channel, named)
    assert heard.text == text
    assert heard.author is not None
    assert (heard.author.external_id, heard.author.handle) == (customer.did, "klant.test")
    found = await customer.post("Mijn router is stuk")
    assert (await _until(channel, found)).text == "Mijn router is stuk"

    # out: once, with what is alive in it, as the app view shows it
    reply = OutgoingReply(
        text="Vervelend 👩‍👩‍👧 @klant.test, zie https://acmetel.test/help #storing", token=str(new_id()), in_reply_to=named,
        author_external_id=customer.did,
    )  # fmt: skip
    assert await channel.find_reply(reply, private=False, since=clock.now()) is None
    sent = await channel.reply_publicly(reply)
    again = await channel.reply_publicly(reply)
    assert again.external_id == sent.external_id
    assert await channel.find_reply(reply, private=False, since=clock.now()) == again
    shown: dict[str, dict[str, Any]] = {}
    for _ in range(60):
        if shown := await channel._records.shown([sent.external_id]):
            break
        await asyncio.sleep(0.5)
    record = shown[sent.external_id]["record"]
    assert record["text"] == reply.text
    assert record["reply"]["parent"]["uri"] == record["reply"]["root"]["uri"] == named
    assert {one["features"][0]["$type"].rpartition("#")[2] for one in record["facets"]} == {"mention", "link", "tag"}

    # what the server refuses
    family = "👨‍👩‍👧‍👦"
    for wrong in ("a" * 301, family * 121):
        with pytest.raises(SkipThis):
            await channel.reply_publicly(OutgoingReply(text=wrong, token=str(new_id()), in_reply_to=named))
    fits = OutgoingReply(text=family * 120, token=str(new_id()), in_reply_to=named)
    assert (await channel.reply_publicly(fits)).external_id

    if network.labeler:
        told = Bluesky({**settings, "labeler": network.labeler}, {"app_password": "acme-pass"}, http)
        await told.report(Post(found), "This is spam.")

    # gone
    await channel.delete_reply(Post(sent.external_id))
    await channel.delete_reply(Post(sent.external_id))
    assert await channel.find_reply(reply, private=False, since=clock.now()) is None
    watch = Bluesky({**settings, "queries": ["router"]}, {"app_password": "acme-pass"}, http)
    page = await watch.page(None)
    while page.has_more:
        page = await watch.page(page.cursor)
    await customer.delete(found)
    gone: list[str] = []
    for _ in range(60):
        page = await watch.page(json.loads(json.dumps(page.cursor)))
        gone += [one.external_id for one in page.mentions if one.deleted_at]
        if found in gone:
            break
        await asyncio.sleep(0.2)
    assert found in gone
    with pytest.raises(SkipThis):
        await channel.reply_publicly(OutgoingReply(text="Hallo", token=str(new_id()), in_reply_to=found))

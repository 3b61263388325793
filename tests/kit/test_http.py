"""The one HTTP client, against servers that behave badly."""

import asyncio
import gzip
import socket
import ssl
import tempfile
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import aiohttp
import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from shared.kit import clock
from shared.kit.addresses import AddressGuard, AddressRefused
from shared.kit.connections import guarded_connector
from shared.kit.http import Answer, AnswerLost, AnswerTooLarge, Hop, HttpClient, NotSent, retry_after

LOOPBACK = ("127.0.0.0/8",)
Handler = Callable[[bytes, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Serve = Callable[..., Awaitable[int]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Starts a server that hands each request's head to a handler; gives its port."""
    servers: list[asyncio.Server] = []

    async def start(handler: Handler, tls: ssl.SSLContext | None = None) -> int:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                while True:
                    head = await reader.readuntil(b"\r\n\r\n")
                    await handler(head, reader, writer)
                    await writer.drain()
            except (asyncio.IncompleteReadError, ConnectionError):
                pass
            finally:
                writer.close()

        server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=tls)
        servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    yield start
    for server in servers:
        server.close()


@pytest.fixture
async def http() -> AsyncIterator[HttpClient]:
    client = HttpClient(LOOPBACK)
    yield client
    await client.close()


def _plain(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def _says(answer: bytes, heard: list[bytes] | None = None) -> Handler:
    async def handler(head: bytes, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if heard is not None:
            heard.append(head)
        writer.write(answer)

    return handler


async def test_an_answer_comes_back_whatever_its_status(serve: Serve, http: HttpClient) -> None:
    heard: list[bytes] = []
    port = await serve(_says(_plain(b'{"a": 1}', "418 Teapot", "X-Thing: yes", "Set-Cookie: a=b"), heard))
    answer = await http.get(f"http://127.0.0.1:{port}/a?x=1", params={"y": "2 3"}, headers={"X-Ours": "1"})
    assert (answer.status, answer.headers["x-thing"], answer.json()) == (418, "yes", {"a": 1})
    assert heard[0].startswith(b"GET /a?x=1&y=2+3 HTTP/1.1\r\n") or heard[0].startswith(
        b"GET /a?x=1&y=2%203 HTTP/1.1\r\n"
    )
    assert f"\r\nHost: 127.0.0.1:{port}\r\n".encode() in heard[0]
    await http.get(f"http://127.0.0.1:{port}/a")
    assert b"cookie" not in heard[1].lower()


async def test_nothing_is_called_that_the_guard_refuses(serve: Serve) -> None:
    heard: list[bytes] = []
    port = await serve(_says(_plain(b"secret"), heard))
    client = HttpClient()
    for url in (f"http://127.0.0.1:{port}/", f"http://localhost:{port}/", f"http://[::ffff:127.0.0.1]:{port}/"):
        with pytest.raises(AddressRefused):
            await client.get(url)
    await client.close()
    assert heard == []


async def test_the_name_that_was_judged_is_the_one_that_is_called(serve: Serve) -> None:
    """A name that says something else on the second question is asked only once for each connection."""
    heard: list[bytes] = []
    port = await serve(_says(_plain(b"secret", "200 OK", "Connection: close"), heard))
    questions: list[str] = []

    async def rebinding(host: str, _port: int) -> Sequence[str]:
        questions.append(host)
        return ["127.0.0.1"] if len(questions) > 1 else ["192.0.2.1"]

    client = HttpClient(resolver=rebinding)
    for _ in range(3):
        with pytest.raises(AddressRefused):
            await client.get(f"http://rebind.example:{port}/")
    assert (heard, len(questions)) == ([], 3)
    await client.close()


@pytest.mark.parametrize(
    "where", ["http://127.0.0.2:{port}/in", "http://10.0.0.1/in", "file:///etc/passwd", "//[::1]/in"]
)
async def test_each_hop_of_a_redirect_is_judged(serve: Serve, where: str) -> None:
    heard: list[bytes] = []
    target = await serve(_says(_plain(b"secret"), heard))
    port = await serve(_says(_plain(b"", "302 Found", f"Location: {where.format(port=target)}")))
    client = HttpClient(["127.0.0.1/32"])
    with pytest.raises(AddressRefused):
        await client.get(f"http://127.0.0.1:{port}/", redirects=5)
    assert heard == []
    await client.close()


async def test_redirects_are_followed_only_when_asked_and_not_for_ever(serve: Serve, http: HttpClient) -> None:
    end = await serve(_says(_plain(b"here")))
    port = await serve(_says(_plain(b"", "301 Moved", f"Location: http://127.0.0.1:{end}/new#part")))
    loop = await serve(_says(_plain(b"", "302 Found", "Location: /again")))
    answer = await http.get(f"http://127.0.0.1:{port}/")
    assert (answer.status, answer.hops) == (301, ())
    answer = await http.get(f"http://127.0.0.1:{port}/", redirects=1)
    assert (answer.body, answer.url) == (b"here", f"http://127.0.0.1:{end}/new")
    assert answer.hops == (Hop(301, f"http://127.0.0.1:{end}/new"),)
    answer = await http.request("POST", f"http://127.0.0.1:{port}/", content=b"x", redirects=5)
    assert answer.status == 301
    with pytest.raises(AnswerLost, match="more than 5 times"):
        await http.get(f"http://127.0.0.1:{loop}/", redirects=5)


async def test_credentials_stay_with_their_origin(serve: Serve, http: HttpClient) -> None:
    first: list[bytes] = []
    second: list[bytes] = []
    other = await serve(_says(_plain(b"ok"), second))
    port = await serve(_says(_plain(b"", "307 Over there", f"Location: http://127.0.0.1:{other}/"), first))
    await http.get(f"http://127.0.0.1:{port}/", auth=("anna", "pässword"), redirects=3)
    await http.get(f"http://127.0.0.1:{port}/", headers={"Authorization": "Bearer x"}, redirects=3)
    assert all(b"authorization: b" in head.lower() for head in first)
    assert all(b"authorization" not in head.lower() for head in second)
    assert len(second) == 2


async def test_the_body_is_capped_after_unpacking(serve: Serve, http: HttpClient) -> None:
    bomb = gzip.compress(bytes(50_000_000), mtime=0)
    cases = {
        "plain": _plain(b"x" * 1001),
        "gzip": _plain(bomb, "200 OK", "Content-Encoding: gzip"),
        "deflate": _plain(zlib.compress(bytes(50_000_000)), "200 OK", "Content-Encoding: deflate"),
    }
    for answer in cases.values():
        port = await serve(_says(answer))
        with pytest.raises(AnswerTooLarge, match="more than 1,000 bytes"):
            await http.get(f"http://127.0.0.1:{port}/", max_bytes=1000)
    port = await serve(_says(_plain(gzip.compress(b"y" * 1000, mtime=0), "200 OK", "Content-Encoding: gzip")))
    assert (await http.get(f"http://127.0.0.1:{port}/", max_bytes=1000)).body == b"y" * 1000


async def test_a_body_that_never_ends_is_cut(serve: Serve, http: HttpClient) -> None:
    async def endless(_head: bytes, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"1000\r\n" + bytes(4096) + b"\r\n")
            await writer.drain()

    with pytest.raises(AnswerTooLarge):
        await http.get(f"http://127.0.0.1:{await serve(endless)}/", max_bytes=100_000)


async def test_a_trickle_ends_at_the_deadline(serve: Serve, http: HttpClient) -> None:
    async def trickle(_head: bytes, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    with pytest.raises(AnswerLost, match=r"within 0\.3 seconds"):
        await http.get(f"http://127.0.0.1:{await serve(trickle)}/", deadline_s=0.3)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"this is not HTTP\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Encoding: gzip\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Encoding: br\r\n\r\nhello",
        _plain(gzip.compress(b"a" * 5000, mtime=0)[:-12], "200 OK", "Content-Encoding: gzip"),
    ],
)
async def test_what_breaks_off_after_the_request_may_have_arrived(
    serve: Serve, http: HttpClient, answer: bytes
) -> None:
    async def cut(_head: bytes, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()
        writer.close()

    with pytest.raises(AnswerLost):
        await http.request("POST", f"http://127.0.0.1:{await serve(cut)}/", json={"text": "hello"})


async def test_what_fails_before_the_request_left_was_not_sent(serve: Serve, http: HttpClient) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        with pytest.raises(NotSent, match=r"127\.0\.0\.1 cannot be reached"):
            await http.request("POST", f"http://127.0.0.1:{port}/", json={})

    async def nowhere(_host: str, _port: int) -> Sequence[str]:
        raise OSError("no such name")

    async def silent(_head: bytes, _reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)

    with pytest.raises(NotSent, match=r"the name nowhere\.example cannot be resolved"):
        await HttpClient(resolver=nowhere).get("http://nowhere.example/")
    with pytest.raises(AnswerLost):  # a time-out after sending is not "not sent"
        await http.request("POST", f"http://127.0.0.1:{await serve(silent)}/", json={}, deadline_s=0.2)


async def test_an_error_does_not_tell_the_query(http: HttpClient) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(NotSent) as caught:
            await http.get(f"http://127.0.0.1:{closed.getsockname()[1]}/?apikey=hunter2")
    assert "hunter2" not in str(caught.value)


async def test_no_proxy_is_read_from_the_environment(
    serve: Serve, http: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    client = HttpClient(LOOPBACK)
    assert (await client.get(f"http://127.0.0.1:{await serve(_says(_plain(b'ok')))}/")).body == b"ok"
    await client.close()


def _certificate(name: str, folder: Path) -> tuple[Path, ssl.SSLContext]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    today = clock.now()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    return path, server


async def test_certificates_are_checked_against_the_name_not_the_address(serve: Serve) -> None:
    heard: list[bytes] = []
    with tempfile.TemporaryDirectory() as folder:
        path, server = _certificate("feed.example", Path(folder))
        trusting = ssl.create_default_context(cafile=str(path))
    names: list[str | None] = []
    server.sni_callback = lambda _socket, name, _context: names.append(name)
    port = await serve(_says(_plain(b"safe"), heard), server)

    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    client = HttpClient(LOOPBACK, resolver=resolve, ssl_context=trusting)
    assert (await client.get(f"https://feed.example:{port}/")).body == b"safe"
    assert names == ["feed.example"]
    assert f"Host: feed.example:{port}".encode() in heard[0]
    with pytest.raises(NotSent, match="certificate"):
        await client.get(f"https://other.example:{port}/")
    await client.close()


async def test_the_first_address_that_answers_is_used(serve: Serve) -> None:
    port = await serve(_says(_plain(b"ok")))

    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return ["127.0.0.9", "127.0.0.1"]  # nobody listens on the first

    client = HttpClient(LOOPBACK, resolver=resolve)
    assert (await client.get(f"http://two.example:{port}/")).body == b"ok"
    await client.close()


async def test_a_client_over_another_transport_raises_the_same_errors() -> None:
    def venue(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/late":
            raise httpx.ReadTimeout("late")
        if request.url.path == "/closed":
            raise httpx.ConnectError("closed")
        return httpx.Response(200, json={"heard": request.content.decode()})

    client = HttpClient().through(httpx.MockTransport(venue))
    assert (await client.request("POST", "http://venue.example/", content=b"hi")).json() == {"heard": "hi"}
    with pytest.raises(AnswerLost):
        await client.get("http://venue.example/late")
    with pytest.raises(NotSent):
        await client.get("http://venue.example/closed")


async def test_aiohttp_connects_to_judged_addresses_only(serve: Serve) -> None:
    heard: list[bytes] = []
    port = await serve(_says(_plain(b"ok"), heard))

    async def resolve(host: str, _port: int) -> Sequence[str]:
        return ["127.0.0.1"] if host == "inside.example" else ["10.1.2.3"]

    strict = AddressGuard(resolver=resolve)
    async with aiohttp.ClientSession(connector=guarded_connector(strict), trust_env=False) as session:
        for host in ("inside.example", "127.0.0.1"):
            with pytest.raises(aiohttp.ClientConnectorError, match="not called") as caught:
                await session.get(f"http://{host}:{port}/")
            assert isinstance(caught.value.os_error, AddressRefused)
    assert heard == []
    open_guard = AddressGuard(LOOPBACK, resolver=resolve)
    async with aiohttp.ClientSession(connector=guarded_connector(open_guard), trust_env=False) as session:
        async with session.get(f"http://inside.example:{port}/") as answer:
            assert await answer.text() == "ok"
        async with session.get(f"http://127.0.0.1:{port}/") as answer:
            assert answer.status == 200
    assert f"Host: inside.example:{port}".encode() in heard[0]


@pytest.mark.parametrize(
    ("said", "wait"),
    [
        ("120", timedelta(seconds=120)),
        ("0", timedelta(0)),
        ("-5", timedelta(0)),
        ("1.5", timedelta(seconds=1.5)),
        ("99999999", timedelta(hours=24)),
        ("1e999", None),
        ("nan", None),
        ("soon", None),
        ("", None),
        ("@60", timedelta(seconds=60)),
        ("@-60", timedelta(0)),
    ],
)
def test_retry_after(said: str, wait: timedelta | None, monkeypatch: pytest.MonkeyPatch) -> None:
    noon = datetime(2026, 11, 22, 12, tzinfo=UTC)
    monkeypatch.setattr(clock, "now", lambda: noon)
    if said.startswith("@"):
        said = format_datetime(noon + timedelta(seconds=int(said[1:])), usegmt=True)
    headers = httpx.Headers({"Retry-After": said} if said else {})
    assert retry_after(Answer(503, headers, b"", "")) == wait

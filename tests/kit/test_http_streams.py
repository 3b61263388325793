"""Answers that go on and on, and WebSockets, against servers that are cut, fall silent, or send too much."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.server import ServerConnection, serve

from shared.kit.addresses import AddressRefused
from shared.kit.http import AnswerLost, AnswerTooLarge, HandshakeRefused, HttpClient, NotSent, ServerEvent
from shared.kit.http_streams import _EventParser

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
Say = Callable[[asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
async def http() -> AsyncIterator[HttpClient]:
    client = HttpClient(["127.0.0.0/8"])
    yield client
    await client.close()


@asynccontextmanager
async def a_server(say: Say) -> AsyncIterator[str]:
    """Answers every request by `say`; gives its URL. Fails where a connection is left open when the caller is through."""
    heads: list[bytes] = []
    open_now: set[asyncio.StreamWriter] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_now.add(writer)
        try:
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            await say(writer)
            await reader.read()  # until the caller goes
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            open_now.discard(writer)
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/stream"
    async with asyncio.timeout(30):
        while open_now:
            await asyncio.sleep(0.01)
    server.close()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def saying(*pieces: bytes, end: bool = True, cut: bool = False) -> Say:
    async def say(writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD)
        for piece in pieces:
            writer.write(chunk(piece))
            await writer.drain()
            await asyncio.sleep(0.01)
        if end:
            writer.write(b"0\r\n\r\n")
        if cut:
            writer.close()

    return say


async def test_lines_come_whole_however_they_are_cut(http: HttpClient) -> None:
    async with (
        a_server(saying(b'{"a":', b' 1}\r\n\r\n{"b"', b": 2}\n", b'{"never finished"')) as url,
        http.stream("GET", url) as answer,
    ):
        assert (answer.status, answer.head.status) == (200, 200)
        assert [line async for line in answer.lines()] == [b'{"a": 1}', b'{"b": 2}']


async def test_events_are_read_as_the_standard_says(http: HttpClient) -> None:
    pieces = (
        b"\xef\xbb", b"\xbfid: 1\ndata: one\r", b"\ndata:two\n\n", b": still here\n\n", b"event: update\rdata: {}\r\r",
        b"retry: 3000\nid: 7\ndata\n\n", b"event: nothing\n\n", "data: é".encode()[:-1], "é\n\n".encode()[1:], b"data: lost",
    )  # fmt: skip
    async with a_server(saying(*pieces)) as url, http.stream("GET", url) as answer:
        assert [event async for event in answer.events()] == [
            ServerEvent("one\ntwo", id="1"),
            ServerEvent("{}", "update", "1"),
            ServerEvent("", id="7", retry_ms=3000),
            ServerEvent("é", id="7", retry_ms=3000),
        ]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 1_000])
def test_events_do_not_depend_on_where_they_are_cut(size: int) -> None:
    whole = "\ufeffid: 1\r\ndata: één\r\n\r\ndata: a\rdata: b\r\rdata:  c\n\n".encode()
    parser = _EventParser(1_000, "it")
    found = [event for at in range(0, len(whole), size) for event in parser.feed(whole[at : at + size])]
    assert [event.data for event in found] == ["één", "a\nb", " c"]


async def test_silence_ends_it(http: HttpClient) -> None:
    async with (
        a_server(saying(b"one\n", end=False)) as url,
        http.stream("GET", url, idle_s=0.2) as answer,
    ):
        lines = answer.lines()
        assert await anext(lines) == b"one"
        with pytest.raises(AnswerLost, match=r"said nothing for 0\.2 seconds"):
            await anext(lines)


async def test_what_is_cut_off_is_said(http: HttpClient) -> None:
    async with a_server(saying(b"one\ntw", end=False, cut=True)) as url, http.stream("GET", url) as answer:
        lines = answer.lines()
        assert await anext(lines) == b"one"
        with pytest.raises(AnswerLost, match="broke off"):
            await anext(lines)


async def test_no_line_and_no_event_is_read_beyond_its_limit(http: HttpClient) -> None:
    for piece in (b"x" * 3_000, b"short\n" + b"x" * 3_000 + b"\n"):
        async with a_server(saying(piece)) as url, http.stream("GET", url) as answer:
            with pytest.raises(AnswerTooLarge, match=r"more than 2,000 bytes"):
                async for _ in answer.lines(longest=2_000):
                    pass
    endless = [b"data: " + b"x" * 900 + b"\n"] * 4
    for pieces in (endless, [b"data: " + b"x" * 3_000]):
        async with a_server(saying(*pieces)) as url, http.stream("GET", url) as answer:
            with pytest.raises(AnswerTooLarge):
                async for _ in answer.events(longest=2_000):
                    pass


async def test_a_server_that_begins_no_answer_is_left(http: HttpClient) -> None:
    async def nothing(_: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0)

    async with a_server(nothing) as url:
        with pytest.raises(AnswerLost, match=r"no answer within 0\.2 seconds"):
            async with http.stream("GET", url, deadline_s=0.2):
                pass


async def test_a_status_can_be_judged_before_anything_is_read(http: HttpClient) -> None:
    async def no(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 429 Too Many\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n")

    async with a_server(no) as url, http.stream("GET", url) as answer:
        assert (answer.head.status, answer.head.headers["retry-after"]) == (429, "7")


async def test_a_private_address_is_not_called() -> None:
    http = HttpClient()
    with pytest.raises(AddressRefused, match="not called"):
        async with http.stream("GET", "http://127.0.0.1:8080/"):
            pass
    for url in ("ws://127.0.0.1:8080/", "wss://169.254.169.254/"):
        with pytest.raises(AddressRefused, match="not called"):
            async with http.web_socket(url):
                pass
    with pytest.raises(AddressRefused, match="ws://"):
        async with http.web_socket("https://example.com/"):
            pass
    await http.close()


async def test_a_name_that_leads_inside_is_not_called() -> None:
    async def inside(_host: str, _port: int) -> list[str]:
        return ["10.0.0.8"]

    http = HttpClient(resolver=inside)
    for open_it in (http.web_socket("wss://feed.example/"), http.stream("GET", "https://feed.example/")):
        with pytest.raises(AddressRefused, match=r"10\.0\.0\.8"):
            async with open_it:
                pass
    await http.close()


# ---- WebSockets

Talk = Callable[[ServerConnection], Awaitable[None]]


@asynccontextmanager
async def a_socket_server(talk: Talk) -> AsyncIterator[str]:
    async with serve(talk, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}/subscribe?wanted=posts"


async def test_messages_come_and_go(http: HttpClient) -> None:
    heard: list[str | bytes] = []

    async def talk(socket: ServerConnection) -> None:
        assert socket.request is not None
        heard.append(socket.request.path)
        heard.append(socket.request.headers["User-Agent"])
        heard.append(socket.request.headers["X-Key"])
        heard.append(await socket.recv())
        await socket.send("one")
        await socket.send(b"two")

    async with (
        a_socket_server(talk) as url,
        http.web_socket(url, headers={"X-Key": "k"}) as web_socket,
    ):
        await web_socket.send("hello")
        assert [message async for message in web_socket.messages()] == ["one", b"two"]
    assert heard == ["/subscribe?wanted=posts", "webcare", "k", "hello"]


async def test_a_socket_that_is_cut_or_silent_is_said(http: HttpClient) -> None:
    async def cut(web_socket: ServerConnection) -> None:
        await web_socket.send("one")
        await asyncio.sleep(0.05)
        web_socket.transport.abort()

    async def silent(web_socket: ServerConnection) -> None:
        await web_socket.send("one")
        await web_socket.wait_closed()

    for talk, said, idle_s in ((cut, "broke off", 30.0), (silent, "said nothing", 0.5)):
        async with a_socket_server(talk) as url, http.web_socket(url, idle_s=idle_s) as web_socket:
            await asyncio.sleep(0.02)  # what was said is here before its time is counted
            messages = web_socket.messages()
            assert await anext(messages) == "one"
            with pytest.raises(AnswerLost, match=said):
                await anext(messages)


async def test_a_message_has_a_limit(http: HttpClient) -> None:
    async def flood(web_socket: ServerConnection) -> None:
        await web_socket.send("x" * 5_000)
        await web_socket.wait_closed()

    async with a_socket_server(flood) as url, http.web_socket(url, max_bytes=1_000) as web_socket:
        with pytest.raises(AnswerTooLarge):
            await anext(web_socket.messages())


async def test_a_refused_handshake_tells_its_status(http: HttpClient) -> None:
    async def no(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")

    async with a_server(no) as url:
        with pytest.raises(HandshakeRefused) as refused:
            async with http.web_socket(url.replace("http", "ws", 1)):
                pass
    assert refused.value.answer.status == 401

    async def elsewhere(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: ws://10.0.0.1/\r\nContent-Length: 0\r\n\r\n")

    async with a_server(elsewhere) as url:
        with pytest.raises(NotSent):
            async with http.web_socket(url.replace("http", "ws", 1)):
                pass


async def test_nobody_there(http: HttpClient) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with pytest.raises(NotSent):
        async with http.web_socket(f"ws://127.0.0.1:{port}/"):
            pass
    with pytest.raises(NotSent):
        async with http.stream("GET", f"http://127.0.0.1:{port}/"):
            pass

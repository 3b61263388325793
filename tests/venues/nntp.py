"""A news server played for tests: groups with numbers, overviews, posting, cancelling, expiry, and what it refuses."""

import asyncio
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from email import message_from_bytes
from email.utils import format_datetime
from typing import Any

from shared.kit import clock

USER, PASSWORD = "reader", "newspw"


def an_article(
    key: str,
    text: str = "Mijn router is stuk.",
    *,
    at: datetime | None = None,
    groups: str = "acme.support",
    **headers: str,
) -> bytes:
    """A plain article of a customer."""
    told = {
        "From": "Klant <klant@klant.test>", "Newsgroups": groups, "Subject": "Router", "Message-ID": f"<{key}>",
        "Date": format_datetime(at or clock.now()),
    }  # fmt: skip
    told |= {name.replace("_", "-"): value for name, value in headers.items()}
    return ("".join(f"{name}: {value}\r\n" for name, value in told.items()) + f"\r\n{text}\r\n").encode()


@dataclass
class NewsServerPlayed:
    """One server. `fault`: (command, what it answers) or (command, "cut")."""

    groups: dict[str, dict[int, bytes]] = field(default_factory=lambda: {"acme.support": {}})
    highest: dict[str, int] = field(default_factory=dict)
    lowest: dict[str, int] = field(default_factory=dict)
    asks_who: bool = False
    fault: tuple[str, str] | None = None
    old: bool = False
    moderated: bool = False
    heard: list[str] = field(default_factory=list)
    posted: list[bytes] = field(default_factory=list)
    port: int = 0
    tls: ssl.SSLContext | None = None
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", 0, limit=2**22, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def take(self, article: bytes) -> None:
        """Puts an article into its groups."""
        for name in str(message_from_bytes(article)["Newsgroups"]).split(","):
            if name in self.groups:
                number = self.highest[name] = self.highest.get(name, 0) + 1
                self.groups[name][number] = article

    def cancel(self, key: str) -> None:
        for articles in self.groups.values():
            for number in [number for number, one in articles.items() if _id(one) == key]:
                del articles[number]

    def expire(self, name: str, below: int) -> None:
        self.groups[name] = {number: one for number, one in self.groups[name].items() if number >= below}
        self.lowest[name] = below

    def _find(self, key: str) -> bytes | None:
        return next((one for articles in self.groups.values() for one in articles.values() if _id(one) == key), None)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await _Talk(self, reader, writer).run()
        writer.close()


def _id(article: bytes) -> str:
    return str(message_from_bytes(article)["Message-ID"]).strip("<>")


class _Talk:
    def __init__(self, server: NewsServerPlayed, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server, self.reader, self.writer = server, reader, writer
        self.here = ""
        self.signed_in = not server.asks_who

    def say(self, line: str) -> None:
        self.writer.write(f"{line}\r\n".encode())

    def block(self, lines: list[bytes]) -> None:
        for line in lines:
            self.writer.write((b"." + line if line.startswith(b".") else line) + b"\r\n")
        self.writer.write(b".\r\n")

    async def run(self) -> None:
        self.say("200 played")
        while line := (await self.reader.readline()).decode().rstrip("\r\n"):
            self.server.heard.append(line)
            word, _, rest = line.partition(" ")
            fault = self.server.fault
            if fault and fault[0] == word and fault[1] == "cut":
                return
            if fault and fault[0] == word and not fault[1].startswith("after"):
                self.say(fault[1])
            elif word in ("MODE", "QUIT"):
                self.say("205 bye" if word == "QUIT" else "200 go on")
            elif word == "AUTHINFO":
                self.auth(*rest.split(" ", 1))
            elif not self.signed_in:
                self.say("480 who are you")
            elif word == "POST":
                if await self.post() is None:
                    return
            else:
                handler = getattr(self, f"do_{word.lower()}", None)
                if handler is None or (self.server.old and word == "OVER"):
                    self.say("500 what")
                else:
                    handler(rest)
            await self.writer.drain()

    def auth(self, what: str, said: str) -> None:
        if what == "USER":
            self.say("381 and the password" if said == USER else "481 no")
        else:
            self.signed_in = said == PASSWORD
            self.say("281 welcome" if self.signed_in else "481 no")

    def do_group(self, rest: str) -> None:
        if rest not in self.server.groups:
            self.say("411 no such group")
            return
        self.here = rest
        numbers = self.server.groups[rest]
        high = self.server.highest.get(rest, 0)
        low = self.server.lowest.get(rest, 1)
        self.say(f"211 {len(numbers)} {low} {high} {rest}")

    def _range(self, said: str) -> list[int]:
        first, _, last = said.partition("-")
        return sorted(number for number in self.server.groups[self.here] if int(first) <= number <= int(last or first))

    def do_listgroup(self, rest: str) -> None:
        name, said = rest.split(" ")
        self.do_group(name)
        self.block([str(number).encode() for number in self._range(said)])

    def do_over(self, rest: str) -> None:
        found = self._range(rest)
        if not found:
            self.say("423 no articles there")
            return
        self.say("224 here")
        lines = []
        for number in found:
            told = message_from_bytes(self.server.groups[self.here][number])
            lines.append(
                "\t".join((str(number), "s", "f", str(told["Date"]), str(told["Message-ID"]), "", "1", "1")).encode()
            )
        self.block(lines)

    do_xover = do_over

    def do_article(self, rest: str) -> None:
        found = (
            self.server._find(rest.strip("<>"))
            if rest.startswith("<")
            else self.server.groups[self.here].get(int(rest))
        )
        if found is None:
            self.say("430 no such article" if rest.startswith("<") else "423 no such number")
            return
        self.say("220 here")
        self.block(found.rstrip(b"\r\n").split(b"\r\n"))

    def do_stat(self, rest: str) -> None:
        self.say("223 0 there" if self.server._find(rest.strip("<>")) else "430 not there")

    async def post(self) -> bool | None:
        self.say("340 go on")
        await self.writer.drain()
        body = (await self.reader.readuntil(b"\r\n.\r\n"))[:-3].replace(b"\r\n..", b"\r\n.")
        told = message_from_bytes(body)
        assert told["Newsgroups"], "an article names its groups"
        assert told["From"]
        assert max(map(len, body.split(b"\r\n"))) <= 998
        if self.server._find(_id(body)) is not None:
            self.say("441 435 Duplicate article")
            return True
        if not set(str(told["Newsgroups"]).split(",")) & set(self.server.groups):
            self.say("441 (615) No such group")
            return True
        self.server.posted.append(body)
        if not self.server.moderated:
            self.server.take(body)
        if self.server.fault == ("POST", "after"):
            return None
        self.say("240 taken")
        return True

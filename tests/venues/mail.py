"""A mail server played for tests: a mailbox over IMAP4rev1 with IDLE, and submission over SMTP, with what they refuse."""

import asyncio
import base64
import re
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import Message
from email.utils import format_datetime
from typing import Any

US = "care@acme.test"
PASSWORD = "carepw"
TOKEN = "ya29.access"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def a_mail(
    text: str = "Mijn router is stuk.", *, key: str = "c1@klant.test", subject: str = "Router", sender: str = "klant@klant.test",
    at: datetime | None = None, **headers: str,
) -> bytes:  # fmt: skip
    """A plain mail of a customer."""
    told = {"From": f"Klant <{sender}>", "To": US, "Subject": subject, "Message-ID": f"<{key}>"}
    if at is not None:
        told["Date"] = format_datetime(at)
    told |= {name.replace("_", "-"): value for name, value in headers.items()}
    told |= {"MIME-Version": "1.0", "Content-Type": "text/plain; charset=utf-8", "Content-Transfer-Encoding": "8bit"}
    return ("".join(f"{name}: {value}\r\n" for name, value in told.items()) + "\r\n" + text + "\r\n").encode()


@dataclass
class Lying:
    """A mail in a folder."""

    uid: int
    at: datetime
    body: bytes


@dataclass
class MailServer:
    """One account. `faults` of IMAP: a command at which the connection is cut; `smtp_fault`: what goes wrong at which command."""

    validity: int = 7
    folders: dict[str, list[Lying]] = field(default_factory=lambda: {"INBOX": [], "Sent": []})
    next_uid: int = 1
    login_says: str | None = None
    cut_at: str | None = None
    cut_after: int = 0
    smtp_fault: tuple[str, str] | None = None
    keeps_sent: bool = False
    has_idle: bool = True
    tls: ssl.SSLContext | None = None
    upgrades: ssl.SSLContext | None = None
    heard: list[str] = field(default_factory=list)
    sent: list[tuple[list[str], Message]] = field(default_factory=list)
    imap_port: int = 0
    smtp_port: int = 0
    _news: set[asyncio.Event] = field(default_factory=set)
    _servers: list[asyncio.Server] = field(default_factory=list)
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    async def start(self) -> None:
        for name, talk in (("imap_port", self._imap), ("smtp_port", self._smtp)):
            server = await asyncio.start_server(talk, "127.0.0.1", 0, limit=2**22, ssl=self.tls)
            self._servers.append(server)
            setattr(self, name, server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        for server in self._servers:
            server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def settings(self, **more: Any) -> dict[str, Any]:
        return {
            "address": US, "name": "Acme Care", "imap_host": "127.0.0.1", "imap_port": self.imap_port, "imap_security": "none",
            "smtp_host": "127.0.0.1", "smtp_port": self.smtp_port, "smtp_security": "none", **more,
        }  # fmt: skip

    def deliver(self, body: bytes, at: datetime, folder: str = "INBOX") -> int:
        uid, self.next_uid = self.next_uid, self.next_uid + 1
        self.folders.setdefault(folder, []).append(Lying(uid, at, body))
        for news in self._news:
            news.set()
        return uid

    def count_anew(self) -> None:
        """What a server does when it lost its index: other UIDs for the same mails."""
        self.validity += 1
        self.next_uid = 100
        for lying in self.folders["INBOX"]:
            lying.uid, self.next_uid = self.next_uid, self.next_uid + 1

    # ---------------------------------------------------------------- IMAP

    async def _imap(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await _ImapTalk(self, reader, writer).run()
        writer.close()

    async def _smtp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await _SmtpTalk(self, reader, writer).run()
        writer.close()


class _ImapTalk:
    def __init__(self, server: MailServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server, self.reader, self.writer = server, reader, writer
        self.folder = ""
        self.signed_in = False
        self.secure = False

    def say(self, *lines: str) -> None:
        self.writer.write("".join(f"{line}\r\n" for line in lines).encode())

    async def run(self) -> None:
        self.say("* OK played")
        while line := (await self.reader.readline()).decode("utf-8", "replace").rstrip("\r\n"):
            tag, _, rest = line.partition(" ")
            self.server.heard.append(rest)
            if self.server.cut_at and rest.startswith(self.server.cut_at):
                if self.server.cut_after == 0:
                    return
                self.server.cut_after -= 1
            word = rest.split(" ")[0].upper()
            handler = getattr(self, f"do_{word.lower()}", None)
            if handler is None or (
                not self.signed_in and word not in ("CAPABILITY", "LOGIN", "AUTHENTICATE", "LOGOUT", "NOOP", "STARTTLS")
            ):
                self.say(f"{tag} BAD not now")
            elif await handler(tag, rest):
                return
            await self.writer.drain()

    async def do_capability(self, tag: str, _rest: str) -> None:
        idle = " IDLE" if self.server.has_idle else ""
        idle += " STARTTLS" if self.server.upgrades and not self.secure else ""
        self.say(f"* CAPABILITY IMAP4rev1 AUTH=PLAIN AUTH=XOAUTH2{idle}", f"{tag} OK done")

    async def do_starttls(self, tag: str, _rest: str) -> None:
        assert self.server.upgrades is not None
        self.say(f"{tag} OK begin")
        await self.writer.drain()
        await self.writer.start_tls(self.server.upgrades)
        self.secure = True

    async def do_noop(self, tag: str, _rest: str) -> None:
        self.say(f"{tag} OK done")

    async def do_logout(self, tag: str, _rest: str) -> bool:
        self.say("* BYE", f"{tag} OK done")
        return True

    async def do_login(self, tag: str, rest: str) -> None:
        assert self.secure or not self.server.upgrades, "a password went over the wire in the clear"
        words = re.findall(r'"([^"]*)"|(\S+)', rest)[1:]
        user, password = (one or other for one, other in words)
        if self.server.login_says or (user, password) != (US, PASSWORD):
            self.say(f"{tag} NO {self.server.login_says or '[AUTHENTICATIONFAILED] no'}")
        else:
            self.signed_in = True
            self.say(f"{tag} OK welcome")

    async def do_authenticate(self, tag: str, rest: str) -> None:
        self.say("+ ")
        await self.writer.drain()
        told = base64.b64decode((await self.reader.readline()).strip()).decode()
        if told == f"user={US}\1auth=Bearer {TOKEN}\1\1" or told == f"\0{US}\0{PASSWORD}":
            self.signed_in = True
            self.say(f"{tag} OK welcome")
        else:
            self.say(f"{tag} NO [AUTHENTICATIONFAILED] {rest} failed")

    async def do_select(self, tag: str, _rest: str) -> None:
        self.say(f"{tag} NO this mailbox is only to be read")

    async def do_examine(self, tag: str, rest: str) -> None:
        name = rest.partition(" ")[2].strip('"')
        if name not in self.server.folders:
            self.say(f"{tag} NO [NONEXISTENT] no such folder")
            return
        self.folder = name
        self.say(
            f"* {len(self._lying())} EXISTS", f"* OK [UIDVALIDITY {self.server.validity}] valid",
            f"* OK [UIDNEXT {self.server.next_uid}] next", f"{tag} OK [READ-ONLY] done",
        )  # fmt: skip

    def _lying(self) -> list[Lying]:
        return self.server.folders[self.folder]

    async def do_uid(self, tag: str, rest: str) -> None:
        _, what, arguments = rest.split(" ", 2)
        if what.upper() == "SEARCH":
            found = " ".join(str(one.uid) for one in self._lying() if self._matches(one, arguments))
            self.say(f"* SEARCH {found}".rstrip(), f"{tag} OK done")
            return
        uid, _, parts = arguments.partition(" ")
        limit = re.search(r"BODY\.PEEK\[\]<0\.(\d+)>", parts)
        assert limit is not None, "only PEEK leaves a mail unread"
        for number, one in enumerate(self._lying(), 1):
            if str(one.uid) == uid:
                at = one.at.astimezone(UTC)
                date = f"{at.day:2d}-{_MONTHS[at.month - 1]}-{at.year} {at:%H:%M:%S} +0000"
                body = one.body[: int(limit[1])]
                self.say(f'* {number} FETCH (UID {uid} INTERNALDATE "{date}" BODY[]<0> {{{len(body)}}}')
                self.writer.write(body + b")\r\n")
        self.say(f"{tag} OK done")

    def _matches(self, one: Lying, criteria: str) -> bool:
        if since := re.fullmatch(r"SINCE (\d+)-(\w{3})-(\d{4})", criteria):
            day = datetime(int(since[3]), _MONTHS.index(since[2]) + 1, int(since[1]), tzinfo=UTC)
            return one.at >= day
        if after := re.fullmatch(r"UID (\d+):\*", criteria):
            last = max(other.uid for other in self._lying())
            return one.uid >= int(after[1]) or one.uid == last  # n:* always holds the last one
        if header := re.fullmatch(r'HEADER Message-ID "([^"]*)"', criteria):
            return header[1] in str(message_from_bytes(one.body).get("Message-ID", ""))
        return criteria == "ALL"

    async def do_append(self, tag: str, rest: str) -> None:
        size = int(re.search(r"\{(\d+)\}$", rest)[1])  # type: ignore[index]
        self.say("+ go on")
        await self.writer.drain()
        body = await self.reader.readexactly(size)
        await self.reader.readline()
        folder = rest.split(" ")[1].strip('"')
        self.server.deliver(body, datetime.now(UTC), folder)  # noqa: DTZ005, TID251, RUF100
        self.say(f"{tag} OK done")

    async def do_idle(self, tag: str, _rest: str) -> None:
        self.say("+ idling")
        await self.writer.drain()
        news = asyncio.Event()
        self.server._news.add(news)
        done = asyncio.ensure_future(self.reader.readline())
        try:
            told = asyncio.ensure_future(news.wait())
            await asyncio.wait({done, told}, return_when=asyncio.FIRST_COMPLETED)
            if news.is_set():
                self.say(f"* {len(self._lying())} EXISTS")
                await self.writer.drain()
            told.cancel()
            await done
        finally:
            done.cancel()
            self.server._news.discard(news)
        self.say(f"{tag} OK done")


class _SmtpTalk:
    def __init__(self, server: MailServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server, self.reader, self.writer = server, reader, writer
        self.recipients: list[str] = []
        self.signed_in = self.secure = False

    async def say(self, line: str) -> None:
        self.writer.write(f"{line}\r\n".encode())
        await self.writer.drain()

    async def run(self) -> None:
        await self.say("220 played")
        while line := (await self.reader.readline()).decode().rstrip("\r\n"):
            word = line.split(" ")[0].upper()
            fault = self.server.smtp_fault
            if fault and fault[0] == word:
                if fault[1] == "cut":
                    return
                if not fault[1].startswith("after"):
                    await self.say(fault[1])
                    continue
            if not await self._carry_out(word, line, goes_on=not (fault and fault[1] == "after DATA")):
                return

    async def _carry_out(self, word: str, line: str, *, goes_on: bool) -> bool:
        """Carries out a command; False where the connection ends with it."""
        match word:
            case "EHLO":
                upgrade = "250-STARTTLS\r\n" if self.server.upgrades and not self.secure else ""
                await self.say(f"250-played\r\n{upgrade}250-8BITMIME\r\n250 AUTH PLAIN XOAUTH2")
            case "STARTTLS" if self.server.upgrades:
                await self.say("220 begin")
                await self.writer.start_tls(self.server.upgrades)
                self.secure = True
            case "AUTH":
                assert self.secure or not self.server.upgrades, "a password went over the wire in the clear"
                told = base64.b64decode(line.split(" ")[2]).decode()
                self.signed_in = told in (f"\0{US}\0{PASSWORD}", f"user={US}\1auth=Bearer {TOKEN}\1\1")
                await self.say("235 welcome" if self.signed_in else "535 5.7.8 who are you")
            case "MAIL":
                await self.say("250 fine" if self.signed_in else "530 5.7.0 sign in first")
            case "RCPT":
                await self._recipient(line)
            case "DATA":
                await self._data()
                if goes_on:
                    await self.say("250 2.0.0 taken")
                return goes_on
            case "QUIT":
                await self.say("221 bye")
                return False
            case _:
                await self.say("250 fine")
        return True

    async def _recipient(self, line: str) -> None:
        address = re.search(r"<([^>]*)>", line)[1]  # type: ignore[index]
        refused = {"unknown": "550 5.1.1 no such user", "later": "451 4.7.1 greylisted"}.get(address.partition("@")[0])
        if not refused:
            self.recipients.append(address)
        await self.say(refused or "250 fine")

    async def _data(self) -> None:
        await self.say("354 go on")
        body = await self.reader.readuntil(b"\r\n.\r\n")
        body = body[:-3].replace(b"\r\n..", b"\r\n.")
        assert max(map(len, body.split(b"\r\n"))) <= 998, "a line is too long"
        self.server.sent.append((self.recipients, message_from_bytes(body)))
        at = datetime.now(UTC)  # noqa: DTZ005, TID251, RUF100
        if US in self.recipients:
            self.server.deliver(body, at)
        if self.server.keeps_sent:
            self.server.deliver(body, at, "Sent")
        self.recipients = []

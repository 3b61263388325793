"""A mailbox at an IMAP server, read without changing anything in it: what came after a UID, waiting for what comes (IDLE).

imap-tools blocks, so it works in threads; a connection goes to an address that was judged, with TLS checked by name.
"""

import asyncio
import imaplib
import re
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from typing import Literal, TypeVar

from imap_tools.errors import ImapToolsError, MailboxFolderSelectError, MailboxLoginError
from imap_tools.mailbox import BaseMailBox

from services.ingest.channel_errors import AskForNewCredential, ChannelBroken, TryLater
from services.ingest.networks.tcp import CONNECT_S, judged_address, tls
from shared.kit.http import HttpClient

Security = Literal["tls", "starttls", "none"]
PORTS = frozenset({143, 993})
ANSWER_S = 30.0  # how long a server may take over one command
LONGEST_MAIL = 2_000_000  # bytes of a mail that are fetched: words stand before attachments
LARGEST_PAGE = 20_000_000  # bytes
IDLE_S = 300.0  # RFC 2177 lets 29 minutes; many routers forget a silent connection sooner
SLICE_S = 2.0
_AWAY = re.compile(
    r"\[(?:UNAVAILABLE|LIMIT|INUSE|SERVERBUG|CONTACTADMIN|OVERQUOTA)\]|too many|try again|temporar", re.IGNORECASE
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Login:
    """Who signs in: with a password, or with an access token of OAuth 2.0 (XOAUTH2)."""

    user: str
    password: str
    is_token: bool = False


@dataclass(frozen=True, slots=True)
class Server:
    """Where a mail server is."""

    host: str
    port: int
    security: Security = "tls"


@dataclass(frozen=True, slots=True)
class Fetched:
    """A mail as it lies in the mailbox: its UID, when the server took it in, its bytes (at most LONGEST_MAIL)."""

    uid: int
    received_at: datetime
    body: bytes


class _Plain(imaplib.IMAP4):
    """IMAP over a connection to an address that was judged."""

    def __init__(self, server: Server, address: str) -> None:
        self._address = address
        super().__init__(server.host, server.port, ANSWER_S)

    def _create_socket(self, _timeout: float | None) -> socket.socket:
        sock = socket.create_connection((self._address, self.port), CONNECT_S)
        sock.settimeout(ANSWER_S)
        return sock


class _Secure(_Plain):
    """The same, inside TLS from the first byte."""

    def _create_socket(self, timeout: float | None) -> socket.socket:
        return tls().wrap_socket(super()._create_socket(timeout), server_hostname=self.host)


class Box(BaseMailBox):
    """An open mailbox. All methods block."""

    def __init__(self, server: Server, address: str) -> None:
        self._server, self._address = server, address
        super().__init__()

    def _get_mailbox_client(self) -> imaplib.IMAP4:
        client = (_Secure if self._server.security == "tls" else _Plain)(self._server, self._address)
        if self._server.security == "starttls":
            if "STARTTLS" not in client.capabilities:
                client.shutdown()
                raise ChannelBroken(f"The mail server {self._server.host} offers no TLS here. Check port and setting.")
            client.starttls(tls())
        return client

    def enter(self, login: Login, folder: str) -> None:
        """Signs in and opens `folder`, for reading only."""
        if login.is_token:
            self.xoauth2(login.user, login.password, initial_folder=None)
        elif login.user.isascii() and login.password.isascii():
            self.login(login.user, login.password, initial_folder=None)
        else:
            self.login_utf8(login.user, login.password, initial_folder=None)
        self.folder.set(folder, readonly=True)
        self.validity = self._number("UIDVALIDITY") or 0
        self.next_uid = self._number("UIDNEXT")

    def _number(self, name: str) -> int | None:
        found = self.client.response(name)[1]
        said = found[0] if found else None
        return int(said) if isinstance(said, bytes) and said.isdigit() else None

    def uids_since(self, day: date) -> list[int]:
        """The UIDs of what the server took in on `day` or later."""
        return self._found(f"SINCE {day.day}-{_MONTHS[day.month - 1]}-{day.year}")

    def uids_after(self, uid: int) -> list[int]:
        """The UIDs greater than `uid`. Asked for n:*, a server gives the last mail even where its UID is smaller."""
        return [one for one in self._found(f"UID {uid + 1}:*") if one > uid]

    def uids_of(self, message_id: str) -> list[int]:
        """The UIDs of the mails with that Message-ID."""
        return self._found(f'HEADER Message-ID "<{message_id}>"')

    def _found(self, criteria: str) -> list[int]:
        return sorted(int(one) for one in self.uids(criteria, charset=None))

    def last_uid(self) -> int:
        """The greatest UID that was ever given here."""
        if self.next_uid is not None:
            return self.next_uid - 1
        return max(self._found("ALL"), default=0)

    def mails(self, uids: list[int]) -> tuple[list[Fetched], int]:
        """These mails, as far as they are still there, until a page is full; and the UID that was looked at last."""
        found: list[Fetched] = []
        total, last = 0, 0
        for uid in uids:
            if total > LARGEST_PAGE:
                break
            status, answer = self.client.uid("FETCH", str(uid), f"(UID INTERNALDATE BODY.PEEK[]<0.{LONGEST_MAIL}>)")
            if status != "OK":
                raise imaplib.IMAP4.abort(f"FETCH was answered with {status}")
            last = uid
            rest = b" ".join(part for part in answer if isinstance(part, bytes))
            for one in answer:
                if isinstance(one, tuple) and len(one) == 2:
                    total += len(one[1])
                    found.append(Fetched(uid, _internal_date(bytes(one[0]) + b" " + rest), bytes(one[1])))
        return found, last

    def put_copy(self, body: bytes, folder: str, at: datetime) -> None:
        """Puts a mail that we sent into a folder, as read."""
        self.append(body, folder, dt=at, flag_set=["\\Seen"])

    def wait(self, stopped: Callable[[], bool]) -> None:
        """Returns when something happens in the folder, or after a while, or when `stopped`."""
        if "IDLE" not in self.client.capabilities:
            _sleep(SLICE_S * 10, stopped)
            self.client.noop()
            return
        self.idle.start()  # type: ignore[no-untyped-call]
        waited = 0.0
        try:
            while waited < IDLE_S and not stopped() and not self.idle.poll(timeout=SLICE_S):
                waited += SLICE_S
                self.client.sock.getpeername()  # raises where the connection is gone, which IDLE alone would not tell
        finally:
            self.idle.stop()  # type: ignore[no-untyped-call]


def _sleep(seconds: float, stopped: Callable[[], bool]) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and not stopped():
        time.sleep(0.2)


def _internal_date(said: bytes) -> datetime:
    found = re.search(rb'INTERNALDATE "\s*([^"]{1,40})"', said)
    with suppress(ValueError, TypeError):
        return parsedate_to_datetime(found.group(1).decode("ascii", "replace") if found else "").astimezone(UTC)
    return datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class Imap:
    """A mailbox that can be opened, as often as needed."""

    http: HttpClient
    server: Server

    @property
    def what(self) -> str:
        """How it is called in sentences."""
        return f"The mail server {self.server.host}"

    @asynccontextmanager
    async def open(self, login: Login, folder: str) -> AsyncIterator["Opened"]:
        """The folder, open for reading, until the end of the block. Raises ChannelError."""
        address = await judged_address(self.http, self.server.host, self.server.port, PORTS, self.what)
        opened = Opened(self.what)
        try:
            await opened.begin(self.server, address, login, folder)
            yield opened
        finally:
            opened.close()


class Opened:
    """An open mailbox, used from the event loop."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._box: Box | None = None
        self._closed = False

    async def begin(self, server: Server, address: str, login: Login, folder: str) -> None:
        """Connects and signs in."""

        def enter() -> None:
            with imap_errors(self._what, folder):
                self._box = Box(server, address)
                self._box.enter(login, folder)

        await asyncio.to_thread(enter)

    async def do(self, work: Callable[[Box], T]) -> T:
        """Does something with the box, in a thread. Raises ChannelError."""
        box = self._box
        if box is None:
            raise TryLater(f"{self._what} is not connected.")

        def run() -> T:
            with imap_errors(self._what, ""):
                return work(box)

        return await asyncio.to_thread(run)

    async def wait(self) -> None:
        """Returns when something may have come."""
        await self.do(lambda box: box.wait(lambda: self._closed))

    def close(self) -> None:
        """Lets go of the connection. A thread that still waits on it ends by itself."""
        self._closed = True
        box = self._box
        if box is not None:
            with suppress(OSError, imaplib.IMAP4.error):
                box.client.shutdown()


@contextmanager
def imap_errors(what: str, folder: str) -> Iterator[None]:
    """What can go wrong there, by what to do about it."""
    try:
        yield
    except MailboxLoginError as refused:
        said = str(refused)
        if _AWAY.search(said):
            raise TryLater(f"{what} takes no sign-in for now.") from refused
        raise AskForNewCredential(f"{what} refuses our user name or password. Enter new ones.") from refused
    except MailboxFolderSelectError as missing:
        raise ChannelBroken(f"{what} has no folder {folder!r}. Check the setting.") from missing
    except ssl.SSLCertVerificationError as wrong:
        raise ChannelBroken(f"{what} shows a certificate that is not right: {wrong.verify_message}.") from wrong
    except imaplib.IMAP4.abort as broken:
        raise TryLater(f"{what} broke off.") from broken
    except imaplib.IMAP4.error as refused:
        if "AUTHENTICAT" in str(refused).upper():
            raise AskForNewCredential(f"{what} refuses our sign-in. Enter a new one.") from refused
        raise TryLater(f"{what} refuses what we ask: {str(refused)[:200]}.") from refused
    except ImapToolsError as refused:
        raise TryLater(f"{what} refuses what we ask.") from refused
    except (OSError, EOFError, ValueError) as failed:
        raise TryLater(f"{what} cannot be reached: {str(failed) or type(failed).__name__}.") from failed

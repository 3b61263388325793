"""A small client for news servers (NNTP, RFC 3977; posting by RFC 5536 and 5537): what a channel needs, and bounded.

One connection, one command at a time. An error says the one thing a caller must know: may an article have been taken?
"""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from services.ingest.channel_errors import AskForNewCredential, ChannelBroken, OutcomeUnknown, SkipThis, TryLater
from services.ingest.networks.tcp import CONNECT_S, judged_address, tls
from shared.kit.http import HttpClient

PORTS = frozenset({119, 443, 563})
ANSWER_S = 20.0
LOOKED_AHEAD = 500  # numbers asked for at once
LONGEST_LINE = 65_536  # bytes; overviews of large cross-posts are long
LARGEST_BLOCK = 4_000_000  # bytes of one answer
_SAFE = re.compile(r"[\x21-\x7e]{1,500}")


class NntpRefused(Exception):
    """The server answers with another code than hoped for; `code` and `said` are what it answers."""

    def __init__(self, code: int, said: str) -> None:
        super().__init__(f"{code} {said}"[:300])
        self.code, self.said = code, said


@dataclass(frozen=True, slots=True)
class Group:
    """A newsgroup as the server has it: the numbers of its first and its last article."""

    name: str
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Overview:
    """What the server tells of an article: its number in the group, its date as written, its Message-ID without brackets."""

    number: int
    date: str
    message_id: str


class Nntp:
    """An open connection. Every method raises TryLater where it breaks, NntpRefused where the server says no."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, what: str) -> None:
        self._reader, self._writer, self._what = reader, writer, what

    async def hello(self, user: str | None, password: str | None) -> None:
        """Reads the greeting, asks to read, signs in. Raises AskForNewCredential, ChannelBroken."""
        code, said = await self._answer()
        if code in (400, 403):
            raise TryLater(f"{self._what} is not there for now: {said}.")
        if code not in (200, 201):
            raise ChannelBroken(f"{self._what} does not let us in: {code} {said}.")
        with suppress(NntpRefused):
            await self.ask("MODE READER", 200, 201)
        if user is None:
            return
        try:
            code, _ = await self.ask(f"AUTHINFO USER {_word(user)}", 281, 381)
            if code == 381:
                await self.ask(f"AUTHINFO PASS {_word(password or '')}", 281)
        except NntpRefused as refused:
            if refused.code in (481, 482, 502):
                raise AskForNewCredential(
                    f"{self._what} refuses our user name or password. Enter new ones."
                ) from refused
            raise ChannelBroken(f"{self._what} takes no password: {refused}.") from refused

    async def ask(self, command: str, *hoped: int) -> tuple[int, str]:
        """Sends a command; its answer, where its code is one of those hoped for."""
        await self._send(command.encode("utf-8", "replace") + b"\r\n")
        code, said = await self._answer()
        if code not in hoped:
            raise NntpRefused(code, said)
        return code, said

    async def group(self, name: str) -> Group:
        """Enters a group."""
        _, said = await self.ask(f"GROUP {_word(name)}", 211)
        numbers = [int(one) for one in said.split()[:3] if one.isdigit()]
        if len(numbers) != 3:
            raise TryLater(f"{self._what} answers something that cannot be read.")
        return Group(name, numbers[1], numbers[2])

    async def numbers(self, name: str, first: int, last: int) -> set[int]:
        """The numbers of the articles that the group has between these."""
        await self.ask(f"LISTGROUP {_word(name)} {first}-{last}", 211)
        return {int(line) for line in await self._block() if line.strip().isdigit()}

    async def overviews(self, first: int, last: int) -> list[Overview]:
        """What there is between two numbers, in the group last entered."""
        try:
            await self.ask(f"OVER {first}-{last}", 224)
        except NntpRefused as refused:
            if refused.code in (420, 423):  # there is nothing between these
                return []
            if refused.code != 500:
                raise
            await self.ask(f"XOVER {first}-{last}", 224)  # servers from before RFC 3977
        found = []
        for line in await self._block():
            fields = line.decode("utf-8", "replace").split("\t")
            if len(fields) >= 5 and fields[0].isdigit():
                found.append(Overview(int(fields[0]), fields[3][:200], fields[4].strip().strip("<>")))
        return sorted(found, key=lambda one: one.number)

    async def following(self, group: Group, number: int) -> list[Overview]:
        """The next articles after a number, in the group last entered; numbers that no article has are passed over."""
        first = max(number + 1, group.low)
        while first <= group.high:
            last = min(first + LOOKED_AHEAD - 1, group.high)
            found = await self.overviews(first, last)
            if found:
                return found
            first = last + 1
        return []

    async def article(self, which: int | str) -> bytes | None:
        """An article by its number in the group or by its Message-ID; None where it is not there (any more)."""
        try:
            await self.ask(f"ARTICLE {_named(which)}", 220)
        except NntpRefused as refused:
            if refused.code in (420, 423, 430):
                return None
            raise
        return b"\r\n".join(await self._block()) + b"\r\n"

    async def has(self, message_id: str) -> bool:
        """Whether the server has the article with that Message-ID."""
        try:
            await self.ask(f"STAT {_named(message_id)}", 223)
        except NntpRefused as refused:
            if refused.code in (423, 430):
                return False
            raise
        return True

    async def post(self, article: bytes) -> None:
        """Posts an article, once. Raises OutcomeUnknown where it may have been taken, NntpRefused where it was not."""
        await self.ask("POST", 340)
        lines = article.replace(b"\r\n", b"\n").rstrip(b"\n").split(b"\n")
        stuffed = b"\r\n".join(b"." + line if line.startswith(b".") else line for line in lines)
        try:
            await self._send(stuffed + b"\r\n.\r\n")
            code, said = await self._answer()
        except TryLater as lost:
            raise OutcomeUnknown(f"{self._what} broke off and may have taken the article.") from lost
        if code != 240:
            raise NntpRefused(code, said)

    async def _send(self, data: bytes) -> None:
        try:
            async with asyncio.timeout(ANSWER_S):
                self._writer.write(data)
                await self._writer.drain()
        except (OSError, TimeoutError) as failed:
            raise TryLater(f"{self._what} broke off.") from failed

    async def _line(self) -> bytes:
        try:
            async with asyncio.timeout(ANSWER_S):
                line = await self._reader.readuntil(b"\n")
        except (OSError, EOFError, TimeoutError, asyncio.LimitOverrunError) as failed:
            raise TryLater(f"{self._what} broke off, or gave no answer in time.") from failed
        return line.rstrip(b"\r\n")

    async def _answer(self) -> tuple[int, str]:
        line = (await self._line()).decode("utf-8", "replace")
        if not re.match(r"[1-5]\d\d(?:\s|$)", line):
            raise TryLater(f"{self._what} answers something that is not NNTP.")
        return int(line[:3]), " ".join(line[3:].split())[:300]

    async def _block(self) -> Sequence[bytes]:
        lines: list[bytes] = []
        size = 0
        while (line := await self._line()) != b".":
            size += len(line) + 2
            if size <= LARGEST_BLOCK:  # what is beyond is read, so that the next answer is found, and dropped
                lines.append(line[1:] if line.startswith(b"..") else line)
            elif size > LARGEST_BLOCK * 10:
                raise TryLater(f"{self._what} answers with more than can be read.")
        return lines


@asynccontextmanager
async def open_nntp(
    http: HttpClient, host: str, port: int, *, secure: bool, user: str | None, password: str | None
) -> AsyncIterator[Nntp]:
    """A connection, signed in, closed at the end. Raises ChannelError; a refusal becomes the ChannelError it means."""
    what = f"The news server {host}"
    address = await judged_address(http, host, port, PORTS, what)
    try:
        async with asyncio.timeout(CONNECT_S):
            reader, writer = await asyncio.open_connection(
                address,
                port,
                ssl=tls() if secure else None,
                server_hostname=host if secure else None,
                limit=LONGEST_LINE,
            )
    except ssl.SSLCertVerificationError as wrong:
        raise ChannelBroken(f"{what} shows a certificate that is not right: {wrong.verify_message}.") from wrong
    except (OSError, TimeoutError) as failed:
        raise TryLater(f"{what} cannot be reached: {str(failed) or type(failed).__name__}.") from failed
    connection = Nntp(reader, writer, what)
    try:
        await connection.hello(user, password)
        yield connection
        with suppress(TryLater, NntpRefused):
            await connection.ask("QUIT", 205)
    except NntpRefused as refused:
        raise _meaning(refused, what) from refused
    finally:
        writer.close()


def _meaning(refused: NntpRefused, what: str) -> Exception:
    match refused.code:
        case 480 | 481 | 482 | 483:
            return AskForNewCredential(
                f"{what} asks for a user name and a password ({refused}). Enter them as secrets."
            )
        case 502:
            return AskForNewCredential(f"{what} does not allow it ({refused}). Enter the credential of who may.")
        case 400 | 403:
            return TryLater(f"{what} cannot do it for now ({refused}).")
        case 411:
            return ChannelBroken(f"{what} has no such group ({refused}). Check the setting.")
        case 440:
            return SkipThis(f"{what} takes no articles from us ({refused}).")
        case 441:
            return SkipThis(f"{what} refuses the article ({refused}).")
        case _:
            return ChannelBroken(f"{what} refuses what we ask ({refused}).")


def _named(which: int | str) -> str:
    return str(which) if isinstance(which, int) else f"<{_word(which)}>"


def _word(text: str) -> str:
    """A word of a command. What holds a blank or a line break would be another command."""
    if not _SAFE.fullmatch(text):
        raise ChannelBroken("A name, an id or a password holds a blank or a sign that a news server cannot be sent.")
    return text

"""Mails of ours: an answer, written so that it stands in the customer's thread, and its way to the SMTP server."""

import asyncio
import contextlib
import hashlib
import re
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email import policy
from email.headerregistry import Address as HeaderAddress
from email.message import EmailMessage

import aiosmtplib
from aiosmtplib import errors

from services.ingest.channel_errors import (
    AskForNewCredential,
    ChannelBroken,
    OutcomeUnknown,
    SkipThis,
    TryLater,
)
from services.ingest.networks.mail_reading import NO_ID
from services.ingest.networks.mailbox import Login, Server
from services.ingest.networks.tcp import CONNECT_S, judged_address, tls
from shared.kit.http import HttpClient

PORTS = frozenset({25, 465, 587, 2525})
COMMAND_S = 20.0
MOST_REFERENCES = 11  # the first of the thread and the last ten
OURS = "webcare."
_RE = re.compile(r"^\s*(?:(?:re|aw|antw|antwoord|sv|réf|rép)\s*(?:\[\d+\])?\s*:\s*)+", re.IGNORECASE)
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[^\s@<>\"(),:;\\\[\]]{1,250}")
_ID = re.compile(r"[\x21-\x3b\x3d\x3f-\x7e]{1,900}")


def message_id_of(token: str, domain: str) -> str:
    """The Message-ID of the answer with that token, without its brackets: always the same one."""
    if not re.fullmatch(r"[A-Za-z0-9-]{8,64}", token):
        token = hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()[:40]
    return f"{OURS}{token}@{domain}"


def is_ours(message_id: str, domain: str) -> bool:
    """Whether a Message-ID is one of those that we give."""
    return message_id.startswith(OURS) and message_id.lower().endswith(f"@{domain.lower()}")


@dataclass(frozen=True, slots=True)
class Letter:
    """An answer on its way. Ids stand without brackets."""

    message_id: str
    sender: str
    sender_name: str
    recipient: str
    subject: str | None
    text: str
    at: datetime
    in_reply_to: str | None = None
    references: Sequence[str] = ()

    def written(self, newsgroups: str = "") -> EmailMessage:
        """The mail, or the article for these newsgroups. Raises SkipThis where it cannot be addressed."""
        message = EmailMessage(policy=policy.SMTP)
        local, _, domain = self.sender.rpartition("@")
        message["From"] = HeaderAddress(_one_line(self.sender_name), local, domain)
        if newsgroups:
            message["Newsgroups"] = newsgroups
        else:
            message["To"] = deliverable(self.recipient)
        message["Subject"] = "Re: " + _RE.sub("", _one_line(self.subject or "")).strip()[:500]
        message["Date"] = self.at
        message["Message-ID"] = f"<{self.message_id}>"
        known = [one for one in dict.fromkeys((*self.references, self.in_reply_to or "")) if _is_sendable(one)]
        if self.in_reply_to and _is_sendable(self.in_reply_to) and not newsgroups:
            message["In-Reply-To"] = f"<{self.in_reply_to}>"
        if known:
            kept = known if len(known) <= MOST_REFERENCES else [known[0], *known[1 - MOST_REFERENCES :]]
            message["References"] = " ".join(f"<{one}>" for one in kept)
        message.set_content(
            self.text.replace("\r\n", "\n").replace("\r", "\n"), charset="utf-8", cte="quoted-printable"
        )
        return message


def deliverable(address: str) -> str:
    """An address as it goes on the wire. Raises SkipThis where we cannot write to it."""
    local, _, domain = address.strip().rpartition("@")
    try:
        domain = domain.encode("idna").decode("ascii") if not domain.isascii() else domain
    except UnicodeError:
        domain = ""
    if not _ADDRESS.fullmatch(f"{local}@{domain}"):
        raise SkipThis("The customer's mail address is not one that can be written to.")
    return f"{local}@{domain}"


def _is_sendable(message_id: str) -> bool:
    return bool(_ID.fullmatch(message_id)) and not message_id.endswith(f"@{NO_ID}")


def _one_line(text: str) -> str:
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


@dataclass(frozen=True, slots=True)
class Smtp:
    """The server that takes our mails."""

    http: HttpClient
    server: Server

    @property
    def what(self) -> str:
        """How it is called in sentences."""
        return f"The mail server {self.server.host}"

    async def check(self, login: Login | None) -> None:
        """Connects and signs in. Raises ChannelError."""
        client = await self._connected(login)
        await _goodbye(client)

    async def send(
        self, letter: bytes, sender: str, recipient: str, copies: Sequence[str], login: Login | None
    ) -> None:
        """Hands a mail over, once, for all its recipients. Raises OutcomeUnknown where it may have been taken."""
        client = await self._connected(login)
        try:
            await self._address(client, sender, recipient, copies)
            await self._hand_over(client, letter)
        finally:
            await _goodbye(client)

    async def _connected(self, login: Login | None) -> aiosmtplib.SMTP:
        server, what = self.server, self.what
        address = await judged_address(self.http, server.host, server.port, PORTS, what)
        sock: socket.socket | None = None
        client: aiosmtplib.SMTP | None = None
        try:
            sock = await asyncio.to_thread(socket.create_connection, (address, server.port), CONNECT_S)
            sock.setblocking(False)
            client = aiosmtplib.SMTP(
                hostname=server.host, sock=sock, use_tls=server.security == "tls", start_tls=False, timeout=COMMAND_S,
                tls_context=None if server.security == "none" else tls(),
                local_hostname=_our_name(),
            )  # fmt: skip
            await client.connect()
            if server.security == "starttls":
                await client.ehlo()
                if not client.supports_extension("starttls"):
                    raise ChannelBroken(f"{what} offers no TLS here. Check port and setting.")
                await client.starttls(server_hostname=server.host)
            if login is not None:
                await (client.auth_xoauth2 if login.is_token else client.login)(login.user, login.password)
        except BaseException as failed:
            if client is not None:
                client.close()
            if sock is not None:
                sock.close()
            if isinstance(failed, Exception):
                _refuse(failed, what)
            raise
        return client

    async def _address(self, client: aiosmtplib.SMTP, sender: str, recipient: str, copies: Sequence[str]) -> None:
        try:
            await client.mail(sender)
        except errors.SMTPSenderRefused as refused:
            raise _by_code(refused, f"{self.what} takes no mail from {sender}", ChannelBroken) from refused
        except (errors.SMTPException, OSError) as failed:
            raise TryLater(f"{self.what} broke off before the mail was handed over.") from failed
        for one in (recipient, *copies):
            try:
                await client.rcpt(one)
            except errors.SMTPRecipientRefused as refused:
                broken = SkipThis if one == recipient else ChannelBroken
                raise _by_code(refused, f"{self.what} takes no mail for {one}", broken) from refused
            except (errors.SMTPException, OSError) as failed:
                raise TryLater(f"{self.what} broke off before the mail was handed over.") from failed

    async def _hand_over(self, client: aiosmtplib.SMTP, letter: bytes) -> None:
        try:
            await client.data(letter)
        except errors.SMTPDataError as refused:
            raise _by_code(refused, f"{self.what} refuses the mail", SkipThis) from refused
        except (errors.SMTPException, OSError, TimeoutError) as lost:
            raise OutcomeUnknown(f"{self.what} broke off and may have taken the mail.") from lost


def _by_code(
    refused: errors.SMTPResponseException | errors.SMTPRecipientRefused, what: str, for_good: type[Exception]
) -> Exception:
    said = " ".join(str(refused.message).split())[:300]
    sentence = f"{what} ({refused.code}{f' {said}' if said else ''})."
    return TryLater(sentence) if 400 <= refused.code < 500 else for_good(sentence)


def _refuse(failed: Exception, what: str) -> None:
    if isinstance(failed.__cause__, ssl.SSLCertVerificationError):
        failed = failed.__cause__  # wrapped by the library
    match failed:
        case errors.SMTPAuthenticationError() if not 400 <= failed.code < 500:
            raise AskForNewCredential(f"{what} refuses our user name or password. Enter new ones.") from failed
        case ssl.SSLCertVerificationError():
            raise ChannelBroken(f"{what} shows a certificate that is not right: {failed.verify_message}.") from failed
        case errors.SMTPException() | OSError() | TimeoutError() | ValueError():
            raise TryLater(f"{what} cannot be reached: {' '.join(str(failed).split())[:300]}.") from failed


def _our_name() -> str:
    """How we greet: a name that says nothing of the machine, as RFC 5321 lets those do who have none."""
    return "[127.0.0.1]"


async def _goodbye(client: aiosmtplib.SMTP) -> None:
    with contextlib.suppress(errors.SMTPException, OSError, TimeoutError):
        await client.quit()
    client.close()

"""Mail: a mailbox is read over IMAP (polled, or told at once by IDLE) and answered over SMTP, in the customer's thread.

What is quoted and signatures are left out of the text; what programs answer by themselves is not taken in. A mail of ours
that could not be delivered comes in as an answer to it. Nothing in the mailbox is changed.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal

from pydantic import Field, SecretStr

from services.ingest.channel import (
    Account,
    AskForNewCredential,
    Channel,
    ChannelError,
    ChannelSecrets,
    ChannelSettings,
    Cursor,
    HttpClient,
    Idempotency,
    OutgoingReply,
    Page,
    ReplyRules,
    ReplyWay,
    Sent,
    SkipThis,
)
from services.ingest.networks.mail_login import access_token
from services.ingest.networks.mail_mentions import page_of
from services.ingest.networks.mail_reading import read_mail
from services.ingest.networks.mail_sending import Letter, Smtp, message_id_of
from services.ingest.networks.mailbox import Box, Fetched, Imap, Login, Opened, Security, Server
from shared.kit import clock

PAGE_SIZE = 50
OVERLAP = timedelta(days=2)  # SINCE knows days only, and in the server's zone
COPY_S = 8.0
_MAIL_ADDRESS = r"^[^\s@<>\"]{1,64}@[^\s@<>\"]{1,250}$"
_HOST = r"^[A-Za-z0-9.:-]{1,253}$"


class MailSettings(ChannelSettings):
    """Which mailbox, and how it is answered from."""

    address: str = Field(
        title="Our address", description="The mailbox that is read and answered from.", pattern=_MAIL_ADDRESS
    )
    name: str = Field(default="", title="Our name", description="Stands beside the address in answers.", max_length=200)
    aliases: tuple[str, ...] = Field(default=(), title="Other addresses of ours", max_length=50)
    imap_host: str = Field(title="IMAP server", description="Where mail is read.", pattern=_HOST)
    imap_port: int = Field(default=993, title="Port of the IMAP server", ge=1, le=65_535)
    imap_security: Security = Field(default="tls", title="How the way to the IMAP server is kept secret")
    idle: bool = Field(
        default=True,
        title="Be told at once",
        description="By a connection that stays open (IDLE); else the folder is polled.",
    )
    folder: str = Field(default="INBOX", title="Folder to read", min_length=1, max_length=200)
    smtp_host: str = Field(title="SMTP server", description="Takes our answers.", pattern=_HOST)
    smtp_port: int = Field(default=465, title="Port of the SMTP server", ge=1, le=65_535)
    smtp_security: Security = Field(default="tls", title="How the way to the SMTP server is kept secret")
    smtp_signs_in: bool = Field(default=True, title="Sign in at the SMTP server")
    sent_copy: Literal["self", "server", "append"] = Field(
        default="self",
        title="Where a copy of an answer is kept",
        description="self: a blind copy comes back to our mailbox; server: the server keeps it in the sent folder by itself "
        "(Gmail, Microsoft 365); append: we put it there. Only the first two can settle an unknown outcome.",
    )
    sent_folder: str = Field(default="Sent", title="Folder of sent mail", min_length=1, max_length=200)
    history_days: int = Field(default=7, title="Days read back at the start", ge=0, le=3_650)
    automatic: bool = Field(
        default=False, title="Take in automatic mail", description="Newsletters, lists, out-of-office answers."
    )
    oauth_token_url: str = Field(
        default="",
        title="Token address of OAuth 2.0",
        description="Where access tokens are had.",
        pattern=r"^(https?://\S+)?$",
    )


class MailSecrets(ChannelSecrets):
    """A password, or what access tokens are had for (OAuth 2.0)."""

    user: str | None = Field(
        default=None, title="User name", description="Where it is not our address.", max_length=300
    )
    password: SecretStr | None = Field(default=None, title="Password", description="An app password.", max_length=1_000)
    oauth_client_id: SecretStr | None = Field(default=None, title="OAuth client id", description="Our application's.")
    oauth_client_secret: SecretStr | None = Field(
        default=None, title="OAuth client secret", description="If it has one."
    )
    oauth_refresh_token: SecretStr | None = Field(
        default=None, title="OAuth refresh token", description="That mailbox's."
    )


class MailChannel:
    """One mailbox."""

    title: ClassVar[str] = "Mail"
    Settings: ClassVar[type[ChannelSettings]] = MailSettings
    Secrets: ClassVar[type[ChannelSecrets]] = MailSecrets
    ids_unique_within: ClassVar[Literal["network", "channel"]] = "channel"
    reply_rules: ReplyRules = ReplyRules(private=ReplyWay(requires=("author_known",)))

    def __init__(self, settings: Mapping[str, Any], secrets: Mapping[str, str], http: HttpClient) -> None:
        self._settings = known = MailSettings.model_validate(settings)
        self._secrets = MailSecrets.model_validate(secrets)
        self._address = known.address.lower()
        self._domain = self._address.rpartition("@")[2]
        self._imap = Imap(http, Server(known.imap_host, known.imap_port, known.imap_security))
        self._smtp = Smtp(http, Server(known.smtp_host, known.smtp_port, known.smtp_security))
        self._http = http

    def own_accounts(self) -> frozenset[str]:
        """Our address and its aliases."""
        return frozenset({self._address, *(one.strip().lower() for one in self._settings.aliases)})

    # ---------------------------------------------------------------- reading

    @staticmethod
    def read_payload(body: bytes, at: datetime) -> Page:
        """One mail, as it lies in a mailbox."""
        return page_of([Fetched(0, at, body)], {}, own=frozenset(), domain="", automatic=False)

    async def page(self, cursor: Cursor | None) -> Page:
        """What came into the folder after `cursor`."""
        async with self._imap.open(await self._login(), self._settings.folder) as opened:
            return await self._read(opened, cursor)

    def streaming(self) -> bool:
        """As set."""
        return self._settings.idle

    async def stream(self, cursor: Cursor | None) -> AsyncIterator[Page]:
        """The same, told when it comes (IDLE)."""
        async with self._imap.open(await self._login(), self._settings.folder) as opened:
            begins = True
            while True:
                page = await self._read(opened, cursor)
                if begins or page.mentions or page.skipped or page.cursor != cursor:
                    yield page
                cursor, begins = page.cursor, False
                if not page.has_more:
                    await opened.wait()

    async def backfill(self, since: datetime, cursor: Cursor | None) -> Page:
        """What came at `since` or later, the oldest first."""
        async with self._imap.open(await self._login(), self._settings.folder) as opened:
            return await self._read(opened, cursor, since)

    async def _read(self, opened: Opened, cursor: Cursor | None, since: datetime | None = None) -> Page:
        held = dict(cursor or {})
        newest = datetime.fromisoformat(held["at"]) if "at" in held else None
        day = since or newest or clock.now() - timedelta(days=self._settings.history_days)

        def work(box: Box) -> tuple[list[Fetched], Mapping[str, Any], bool]:
            last: int | None = held.get("uid") if held.get("uidvalidity") == box.validity else None
            if last is None:  # the start, or the server counts anew: what we have is known by its Message-ID
                back = newest is not None or since is not None
                found = (
                    box.uids_since((day - OVERLAP if back else day).date())
                    if back or self._settings.history_days
                    else []
                )
                last = found[0] - 1 if found else box.last_uid()
            waiting = box.uids_after(last)
            mails, read = box.mails(waiting[:PAGE_SIZE])
            last = max(read, last)
            latest = max((one.received_at for one in mails), default=newest or clock.now())
            place = {"uidvalidity": box.validity, "uid": last, "at": clock.iso(latest)}
            return mails, place, bool(waiting and waiting[-1] > last)

        mails, place, more = await opened.do(work)
        return page_of(
            [one for one in mails if since is None or one.received_at >= since], place, own=self.own_accounts(),
            domain=self._domain, automatic=self._settings.automatic, more=more,
        )  # fmt: skip

    async def account(self) -> Account:
        """Our address, once both servers took our credential."""
        login = await self._login()
        async with self._imap.open(login, self._settings.folder):
            pass
        await self._smtp.check(login if self._settings.smtp_signs_in else None)
        return Account(self._address, self._settings.name or self._address, self._address)

    async def _login(self) -> Login:
        known, user = self._secrets, self._secrets.user or self._settings.address
        if known.oauth_refresh_token is None:
            if known.password is None:
                raise AskForNewCredential(f"The mailbox {self._address} asks for a password. Enter it as its secret.")
            return Login(user, known.password.get_secret_value())
        asked = {"grant_type": "refresh_token", "refresh_token": known.oauth_refresh_token.get_secret_value()}
        for name, value in (("client_id", known.oauth_client_id), ("client_secret", known.oauth_client_secret)):
            if value is not None:
                asked[name] = value.get_secret_value()
        return Login(user, await access_token(self._http, self._settings.oauth_token_url, asked), is_token=True)

    # ---------------------------------------------------------------- answering

    def idempotency(self) -> Idempotency:
        """A copy that the server makes as it takes a mail tells that it took it; one that we make afterwards does not."""
        return "neither" if self._settings.sent_copy == "append" else "read_back"

    async def reply_privately(self, reply: OutgoingReply) -> Sent:
        """Sends a mail in answer to a mail."""
        original = read_mail(reply.raw) if reply.raw else None
        asked = original.reply_to if original and original.reply_to else None
        recipient = asked.address if asked and asked.address not in self.own_accounts() else reply.author_external_id
        if not recipient:
            raise SkipThis("It is not known who wrote the mail.")
        first = (reply.thread_id,) if reply.thread_id and reply.thread_id != reply.in_reply_to else ()
        now = clock.now()
        letter = Letter(
            message_id=message_id_of(reply.token, self._domain), sender=self._settings.address, sender_name=self._settings.name,
            recipient=recipient, subject=original.subject if original else reply.title, text=reply.text, at=now,
            in_reply_to=reply.in_reply_to, references=original.references if original and original.references else first,
        )  # fmt: skip
        message = letter.written()
        written = message.as_bytes()
        login = await self._login() if self._settings.smtp_signs_in or self._settings.sent_copy == "append" else None
        copies = (self._settings.address,) if self._settings.sent_copy == "self" else ()
        await self._smtp.send(
            written, self._settings.address, str(message["To"]), copies,
            login if self._settings.smtp_signs_in else None,
        )  # fmt: skip
        if login is not None and self._settings.sent_copy == "append":
            await self._keep_copy(written, login, now)
        return Sent(letter.message_id, now)

    async def _keep_copy(self, written: bytes, login: Login, at: datetime) -> None:
        """The mail is sent whether or not this works."""
        with contextlib.suppress(ChannelError, TimeoutError):
            async with asyncio.timeout(COPY_S), self._imap.open(login, self._settings.folder) as opened:
                await opened.do(lambda box: box.put_copy(written, self._settings.sent_folder, at))

    async def find_reply(self, reply: OutgoingReply, *, private: bool, since: datetime) -> Sent | None:
        """Our mail among those sent, or as the blind copy in our mailbox, by its Message-ID."""
        message_id = message_id_of(reply.token, self._domain)
        folder = self._settings.sent_folder if self._settings.sent_copy == "server" else self._settings.folder
        async with self._imap.open(await self._login(), folder) as opened:
            found, _ = await opened.do(lambda box: box.mails(box.uids_of(message_id)[:1]))
        return Sent(message_id, found[0].received_at) if found else None


CHANNEL: type[Channel] = MailChannel

"""Newsgroups (Usenet, and discussion servers of one's own): read and answered over NNTP, threaded by References. Public.

Articles are known by their Message-ID. One that was cancelled goes missing among those read lately; one that expired, which
is the group's own way, is not taken for deleted.
"""

import re
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar, Literal

from pydantic import Field, SecretStr, ValidationError

from services.ingest.channel import (
    Account,
    Channel,
    ChannelSecrets,
    ChannelSettings,
    Cursor,
    Gap,
    HttpClient,
    Idempotency,
    IncomingAuthor,
    IncomingMention,
    OutgoingReply,
    Page,
    ReplyRules,
    ReplyWay,
    Sent,
    Skipped,
    SkipThis,
    explain,
)
from services.ingest.networks.mail_reading import Mail, header, read_mail
from services.ingest.networks.mail_sending import Letter, message_id_of
from services.ingest.networks.nntp_client import LOOKED_AHEAD, Group, Nntp, NntpRefused, open_nntp
from shared.kit import clock
from shared.models.mention import MentionKind

PAGE_SIZE = 50
WATCHED = 200  # articles of a group of which it is noticed that they were cancelled
LONGEST_RAW = 1_000_000
POLL_AFTER = timedelta(minutes=2)
PLAUSIBLE = timedelta(days=3)  # an article may have been under way so long
_GROUPS = re.compile(r"[A-Za-z0-9.+_-]{1,200}")
_MAIL_ADDRESS = r"^([A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,250})?$"


class NntpSettings(ChannelSettings):
    """Which server and groups, and under whose name we post."""

    host: str = Field(title="News server", description="Its name.", pattern=r"^[A-Za-z0-9.:-]{1,253}$")
    port: int = Field(default=563, title="Port of the news server", ge=1, le=65_535)
    security: Literal["tls", "none"] = Field(default="tls", title="How the way to the server is kept secret")
    groups: tuple[str, ...] = Field(
        title="Newsgroups to read", description="As acme.support.", min_length=1, max_length=100
    )
    address: str = Field(
        default="",
        title="Our address",
        description="Stands in our articles; without one nothing is posted.",
        pattern=_MAIL_ADDRESS,
    )
    name: str = Field(default="", title="Our name", description="Stands beside the address.", max_length=200)
    history_days: int = Field(default=7, title="Days read back at the start", ge=0, le=3_650)


class NntpSecrets(ChannelSecrets):
    """For servers that ask who reads."""

    user: str | None = Field(default=None, title="User name", description="At the news server.", max_length=200)
    password: SecretStr | None = Field(default=None, title="Password", description="That user's.", max_length=500)


class NewsServer:
    """Some groups of one server."""

    title: ClassVar[str] = "Newsgroups"
    Settings: ClassVar[type[ChannelSettings]] = NntpSettings
    Secrets: ClassVar[type[ChannelSecrets]] = NntpSecrets
    ids_unique_within: ClassVar[Literal["network", "channel"]] = "channel"
    reply_rules: ReplyRules = ReplyRules(public=ReplyWay(moderated=True))

    def __init__(self, settings: Mapping[str, Any], secrets: Mapping[str, str], http: HttpClient) -> None:
        self._settings = NntpSettings.model_validate(settings)
        known = NntpSecrets.model_validate(secrets)
        self._user = known.user
        self._password = known.password.get_secret_value() if known.password else None
        self._http = http

    def own_accounts(self) -> frozenset[str]:
        """The address under which we post."""
        return frozenset({self._settings.address.lower()} - {""})

    def _open(self) -> AbstractAsyncContextManager[Nntp]:
        known = self._settings
        return open_nntp(
            self._http, known.host, known.port, secure=known.security == "tls", user=self._user, password=self._password
        )

    # ---------------------------------------------------------------- reading

    @staticmethod
    def read_payload(body: bytes, at: datetime) -> Page:
        """One article."""
        return _page([body], {}, at)

    async def page(self, cursor: Cursor | None) -> Page:
        """What is new in the next group that has something new, and what was cancelled there."""
        held: dict[str, Any] = dict((cursor or {}).get("groups") or {})
        held = {name: dict(place) for name, place in held.items() if name in self._settings.groups}
        turn = (cursor or {}).get("turn")
        names = list(self._settings.groups)
        first = names.index(turn) if turn in names else 0
        async with self._open() as server:
            for count, name in enumerate(names[first:], first):
                bodies, gaps, gone, more = await self._read(server, name, held)
                if bodies or gaps or gone or more:
                    turn = name if more else names[(count + 1) % len(names)]
                    on = more or count + 1 < len(names)
                    return _page(bodies, {"groups": held, "turn": turn}, clock.now(), gaps=gaps, gone=gone, more=on)
        return Page(cursor={"groups": held}, poll_after=POLL_AFTER)

    async def _read(
        self, server: Nntp, name: str, held: dict[str, Any]
    ) -> tuple[list[bytes], list[Gap], list[str], bool]:
        """New articles of a group, what may be missing, what was cancelled, and whether there is more."""
        group = await server.group(name)
        place = held.get(name)
        gaps: list[Gap] = []
        if place is None or place["number"] > group.high:  # the start, or the server counts anew
            number = await self._start(server, group, place)
            place = {"number": number, "at": (place or {}).get("at"), "watched": {}}
        elif group.low > place["number"] + 1 and place["at"] is not None:
            gaps.append(await self._gap(server, group, place))
        place["number"] = max(place["number"], group.low - 1)
        held[name] = place
        gone = await self._cancelled(server, group, place)
        found = await server.following(group, place["number"])
        bodies: list[bytes] = []
        for one in found[:PAGE_SIZE]:
            body = await server.article(one.number)
            if body is not None:
                bodies.append(body)
                place["watched"][str(one.number)] = one.message_id
                place["at"] = clock.iso(_at(one.date) or clock.now())
            place["number"] = one.number
        if not found:
            place["number"], place["at"] = group.high, place["at"] or clock.iso(clock.now())
        place["watched"] = dict(list(place["watched"].items())[-WATCHED:])
        return bodies, gaps, gone, place["number"] < group.high

    async def _start(self, server: Nntp, group: Group, place: Any) -> int:
        """The number before the first article to be read: of the last days, or of the time since the last reading."""
        since = clock.now() - timedelta(days=self._settings.history_days)
        if place and place["at"]:
            since = datetime.fromisoformat(place["at"]) - PLAUSIBLE
        last = group.high
        while last >= group.low:  # backwards, until a stretch begins before that time
            begin = max(group.low, last - LOOKED_AHEAD + 1)
            found = await server.overviews(begin, last)
            older = [one.number for one in found if (_at(one.date) or since) < since]
            if older:
                return max(older)
            last = begin - 1
        return group.low - 1

    @staticmethod
    async def _gap(server: Nntp, group: Group, place: Any) -> Gap:
        found = await server.overviews(group.low, min(group.high, group.low + 20))
        since = datetime.fromisoformat(place["at"])
        until = next((at for one in found if (at := _at(one.date)) is not None and at > since), clock.now())
        return Gap(since, until, f"Articles of {group.name} expired at the server before they were read.")

    @staticmethod
    async def _cancelled(server: Nntp, group: Group, place: Any) -> list[str]:
        place["watched"] = {number: key for number, key in place["watched"].items() if int(number) >= group.low}
        watched = [int(number) for number in place["watched"]]
        if not watched:
            return []
        there = await server.numbers(group.name, min(watched), max(watched))
        return [place["watched"].pop(str(number)) for number in watched if number not in there]

    async def account(self) -> Account:
        """Our address, once the server let us in and has the groups."""
        async with self._open() as server:
            for name in self._settings.groups:
                await server.group(name)
        address = self._settings.address or "reader"
        return Account(address, self._settings.name or address, self._settings.address or None)

    # ---------------------------------------------------------------- answering

    def idempotency(self) -> Idempotency:
        """The server shows an article by the Message-ID that we gave it."""
        return "read_back"

    async def reply_publicly(self, reply: OutgoingReply) -> Sent:
        """Posts a follow-up. A server that has it already is not sent it again."""
        key = self._key(reply)
        async with self._open() as server:
            if await server.has(key):
                return Sent(key, clock.now())
            raw = reply.raw or await server.article(reply.in_reply_to)
            if raw is None:
                raise SkipThis("The article is no longer at the server.")
            original = read_mail(raw)
            now = clock.now()
            letter = Letter(
                message_id=key, sender=self._settings.address, sender_name=self._settings.name, recipient="", text=reply.text, at=now,
                subject=original.subject or reply.title, in_reply_to=original.message_id, references=original.references,
            ).written(newsgroups=_newsgroups(original, self._settings.groups))  # fmt: skip
            try:
                await server.post(letter.as_bytes())
            except NntpRefused as refused:
                if "duplicate" not in refused.said.lower():
                    raise
        return Sent(key, now)

    async def find_reply(self, reply: OutgoingReply, *, private: bool, since: datetime) -> Sent | None:
        """Our article, by its Message-ID."""
        key = self._key(reply)
        async with self._open() as server:
            there = await server.has(key)
        return Sent(key, clock.now()) if there else None

    def _key(self, reply: OutgoingReply) -> str:
        if not self._settings.address:
            raise SkipThis("This channel has no address of ours to post with. Enter it as a setting.")
        return message_id_of(reply.token, self._settings.address.rpartition("@")[2].lower())


# ---------------------------------------------------------------- articles


def to_mention(article: Mail, at: datetime, raw: bytes) -> IncomingMention:
    """An article in our words. Pure. Raises pydantic's ValidationError where it makes no mention."""
    sent_at = article.sent_at
    usual = sent_at is not None and sent_at <= at
    writer = article.sender
    return IncomingMention(
        external_id=article.message_id,
        text=article.text,
        title=article.subject,
        published_at=sent_at if usual and sent_at else at,
        author=writer and IncomingAuthor(external_id=writer.address, handle=writer.address, name=writer.name),
        kind=MentionKind.REPLY if article.references else MentionKind.POST,
        lang=article.language,
        in_reply_to=article.references[-1] if article.references else article.in_reply_to,
        thread_id=article.references[0] if article.references else article.message_id,
        raw=raw[:LONGEST_RAW],
    )


def _page(
    bodies: list[bytes], cursor: Cursor, at: datetime, *, gaps: list[Gap] | None = None, gone: list[str] | None = None,
    more: bool = False,
) -> Page:  # fmt: skip
    mentions: dict[str, IncomingMention] = {}
    skipped: list[Skipped] = []
    for body in bodies:
        article = read_mail(body)
        if header(article.headers, "Control"):
            continue  # for servers, not for readers
        try:
            made = to_mention(article, at, body)
        except ValidationError as wrong:
            skipped.append(Skipped(" ".join(detail for _, detail in explain(wrong)), article.message_id[:200]))
        else:
            mentions[made.external_id] = made
    for key in gone or ():
        mentions[key] = IncomingMention(external_id=key, text="", published_at=at, deleted_at=at, raw=key.encode())
    told = sorted(mentions.values(), key=lambda one: one.published_at)
    return Page(tuple(told), cursor, more, tuple(skipped), gaps=tuple(gaps or ()), poll_after=POLL_AFTER)


def _newsgroups(original: Mail, ours: tuple[str, ...]) -> str:
    """Where a follow-up goes: to Followup-To, else to the groups of the article. Raises SkipThis where it is asked by mail."""
    asked = header(original.headers, "Followup-To") or header(original.headers, "Newsgroups") or ""
    if asked.strip().lower() == "poster":
        raise SkipThis("Its author asks for answers by mail, not in the group.")
    names = [name for part in asked.split(",") if _GROUPS.fullmatch(name := part.strip())]
    return ",".join(names or ours[:1])


def _at(date: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(date)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


CHANNEL: type[Channel] = NewsServer

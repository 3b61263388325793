"""A page becomes rows and facts, in one transaction: authors, mentions, the ledger, the cursor, and mention.received.

Whatever is acknowledged was committed before. The same page again changes nothing; one bad item never spoils the others.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from services.ingest import echoes
from services.ingest.incoming_mention import IncomingMention
from shared import outbox
from shared.kit import clock, ids
from shared.kit.database import WriteSession
from shared.models import facts
from shared.models.facts import Fact
from shared.models.mention import MentionKind, Visibility, is_long
from shared.models.reply_rules import Answerable, ReplyRules
from shared.store import author as authors
from shared.store import ledger
from shared.store import mention as mentions
from shared.store import reply as replies

NO_ANSWERS = ReplyRules()
URGENT_FIRST, USUAL, BULK = 3, 5, 7
COMPLETE = "mention.complete"
"""The work of asking for the words of a mention that came as ids only."""
PRIVATE = Visibility.PRIVATE.value
_HANDLE = re.compile(r"(?<!\w)@\w[\w.-]*")


@dataclass(frozen=True, slots=True)
class Source:
    """The channel that mentions come in by. `scope` sets apart ids that are unique only within it (a page, a site): empty
    where the venue's ids are unique everywhere. `own_handles` are the brand's accounts, folded, and `own_accounts` the ids (and
    folded handles) that the channel itself posts with: their posts are no mentions. `rules` say what may be answered there."""

    channel_id: UUID
    channel_type: str
    scope: str = ""
    own_handles: frozenset[str] = frozenset()
    own_accounts: frozenset[str] = frozenset()
    rules: ReplyRules = NO_ANSWERS


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of what was sent: `received` is the sum of the others."""

    received: int
    stored: int
    updated: int
    duplicate: int
    filtered: int
    rejected: int


async def take_in(
    session: WriteSession,
    workspace_id: UUID,
    source: Source,
    sent: Sequence[IncomingMention],
    *,
    rejected: int = 0,
    filtered: int = 0,
    priority: int = USUAL,
    incomplete: Sequence[str] = (),
) -> Taken:
    """Stores a page of a channel in the caller's transaction. `rejected` and `filtered` items were refused at the doorstep and
    are only counted. `priority` of the triage work: 0 first. `incomplete` ones (external ids) came without their words, which
    are asked for; of one that is known they tell nothing new."""
    received_at = clock.now()
    latest: dict[str, IncomingMention] = {}
    for one in sent:  # the last word on a post counts; earlier ones in the same page are its repeats
        former = latest.get(one.external_id)
        if former is None or _outdates(one, former):
            latest[one.external_id] = one
    page = list(latest.values())
    if source.own_handles or source.own_accounts:
        own = {one.external_id: one for one in page if _own(one, source)}
        page = [one for one in page if one.external_id not in own]
        await echoes.settle(session, workspace_id, source.channel_id, list(own.values()))
    ours = await _own_replies(session, workspace_id, source, page)
    page = [one for one in page if one.external_id not in ours]
    writers = await authors.upsert_many(session, workspace_id, source.channel_type, _seen(page))
    answers = _Answers(source, received_at)
    rows = _rows(page, writers, received_at, answers)
    common = mentions.Page(source.channel_id, source.channel_type, source.scope, received_at, answers.found)
    new = await mentions.add_many(session, workspace_id, common, rows)
    story: list[Fact] = [
        facts.MentionReceived(
            subject_id=row.id, priority=URGENT_FIRST if row.visibility == PRIVATE else priority, heavy=is_long(row.text)
        )
        for row in rows
        if row.id in new and row.deleted_at is None  # what was gone before it came is a tombstone, and no news
    ]
    updated = 0
    if len(new) < len(rows):
        known = [
            (one, row)
            for one, row in zip(page, rows, strict=True)
            if row.id not in new and one.external_id not in incomplete
        ]
        changes = await _changes(session, workspace_id, source, known, received_at, answers.found)
        updated = len({fact.subject_id for fact in changes})
        story += changes
    await outbox.add(session, workspace_id, story)
    unsaid = [
        (COMPLETE, row.id, USUAL) for row in rows if incomplete and row.id in new and row.external_id in incomplete
    ]
    await outbox.add_work(session, workspace_id, unsaid)
    taken = Taken(
        received=len(sent) + rejected + filtered,
        stored=len(new),
        updated=updated,
        duplicate=len(sent) - len(new) - updated - (len(latest) - len(page)),
        filtered=filtered + len(latest) - len(page),
        rejected=rejected,
    )
    if taken.received:
        counts = {name: getattr(taken, name) for name in Taken.__slots__}
        await ledger.add(session, workspace_id, source.channel_id, counts)
    return taken


async def complete(
    session: WriteSession, workspace_id: UUID, source: Source, mention_id: UUID, whole: IncomingMention
) -> bool:
    """Puts what a network told when it was asked in the place of a mention that came as ids only. False where it was deleted
    meanwhile, or is our own."""
    if _own(whole, source):
        return False
    at = clock.now()
    writers = await authors.upsert_many(session, workspace_id, source.channel_type, _seen([whole]))
    answers = _Answers(source, at)
    (row,) = _rows([whole], writers, at, answers)
    if not await mentions.complete(session, workspace_id, mention_id, row, answers.found[row.answer]):
        return False
    await outbox.add(session, workspace_id, [facts.MentionEdited(subject_id=mention_id, heavy=is_long(row.text))])
    return True


def _outdates(one: IncomingMention, former: IncomingMention) -> bool:
    """Whether of two versions in one page this is the later. What is deleted stays so, in whichever order they come, unless the
    venue says that it stands there again."""
    if (one.deleted_at is None) != (former.deleted_at is None) and not (one.restored or former.restored):
        return one.deleted_at is not None
    then, before = ((it.deleted_at or it.edited_at or it.published_at) for it in (one, former))
    return then >= before


def _own(one: IncomingMention, source: Source) -> bool:
    """Whether the brand itself wrote it: counted as filtered, never a mention."""
    if one.author is None:
        return False
    handle = authors.fold(one.author.handle)
    if handle is not None and (handle in source.own_handles or handle in source.own_accounts):
        return True
    return one.author.external_id is not None and one.author.external_id in source.own_accounts


async def _own_replies(
    session: WriteSession, workspace_id: UUID, source: Source, page: Sequence[IncomingMention]
) -> set[str]:
    """Posts of this page that are our own replies come back."""
    return (
        await replies.posted_as(session, workspace_id, source.channel_id, [one.external_id for one in page])
        if page
        else set()
    )


def _author_key(one: IncomingMention) -> str | None:
    """What tells an author from others at the venue: its id, else its handle. A mere name tells nobody."""
    if one.author is None:
        return None
    return one.author.external_id or (f"@{authors.fold(one.author.handle)}" if one.author.handle else None)


def _seen(page: Sequence[IncomingMention]) -> dict[str, authors.SeenAuthor]:
    seen = {}
    for one in page:
        if (key := _author_key(one)) is not None and (told := one.author) is not None:
            seen[key] = authors.SeenAuthor(
                told.handle, authors.fold(told.handle), told.name, told.url, _fits(told.followers),
                _fits(told.following), told.verified, told.account_created_at,
            )  # fmt: skip
    return seen


def _fits(number: int | None) -> int | None:
    """A count as the column takes it; more followers than there are people are a mistake of the venue's."""
    return None if number is None else min(number, 2**31 - 1)


def _rows(
    page: Sequence[IncomingMention], writers: Mapping[str, UUID], received_at: datetime, answers: "_Answers"
) -> list[mentions.NewMention]:
    made = []
    for one, mention_id in zip(page, ids.new_ids(received_at, len(page)), strict=True):
        key = _author_key(one)
        made.append(
            mentions.NewMention(
                mention_id, one.external_id, one.kind.value, one.visibility.value, one.permalink,
                writers.get(key) if key else None, one.title, one.text, one.lang, one.published_at, one.edited_at, one.deleted_at,
                _root(one), one.in_reply_to, one.rating,
                one.engagement.model_dump_json(exclude_none=True) if one.engagement else None,
                one.author.followers if one.author else None, _media(one), one.country, one.raw, one.digest(), answers.to(one),
            )
        )  # fmt: skip
    return made


def _media(one: IncomingMention) -> str | None:
    return orjson.dumps([item.model_dump(exclude_none=True) for item in one.media]).decode() if one.media else None


class _Answers:
    """What may be answered to the mentions of a page, as JSON; worked out once for all that are alike in what decides it."""

    def __init__(self, source: Source, at: datetime) -> None:
        self.found: list[str] = []
        self._source, self._at = source, at
        ways = (source.rules.public, source.rules.private, source.rules.in_private)
        self._timed = any(way and way.window_s is not None for way in ways)
        self._places: dict[tuple[Any, ...], int] = {}

    def to(self, one: IncomingMention) -> int:
        """The place in `found` of what may be answered to this one."""
        private = one.visibility is Visibility.PRIVATE
        named = one.addressed_to_us if one.addressed_to_us is not None else _names_us(one, self._source)
        addressed = private or named
        known, deleted = one.author is not None, one.deleted_at is not None
        key = (private, addressed, known, deleted, one.published_at if self._timed else None)
        place = self._places.get(key)
        if place is None:
            asked = Answerable(
                published_at=one.published_at, private=private, addressed_to_us=addressed, author_known=known, deleted=deleted
            )  # fmt: skip
            place = self._places[key] = len(self.found)
            self.found.append(self._source.rules.answer_for(asked, self._at).model_dump_json())
        return place


def _names_us(one: IncomingMention, source: Source) -> bool:
    """Whether its author named one of our accounts, which is what some venues ask before we may answer."""
    if "@" not in one.text or not (source.own_handles or source.own_accounts):
        return False
    named = {authors.fold(word) for word in _HANDLE.findall(one.text)}
    return not named.isdisjoint(source.own_handles) or not named.isdisjoint(source.own_accounts)


def _root(one: IncomingMention) -> str | None:
    """The thread it stands in: as the venue tells; a private message's thread is the author's own."""
    if one.visibility is Visibility.PRIVATE:
        return one.thread_id
    return one.thread_id or one.in_reply_to


async def _changes(
    session: WriteSession, workspace_id: UUID, source: Source,
    known: Sequence[tuple[IncomingMention, mentions.NewMention]], seen_at: datetime, answers: Sequence[str],
) -> list[Fact]:  # fmt: skip
    """Edits, deletions and returns of mentions that are stored already; a mere repeat changes nothing. Another text under the
    id of a mail is no edit: senders choose these ids, and nobody may put words into a mail that came before."""
    stored = await mentions.known(
        session, workspace_id, source.channel_type, source.scope, [one.external_id for one, _ in known]
    )  # fmt: skip
    told: list[Fact] = []
    for one, row in known:
        mention_id, digest = stored[one.external_id]
        if one.deleted_at is not None:
            if await mentions.delete_at_venue(session, workspace_id, mention_id, one.deleted_at):
                told.append(facts.MentionDeleted(subject_id=mention_id))
        elif one.restored and await mentions.restore(
            session, workspace_id, mention_id, row, answers[row.answer], one.edited_at or seen_at
        ):
            told.append(facts.MentionEdited(subject_id=mention_id, heavy=is_long(row.text)))
        elif row.digest != digest and (one.kind is not MentionKind.MAIL or one.edited_at is not None):
            changed = {
                "title": one.title, "text": one.text, "rating": one.rating, "raw": one.raw,
                "edited_at": one.edited_at or seen_at,
            }  # fmt: skip
            if await mentions.edit(session, workspace_id, mention_id, changed, row.digest, seen_at):
                told.append(facts.MentionEdited(subject_id=mention_id, heavy=is_long(row.text)))
    return told

"""Mails as mentions: who really wrote, to which thread it belongs, and which mail is none (automatic, our own, not ours)."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal

from pydantic import ValidationError

from services.ingest.channel import (
    Cursor,
    IncomingAuthor,
    IncomingMedia,
    IncomingMention,
    Page,
    Skipped,
    SkipThis,
    cleaned,
    explain,
)
from services.ingest.networks.mail_reading import Address, Attachment, Mail, read_mail
from services.ingest.networks.mail_sending import is_ours
from services.ingest.networks.mailbox import Fetched
from shared.models.mention import MentionKind, Visibility

PLAUSIBLE = timedelta(days=7)  # a mail may have been under way so long; a Date beyond that is a wrong clock
POLL_AFTER = timedelta(minutes=1)
_KINDS: Mapping[str, Literal["image", "video", "audio"]] = {"image": "image", "video": "video", "audio": "audio"}
_NO_REPLY = ("noreply", "no-reply", "no_reply", "donotreply", "do-not-reply", "wordpress", "www-data", "mailer")


def to_mention(mail: Mail, received_at: datetime, own: frozenset[str], raw: bytes) -> IncomingMention:
    """A mail in our words. Pure. Raises pydantic's ValidationError where it makes no mention."""
    sent_at = mail.sent_at
    usual = sent_at is not None and received_at - PLAUSIBLE < sent_at <= received_at
    answers = mail.in_reply_to or (mail.references[-1] if mail.references else None)
    writer = _writer(mail, own)
    return IncomingMention(
        external_id=mail.message_id,
        text=mail.text,
        title=mail.subject,
        published_at=sent_at if usual and sent_at else received_at,
        author=writer and IncomingAuthor(external_id=writer.address, handle=writer.address, name=writer.name),
        kind=MentionKind.MAIL,
        visibility=Visibility.PRIVATE,
        lang=mail.language,
        in_reply_to=answers,
        thread_id=mail.references[0] if mail.references else answers or mail.message_id,
        media=tuple(_sent_along(one) for one in mail.attachments),
        raw=raw,
    )


def _bounced(mail: Mail, received_at: datetime, raw: bytes) -> IncomingMention:
    """Word that a mail of ours did not arrive, as an answer to it."""
    bounce = mail.bounce
    assert bounce is not None
    said = " ".join(filter(None, (bounce.status, bounce.said)))
    return IncomingMention(
        external_id=mail.message_id,
        text=f"Not delivered to {bounce.recipient or 'the customer'}{f': {said}' if said else '.'}",
        title=mail.subject,
        published_at=received_at,
        kind=MentionKind.MAIL,
        visibility=Visibility.PRIVATE,
        in_reply_to=bounce.message_id,
        thread_id=bounce.references[0] if bounce.references else bounce.message_id,
        raw=raw,
    )


def _writer(mail: Mail, own: frozenset[str]) -> Address | None:
    """Who wrote it. Forms on web sites send in their own name and put the customer's into Reply-To."""
    sender, asked = mail.sender, mail.reply_to
    by_a_form = sender is None or sender.address in own or sender.address.startswith(_NO_REPLY)
    return asked if asked and by_a_form and asked.address not in own else sender


def _sent_along(one: Attachment) -> IncomingMedia:
    kind = _KINDS.get(one.type.partition("/")[0], "file")
    return IncomingMedia(kind=kind, name=cleaned(one.name).strip()[:500] or one.type[:500], size=one.size)


def page_of(
    mails: list[Fetched], cursor: Cursor, *, own: frozenset[str], domain: str, automatic: bool, more: bool = False
) -> Page:
    """What was read of a folder, as a page. `own` are our addresses; `domain` that of our Message-IDs ("": any)."""
    mentions: list[IncomingMention] = []
    skipped: list[Skipped] = []
    for one in mails:
        mail = read_mail(one.body)
        if domain and is_ours(mail.message_id, domain):
            continue  # the copy of an answer of ours
        try:
            if mail.bounce is not None:
                ours = bool(mail.bounce.message_id) and (not domain or is_ours(mail.bounce.message_id or "", domain))
                if not ours or mail.bounce.action not in ("failed", "expired"):
                    raise SkipThis(f"It tells of a mail's delivery ({mail.bounce.action}) and is no matter of ours.")
                mentions.append(_bounced(mail, one.received_at, one.body))
            elif mail.automatic and not automatic:
                raise SkipThis(f"It is automatic mail: {mail.automatic}.")
            else:
                mentions.append(to_mention(mail, one.received_at, own, one.body))
        except ValidationError as wrong:
            skipped.append(Skipped(" ".join(detail for _, detail in explain(wrong)), mail.message_id))
        except SkipThis as why:
            skipped.append(Skipped(str(why), mail.message_id))
    once: dict[str, IncomingMention] = {}
    for made in mentions:
        first = once.setdefault(made.external_id, made)
        if first.digest() != made.digest():  # senders choose these ids: the one that came first keeps it
            skipped.append(Skipped("Another mail came before under the same Message-ID.", made.external_id))
    return Page(tuple(once.values()), cursor, more, tuple(skipped), poll_after=POLL_AFTER)

"""A mail as bytes, read into its parts: who, when, about what, in answer to what; its words; whether a program wrote it.

Everything in it is a stranger's: wrong encodings, broken headers and half a message are read as far as they go.
"""

import hashlib
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import policy
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import EmailMessage, Message
from email.parser import BytesParser
from email.utils import getaddresses, parsedate_to_datetime

from services.ingest.incoming_mention import cleaned
from services.ingest.networks.mail_text import said_in, said_in_html

MOST_PARTS = 200
MOST_ATTACHMENTS = 50
NO_ID = "no-message-id"  # stands for the domain in an id that we made ourselves
LONGEST_PART = 2_000_000  # characters of text that are looked at
_IDS = re.compile(r"<([^<>\s]{1,900})>")
_WORD = r"=\?[^?\s]{1,60}\?[bBqQ]\?[^?\s]*\?="
_ENCODED = re.compile(rf"{_WORD}(?:\s+{_WORD})*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_BLANKS = re.compile(r"\s+")
_WESTERN = ("iso-8859-1", "latin-1", "latin1", "us-ascii", "ascii")
_BULK = frozenset({"bulk", "junk", "list", "auto_reply"})
# How programs that answer by themselves name it in the subject, where no header says so.
_OUT_OF_OFFICE = re.compile(
    r"\s*(?:automatic reply|auto(?:matic)?[ -]?(?:reply|response)|out of (?:the )?office|automatisch antwoord|afwezig"
    r"|automatische antwort|abwesenheits\w*|réponse automatique|absence du bureau)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Address:
    """A mailbox: the address in lower case, the name as written."""

    address: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Attachment:
    """Something sent along: its name, its type, how many bytes."""

    name: str
    type: str
    size: int


@dataclass(frozen=True, slots=True)
class Bounce:
    """What a server says of a mail that it could not deliver (RFC 3464). `message_id` and `references` are the mail's."""

    recipient: str | None
    action: str
    status: str | None
    said: str | None
    message_id: str | None
    references: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail, read. Ids stand without their angle brackets. `automatic` says why it is taken for a program's."""

    message_id: str
    subject: str | None
    sender: Address | None
    reply_to: Address | None
    sent_at: datetime | None
    in_reply_to: str | None
    references: tuple[str, ...]
    text: str
    attachments: tuple[Attachment, ...] = ()
    automatic: str | None = None
    bounce: Bounce | None = None
    language: str | None = None
    headers: Message = field(default_factory=EmailMessage)


def read_mail(body: bytes) -> Mail:
    """Takes a mail apart. Never raises for what stands in it."""
    message = BytesParser(policy=policy.compat32).parsebytes(
        body
    )  # the newer policy raises on headers that people do send
    sender = _address(message, "From")
    bounce = _bounce(message)
    text, attachments = _content(message)
    subject = header(message, "Subject")
    return Mail(
        message_id=_message_id(message, body),
        subject=subject[:2_000] if subject else None,
        sender=sender,
        reply_to=_address(message, "Reply-To"),
        sent_at=_date(message),
        in_reply_to=next(iter(ids_in(message, "In-Reply-To")), None),
        references=ids_in(message, "References"),
        text=text,
        attachments=attachments,
        automatic=None if bounce else _automatic(message, subject),
        bounce=bounce,
        language=_language(message),
        headers=message,
    )


def header(message: Message, name: str) -> str | None:
    """A header's words, decoded and on one line; None where there are none."""
    found = next(_raw(message, name), None)
    return None if found is None else _decoded(found) or None


def ids_in(message: Message, name: str) -> tuple[str, ...]:
    """The ids of mails in a header, each once, in its order."""
    said = " ".join(_raw(message, name))[:50_000]
    return tuple(dict.fromkeys(cleaned(one) for one in _IDS.findall(said)))


def _raw(message: Message, name: str) -> Iterator[str]:
    """The headers of that name as they came: bytes that are no ASCII are read as UTF-8, else as windows-1252."""
    for one, value in message.raw_items():
        if one.lower() == name.lower():
            yield _text_of(str(value).encode("utf-8", "surrogateescape"), "")


def _decoded(raw: str) -> str:
    words = _ENCODED.sub(lambda found: _decoded_words(found.group()), raw[:20_000])
    return _BLANKS.sub(" ", _CONTROL.sub(" ", cleaned(words))).strip()


def _decoded_words(said: str) -> str:
    try:
        pieces = decode_header(said)
    except (HeaderParseError, ValueError):
        return said
    return "".join(one if isinstance(one, str) else _text_of(one, charset or "") for one, charset in pieces)


def _text_of(data: bytes, charset: str) -> str:
    """Bytes as text: by their charset; where that is wrong or a western guess, by UTF-8 if they are that, else windows-1252."""
    charset = charset.strip().strip("\"'").lower()
    if charset not in (*_WESTERN, "unknown-8bit", "utf-8", "utf8", ""):
        with suppress(LookupError, UnicodeDecodeError, ValueError):
            return data.decode(charset)
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("utf-8" if charset in ("utf-8", "utf8") else "windows-1252", "replace")


def _address(message: Message, name: str) -> Address | None:
    raw = next(_raw(message, name), None)
    if raw is None:
        return None
    # the address is looked for before words are decoded: an encoded name may hold a comma or an address of its own
    for said, address in getaddresses([raw[:5_000]]):
        address = cleaned(_decoded(address)).strip().lower()
        if re.fullmatch(r"[^\s@<>\"]{1,200}@[^\s@<>\"]{1,250}", address):
            return Address(address, _decoded(said)[:500] or None)
    return None


def _date(message: Message) -> datetime | None:
    try:
        at = parsedate_to_datetime(str(message.get("Date", "")))
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _message_id(message: Message, body: bytes) -> str:
    found = next(iter(ids_in(message, "Message-ID")), None)
    if found:
        return found
    said = b"\n".join(str(message.get(name, "")).encode("utf-8", "replace") for name in ("From", "Date", "Subject"))
    _, _, rest = body.replace(b"\r\n", b"\n").partition(b"\n\n")
    return f"{hashlib.sha256(said + rest).hexdigest()[:40]}@{NO_ID}"


def _language(message: Message) -> str | None:
    said = str(message.get("Content-Language", "")).split(",")[0].strip()
    return said if re.fullmatch(r"[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8}){0,2}", said) else None


# ---------------------------------------------------------------- words


def _content(message: Message) -> tuple[str, tuple[Attachment, ...]]:
    plain: list[str] = []
    html: list[str] = []
    attachments: list[Attachment] = []
    for part in _parts(message):
        kind = part.get_content_type()
        name = _filename(part)
        if kind in ("text/plain", "text/html") and part.get_content_disposition() != "attachment" and not name:
            (plain if kind == "text/plain" else html).append(_part_text(part))
        elif kind not in ("message/delivery-status", "text/rfc822-headers") and len(attachments) < MOST_ATTACHMENTS:
            attachments.append(Attachment(name or kind, kind, _size(part)))
    return _said(plain, html), tuple(attachments)


def _said(plain: list[str], html: list[str]) -> str:
    """The plain words where there are some, else those of the HTML."""
    text = said_in("\n".join(plain)) if any(one.strip() for one in plain) else ""
    return cleaned(text or (said_in_html("\n".join(html)) if html else ""))


def _parts(message: Message) -> Iterator[Message]:
    """The parts that are no container; a mail inside the mail is one part."""
    waiting, seen = [message], 0
    while waiting and seen < MOST_PARTS:
        part = waiting.pop()
        seen += 1
        payload = part.get_payload()
        if isinstance(payload, list) and part.get_content_maintype() == "multipart":
            waiting += reversed([one for one in payload if isinstance(one, Message)])
        else:
            yield part


def _part_text(part: Message) -> str:
    data = part.get_payload(decode=True)
    text = _text_of(data, str(part.get_content_charset() or "us-ascii")) if isinstance(data, bytes) else ""
    text = text[:LONGEST_PART]
    if str(part.get_param("format", "")).lower() == "flowed":
        text = _unflowed(text, delete_space=str(part.get_param("delsp", "")).lower() == "yes")
    return text


def _unflowed(text: str, *, delete_space: bool) -> str:
    """RFC 3676: a line that ends in a blank goes on in the next."""
    whole: list[str] = []
    goes_on = False
    for line in text.replace("\r\n", "\n").split("\n"):
        line = line.removeprefix(" ")
        joins = goes_on and line != "-- " and not line.startswith(">")
        goes_on = line.endswith(" ") and line != "-- " and not line.startswith(">")
        line = line[:-1] if goes_on and delete_space else line
        if joins:
            whole[-1] += line
        else:
            whole.append(line)
    return "\n".join(whole)


def _filename(part: Message) -> str | None:
    try:
        found = part.get_filename()
    except (ValueError, LookupError, TypeError, IndexError):
        return "?"
    return _decoded(found)[:200] or None if found else None


def _size(part: Message) -> int:
    payload = part.get_payload(decode=True)
    return len(payload) if isinstance(payload, bytes) else len(part.as_bytes()) if part.is_multipart() else 0


# ---------------------------------------------------------------- programs


def _automatic(message: Message, subject: str | None) -> str | None:
    """Why a mail is taken for a program's (RFC 3834 and the customs before it); None where a person seems to have written it."""
    told = str(message.get("Auto-Submitted", "no")).split(";")[0].strip().lower()
    if told not in ("no", ""):
        return f"Auto-Submitted: {told}"[:100]
    if str(message.get("Precedence", "")).strip().lower() in _BULK:
        return f"Precedence: {str(message['Precedence']).strip()}"[:100]
    for name in ("X-Autoreply", "X-Autorespond", "X-Autogenerated", "X-Auto-Reply"):
        if str(message.get(name, "no")).strip().lower() not in ("no", "false"):
            return name
    if message.get("List-Id") or message.get("List-Unsubscribe"):
        return "it is sent to a list"
    if str(message.get("Return-Path", "-")).strip() == "<>":
        return "it has no return path"
    if message.get("X-Auto-Response-Suppress") and subject and _OUT_OF_OFFICE.match(subject):
        return "its subject says so"
    return "its subject says so" if subject and _OUT_OF_OFFICE.match(subject) and message.get("In-Reply-To") else None


def _bounce(message: Message) -> Bounce | None:
    if message.get_content_type() != "multipart/report" or message.get_param("report-type", "") != "delivery-status":
        return None
    status = original = None
    for part in message.walk():
        kind = part.get_content_type()
        if kind == "message/delivery-status" and status is None:
            status = part
        elif (
            kind in ("message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers")
            and original is None
        ):
            original = _headers_of(part)
    fields: dict[str, str] = {}
    for block in status.get_payload() if status is not None and isinstance(status.get_payload(), list) else ():
        if isinstance(block, Message):
            fields |= {
                name.lower(): _decoded(str(value)) for name, value in block.items() if name.lower() not in fields
            }
    recipient = (fields.get("original-recipient") or fields.get("final-recipient") or "").rpartition(";")[2].strip()
    return Bounce(
        recipient=recipient.lower()[:500] or None,
        action=fields.get("action", "failed").lower()[:50],
        status=fields.get("status", "")[:50] or None,
        said=fields.get("diagnostic-code", "").partition(";")[2].strip()[:1_000] or None,
        message_id=next(iter(ids_in(original, "Message-ID")), None) if original is not None else None,
        references=ids_in(original, "References") if original is not None else (),
    )


def _headers_of(part: Message) -> Message:
    payload = part.get_payload()
    if isinstance(payload, list) and payload and isinstance(payload[0], Message):
        return payload[0]
    data = part.get_payload(decode=True)
    return BytesParser(policy=policy.compat32).parsebytes(data if isinstance(data, bytes) else b"", headersonly=True)

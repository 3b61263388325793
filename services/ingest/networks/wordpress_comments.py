"""The REST API of WordPress: where it is, and comments as it tells them, in our words."""

import hashlib
import html
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from services.ingest.channel import (
    Answer,
    ChannelBroken,
    HttpClient,
    IncomingMention,
    OutcomeUnknown,
    Sent,
    cleaned,
    expect_read,
    reading,
)
from services.ingest.networks.items import Drift, cut, mention, missing
from services.ingest.networks.json_api import Fields, list_in, moment, parsed
from shared.kit import clock
from shared.models.mention import MentionKind
from shared.rules.plain_text import plain_text

HOME_PAGE = 20_000_000  # bytes
_API_LINK = re.compile(r"<([^<>]{1,2000})>\s*;\s*rel=\"?https://api\.w\.org/\"?")
_TYPOGRAPHY = str.maketrans("“”„‘’‚″′–—", "\"\"\"'''\"'--")
_KINDS = {"pingback": MentionKind.POST, "trackback": MentionKind.POST}


def to_mention(comment: Any, drift: Drift, at: datetime) -> IncomingMention | None:
    """A comment in our words; None for one in the trash or among spam. Pure. Raises pydantic's ValidationError."""
    found = Fields(comment, "comment", drift)
    missing(found, "id", "post", "parent", "author_name", "date_gmt", "content", "link")
    if found.text("status") in ("trash", "spam"):
        return None
    content = found.inside("content")
    published = moment_of(found) or at
    link = found.link("link")
    user = found.count("author") or None
    email = (found.text("author_email") or "").strip().lower() or None
    parent = found.count("parent") or None
    author = {
        "external_id": str(user) if user else email,
        "name": cut(html.unescape(found.text("author_name") or "")),
        "url": found.link("author_url") if found.value.get("author_url") else None,
    }
    return mention(
        comment,
        external_id=found.text("id"),
        text=plain_text(content.text("rendered") or content.text("raw") or ""),
        published_at=min(published, at),
        author=author if any(author.values()) else None,
        kind=_KINDS.get(found.text("type") or "", MentionKind.COMMENT),
        permalink=link,
        in_reply_to=str(parent) if parent else None,
        thread_id=link.partition("#")[0][:1_000] if link else None,
    )


def parsed_comments(body: bytes) -> Sequence[Any]:
    """The comments in a payload."""
    if body.lstrip()[:1] == b"[":
        return list_in(body, "WordPress")
    return [first_of(body)]


def first_of(raw: bytes) -> dict[str, Any]:
    """The object that a payload is; an empty one where it is none."""
    try:
        found = parsed(raw)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def moment_of(found: Fields) -> datetime | None:
    """When a comment was written. The API tells it without a zone, in UTC."""
    at = moment(found.text("date_gmt") or "")
    return at.replace(tzinfo=UTC) if at else None


def status_in(answer: Answer) -> str | None:
    """The status of the comment in an answer."""
    status = first_of(answer.body).get("status")
    return status if isinstance(status, str) else None


def digest_of(comment: Any) -> str:
    """Eight digits that change when the words of a comment do."""
    content = comment.get("content") if isinstance(comment, dict) else None
    said = content.get("rendered") if isinstance(content, dict) else content
    return hashlib.blake2b(repr(said).encode("utf-8", "replace"), digest_size=4).hexdigest()


def number_in(answer: Answer, name: str) -> int | None:
    """The number in a header."""
    said = answer.headers.get(name, "")
    return int(said) if said.isascii() and said.isdigit() and len(said) < 10 else None


def ending_well(api: str) -> str:
    """The address of an API, to which paths can be added."""
    return api if api.endswith("/") else f"{api}/"


def as_html(text: str) -> str:
    """Words as WordPress takes them: it reads HTML, and makes paragraphs itself."""
    return html.escape(cleaned(text), quote=False)


def same_words(said: str, meant: str) -> bool:
    """Whether it is the same text; WordPress shows typographic quotes and dashes for plain ones."""
    return _plainly(said) == _plainly(meant)


def _plainly(text: str) -> list[str]:
    return text.translate(_TYPOGRAPHY).replace("…", "...").replace("--", "-").split()


async def rest_api(http: HttpClient, url: str, what: str, *, signed: bool) -> str:
    """The address of the REST API, as the site's home page tells it (its path is a setting of the site)."""
    with reading(what):
        answer = await http.get(url, redirects=5, max_bytes=HOME_PAGE)
    expect_read(answer, what)
    found = _API_LINK.search(answer.headers.get("link", ""))
    if found is None:
        return f"{url.partition('?')[0].rstrip('/')}/?rest_route=/"
    if signed and urlsplit(found[1])[:2] != urlsplit(answer.url)[:2]:
        raise ChannelBroken(
            f"{what} names a REST API elsewhere: {found[1][:200]}. If that is right, set api_base to it."
        )
    return ending_well(found[1])


def sent_in(body: bytes, what: str) -> Sent:
    """Our comment, as the site answers that it took it."""
    found = Fields(first_of(body), "comment", {})
    external_id, at = found.text("id"), moment_of(found)
    if external_id is None:
        raise OutcomeUnknown(f"{what} took it and answers something that cannot be read.")
    return Sent(external_id, at or clock.now(), found.link("link"))

"""Posts and comments of Lemmy in our words: pure, apart from any server."""

from datetime import datetime
from typing import Any

from services.ingest.channel import IncomingAuthor, IncomingMention, Page, Sent, SkipThis
from services.ingest.networks.items import Drift, Items, cut, engagement, host_of, mention, missing, score_of, tombstone
from services.ingest.networks.json_api import Fields
from shared.models.mention import MentionKind

LISTS = ("posts", "comments")


def to_mention(view: Any, drift: Drift, at: datetime, gone: set[str]) -> IncomingMention | None:
    """A post or a comment with what the API shows around it. Pure. `gone` takes writers whose account is deleted."""
    name = "comment" if isinstance(view, dict) and "comment" in view else "post"
    told = Fields(view, f"{name}s", drift)
    missing(told, name, "creator", "post", "community", "counts")
    item, creator, counts, post = told.inside(name), told.inside("creator"), told.inside("counts"), told.inside("post")
    if not item:
        raise SkipThis(f"This is no {name}.")
    address, published = item.link("ap_id"), item.moment("published", needed=True)
    writer = creator.link("actor_id")
    if creator.flag("deleted") and writer:
        gone.add(writer)
    if item.flag("deleted") or item.flag("removed"):
        return tombstone(view, address, published, min(item.moment("updated") or at, at))
    is_comment, link = name == "comment", item.link("url")
    root = post.link("ap_id")
    return mention(
        view,
        external_id=address,
        text=item.text("content" if is_comment else "body", needed=is_comment) or "",
        title=None if is_comment else cut(item.text("name", needed=True), 2_000),
        published_at=published,
        edited_at=item.moment("updated"),
        author=_author(creator, writer),
        kind=MentionKind.COMMENT if is_comment else MentionKind.POST,
        permalink=address,
        in_reply_to=root if is_comment and (item.text("path") or "").count(".") == 1 else None,
        thread_id=root or address,
        engagement=engagement(
            likes=counts.count("upvotes"),
            replies=counts.count("child_count" if is_comment else "comments"),
            score=score_of(counts, "score"),
        ),
        media=[{"kind": "link", "url": link, "alt": cut(item.text("alt_text"), 1_000)}]
        if link and not is_comment
        else (),
    )


def _author(creator: Fields, address: str | None) -> IncomingAuthor | None:
    if not address and not creator.text("name"):
        return None
    return IncomingAuthor(
        external_id=address,
        handle=cut(handle_of(creator)),
        name=cut(creator.text("display_name") or creator.text("name")),
        url=address,
        account_created_at=creator.moment("published"),
    )


def handle_of(person: Fields) -> str | None:
    """name@host, by which a person is known on all instances."""
    name, host = person.text("name"), host_of(person.link("actor_id"))
    return f"{name}@{host}" if name and host else name


def page_of(told: Any, at: datetime) -> Page:
    """An answer of search, post/list or comment/list."""
    read, gone = Items(), set[str]()
    whole = Fields(told, "page", read.drift)
    for name in LISTS:
        read.take(whole.all(name), lambda view, drift: to_mention(view, drift, at, gone))
    return Page(gone_accounts=tuple(sorted(gone)), **read.told())


def published_at(view: Any, name: str) -> datetime | None:
    """When the post or comment in a view was published."""
    return Fields(view, name, {}).inside(name).moment("published")


def sent_as(view: Fields) -> Sent | None:
    """What we posted, as the API shows it."""
    comment = view.inside("comment")
    address, at = comment.link("ap_id"), comment.moment("published")
    return Sent(address, at, address) if address and at else None

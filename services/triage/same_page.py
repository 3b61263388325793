"""Which page or post a mention stands for, so that what is heard twice by different ways is known again.

A venue's own channel tells the post by its id; whoever else links to it (a feed, Google Alerts, a push) tells it by its
address. What an answer or a comment links to is where it stands, not what it is: those stand for no page.
"""

from functools import lru_cache
from typing import Final

from shared.rules.canonical_url import key, venue_of
from shared.rules.post_links import CHANNEL_TYPES

BROADCAST: Final = frozenset({"article", "video"})
_CARRIES: Final = BROADCAST | {"post", "photo", "note"}

_key = lru_cache(maxsize=4_096)(key)
_venue_of = lru_cache(maxsize=4_096)(venue_of)


def post_linked(channel_type: str, kind: str, permalink: str | None) -> tuple[str, str] | None:
    """The channel type and external id of the post of a venue that a mention of another channel type only carries; None
    where it carries none that we know."""
    if permalink is None or kind not in _CARRIES or is_own(channel_type):
        return None
    return _venue_of(permalink)


def page_of(channel_type: str, kind: str, permalink: str | None, external_id: str | None = None) -> str | None:
    """Equal for two mentions that stand for the same post or page (`may_be_one` says which may be compared). Without an
    `external_id` the post of a venue's own channel is told by its permalink."""
    if is_own(channel_type):
        post = (channel_type, external_id) if external_id else _venue_of(permalink) if permalink else None
        return _written(post) if post and post[0] == channel_type else None
    if post := post_linked(channel_type, kind, permalink):
        return _written(post)
    return _key(permalink) if permalink and kind in BROADCAST else None


def may_be_one(kind: str, channel_type: str, other_kind: str, other_type: str) -> bool:
    """Whether one page makes two mentions one: two ways of hearing it, or two publications. One channel type's posts with
    one permalink are many people's posts at one place."""
    return channel_type != other_type or (kind in BROADCAST and other_kind in BROADCAST)


def is_heard_again(kind: str, channel_type: str, first_type: str) -> bool:
    """Whether a mention adds nothing to an earlier one of the same page. A post from its own venue always does: only there
    can it be answered."""
    return not is_own(channel_type) and (is_own(first_type) or kind in BROADCAST)


def is_own(channel_type: str) -> bool:
    """Whether this is the own channel of a venue whose links tell the post."""
    return channel_type in CHANNEL_TYPES


def _written(post: tuple[str, str | None]) -> str:
    return f"{post[0]} {post[1]}"

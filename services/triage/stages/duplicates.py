"""Has this been said before? Exact copies, near copies and reposts are linked to the first; few are set aside.

Two customers with one complaint are two customers: a copy by somebody else is linked, never dismissed, unless it is a
repost. So is what one writer posts at several venues: each venue may need its own answer. What is dismissed is what
nobody can be owed an answer for: a repost of what is known, the same post twice from the same author within minutes, the
same article from a second feed, and a feed's item that leads to a post we have from its venue.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from services.triage.held import Held
from services.triage.same_page import BROADCAST, is_heard_again, is_own, may_be_one, page_of
from services.triage.sketching import PASSED_ON, VIA, sketch
from services.triage.stage import Assessment, Briefing, Finding, LookAlike, Sketch, finder, fold, quote, stage

_VERSION = "4"
_says = finder("duplicates", _VERSION)

NEAR: Final = 0.7
"""From this similarity of their runs of letters on two texts are near copies."""
DOUBLE_POST: Final = timedelta(minutes=10)
CROSS_POST: Final = timedelta(hours=72)
"""Within this time the same words at another venue are one writer's, or one story's, posted at both."""


@stage(needs=("relevance",), adds=("duplicate",), version=_VERSION)
def assess(batch: Sequence[Assessment], briefing: Briefing) -> Sequence[Assessment]:
    """`duplicate` (value: id of the first; kind exact, near, page or repost; cross_post where it stands at another venue
    within 72 hours) where there is one; no finding otherwise. Looks at what the database handed in and at what stands
    earlier in the same batch."""
    earlier = Earlier(pages=any(a.permalink and not is_own(a.channel_type) for a in batch))
    assessed = []
    for a in batch:
        # what the database says of a mention goes before what can be told from the batch
        likes = {like.mention_id: like for like in (*earlier.like(a), *a.background.look_alikes)}
        assessed.append(_compared(a, list(likes.values()), _repost_mark(a, briefing)))
        earlier.add(a)
    return assessed


def _sketch_of(a: Assessment) -> Sketch:
    return a.background.sketch or sketch(a.text)


class Earlier:
    """Mentions that were seen before, found by their sketches: those of one batch, or of a file, or those on their way
    through triage that the database does not have yet."""

    def __init__(self, most: int = 20_000, *, pages: bool = True) -> None:
        """`most`: how many mentions to remember; the oldest are forgotten. `pages`: whether links are compared too; between
        the posts of venues themselves there is nothing to be found by them."""
        self._pages = pages
        self._held: Held[LookAlike] = Held(most)

    def add(self, a: Assessment) -> None:
        """Remember a mention."""
        made = _sketch_of(a)
        author, handle = (a.author.external_id, a.author.handle) if a.author else (None, None)
        like = LookAlike(
            a.mention_id, a.text, author, a.channel_type, a.published_at, a.permalink, a.kind, made, handle
        )
        self._held.add(like, (made.exact, *made.numbers(), *self._page(a)))

    def like(self, a: Assessment) -> Iterable[LookAlike]:
        """Those that share the text, a band of its sketch or the page; the earliest few of each."""
        made = _sketch_of(a)
        found = {like.mention_id: like for like in self._held.of((made.exact, *made.numbers()))}
        for like in self._held.of(self._page(a)):
            if may_be_one(a.kind, a.channel_type, like.kind, like.channel_type):
                found[like.mention_id] = replace(like, same_page=True)
        return found.values()

    def _page(self, a: Assessment) -> tuple[str, ...]:
        page = page_of(a.channel_type, a.kind, a.permalink) if self._pages else None
        return (page,) if page else ()


def _repost_mark(a: Assessment, briefing: Briefing) -> str | None:
    """The words that say a post passes on another's. "via @us" is how customers say where they bought, no repost."""
    if a.kind in ("message", "mail", "review"):
        return None
    if mark := PASSED_ON.match(a.reading.text[:200]):
        return mark.group()
    mark = VIA.search(a.reading.text[-200:])
    return mark.group() if mark and mark.group(1).lower() not in briefing.own_handles else None


def _compared(a: Assessment, look_alikes: Sequence[LookAlike], mark: str | None) -> Assessment:
    first, others = _first_of(a, look_alikes)
    if first is None:
        if mark is None:
            return a
        return a.found(duplicate=_says(None, 0.8, f"passed on: {quote(mark)}", kind="repost", similarity=None))
    like, similarity = first
    kind = "repost" if mark else "page" if like.same_page else "exact" if similarity == 1.0 else "near"
    finding = _finding(a, like, similarity, kind, mark, others)
    return _set_aside(a.found(duplicate=finding), like, kind)


def _first_of(a: Assessment, look_alikes: Sequence[LookAlike]) -> tuple[tuple[LookAlike, float] | None, int]:
    """The post that it is heard again of; else the most alike of the look-alikes, the earliest of several that are equally
    so. And how many other authors wrote the same."""
    mine = _sketch_of(a)
    best: tuple[LookAlike, float] | None = None
    rank = (False, 0.0, 0.0)
    others = set()
    for like in look_alikes:
        if like.mention_id == a.mention_id:
            continue
        theirs = like.sketch or sketch(like.text)
        if mine.exact == theirs.exact or like.same_page:
            alike = 1.0 if mine.signature or like.same_page or a.text == like.text else 0.0
        else:
            alike = mine.similarity(theirs)
        if alike < NEAR:
            continue
        if not mine.signature and not _same_author(a, like) and not like.same_page:
            continue
        if not (like.same_page or _same_author(a, like) or _same_name(a, like)):
            others.add((like.channel_type, like.author))
        again = like.same_page and is_heard_again(a.kind, a.channel_type, like.channel_type)
        if best is None or (again, alike, -like.published_at.timestamp()) > rank:
            best, rank = (like, alike), (again, alike, -like.published_at.timestamp())
    return best, len(others)


def _finding(a: Assessment, like: LookAlike, similarity: float, kind: str, mark: str | None, others: int) -> Finding:
    cross_post = kind in ("exact", "near") and _is_cross_post(a, like)
    if kind == "repost":
        why = f"passes on an earlier mention: {quote(mark or '')}"
    elif kind == "page":
        why = "leads to the same page as an earlier mention"
    elif kind == "exact":
        why = "the same words as an earlier mention"
    else:
        why = f"{similarity:.0%} like an earlier mention"
    said: dict[str, Any] = {"kind": kind, "similarity": round(similarity, 3), "copied_by": others}
    if cross_post:
        why += f" at another venue ({like.channel_type})"
        said["cross_post"] = True
    return _says(str(like.mention_id), similarity, why, **said)


def _same_author(a: Assessment, like: LookAlike) -> bool:
    if a.author is None or a.author.external_id is None:
        return False
    return (a.channel_type, a.author.external_id) == (like.channel_type, like.author)


def _is_cross_post(a: Assessment, like: LookAlike) -> bool:
    return a.channel_type != like.channel_type and abs(a.published_at - like.published_at) <= CROSS_POST


def _same_name(a: Assessment, like: LookAlike) -> bool:
    """Whether it is the same writer at another venue, by the name that goes before the server or domain. Good enough not
    to count a cross-post as copied by somebody else; never enough to take two accounts for one person."""
    if a.author is None or not a.author.handle or not like.handle:
        return False
    return _is_cross_post(a, like) and _bare(a.author.handle) == _bare(like.handle)


def _bare(handle: str) -> str:
    return re.split(r"[.@]", fold(handle).removeprefix("@"), maxsplit=1)[0]


def _set_aside(a: Assessment, like: LookAlike, kind: str) -> Assessment:
    if a.visibility == "private":
        return a
    if like.same_page and not is_heard_again(a.kind, a.channel_type, like.channel_type):
        return a
    if kind == "repost":
        return a.dismiss("a repost of a mention we have")
    if a.kind in BROADCAST and like.kind == a.kind:
        return a.dismiss("the same article again" if a.kind == "article" else "the same video again")
    if kind == "page":
        return a.dismiss("found again by a feed")
    if kind == "exact" and _same_author(a, like) and abs(a.published_at - like.published_at) <= DOUBLE_POST:
        return a.dismiss("posted twice within 10 minutes by the same author")
    return a

"""Has this been said before? Exact copies, near copies and reposts are linked to the first; few are set aside.

Two customers with one complaint are two customers: a copy by somebody else is linked, never dismissed, unless it is a
repost. So is what one writer posts at several venues: each venue may need its own answer. What is dismissed is what
nobody can be owed an answer for: a repost of what is known, the same post twice from the same author within minutes, the
same article from a second feed, and a feed's item that leads to a post we have from its venue.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import lru_cache
from hashlib import blake2b
from operator import eq
from typing import Any, Final

import numpy
from rensa import RMinHash

from services.triage.same_page import BROADCAST, is_heard_again, is_own, may_be_one, page_of
from services.triage.stage import Assessment, Briefing, Finding, LookAlike, Sketch, finder, fold, quote, stage

__all__ = ["Earlier", "Sketch", "assess", "normalised", "similarity", "sketch", "sketches"]

_VERSION = "3"
_says = finder("duplicates", _VERSION)

PERMUTATIONS: Final = 64
BANDS: Final = 16
ROWS: Final = PERMUTATIONS // BANDS
SHINGLE: Final = 4
SEED: Final = 7
NEAR: Final = 0.7
"""From this Jaccard similarity of the shingles on two texts are near copies."""
SHORTEST: Final = 24
"""Normalised texts shorter than this ("thanks!", "geen internet") are too common for copies to mean anything."""
DOUBLE_POST: Final = timedelta(minutes=10)
CROSS_POST: Final = timedelta(hours=72)
"""Within this time the same words at another venue are one writer's, or one story's, posted at both."""
_COMPARED: Final = 8

_TOGETHER: Final = 256
_LETTERS: Final = 100_000
"""So many texts are sketched at once, or so many letters."""
_LETTER_AT: Final = tuple(
    numpy.uint64(odd) for odd in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93)
)  # what a letter is multiplied by at each place of a shingle
_ROW_AT: Final = numpy.array(_LETTER_AT, dtype=numpy.uint64)
_BAND_SALT: Final = numpy.arange(1, BANDS + 1, dtype=numpy.uint64) * _LETTER_AT[0]
_PLAIN: Final = {code: chr(code) if chr(code).isalnum() or chr(code).isspace() else " " for code in range(128)}

_NOISE = re.compile(r"https?://\S+|[^\w\s]|_")
# With its server or domain, where the venue has them: @ann, @ann@mastodon.example, @ann.bsky.example.
_NAME = r"@\w+(?:\.\w[\w-]*)*(?:@\w[\w.-]*)?"
_HANDLE = re.compile(_NAME.replace("@", r"@(?<!\w@)", 1))  # beginning with what is rare, which is found at once
_LINK = re.compile(r"https?://\S+")
_PASSED_ON = re.compile(
    rf"^\s*(?:RT|MT)\s*:?\s*{_NAME}\s*:?|^\s*(?:♻️|🔁)\s*(?:{_NAME}|\w*)|^\s*[\"“]\s*{_NAME}\s*:", re.IGNORECASE
)
_VIA = re.compile(r"\b(?:via|h/t|hat tip)\s+@(\w+)\s*(?:https?://\S+\s*)?$", re.IGNORECASE)


def normalised(text: str) -> str:
    """The text without what copies differ in: repost marks, links, handles, punctuation, case and spacing."""
    plain = fold(text[:20_000])
    if mark := _PASSED_ON.match(plain):
        plain = plain[mark.end() :]
    if "@" in plain:
        plain = _VIA.sub(" ", plain)
        plain = _HANDLE.sub(" ", _LINK.sub(" ", plain) if "/@" in plain else plain)
    if not plain.isascii():
        return " ".join(_NOISE.sub(" ", plain).split())
    if "http" in plain:
        plain = _LINK.sub(" ", plain)
    return " ".join(plain.translate(_PLAIN).split())


@lru_cache(maxsize=4_096)
def sketch(text: str) -> Sketch:
    """The sketch of a stored text: what the database is asked for look-alikes with."""
    return sketches([text])[0]


def sketches(texts: Sequence[str]) -> list[Sketch]:
    """The sketches of many stored texts, five times as quickly as one by one."""
    made: list[Sketch] = []
    for plain in _some([normalised(text) for text in texts]):
        exact = [blake2b(one.encode("utf-8", "replace"), digest_size=16).digest() for one in plain]
        long = [at for at, one in enumerate(plain) if len(one) >= SHORTEST]
        some = [Sketch(one, (), ()) for one in exact]
        if long:
            signatures, bands = _signed([plain[at] for at in long])
            for at, signature, of_bands in zip(long, signatures, bands, strict=True):
                some[at] = Sketch(exact[at], tuple(of_bands), tuple(signature))
        made += some
    return made


def _some(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """The texts in their order, as many at a time as are sketched at once."""
    start = letters = 0
    for at, text in enumerate(texts, 1):
        letters += len(text)
        if at - start == _TOGETHER or letters > _LETTERS or at == len(texts):
            yield texts[start:at]
            start, letters = at, 0


def _signed(plain: Sequence[str]) -> tuple[list[list[int]], list[list[int]]]:
    """The signatures of normalised texts of SHINGLE letters or more, and the numbers of their bands."""
    letters = numpy.frombuffer("".join(plain).encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(numpy.uint64)
    count = len(letters) - SHINGLE + 1
    shingles = numpy.zeros(count, dtype=numpy.uint64)
    for at, odd in enumerate(_LETTER_AT):
        shingles ^= letters[at : at + count] * odd
    shingles = _mixed(shingles)
    ends = numpy.cumsum([len(one) for one in plain])
    whole = numpy.ones(count, dtype=bool)  # what begins in one text and ends in the next is no shingle
    for back in range(1, SHINGLE):
        whole[ends[:-1] - back] = False
    offsets = numpy.zeros(len(plain) + 1, dtype=numpy.uint64)
    offsets[1:] = ends - (SHINGLE - 1) * numpy.arange(1, len(plain) + 1)
    flat: Any = RMinHash.digest_matrix_from_flat_token_hashes(shingles[whole], offsets, PERMUTATIONS, SEED)
    signatures: list[list[int]] = flat.to_rows()
    rows = numpy.array(signatures, dtype=numpy.uint64).reshape(-1, BANDS, ROWS)
    bands = _mixed((rows * _ROW_AT).sum(axis=2) + _BAND_SALT)
    return signatures, bands.view(numpy.int64).tolist()


def _mixed(numbers: Any) -> Any:
    """Numbers of 64 bits in which every bit depends on all that were there."""
    numbers = (numbers ^ (numbers >> numpy.uint64(32))) * _LETTER_AT[3]
    numbers = (numbers ^ (numbers >> numpy.uint64(29))) * _LETTER_AT[1]
    return numbers ^ (numbers >> numpy.uint64(32))


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


def similarity(one: Sketch, other: Sketch) -> float:
    """How alike two texts are, by their sketches: 1 only for those that are exactly the same."""
    if one.exact == other.exact:
        return 1.0
    if not (one.signature and other.signature):
        return 0.0
    equal: int = sum(map(eq, one.signature, other.signature))
    return min(equal / PERMUTATIONS, 0.99)


def _sketch_of(a: Assessment) -> Sketch:
    return a.background.sketch or sketch(a.text)


class Earlier:
    """Mentions that were seen before, found by their sketches: those of one batch, or of a file, or those on their way
    through triage that the database does not have yet."""

    def __init__(self, most: int = 100_000, *, pages: bool = True) -> None:
        """`most`: how many keys to remember; the oldest are forgotten. `pages`: whether links are compared too; between
        the posts of venues themselves there is nothing to be found by them."""
        self._most = most
        self._pages = pages
        self._by_key: dict[bytes | int | str, list[LookAlike]] = {}

    def add(self, a: Assessment) -> None:
        """Remember a mention."""
        made = _sketch_of(a)
        author, handle = (a.author.external_id, a.author.handle) if a.author else (None, None)
        like = LookAlike(
            a.mention_id, a.text, author, a.channel_type, a.published_at, a.permalink, a.kind, made, handle
        )
        for key in (*_words(made), *self._page(a)):
            known = self._by_key.setdefault(key, [])
            if len(known) < _COMPARED:
                known.append(like)
        while len(self._by_key) > self._most:
            del self._by_key[next(iter(self._by_key))]

    def like(self, a: Assessment) -> Iterable[LookAlike]:
        """Those that share the text, a band of its sketch or the page; the earliest few of each."""
        found = {like.mention_id: like for key in _words(_sketch_of(a)) for like in self._by_key.get(key, ())}
        for page in self._page(a):
            for like in self._by_key.get(page, ()):
                if may_be_one(a.kind, a.channel_type, like.kind, like.channel_type):
                    found[like.mention_id] = replace(like, same_page=True)
        return found.values()

    def _page(self, a: Assessment) -> tuple[str, ...]:
        page = page_of(a.channel_type, a.kind, a.permalink) if self._pages else None
        return (page,) if page else ()


def _words(made: Sketch) -> tuple[bytes | int, ...]:
    return (made.exact, *made.bands)


def _repost_mark(a: Assessment, briefing: Briefing) -> str | None:
    """The words that say a post passes on another's. "via @us" is how customers say where they bought, no repost."""
    if a.kind in ("message", "mail", "review"):
        return None
    if mark := _PASSED_ON.match(a.reading.text[:200]):
        return mark.group()
    mark = _VIA.search(a.reading.text[-200:])
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
            alike = similarity(mine, theirs)
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

"""Has this been said before? Exact copies, near copies and reposts are linked to the first; few are set aside.

Two customers with one complaint are two customers: a copy by somebody else is linked, never dismissed, unless it is a
repost. What is dismissed is what nobody can be owed an answer for: a repost of what is known, the same post twice from
the same author within minutes, the same article from a second feed.
"""

import re
import struct
from collections.abc import Iterable, Sequence
from datetime import timedelta
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final

from rensa import RMinHash

from services.triage.stage import Assessment, Briefing, Finding, LookAlike, Sketch, finder, fold, quote, stage

__all__ = ["Earlier", "Sketch", "assess", "normalised", "sketch"]

_VERSION = "1"
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
_COMPARED: Final = 8
BROADCAST: Final = frozenset({"article", "video"})

_SIGNATURE: Final = struct.Struct(f"<{PERMUTATIONS}I")
_BAND_HASHES: Final = struct.Struct(f"<{BANDS}q")
_BAND_BYTES: Final = 4 * ROWS
_BAND_AT: Final = tuple((bytes([band]), band * _BAND_BYTES) for band in range(BANDS))

_NOISE = re.compile(r"https?://\S+|[^\w\s]|_")
_HANDLE = re.compile(r"(?<!\w)@\w+")
_PASSED_ON = re.compile(r"^\s*(?:RT|MT)\s*:?\s*@\w+\s*:?|^\s*(?:♻️|🔁)\s*@?\w*|^\s*[\"“]\s*@\w+\s*:", re.IGNORECASE)
_VIA = re.compile(r"\b(?:via|h/t|hat tip)\s+@(\w+)\s*(?:https?://\S+\s*)?$", re.IGNORECASE)


def normalised(text: str) -> str:
    """The text without what copies differ in: repost marks, links, handles, punctuation, case and spacing."""
    return " ".join(_NOISE.sub(" ", _HANDLE.sub(" ", _VIA.sub(" ", _PASSED_ON.sub(" ", fold(text[:20_000]))))).split())


@lru_cache(maxsize=4_096)
def sketch(text: str) -> Sketch:
    """The sketch of a stored text: what the database is asked for look-alikes with, and what is stored for later."""
    plain = normalised(text)
    exact = blake2b(plain.encode("utf-8", "replace"), digest_size=16).digest()
    if len(plain) < SHORTEST:
        return Sketch(exact, (), ())
    minhash: Any = RMinHash(PERMUTATIONS, SEED)
    minhash.update([plain[at : at + SHINGLE] for at in range(len(plain) - SHINGLE + 1)])
    signature = tuple(minhash.digest())
    rows = _SIGNATURE.pack(*signature)
    hashed = b"".join(
        blake2b(band + rows[start : start + _BAND_BYTES], digest_size=8).digest() for band, start in _BAND_AT
    )
    return Sketch(exact, _BAND_HASHES.unpack(hashed), signature)


@stage(needs=("relevance",), adds=("duplicate",), version=_VERSION)
def assess(batch: Sequence[Assessment], briefing: Briefing) -> Sequence[Assessment]:
    """`duplicate` (value: id of the first; kind exact, near or repost) where there is one; no finding otherwise. Looks
    at what the database handed in and at what stands earlier in the same batch."""
    earlier = Earlier()
    assessed = []
    for a in batch:
        assessed.append(_compared(a, [*a.background.look_alikes, *earlier.like(a)], _repost_mark(a, briefing)))
        earlier.add(a)
    return assessed


def _sketch_of(a: Assessment) -> Sketch:
    return a.background.sketch or sketch(a.text)


class Earlier:
    """Mentions that were seen before, found by their sketches: those of one batch, or of a file, or those on their way
    through triage that the database does not have yet."""

    def __init__(self, most: int = 100_000) -> None:
        """`most`: how many keys to remember; the oldest are forgotten."""
        self._most = most
        self._by_key: dict[bytes | int | str, list[LookAlike]] = {}

    def add(self, a: Assessment) -> None:
        """Remember a mention."""
        made = _sketch_of(a)
        author = a.author.external_id if a.author else None
        like = LookAlike(a.mention_id, a.text, author, a.channel_type, a.published_at, a.permalink, a.kind, made)
        for key in _keys(made, a):
            known = self._by_key.setdefault(key, [])
            if len(known) < _COMPARED:
                known.append(like)
        while len(self._by_key) > self._most:
            del self._by_key[next(iter(self._by_key))]

    def like(self, a: Assessment) -> Iterable[LookAlike]:
        """Those that share the text, a band of its sketch or the page; the earliest few of each."""
        made = _sketch_of(a)
        found = {}
        for key in _keys(made, a):
            for like in self._by_key.get(key, ()):
                found[like.mention_id] = like
        return found.values()


def _keys(made: Sketch, a: Assessment) -> list[bytes | int | str]:
    page = [a.permalink] if a.permalink and a.kind in BROADCAST else []
    return [made.exact, *made.bands, *page]


def _repost_mark(a: Assessment, briefing: Briefing) -> str | None:
    """The words that say a post passes on another's. "via @us" is how customers say where they bought, no repost."""
    if a.kind in ("message", "mail", "review"):
        return None
    if mark := _PASSED_ON.search(a.reading.text[:200]):
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
    kind = "repost" if mark else "exact" if similarity == 1.0 else "near"
    finding = _finding(like, similarity, kind, mark, others)
    return _set_aside(a.found(duplicate=finding), like, kind)


def _first_of(a: Assessment, look_alikes: Sequence[LookAlike]) -> tuple[tuple[LookAlike, float] | None, int]:
    """The most alike of the look-alikes, the earliest of several that are equally so; and how many other authors
    wrote the same."""
    mine = _sketch_of(a)
    best: tuple[LookAlike, float] | None = None
    others = set()
    for like in look_alikes:
        if like.mention_id == a.mention_id:
            continue
        same_page = bool(a.permalink) and a.permalink == like.permalink and a.kind in BROADCAST
        theirs = like.sketch or sketch(like.text)
        if mine.exact == theirs.exact or same_page:
            similarity = 1.0 if mine.signature or same_page or a.text == like.text else 0.0
        elif mine.signature and theirs.signature:
            equal = sum(x == y for x, y in zip(mine.signature, theirs.signature, strict=True))
            similarity = min(equal / PERMUTATIONS, 0.99)
        else:
            similarity = 0.0
        if similarity < NEAR:
            continue
        if not mine.signature and not _same_author(a, like) and not same_page:
            continue
        if not _same_author(a, like):
            others.add((like.channel_type, like.author))
        if best is None or (similarity, -like.published_at.timestamp()) > (best[1], -best[0].published_at.timestamp()):
            best = (like, similarity)
    return best, len(others)


def _finding(like: LookAlike, similarity: float, kind: str, mark: str | None, others: int) -> Finding:
    if kind == "repost":
        why = f"passes on an earlier mention: {quote(mark or '')}"
    elif kind == "exact":
        why = "the same words as an earlier mention"
    else:
        why = f"{similarity:.0%} like an earlier mention"
    return _says(str(like.mention_id), similarity, why, kind=kind, similarity=round(similarity, 3), copied_by=others)


def _same_author(a: Assessment, like: LookAlike) -> bool:
    if a.author is None or a.author.external_id is None:
        return False
    return (a.channel_type, a.author.external_id) == (like.channel_type, like.author)


def _set_aside(a: Assessment, like: LookAlike, kind: str) -> Assessment:
    if a.visibility == "private":
        return a
    if kind == "repost":
        return a.dismiss("a repost of a mention we have")
    if a.kind in BROADCAST and like.kind == a.kind:
        return a.dismiss("the same article again" if a.kind == "article" else "the same video again")
    if kind == "exact" and _same_author(a, like) and abs(a.published_at - like.published_at) <= DOUBLE_POST:
        return a.dismiss("posted twice within 10 minutes by the same author")
    return a

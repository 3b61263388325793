"""Which mentions of an issue count, and which few of them show best what all of them say."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from itertools import pairwise
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

POOL = 800
"""A sample is chosen from at most so many mentions; the pool has the channels and languages in their proportions."""
FEATURES = 4096
FRESH = 1.5
"""A channel, or a language, that the sample does not show yet makes a mention worth so much more."""
READ = 5_000
"""So many code points of a text are read; what comes later in a long mail is mostly what was said before."""

_ADDRESS = re.compile(r"@\S+|https?://\S+")
_APART = re.compile(r"\W+")


@dataclass(frozen=True, slots=True)
class IssueMention:
    """One mention as listening needs it. Spans are (start, end) in code points of `text`; `reach` is in accounts.

    `spans` is where triage found the issue; `hidden` is personal data (the pii findings, names included), of which
    no word is ever shown as a phrase; `duplicate_of` is the mention of which this is a copy or a repost.
    """

    id: UUID
    text: str
    published_at: datetime
    lang: str | None = None
    author_id: UUID | None = None
    channel_type: str = ""
    reach: int = 0
    spans: tuple[tuple[int, int], ...] = ()
    hidden: tuple[tuple[int, int], ...] = ()
    duplicate_of: UUID | None = None


def plain_words(text: str) -> list[str]:
    """Return the words of a text without handles, links, punctuation and case: what two copies have in common."""
    words = _APART.sub(" ", _ADDRESS.sub(" ", text[:READ])).casefold().split()
    return words[1:] if words[:1] == ["rt"] else words


def originals(mentions: Iterable[IssueMention]) -> list[IssueMention]:
    """Leave one mention of every repost or copy: the earliest at hand, which need not be the very first one.

    Copies are those that triage linked (`duplicate_of`) and texts of five or more words that are alike but for
    handles, links, punctuation and case; short texts (`app is down`) are two people's words, not copies.
    The answer is ordered by time, then id, so that everything made from it is the same whatever order came in.
    """
    ordered = sorted(mentions, key=lambda mention: (mention.published_at, mention.id))
    copy_of = {mention.id: mention.duplicate_of for mention in ordered}
    seen: set[UUID | tuple[str, ...]] = set()
    kept = []
    for mention in ordered:
        root, passed = mention.id, {mention.id}
        while (before := copy_of.get(root)) is not None and before not in passed:
            root = before
            passed.add(root)
        words = plain_words(mention.text)
        keys: set[UUID | tuple[str, ...]] = {root, mention.id}
        if len(words) >= 5:
            keys.add(tuple(words))
        if seen.isdisjoint(keys):
            kept.append(mention)
        seen |= keys
    return kept


def representative(mentions: Sequence[IssueMention], size: int = 5) -> tuple[UUID, ...]:
    """Choose mentions that together stand for all, the most representative first. Same input in any order, same answer.

    Greedy facility location: each step takes the mention that brings the others closest to one that is shown already
    (likeness of their words and pairs of words), valued half as much again for a channel type, and for a language,
    not yet shown. Reposts are left out; an author is shown twice only when there is nobody else. Among equals the
    one with more reach, then the earlier, is taken.
    """
    pool = _pool(originals(mentions))
    if not pool or size < 1:
        return ()
    likeness = _likeness(pool)
    covered = np.zeros(len(pool))
    order = np.argsort(np.array([-mention.reach for mention in pool]), kind="stable")
    chosen: list[int] = []
    authors: Counter[UUID] = Counter()
    seen: set[tuple[str, str | None]] = set()
    while len(chosen) < min(size, len(pool)):
        gain = np.maximum(likeness - covered, 0).sum(axis=1) + 1e-9
        for at, mention in enumerate(pool):
            gain[at] *= FRESH ** sum(trait not in seen for trait in _traits(mention))
            # One voice is one voice, however telling its second mention.
            gain[at] *= 1e-6 ** authors[mention.author_id] if mention.author_id else 1
        gain[chosen] = -1.0
        best = int(order[np.argmax(np.round(gain[order], 9))])
        chosen.append(best)
        covered = np.maximum(covered, likeness[best])
        seen.update(_traits(pool[best]))
        if (author := pool[best].author_id) is not None:
            authors[author] += 1
    return tuple(pool[at].id for at in chosen)


def _traits(mention: IssueMention) -> tuple[tuple[str, str | None], tuple[str, str | None]]:
    return ("channel_type", mention.channel_type), ("lang", mention.lang)


def _digest(value: bytes) -> int:
    return int.from_bytes(blake2b(value, digest_size=8).digest(), "big")


def _pool(mentions: list[IssueMention]) -> list[IssueMention]:
    """Thin out evenly: of each channel type and language its share, at least one, picked by a hash of the id."""
    if len(mentions) <= POOL:
        return mentions
    groups: dict[tuple[tuple[str, str | None], ...], list[IssueMention]] = defaultdict(list)
    for mention in mentions:
        groups[_traits(mention)].append(mention)
    pool: list[IssueMention] = []
    for group in groups.values():
        share = max(1, len(group) * POOL // len(mentions))
        pool += sorted(group, key=lambda mention: _digest(mention.id.bytes))[:share]
    return sorted(pool, key=lambda mention: (mention.published_at, mention.id))


def _likeness(pool: Sequence[IssueMention]) -> NDArray[np.float64]:
    """Return the cosine of every two texts over their words and pairs of words; rare ones weigh more."""
    seen = np.zeros((len(pool), FEATURES))
    for row, mention in enumerate(pool):
        words = plain_words(mention.text)
        for shingle in {*words, *map(" ".join, pairwise(words))}:
            seen[row, _digest(shingle.encode(errors="replace")) % FEATURES] = 1
    seen *= np.log((1 + len(pool)) / (1 + seen.sum(axis=0))) + 0.1
    length = np.linalg.norm(seen, axis=1, keepdims=True)
    unit = seen / np.maximum(length, 1e-12)
    likeness: NDArray[np.float64] = unit @ unit.T
    return likeness

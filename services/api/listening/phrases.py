"""Which words people use for a problem: phrases that stand, letter for letter, in the mentions they cite."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from services.api.listening.sample import READ, IssueMention, originals

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

LONGEST = 6
MERGE_AT = 0.7
"""Two overlapping phrases are one where they share this part of the smaller one's mentions."""
NAME_AT = 0.1
"""Words that were marked as personal data in this part of their occurrences are never shown, marked or not."""
SHORTLIST = 400
BACKGROUND = 5_000
"""So many background mentions, evenly spread over time, are enough to know what is said anyway."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


ENGLISH = _words("""
    a about after again all also am an and another any anyone are as at be because been being before but by can could
    did do does doing each even ever for from get gets getting give go going gonna got gotta guys had has have having
    he hello her here hey hi him his how i i'd i'll i'm i've if im in into is it it's its ive just know let lets like
    lol make maybe me mine more most much my myself now of oh ok okay on one only or other our ours over please pls
    really rt said say saying see she should so some someone such than thank thanks that that's thats the their them
    then there there's these they they're they've thing things think this those though through thru to today tomorrow
    tonight too u under until ur us use very via want wants was way we we'd we'll we're we've well went were what
    what's when where which while who whose why will with would yeah yes yesterday yet you you'd you'll you're you've
    your yours yourself
""")
"""Words that may not begin or end an English phrase. Negations and particles (`down`, `out`) are kept on purpose."""

DUTCH = _words("""
    't 'm 'n aan al alle alleen als alsof altijd ander andere aub bedankt ben bent bij bijna daar dag dan dank
    dankjewel dat de deze die dit dus echt een eens eerst en er erg even ga gaan gaat gewoon gisteren graag had hadden
    hallo hartelijk heb hebben hebt heel heeft helaas hem het hier hij hoe hoi hun hé iets ik in ipv is ja je jij jou
    jouw jullie kan kon konden kun kunnen kunt maar mag me mee meer men met mij mijn misschien moet moeten mogen morgen
    na naar nog nou nu of om omdat ons onze ook op over pas s sinds soms t te tegen terwijl toch toen tot u uw vaak van
    vandaag veel via volgens voor waar waarom wanneer want waren was wat we weer wel welke werd wie wij wil willen word
    worden wordt ze zei zeg zeker zelf zich zij zijn zo zoals zou zouden
""")
"""Words that may not begin or end a Dutch phrase; `niet`, `geen` and `weg` say the problem and are kept."""

WEAK = _words("""
    ain't aren't can't cannot cant couldn't didn't doesn't doesnt don't dont down due hadn't hasn't haven't isn't keep
    keeping keeps need needs never no none not nothing off out still tried trying up using wasn't weren't won't wont
    wouldn't almaar blijft geen niet niets nooit proberen probeer steeds uit weg zonder
""")
"""Words that a phrase may begin with but that say nothing alone: there must be another one beside them."""

EITHER = ENGLISH | DUTCH
NEVER_LAST = WEAK - _words("down niet niets nothing off out uit up weg")
WHOLE_PAIRS = frozenset(
    {("check", "in"), ("checked", "in"), ("log", "in"), ("logged", "in"), ("logging", "in"), ("plug", "in")}
    | {("on", "hold"), ("sign", "in"), ("turn", "on"), ("niet", "aan"), ("niet", "door"), ("niet", "op")}
)
"""Pairs of which one half is a stop word and which mean something only together."""

# What is bounded here keeps a hostile text (a megabyte of dots) from costing more than its length.
_TOKEN = re.compile(
    r"""(?P<other> https?://\S+ | www\.\S+ | [\w.+-]{1,64}@[\w.-]+ | @[\w.-]+ (?:@[\w.-]+)? | &\#?\w+;
          | \b [\w-]{1,63} (?:\.[\w-]{1,63}){0,4} \.[a-z]{2,24}\b (?:/\S*)? )
      | (?P<word> \#?[^\W_]+ (?:['’-][^\W_]+)* )""",
    re.VERBOSE,
)
_SHORT_NUMBER = re.compile(r"\d{1,3}[^\W\d]{0,4}")


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words with the mentions in which they stand exactly so, oldest first. Reposts are left out."""

    text: str
    mention_ids: tuple[UUID, ...]

    @property
    def count(self) -> int:
        """How many mentions are cited."""
        return len(self.mention_ids)


def phrases(
    mentions: Sequence[IssueMention],
    background: Sequence[IssueMention] = (),
    *,
    names: Iterable[str] = (),
    top: int = 5,
) -> tuple[Phrase, ...]:
    """Return the phrases in which people express the issue, the most telling first.

    A phrase is two to six words in a row within a sentence. It is ranked by the number of different authors who
    wrote it so, times its log-odds against the background (mentions that are not about this issue; those that are
    also in `mentions` are passed over), times up to two for standing where triage found the issue. Where no two words
    stand together, single words from those places are given. Nothing marked as personal data, no handle, link or
    longer number is ever part of a phrase, and none is made of `names` (the brand's) alone. Same input in any order,
    same answer.
    """
    said = originals(mentions)
    if not said:
        return ()
    own = {mention.id for mention in mentions}
    others = sorted((m for m in background if m.id not in own), key=lambda m: (m.published_at, m.id))
    elsewhere = originals(others[:: -(-len(others) // BACKGROUND) or 1])
    stream = _read(said + elsewhere, len(said), {_fold(word) for name in names for word in name.split()})
    voices = len(np.unique(stream.author[stream.document < len(said)]))
    supports = (3, 2, 1) if voices >= 200 else (2, 1) if voices >= 4 else (1,)
    for support in supports:
        found = _choose(_candidates(stream, range(2, LONGEST + 1), support), top)
        if found:
            break
    else:
        found = _choose([c for c in _candidates(stream, range(1, 2), 1) if c.in_span > 0], top)
    return tuple(Phrase(c.text, tuple(said[document].id for document in c.documents)) for c in found)


class _Stream(NamedTuple):
    """All words of all texts in one row; a document below `said` is about the issue."""

    mentions: Sequence[IssueMention]
    said: int
    words: list[str]
    word: Ints
    document: Ints
    author: Ints
    start: Ints
    end: Ints
    joins_next: Flags
    may_begin: Flags
    may_end: Flags
    in_span: Flags
    hidden: Counter[str]
    uses: Counter[str]
    empty: frozenset[str]


class _Candidate(NamedTuple):
    score: float
    text: str
    folded: tuple[str, ...]
    documents: tuple[int, ...]
    in_span: float


def _fold(word: str) -> str:
    return word.casefold().replace("’", "'")


def _overlaps(start: int, end: int, spans: Sequence[tuple[int, int]]) -> bool:
    return any(start < to and end > since for since, to in spans)


def _is_long_number(word: str) -> bool:
    return not word.isalpha() and any(map(str.isdigit, word)) and not _SHORT_NUMBER.fullmatch(word)


def _read(mentions: Sequence[IssueMention], said: int, names: set[str]) -> _Stream:
    """Cut all texts into words and note what each may do; words that may not be shown are left out, as gaps."""
    vocabulary: dict[str, int] = {}
    known: dict[str, int] = {}  # as it is written; -1 where it is never shown
    authors: dict[UUID, int] = {}
    hidden: Counter[str] = Counter()
    found: list[tuple[int, int, int, bool, bool]] = []
    sizes, voices, tongues = [], [], []
    for mention in mentions:
        text, before = mention.text[:READ], len(found)
        for start, end in mention.hidden:
            hidden.update(_fold(match[0]) for match in _TOKEN.finditer(text[max(start, 0) : end]) if match["word"])
        for match in _TOKEN.finditer(text):
            if match.lastgroup == "other":
                continue
            written = match[0]
            word = known.get(written)
            if word is None:
                folded = _fold(written)
                word = -1 if _is_long_number(written) else vocabulary.setdefault(folded, len(vocabulary))
                known[written] = word
            start, end = match.span()
            if word < 0 or (mention.hidden and _overlaps(start, end, mention.hidden)):
                continue
            spaced = text[end : end + 1] == " "
            found.append((word, start, end, spaced, bool(mention.spans) and _overlaps(start, end, mention.spans)))
        sizes.append(len(found) - before)
        voices.append(authors.setdefault(mention.author_id or mention.id, len(authors)))
        tongues.append({"en": 0, "nl": 1}.get((mention.lang or "")[:2], 2))
    table = np.array(found, dtype=np.int64).reshape(-1, 5)
    document, author, tongue = (np.repeat(np.array(each), sizes) for each in (range(len(sizes)), voices, tongues))
    words = list(vocabulary)
    joins, begins, ends = _roles(words, table, document, tongue)
    uses = Counter(dict(zip(words, np.bincount(table[:, 0], minlength=len(words)).tolist(), strict=True)))
    empty = WEAK | EITHER | names
    return _Stream(
        mentions, said, words, table[:, 0], document, author, table[:, 1], table[:, 2],
        joins, begins, ends, table[:, 4] > 0, hidden, uses, empty,
    )  # fmt: skip


def _roles(words: Sequence[str], table: Ints, document: Ints, tongue: Ints) -> tuple[Flags, Flags, Flags]:
    """Tell of each word whether the next one belongs to its sentence, and whether a phrase may begin or end with it."""
    word, start, end, spaced = table[:, 0], table[:, 1], table[:, 2], table[:, 3] > 0
    shown = [len(each) > 1 and not each.startswith("#") for each in words]
    plain = np.array(
        [
            [may and each not in stops for each, may in zip(words, shown, strict=True)]
            for stops in (ENGLISH, DUTCH, EITHER)
        ]
    ).astype(np.bool_)[tongue, word]
    number = np.array([any(map(str.isdigit, each)) for each in words], dtype=np.bool_)[word]
    last = np.array([each not in NEVER_LAST for each in words], dtype=np.bool_)[word]
    joins, together = np.zeros(len(word), np.bool_), np.zeros(len(word), np.bool_)
    # Two numbers in a row are a telephone number, a date or a code, never the words of a problem.
    joins[:-1] = (
        spaced[:-1] & (start[1:] == end[:-1] + 1) & (document[1:] == document[:-1]) & ~(number[1:] & number[:-1])
    )
    places = {each: at for at, each in enumerate(words)}
    for first, second in WHOLE_PAIRS:
        if first in places and second in places:
            together[:-1] |= joins[:-1] & (word[:-1] == places[first]) & (word[1:] == places[second])
    ends = plain & ~number & last
    ends[1:] |= together[:-1]
    return joins, plain | number | together, ends


def _grams(stream: _Stream, support: int) -> Iterator[tuple[int, Ints, Ints]]:
    """Yield (length, positions, gram) by growing length: where a gram begins, and a number that stands for its words.

    A longer gram can only be frequent where both its shorter halves are, so each round looks at fewer places.
    """
    gram = stream.word.copy()
    alive = np.ones(len(gram), dtype=np.bool_)
    about = stream.document < stream.said
    for length in range(1, LONGEST + 1):
        if length > len(alive):
            return
        if length > 1:
            # Position i carries on where i and i+1 both do, and the words up to i+length-1 hang together.
            carries = np.zeros_like(alive)
            carries[: -length + 1] = alive[: -length + 1] & alive[1 : len(alive) - length + 2]
            carries[: -length + 1] &= stream.joins_next[length - 2 : -1]
            places = np.flatnonzero(carries)
            pairs = gram[places] * (int(gram.max(initial=0)) + 1) + gram[places + 1]
            alive, gram = carries, np.zeros_like(gram)
            gram[places] = np.unique(pairs, return_inverse=True)[1]
        places = np.flatnonzero(alive)
        if not len(places):
            return
        voices = _authors_by_gram(gram[places], stream.author[places], about[places])
        alive[places] = voices[gram[places]] >= support
        places = np.flatnonzero(alive)
        yield length, places, gram[places]


def _authors_by_gram(gram: Ints, author: Ints, counted: Flags) -> Ints:
    """Count for each gram number the different authors of its counted places."""
    size = int(gram.max(initial=0)) + 1
    wide = int(author.max(initial=0)) + 1
    pairs = np.unique(gram[counted] * wide + author[counted])
    return np.bincount(pairs // wide, minlength=size)


def _candidates(stream: _Stream, lengths: range, support: int) -> list[_Candidate]:
    """Score what at least `support` authors wrote and return the best, each in its most common spelling."""
    if not len(stream.word):
        return []
    about = stream.document < stream.said
    inside = np.concatenate(([0], np.cumsum(stream.in_span)))
    ours, theirs = len(np.unique(stream.author[about])), len(np.unique(stream.author[~about]))
    found: list[_Candidate] = []
    for length, every, grams in _grams(stream, support):
        if length not in lengths:
            continue
        whole = stream.may_begin[every] & stream.may_end[every + length - 1]
        places, gram = every[whole], grams[whole]
        here = about[places]
        a = _authors_by_gram(gram, stream.author[places], here)
        b = _authors_by_gram(gram, stream.author[places], ~here)
        telling = np.log((a + 0.5) / (ours - a + 0.5)) - np.log((b + 0.5) / (theirs - b + 0.5))
        touched = inside[places + length] - inside[places] > 0
        spoken = np.bincount(gram[here], minlength=len(a))
        spans = np.bincount(gram[here & touched], minlength=len(a)) / np.maximum(spoken, 1)
        doubt = np.sqrt(1 / (a + 0.5) + 1 / (b + 0.5))  # the standard error: two authors are hardly evidence
        longer = 1 + 0.15 * (length - 2)  # of two equally telling phrases the longer one says more
        score = a * np.maximum(telling - doubt, 0.01) * (1 + spans) * longer
        score[a < support] = 0
        best = np.lexsort((np.arange(len(score)), -score))[:SHORTLIST]
        wanted = np.isin(gram, best[score[best] > 0]) & here
        by_gram: dict[int, list[int]] = defaultdict(list)
        for number, place in zip(gram[wanted].tolist(), places[wanted].tolist(), strict=True):
            by_gram[number].append(place)
        for number, at in by_gram.items():
            candidate = _spelt(stream, at, length, float(score[number] / a[number]), float(spans[number]))
            if candidate is not None:
                found.append(candidate)
    found.sort(key=lambda c: (-c.score, c.text))
    return found[:SHORTLIST]


def _spelt(stream: _Stream, places: Sequence[int], length: int, worth: float, in_span: float) -> _Candidate | None:
    """Choose the spelling that most authors used; only mentions with exactly that spelling are cited and counted."""
    spellings: dict[str, tuple[set[int], dict[int, None]]] = {}
    for place in places:
        document, start = int(stream.document[place]), int(stream.start[place])
        text = stream.mentions[document].text[start : int(stream.end[place + length - 1])]
        authors, documents = spellings.setdefault(text, (set(), {}))
        authors.add(int(stream.author[place]))
        documents[document] = None
    text, (authors, documents) = min(spellings.items(), key=lambda item: (-len(item[1][0]), -len(item[1][1]), item[0]))
    first = places[0]
    folded = tuple(stream.words[word] for word in stream.word[first : first + length])
    if stream.empty.issuperset(folded) and not WHOLE_PAIRS.intersection(pairwise(folded)):
        return None
    if _is_personal(stream, folded):
        return None
    return _Candidate(len(authors) * worth, text, folded, tuple(documents), in_span)


def _is_personal(stream: _Stream, folded: tuple[str, ...]) -> bool:
    """Whether one of these words is, somewhere, personal data that triage marked, and not just by mistake."""
    marked = ((stream.hidden[word], stream.uses[word]) for word in folded if word not in EITHER)
    return any(hidden and hidden >= NAME_AT * (hidden + shown) for hidden, shown in marked)


def _choose(candidates: Sequence[_Candidate], top: int) -> list[_Candidate]:
    """Take the best, each saying something the others do not."""
    chosen: list[_Candidate] = []
    ready = [c for c in candidates if not any(_swallows(longer, c) for longer in candidates)]
    for candidate in ready:
        if len(chosen) == top:
            break
        if not any(_says_the_same(candidate, other) for other in chosen):
            chosen.append(candidate)
    return chosen


def _contains(longer: tuple[str, ...], shorter: tuple[str, ...]) -> bool:
    size = len(shorter)
    return any(longer[at : at + size] == shorter for at in range(len(longer) - size + 1))


def _swallows(longer: _Candidate, shorter: _Candidate) -> bool:
    """Whether the longer phrase stands in most of the shorter one's mentions, so that the shorter adds nothing."""
    if len(longer.documents) < MERGE_AT * len(shorter.documents) or len(longer.folded) <= len(shorter.folded):
        return False
    if not _contains(longer.folded, shorter.folded):
        return False
    return len(set(longer.documents).intersection(shorter.documents)) >= MERGE_AT * len(shorter.documents)


def _gist(folded: tuple[str, ...]) -> set[str]:
    """The words that carry the meaning, cut so that `delayed flight` and `flights were delayed` are alike."""
    return {word[:5].rstrip("s") for word in folded if word not in EITHER}


def _says_the_same(one: _Candidate, other: _Candidate) -> bool:
    if _contains(one.folded, other.folded) or _contains(other.folded, one.folded):
        return True
    first, second = _gist(one.folded), _gist(other.folded)
    if first <= second or second <= first:
        return True
    if first.isdisjoint(second):
        return False
    shared = len(set(one.documents).intersection(other.documents))
    return shared >= MERGE_AT * min(len(one.documents), len(other.documents))

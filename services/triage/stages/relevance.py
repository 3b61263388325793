"""Is it about us? The venue, our handles, names and searches say so; homonyms and our own posts are put aside."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from services.triage.stage import Assessment, Briefing, Finding, Reading, finder, fold, quote, stage
from services.triage.words.heads import Head
from services.triage.words.surface import NEAR
from shared.rules.folding import Folded
from shared.rules.gate import Gate
from shared.rules.query_language import Query, QuerySyntaxError, matches, parse, terms

_VERSION = "2"
_says = finder("relevance", _VERSION)

GREETINGS: Final = frozenset(
    ("hi", "hey", "hello", "dear", "hallo", "hoi", "hai", "beste", "dag", "geachte", "yo", "oi", "@")
)
SPOKEN_TO: Final = frozenset(("your", "yours", "you", "u", "jullie", "jouw", "uw", "je", "y'all", "guys"))
"""Words that speak to somebody; beside the brand's name they speak to the brand."""
NEAR_WORDS: Final = 12
"""How many words away from the name such a word may stand."""

_HEAD: Final = "relevance"
READ_AS: Final = NEAR
"""The language of which the text is for this head, in training too: which one it is in, nobody has asked yet."""
_NOT: Final = "no"
DENIED: Final = 0.7
"""How sure the workspace's head must be before a mention that names the brand is dismissed: a customer missed costs more than a
stranger read."""

_KINDS: Final = ("name", "handle", "query", "exclude", "context")
_EVERYWHERE: Final = -1
_Key = tuple[str, int]  # one of _KINDS, and the brand's or query's place in the briefing


@dataclass(frozen=True, slots=True)
class _Listening:
    """What is listened for, ready to be found."""

    gate: Gate[_Key] | None
    queries: tuple[Query | None, ...]
    own_handles: frozenset[str]


@dataclass(slots=True)
class _Heard:
    """What was found of it in one text."""

    brands: dict[str, None] = field(default_factory=dict)
    queries: dict[str, None] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)
    handle: bool = False
    excluded: list[str] = field(default_factory=list)


@stage(adds=("relevance",), version=_VERSION)
def assess(batch: Sequence[Assessment], briefing: Briefing) -> Sequence[Assessment]:
    """True or false with the brands and queries that it concerns; None where the workspace listens for nothing. What
    is not about the brand, and what we wrote ourselves, is dismissed. Where people said of such mentions that they are not about
    the brand, the workspace's head has learned to tell them: it is asked of what names us and does not speak to us."""
    listening = briefing.once("relevance", _listening, of=("brands", "queries", "own_handles", "exclusions"))
    judged = [_judged(a, briefing, listening) for a in batch]
    head = briefing.once("relevance.head", _head, of=("heads",))
    return judged if head is None else _as_people_say(judged, head, briefing)


def _head(briefing: Briefing) -> Head | None:
    stored = briefing.heads.get(_HEAD)
    return None if stored is None else Head.from_bytes(stored)


def _as_people_say(judged: Sequence[Assessment], head: Head, briefing: Briefing) -> list[Assessment]:
    """What is doubtful (a name or a search, no handle and no venue of ours) as the workspace's head sees it."""
    doubtful = [at for at, a in enumerate(judged) if a.dismissed is None and not a.addressed and a.value("relevance")]
    answered = list(judged)
    if not doubtful:
        return answered
    read = [Reading.of(answered[at].whole_text) for at in doubtful]
    opinions = head.opinions(briefing.models.vectoriser().rows(read, [READ_AS] * len(read)))
    for row, at in enumerate(doubtful):
        opinion = opinions.of(row)
        a, before = answered[at], answered[at].one("relevance")
        if opinion.label != _NOT or opinion.confidence < DENIED or before is None:
            continue
        words = quote(*(one.word for one in opinions.told(row)))
        about = {name: before.extra.get(name, []) for name in ("brands", "queries")}
        why = f"people said so of the like: {words or 'the text as a whole'}"
        finding = _says(False, opinion.confidence, why, by=opinion.decided_by, **about)
        answered[at] = a.found(relevance=finding).dismiss("not about the brand")
    return answered


def _listening(briefing: Briefing) -> _Listening:
    sought: list[tuple[str, _Key]] = [(word, ("exclude", _EVERYWHERE)) for word in briefing.exclusions if word.strip()]
    for at, brand in enumerate(briefing.brands):
        for kind, words in (
            ("name", brand.names),
            ("handle", [f"@{handle.lstrip('@')}" for handle in brand.handles]),
            ("name", brand.product_lines),
            ("exclude", brand.exclude),
            ("context", brand.context),
        ):
            sought += [(" ".join(word.split()), (kind, at)) for word in words if fold(word).strip(" @")]
    queries: list[Query | None] = []
    for at, query in enumerate(briefing.queries):
        try:
            tree = parse(query.text)
        except QuerySyntaxError:
            queries.append(None)  # it was valid when it was saved; a query that no longer is finds nothing
            continue
        queries.append(tree)
        sought += [(word, ("query", at)) for word in terms(tree)]
    handles = {handle.lstrip("@").lower() for brand in briefing.brands for handle in brand.handles}
    return _Listening(Gate(sought) if sought else None, tuple(queries), briefing.own_handles | handles)


def _judged(a: Assessment, briefing: Briefing, listening: _Listening) -> Assessment:
    if _own(a, briefing, listening):
        return a.found(relevance=_says(False, 0.99, "written by an account of ours")).dismiss("our own post")
    text = " ".join(a.whole_text.split())
    heard = _hear(text, a, briefing, listening)
    about: dict[str, Any] = {"brands": list(heard.brands), "queries": list(heard.queries)}
    if a.visibility == "private" or a.owned:
        where = "a private message to us" if a.visibility == "private" else "written on a venue of ours"
        if not about["brands"] and len(briefing.brands) == 1:
            about["brands"] = [briefing.brands[0].id]
        return a.but(addressed=True).found(relevance=_says(True, 0.97, where, **about))
    if a.background.in_our_conversation:
        return a.but(addressed=True).found(relevance=_says(True, 0.95, "an answer in a conversation of ours", **about))
    if not briefing.brands and not briefing.queries:
        return a.found(relevance=None)
    finding = _finding(heard, about, briefing)
    addressed = heard.handle or (bool(finding.value) and bool(heard.brands) and _speaks_to(text, briefing))
    judged = a.but(addressed=addressed).found(relevance=finding)
    return judged if finding.value else judged.dismiss("not about the brand")


def _own(a: Assessment, briefing: Briefing, listening: _Listening) -> bool:
    if a.author is None:
        return False
    if a.author.external_id in briefing.own_external_ids:
        return True
    if f"{a.channel_type}:{a.author.external_id}" in briefing.own_external_ids:
        return True
    return (a.author.handle or "").lstrip("@").lower() in listening.own_handles and bool(a.author.handle)


def _hear(text: str, a: Assessment, briefing: Briefing, listening: _Listening) -> _Heard:
    heard = _Heard()
    if listening.gate is None:
        return heard
    folded = Folded(text)
    found: dict[str, dict[int, list[str]]] = {kind: {} for kind in _KINDS}
    for (kind, at), start, end in listening.gate.find(folded):
        if kind == "handle" and start and (text[start - 1].isalnum() or text[start - 1] == "_"):
            continue  # an e-mail address, not a handle
        found[kind].setdefault(at, []).append(text[start:end])
    for at, words in found["handle"].items():
        heard.handle = True
        heard.brands[briefing.brands[at].id] = None
        heard.words += words
    for at in sorted(found["query"]):
        _ask(at, a, briefing, listening, folded, heard)
    unwanted = found["exclude"].get(_EVERYWHERE, [])
    for at, words in found["name"].items():
        brand = briefing.brands[at]
        against = [*found["exclude"].get(at, ()), *unwanted]
        meant = at in found["context"] or not (against or brand.context)
        if meant or brand.id in heard.brands:
            heard.brands[brand.id] = None
            heard.words += words
        else:
            heard.excluded += against or [f"{words[0]} without a word of its field"]
    if unwanted and not heard.handle:
        heard.excluded += unwanted
        heard.queries.clear()
        heard.brands.clear()
    return heard


def _ask(at: int, a: Assessment, briefing: Briefing, listening: _Listening, folded: Folded, heard: _Heard) -> None:
    """Whether one saved search holds. Its languages are compared with what the venue says of the text, if anything:
    which language it is written in is asked later."""
    query, tree = briefing.queries[at], listening.queries[at]
    if tree is None or (query.channel_types and a.channel_type not in query.channel_types):
        return
    if query.languages and a.lang_hint and a.lang_hint.partition("-")[0].lower() not in query.languages:
        return
    if spans := matches(tree, folded):
        heard.queries[query.id] = None
        heard.words += [folded.source[span.start : span.end] for span in spans]
        if query.brand_id is not None:
            heard.brands[query.brand_id] = None


def _finding(heard: _Heard, about: dict[str, Any], briefing: Briefing) -> Finding:
    if heard.handle:
        return _says(True, 0.97, f"speaks to {quote(*heard.words)}", **about)
    if heard.queries:
        names = [query.name for query in briefing.queries if query.id in heard.queries]
        return _says(True, 0.85, f"search {quote(*names)}: {quote(*heard.words)}", **about)
    if heard.brands:
        return _says(True, 0.85, f"names {quote(*heard.words)}", **about)
    if heard.excluded:
        return _says(False, 0.8, f"the name means something else here: {quote(*heard.excluded)}", **about)
    return _says(False, 0.9, "names no brand, handle or search of ours", **about)


def _speaks_to(text: str, briefing: Briefing) -> bool:
    """Whether a text that names the brand speaks to it: a greeting before the name, or "your", "jullie" near it."""
    words = [word.strip(".,:;!?\"'()").removesuffix("'s") for word in fold(text).split()[:400]]
    first_words = {fold(name).split()[0] for brand in briefing.brands for name in brand.names if name.strip()}
    for at, word in enumerate(words):
        if word in first_words:
            if at and words[at - 1] in GREETINGS:
                return True
            if any(near in SPOKEN_TO for near in words[max(0, at - NEAR_WORDS) : at + NEAR_WORDS]):
                return True
    return False

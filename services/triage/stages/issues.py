"""Which of the workspace's kinds of problem does it tell of? The issue types' phrases, found by spaCy's matcher.

Every phrase is cut at its gaps into segments, each any of some runs of words (shared/models/phrase.py). The runs go into one
PhraseMatcher per language, which finds thousands of them in one pass; segments that were found are then joined across the gaps,
looked at for negation and supposing, and undone by `unless` phrases.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

from services.triage.stage import Assessment, Briefing, Finding, IssueTypeBrief, Models, finder, quote, stage
from shared.models.phrase import (
    LANGUAGES,
    Gap,
    Negation,
    Phrase,
    TaxonomyError,
    lines_of,
    negations,
    parse_phrase,
)

if TYPE_CHECKING:
    from spacy.matcher import PhraseMatcher
    from spacy.tokens import Doc

_VERSION = "4"
_says = finder("issues", _VERSION)

_SENTENCE_ENDS: Final = frozenset({".", "!", "?", "…", "!!", "!!!", "??", "???", "?!", "..", "...", "\n"})
MOST: Final = 40
"""How many places of the same words in one text are looked at: who repeats himself a thousand times has one problem."""
BEHIND: Final = 3
"""How many words behind an `unless` hit a negation may stand that takes it back."""
_MADE_FROM: Final = ("issue_types",)
_NOBODY: Final = UUID(int=0)
_NEVER: Final = datetime.min.replace(tzinfo=UTC)
_HEAD: Final = "issues"
DENIED: Final = 0.1
"""What phrases found and the workspace's head finds less likely than this is taken away: people took it away before."""


_Place = tuple[int, int, bool]
"""Where a run stands: first token, the one behind the last, and whether it says no itself."""


@dataclass(frozen=True, slots=True)
class _Sought:
    """One shape of one phrase: its segments, by number, and the gaps between them."""

    issue: int
    segments: tuple[int, ...]
    gaps: tuple[Gap, ...]
    negatable: bool | None  # None: where no run of it says no itself
    undoes: int | None  # None: a hit; -1: undoes hits of the whole type; else of the phrase with this number
    phrase: int


@dataclass(slots=True)
class _Matcher:
    """All phrases of one language, ready to be found."""

    matcher: "PhraseMatcher"
    negation: Negation
    segments_of: dict[int, tuple[bool, frozenset[int]]]  # by the run's key: whether it says no, and its segments
    starting_with: dict[int, tuple[tuple[int | None, list[_Sought]], ...]]
    """By the first segment: the second ones, None where there is none, each with what begins so."""


@dataclass(slots=True)
class _Hit:
    sought: _Sought
    start: int
    end: int
    says_no: bool
    skipped: list[int] = field(default_factory=list)


@stage(needs=("language", "wording", "intent", "doc"), adds=("issues",), version=_VERSION)
def assess(batch: Sequence[Assessment], briefing: Briefing) -> Sequence[Assessment]:
    """One finding per issue type, its value the type's key; `spans` has every place, start and end the longest one.
    A problem named in the title only has no place in the text. Where the workspace has a head of its own, that adds what
    people add and takes away what they take away."""
    return [a.found(issues=_as_people_say(a, _of(a, briefing), briefing)) for a in batch]


def by_phrases(texts: Sequence[str], languages: Sequence[str], briefing: Briefing) -> list[frozenset[str]]:
    """The keys of the issue types that phrases name in bare texts, as a head learns them (`Head.hits`). `languages` are ISO
    639-1 codes or `und`."""
    found: list[frozenset[str]] = []
    for text, language in zip(texts, languages, strict=True):
        told = Finding(language, 1.0, "told", "language", _VERSION)
        a = Assessment(_NOBODY, text, "push", _NEVER).found(language=told)
        found.append(frozenset(str(one.value) for one in _of(a, briefing)))
    return found


def _of(a: Assessment, briefing: Briefing) -> list[Finding]:
    if not briefing.issue_types:
        return []
    language = (
        a.language if a.language in LANGUAGES else next((one for one in briefing.languages if one in LANGUAGES), "en")
    )
    matcher = briefing.once(f"issues.{language}", lambda b: _matcher(b.issue_types, language, b.models), of=_MADE_FROM)
    doc = a.doc
    if doc is None or doc.vocab.lang != language:
        doc = briefing.models.read([a.reading.text], language, entities=False)[0]
    found = _without_parents(_hits_by_issue(matcher, doc), briefing.issue_types)
    sure = 0.5 if a.value("intent") == "praise" else 0.8
    findings = []
    for issue, places in found.items():
        spans = [a.reading.span(doc[start].idx, doc[end - 1].idx + len(doc[end - 1])) for start, end in places]
        longest = max(spans, key=lambda span: span[1] - span[0])
        words = quote(*(a.text[start:end] for start, end in spans))
        confidence = min(sure + 0.05 * (len(spans) - 1), 0.95)
        key = briefing.issue_types[issue].key
        findings.append(_says(key, confidence, words, span=longest, spans=[list(span) for span in spans]))
    if a.title and a.title not in a.text:
        title = briefing.models.read([a.title[:1_000]], language, entities=False)[0]
        for issue, places in _without_parents(_hits_by_issue(matcher, title), briefing.issue_types).items():
            if issue not in found:
                words = quote(*(title[start:end].text for start, end in places))
                findings.append(_says(briefing.issue_types[issue].key, sure - 0.1, f"in the title: {words}", spans=[]))
    return findings


def _as_people_say(a: Assessment, found: list[Finding], briefing: Briefing) -> list[Finding]:
    """What the phrases found, and what the workspace's head, which learned from corrections, says of it."""
    hits = [str(one.value) for one in found]
    opinion = a.wording.opinion(_HEAD, hits) if a.wording is not None else None
    if opinion is None or a.wording is None:
        return found
    kept = [one for one in found if opinion.probabilities.get(str(one.value), 1.0) >= DENIED]
    known = {issue_type.key for issue_type in briefing.issue_types} - {one.value for one in kept}
    for key, likely in a.wording.holding(_HEAD, hits):
        if key not in known:
            continue
        told = [one for one in a.wording.told(_HEAD, key) if one.start >= 0]
        spans = [a.reading.span(one.start, one.end) for one in told]
        span = spans[0] if spans else (0, len(a.text))
        words = quote(*(one.word for one in told)) or "the text as a whole"
        kept.append(
            _says(
                key, likely, f"as people said: {words}", span=span, by="issues.head", spans=[list(one) for one in spans]
            )
        )
    return kept


def _matcher(issue_types: Sequence[IssueTypeBrief], language: str, models: Models) -> _Matcher:
    from spacy.matcher import PhraseMatcher

    segments: dict[tuple[str, ...], int] = {}
    starting_with: dict[int, dict[int | None, list[_Sought]]] = defaultdict(lambda: defaultdict(list))

    def seek(phrase: Phrase, issue: int, undoes: int | None, number: int) -> None:
        for shape in phrase.shapes():
            numbers = tuple(segments.setdefault(segment, len(segments)) for segment in shape.segments)
            sought = _Sought(issue, numbers, shape.gaps, phrase.negatable, undoes, number)
            starting_with[numbers[0]][_second(sought)].append(sought)

    number = 0
    for issue, issue_type in enumerate(issue_types):
        undone_by = [(-1, one) for one in _sources(issue_type.unless, language)]
        for source in _sources(issue_type.phrases, language):
            phrase = _parsed(source, language, issue_type.key)
            number += 1
            seek(phrase, issue, None, number)
            undone_by += [(number, one.as_source()) for one in phrase.unless]
        for undoes, source in undone_by:
            seek(_parsed(source, language, issue_type.key), issue, undoes, 0)
    of_run: dict[str, list[int]] = defaultdict(list)
    for segment, at in segments.items():
        for run in segment:
            of_run[run].append(at)
    negation = negations(language)
    docs = models.read(list(of_run), language, entities=False)
    vocab = docs[0].vocab if docs else models.read(["x"], language, entities=False)[0].vocab
    matcher = PhraseMatcher(vocab, attr="LEMMA")
    segments_of = {}
    for run, doc in zip(of_run, docs, strict=True):
        matcher.add(run, [doc])
        says_no = any(negation.holds(word) for word in run.split())
        segments_of[vocab.strings.add(run)] = (says_no, frozenset(of_run[run]))
    return _Matcher(
        matcher, negation, segments_of, {first: tuple(second.items()) for first, second in starting_with.items()}
    )


def _sources(by_language: Mapping[str, Sequence[object]], language: str) -> Sequence[object]:
    sources = by_language.get(language) or ()
    return lines_of(sources) if isinstance(sources, str) else list(sources)


def _parsed(source: object, language: str, key: str) -> Phrase:
    try:
        return parse_phrase(source, language)
    except TaxonomyError as error:
        raise TaxonomyError(f"Issue type {key}: {error}") from error


def _hits_by_issue(matcher: _Matcher, doc: "Doc") -> dict[int, list[tuple[int, int]]]:
    """For each issue type that holds, the token spans that say so, in order, none overlapping another."""
    spans: dict[int, list[tuple[int, int]]] = {}
    for key, start, end in matcher.matcher(doc):
        spans.setdefault(key, []).append((start, end))
    if not spans:
        return {}
    possible = _possible(matcher, frozenset().union(*(matcher.segments_of[key][1] for key in spans)))
    if not possible:
        return {}
    places = _places(matcher, spans, possible)
    folded = [token.lemma_ for token in doc]
    hits: dict[int, list[_Hit]] = defaultdict(list)
    undone: dict[int, list[_Hit]] = defaultdict(list)
    for sought in possible:
        for start, end, says_no in places[sought.segments[0]]:
            for hit in _joined(sought, 1, _Hit(sought, start, end, says_no), places, folded, matcher.negation):
                if _denied(matcher.negation, hit, folded):
                    continue
                if sought.undoes is None:
                    hits[sought.issue].append(hit)
                elif not _taken_back(matcher.negation, hit, folded):
                    undone[sought.issue].append(hit)
    return {issue: kept for issue, found in hits.items() if (kept := _standing(found, undone.get(issue, ())))}


def _places(
    matcher: _Matcher, spans: Mapping[int, list[tuple[int, int]]], possible: Iterable[_Sought]
) -> dict[int, list[_Place]]:
    """Where the segments of what is possible stand, in the order of the text, the first MOST of each run."""
    wanted = {segment for sought in possible for segment in sought.segments}
    places: dict[int, list[_Place]] = {segment: [] for segment in wanted}
    for key, found in spans.items():
        says_no, segments = matcher.segments_of[key]
        for segment in segments & wanted:
            places[segment] += [(start, end, says_no) for start, end in found[:MOST]]
    return places


def _second(sought: _Sought) -> int | None:
    return sought.segments[1] if len(sought.segments) > 1 else None


def _possible(matcher: _Matcher, present: frozenset[int]) -> list[_Sought]:
    """What all segments were found of."""
    found: list[_Sought] = []
    for first in present & matcher.starting_with.keys():
        for second, some in matcher.starting_with[first]:
            if second is None:
                found += some
            elif second in present:
                found += [one for one in some if len(one.segments) == 2 or present.issuperset(one.segments)]
    return found


def _joined(
    sought: _Sought, at: int, so_far: _Hit, places: Mapping[int, list[_Place]], folded: list[str], negation: Negation
) -> Iterable[_Hit]:
    if at == len(sought.segments):
        yield so_far
        return
    gap = sought.gaps[at - 1]
    for start, end, says_no in places[sought.segments[at]]:
        if not so_far.end <= start <= so_far.end + gap.most:
            continue
        between = range(so_far.end, start)
        if not any(folded[i] in _SENTENCE_ENDS or (gap.short and _stops(negation, folded[i])) for i in between):
            further = _Hit(sought, so_far.start, end, so_far.says_no or says_no, [*so_far.skipped, *between])
            yield from _joined(sought, at + 1, further, places, folded, negation)


def _stops(negation: Negation, word: str) -> bool:
    """Whether no short gap skips this: another subject follows."""
    return word in negation.joins or not any(map(str.isalnum, word))


def _denied(negation: Negation, hit: _Hit, folded: list[str]) -> bool:
    negatable = not hit.says_no if hit.sought.negatable is None else hit.sought.negatable
    if negatable and any(negation.denies_within(folded[at]) for at in hit.skipped):
        return True
    first = max(0, hit.start - 8)
    for at in range(hit.start - 1, first - 1, -1):
        if folded[at] in _SENTENCE_ENDS:
            first = at + 1
            break
    before = folded[first : hit.start]
    return negation.supposes(before) or (negatable and negation.governs(before) is not None)


def _taken_back(negation: Negation, hit: _Hit, folded: list[str]) -> bool:
    """Whether a negation word stands right behind, in the same clause: "geld terug nog steeds niet"."""
    for word in folded[hit.end : hit.end + BEHIND]:
        if word in _SENTENCE_ENDS or _stops(negation, word):
            return False
        if negation.denies_within(word):
            return True
    return False


def _standing(hits: Sequence[_Hit], undone: Sequence[_Hit]) -> list[tuple[int, int]]:
    """The spans of hits that nothing undoes, none overlapping another: of each shape its tightest, of several over the same words
    the one that says most."""
    left = [
        hit
        for hit in hits
        if not any(
            off.sought.undoes in (-1, hit.sought.phrase) and off.start < hit.end and hit.start < off.end
            for off in undone
        )
    ]
    tight: dict[int, list[tuple[int, int]]] = {}
    for hit in sorted(left, key=lambda hit: (hit.end - hit.start, hit.start)):
        spans = tight.setdefault(id(hit.sought), [])
        if _is_free(hit.start, hit.end, spans):
            spans.append((hit.start, hit.end))
    kept: list[tuple[int, int]] = []
    every = {span for spans in tight.values() for span in spans}
    for start, end in sorted(every, key=lambda span: (span[0] - span[1], span[0])):
        if _is_free(start, end, kept):
            kept.append((start, end))
    return sorted(kept)


def _is_free(start: int, end: int, spans: Iterable[tuple[int, int]]) -> bool:
    return all(end <= other_start or other_end <= start for other_start, other_end in spans)


def _without_parents(
    found: dict[int, list[tuple[int, int]]], issue_types: Sequence[IssueTypeBrief]
) -> dict[int, list[tuple[int, int]]]:
    """Where the same words say a type and its broader parent, only the narrower one is said."""
    if len(found) < 2:
        return found
    parents = {issue_type.key: issue_type.broader for issue_type in issue_types}
    kept = {}
    for issue, spans in found.items():
        children = [other for other in found if _descends(issue_types[other].key, issue_types[issue].key, parents)]
        own = [
            (start, end)
            for start, end in spans
            if not any(
                start < other_end and other_start < end for child in children for other_start, other_end in found[child]
            )
        ]
        if own:
            kept[issue] = own
    return kept


def _descends(key: str, ancestor: str, parents: Mapping[str, str | None]) -> bool:
    for _ in parents:  # a ring of parents must not hang us
        above = parents.get(key)
        if above is None or above == ancestor:
            return above == ancestor
        key = above
    return False

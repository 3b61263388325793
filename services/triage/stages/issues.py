"""Which of the workspace's kinds of problem does it tell of? The issue types' phrases, found by spaCy's matcher.

Every phrase is spelled out (shared/models/phrase.py) and cut at its gaps. The runs go into one PhraseMatcher per
language, which finds thousands of them in one pass; the runs that were found are then joined across the gaps, looked
at for negation, and undone by `unless` phrases.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from services.triage.stage import Assessment, Briefing, Finding, IssueTypeBrief, Models, finder, quote, stage
from shared.models.phrase import (
    LANGUAGES,
    MAX_GAP,
    Negation,
    Phrase,
    Spelling,
    TaxonomyError,
    lines_of,
    negations,
    parse_phrase,
)

if TYPE_CHECKING:
    from spacy.matcher import PhraseMatcher
    from spacy.tokens import Doc

_VERSION = "1"
_says = finder("issues", _VERSION)

_SENTENCE_ENDS: Final = frozenset({".", "!", "?", "…", "!!", "!!!", "??", "???", "?!", "..", "...", "\n"})
MOST: Final = 40
"""How many places of the same words in one text are looked at: who repeats himself a thousand times has one problem."""
_MADE_FROM: Final = ("issue_types",)


@dataclass(frozen=True, slots=True)
class _Sought:
    """One spelling of one phrase: its runs of words, by number."""

    issue: int
    runs: tuple[int, ...]
    negatable: bool
    undoes: int | None  # None: a hit; -1: undoes hits of the whole type; else of the phrase with this number
    phrase: int


@dataclass(slots=True)
class _Matcher:
    """All phrases of one language, ready to be found."""

    matcher: "PhraseMatcher"
    negation: Negation
    run_of: dict[int, int]
    starting_with: dict[int, dict[int | None, list[_Sought]]]  # by the first run, then the second where there is one


@dataclass(slots=True)
class _Hit:
    sought: _Sought
    start: int
    end: int
    skipped: list[int] = field(default_factory=list)


@stage(needs=("language", "intent", "doc"), adds=("issues",), version=_VERSION)
def assess(batch: Sequence[Assessment], briefing: Briefing) -> Sequence[Assessment]:
    """One finding per issue type, its value the type's key; `spans` has every place, start and end the longest one.
    A problem named in the title only has no place in the text."""
    return [a.found(issues=_of(a, briefing)) for a in batch]


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


def _matcher(issue_types: Sequence[IssueTypeBrief], language: str, models: Models) -> _Matcher:
    from spacy.matcher import PhraseMatcher

    runs: dict[str, int] = {}
    starting_with: dict[int, dict[int | None, list[_Sought]]] = defaultdict(lambda: defaultdict(list))
    number = 0
    for issue, issue_type in enumerate(issue_types):
        undone_by = [(-1, one) for one in _sources(issue_type.unless, language)]
        for source in _sources(issue_type.phrases, language):
            phrase = _parsed(source, language, issue_type.key)
            number += 1
            for spelling in phrase.spellings():
                sought = _sought(spelling, issue, None, number, runs)
                starting_with[sought.runs[0]][_second(sought)].append(sought)
            undone_by += [(number, one.as_source()) for one in phrase.unless]
        for undoes, source in undone_by:
            for spelling in _parsed(source, language, issue_type.key).spellings():
                sought = _sought(spelling, issue, undoes, 0, runs)
                starting_with[sought.runs[0]][_second(sought)].append(sought)
    docs = models.read(list(runs), language, entities=False)
    matcher = PhraseMatcher(
        docs[0].vocab if docs else models.read(["x"], language, entities=False)[0].vocab, attr="LEMMA"
    )
    run_of = {}
    for run, doc in zip(runs.values(), docs, strict=True):
        matcher.add(str(run), [doc])
        run_of[doc.vocab.strings.add(str(run))] = run
    return _Matcher(
        matcher, negations(language), run_of, {first: dict(second) for first, second in starting_with.items()}
    )


def _sources(by_language: Mapping[str, Sequence[object]], language: str) -> Sequence[object]:
    sources = by_language.get(language) or ()
    return lines_of(sources) if isinstance(sources, str) else list(sources)


def _parsed(source: object, language: str, key: str) -> Phrase:
    try:
        return parse_phrase(source, language)
    except TaxonomyError as error:
        raise TaxonomyError(f"Issue type {key}: {error}") from error


def _sought(spelling: Spelling, issue: int, undoes: int | None, phrase: int, runs: dict[str, int]) -> _Sought:
    numbers = tuple(runs.setdefault(run, len(runs)) for run in spelling.runs)
    return _Sought(issue, numbers, spelling.negatable, undoes, phrase)


def _hits_by_issue(matcher: _Matcher, doc: "Doc") -> dict[int, list[tuple[int, int]]]:
    """For each issue type that holds, the token spans that say so, in order, none overlapping another."""
    places: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for key, start, end in matcher.matcher(doc):
        spans = places[matcher.run_of[key]]
        if len(spans) < MOST:
            spans.append((start, end))
    if not places:
        return {}
    folded = [token.lemma_ for token in doc]
    hits: dict[int, list[_Hit]] = defaultdict(list)
    undone: dict[int, list[_Hit]] = defaultdict(list)
    for run, starts in places.items():
        by_second = matcher.starting_with.get(run)
        if by_second is None:
            continue
        seconds: list[int | None] = [None, *(places if len(places) < len(by_second) else by_second)]
        for sought in [one for second in dict.fromkeys(seconds) for one in _possible(by_second, second, places)]:
            for start, end in starts:
                for hit in _joined(sought, 1, _Hit(sought, start, end), places, folded):
                    if sought.negatable and _negated(matcher.negation, hit, folded):
                        continue
                    if sought.undoes is not None and hit.end < len(folded) and matcher.negation.holds(folded[hit.end]):
                        continue
                    (hits if sought.undoes is None else undone)[sought.issue].append(hit)
    return {issue: spans for issue, found in hits.items() if (spans := _standing(found, undone.get(issue, ())))}


def _second(sought: _Sought) -> int | None:
    return sought.runs[1] if len(sought.runs) > 1 else None


def _possible(
    by_second: Mapping[int | None, list[_Sought]], second: int | None, places: Mapping[int, object]
) -> Iterable[_Sought]:
    if second is not None and second not in places:
        return ()
    return (one for one in by_second.get(second, ()) if all(run in places for run in one.runs[2:]))


def _joined(
    sought: _Sought, at: int, so_far: _Hit, places: dict[int, list[tuple[int, int]]], folded: list[str]
) -> Iterable[_Hit]:
    if at == len(sought.runs):
        yield so_far
        return
    for start, end in places[sought.runs[at]]:
        between = range(so_far.end, start)
        if so_far.end <= start <= so_far.end + MAX_GAP and not any(folded[i] in _SENTENCE_ENDS for i in between):
            further = _Hit(sought, so_far.start, end, [*so_far.skipped, *between])
            yield from _joined(sought, at + 1, further, places, folded)


def _negated(negation: Negation, hit: _Hit, folded: list[str]) -> bool:
    if any(negation.denies_within(folded[at]) for at in hit.skipped):
        return True
    first = max(0, hit.start - 8)
    for at in range(hit.start - 1, first - 1, -1):
        if folded[at] in _SENTENCE_ENDS:
            first = at + 1
            break
    return negation.governs(folded[first : hit.start]) is not None


def _standing(hits: Sequence[_Hit], undone: Sequence[_Hit]) -> list[tuple[int, int]]:
    """The spans of hits that nothing undoes; of overlapping ones the longest."""
    left = [
        (hit.start, hit.end)
        for hit in hits
        if not any(
            off.sought.undoes in (-1, hit.sought.phrase) and off.start < hit.end and hit.start < off.end
            for off in undone
        )
    ]
    kept: list[tuple[int, int]] = []
    for start, end in sorted(set(left), key=lambda span: (span[0] - span[1], span[0])):
        if all(end <= other_start or other_end <= start for other_start, other_end in kept):
            kept.append((start, end))
    return sorted(kept)


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

"""How well the heads do: sentiment, spam, intent, urgency as shipped, and what a workspace's own training gives."""

import importlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import numpy
from numpy.typing import NDArray
from sklearn.metrics import f1_score, recall_score
from sklearn.model_selection import train_test_split

from services.triage import analyse, pipeline
from services.triage.library import Library
from services.triage.stage import Assessment, Briefing
from services.triage.stages.issues import by_phrases
from services.triage.training import sets
from services.triage.training.adapt import adapt_head
from services.triage.training.evaluate.row import Row
from services.triage.training.sets import SENTIMENTS, TEST, Labelled, split_of
from services.triage.training.train_heads import OF_SUBJECTS, train_head
from services.triage.words.features import Features
from services.triage.words.feeling import Feeling
from services.triage.words.heads import Head
from shared.models import taxonomy

LEARNED_SHARE: Final = 0.7
"""Of tweets in order of time, so many are learned from and the rest is asked."""
CURVE: Final = (100, 1_000, None)
RULES: Final = "rules and lexicons alone"
_WRITTEN_AT: Final = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
COMMONEST: Final = "always the commonest label"
LEXICON: Final = "our lexicon alone"
VADER: Final = "VADER 3.3"
WORDS: Final = "the wording alone, without the issue types' phrases"

Names = NDArray[numpy.str_]
Ints = NDArray[numpy.int64]


def sentiment(data: Path, library: Library) -> list[Row]:
    """The shipped head on texts it has not seen: tweets, an airline's mentions, six languages, written mentions; and what
    training on the airline's earlier mentions makes of the later ones (never shipped)."""
    found: list[Row] = []
    tweets = split_of(sets.semeval(data), TEST)
    airline = sets.airline(data)
    found += _sentiment("tweets, validation", tweets, library)
    found += _sentiment("airline, none of its labels used", airline, library)
    many = sets.multilingual(data)
    for lang in sorted({row.lang for row in many}):
        found += _sentiment(f"tweets in {lang} (UMSAB)", [row for row in many if row.lang == lang], library)
    own = split_of(sets.written("sentiment"), TEST)
    found += [
        row
        for lang in ("en", "nl")
        for row in _sentiment(f"written, {lang}, held out", [one for one in own if one.lang == lang], library)
    ]
    return found + airline_in_time(airline, library)


def airline_in_time(airline: Sequence[Labelled], library: Library) -> list[Row]:
    """The shipped head refitted with the earlier 70 %, as a workspace refits it, and asked about the rest; beside it one that
    is trained from these alone."""
    truth = _truth(airline, "sentiment")
    cut = int(len(airline) * LEARNED_SHARE)
    early, late = _features(airline[:cut], library), _features(airline[cut:], library)
    shipped = library.heads()["sentiment"]
    alone = train_head(early, truth[:cut].tolist(), name="sentiment", order=SENTIMENTS)
    refitted = adapt_head(shipped, early, truth[:cut].tolist())
    task, later = "sentiment: airline, refitted with its earlier 70 %", truth[cut:]
    said, before, own = _said(refitted, late), _said(shipped, late), _said(alone, late)
    return [
        Row(task, "macro-F1", _f1(later, said), _f1(later, before), "the shipped head"),
        Row(task, "macro-F1", _f1(later, said), _f1(later, own), "trained from these rows alone"),
        Row(task, "macro-F1", _f1(later, said), _f1(later, _by_lexicon(late.feelings)), LEXICON),
        Row(task, "accuracy", float((said == later).mean()), _commonest(truth[:cut], later), COMMONEST),
    ]


def issues(data: Path, library: Library) -> list[Row]:
    """What a workspace's own labels give: the reasons of an airline's complaints, learned from the earlier 70 % by a workspace's
    recipe, with what the phrases of the sector's issue types name in them, and without."""
    rows = [row for row in sets.airline(data) if "issues" in row.labels]
    truth = _truth(rows, "issues")
    named = by_phrases([row.text for row in rows], [row.lang for row in rows], _airline(library))
    cut = int(len(rows) * LEARNED_SHARE)
    late = numpy.arange(cut, len(rows))
    found = []
    for many in CURVE:
        early = numpy.array(_earlier(truth[:cut], min(many or cut, cut)))
        task = f"issues: airline's reasons, learned from {len(early):,} of the earlier 70 %"
        found += _learned(task, rows, truth, named, early, late, library)
    early, late = train_test_split(numpy.arange(len(rows)), train_size=LEARNED_SHARE, stratify=truth, random_state=13)
    task = f"issues: airline's reasons, learned from {len(early):,} by chance"
    return found + _learned(task, rows, truth, named, early, late, library)


def _learned(
    task: str,
    rows: Sequence[Labelled],
    truth: Names,
    named: Sequence[frozenset[str]],
    early: Ints,
    late: Ints,
    library: Library,
) -> list[Row]:
    learned, asked = _some(rows, early.tolist(), library), _some(rows, late.tolist(), library)
    hits, asked_hits = ([named[at] for at in some] for some in (early, late))
    labels = truth[early].tolist()
    head = train_head(learned, labels, name="issues", recipe=OF_SUBJECTS, hits=hits)
    worded = train_head(learned, labels, name="issues", recipe=OF_SUBJECTS)
    said = numpy.array(head.labels)[head.opinions(asked, asked_hits).best]
    by_words, always = _said(worded, asked), numpy.full(len(late), _most(truth[early]))
    return [
        Row(task, "macro-F1", _f1(truth[late], said), _f1(truth[late], by_words), WORDS),
        Row(task, "macro-F1", _f1(truth[late], said), _f1(truth[late], always), COMMONEST),
        Row(task, "accuracy", float((said == truth[late]).mean()), float((always == truth[late]).mean()), COMMONEST),
    ]


def _airline(library: Library) -> Briefing:
    issue_types = tuple(map(analyse.issue_type, taxonomy.load("airline")))
    return Briefing("evaluation", "1", issue_types=issue_types).with_models(library)


def spam(data: Path, library: Library) -> list[Row]:
    """The shipped head on SMS and on written mentions that it did not learn from."""
    found = []
    for task, rows in (
        ("spam: SMS, held out", split_of(sets.sms(data), TEST)),
        ("spam: written, held out", split_of(sets.written("spam"), TEST)),
    ):
        found += _plain(task, "spam", rows, library)
    return found


def intent(_: Path, library: Library) -> list[Row]:
    """The shipped head alone on written mentions that it did not learn from."""
    return _written("intent", library)


def urgency(_: Path, library: Library) -> list[Row]:
    """The same of urgency."""
    return _written("urgency", library)


TASKS: Final[dict[str, Callable[[Path, Library], list[Row]]]] = {
    "sentiment": sentiment,
    "spam": spam,
    "intent": intent,
    "urgency": urgency,
    "issues": issues,
}


def _written(question: str, library: Library) -> list[Row]:
    rows = split_of(sets.written(question), TEST)
    found = []
    for lang in sorted({row.lang for row in rows}):
        asked = [row for row in rows if row.lang == lang]
        found += _plain(f"{question}: written, {lang}, held out, head alone", question, asked, library)
        found += _in_the_pipeline(f"{question}: written, {lang}, held out", question, asked, library)
    return found


def _in_the_pipeline(task: str, question: str, rows: Sequence[Labelled], library: Library) -> list[Row]:
    """What the stage says, with its head and, beside it, by its rules alone."""
    truth = _truth(rows, question)
    said, ruled = (_staged(question, rows, library, heads) for heads in (True, False))
    return [
        Row(task, "macro-F1", _f1(truth, said), _f1(truth, ruled), RULES),
        Row(task, "accuracy", float((said == truth).mean()), float((ruled == truth).mean()), RULES),
    ]


def _staged(question: str, rows: Sequence[Labelled], library: Library, heads: bool) -> Names:
    briefing = Briefing("evaluation", "1").with_models(library)
    stages = [one for one in pipeline.PIPELINE if heads or one.name != "wording"]
    asked = [
        Assessment(UUID(int=at), row.text, "push", _WRITTEN_AT, lang_hint=row.lang, owned=True)
        for at, row in enumerate(rows)
    ]
    return numpy.array([str(a.value(question)) for a in pipeline.run(asked, briefing, stages).assessments])


def _plain(task: str, question: str, rows: Sequence[Labelled], library: Library) -> list[Row]:
    head = library.heads().get(question)
    if head is None or not rows:
        return []
    truth = _truth(rows, question)
    said = _said(head, _features(rows, library))
    always = numpy.full(len(said), _most(truth))
    return [
        Row(task, "macro-F1", _f1(truth, said), _f1(truth, always), COMMONEST),
        Row(task, "accuracy", float((said == truth).mean()), float((always == truth).mean()), COMMONEST),
    ]


def _sentiment(what: str, rows: Sequence[Labelled], library: Library) -> list[Row]:
    head = library.heads().get("sentiment")
    if head is None or not rows:
        return []
    truth, features = _truth(rows, "sentiment"), _features(rows, library)
    opinions = head.opinions(features)
    said = numpy.array(head.labels)[opinions.best]
    lexicon = _by_lexicon(features.feelings)
    task = f"sentiment: {what}"
    found = [
        Row(task, "macro-recall", _recall(truth, said), _recall(truth, lexicon), LEXICON),
        Row(task, "macro-F1", _f1(truth, said), _f1(truth, lexicon), LEXICON),
        Row(task, "accuracy", float((said == truth).mean()), float((truth == _most(truth)).mean()), COMMONEST),
        Row(task, "calibration error", _gap(opinions.probabilities, said == truth), None, ""),
    ]
    if all(row.lang == "en" for row in rows) and (vader := _vader()):
        by_vader = numpy.array([vader(row.text) for row in rows])
        found.insert(1, Row(task, "macro-recall", _recall(truth, said), _recall(truth, by_vader), VADER))
    return found


def _vader() -> Callable[[str], str] | None:
    """VADER's answer, where somebody has installed it beside; it is no part of the project."""
    try:
        scorer: Any = importlib.import_module("vaderSentiment.vaderSentiment").SentimentIntensityAnalyzer()
    except ImportError:
        return None

    def answer(text: str) -> str:
        score = scorer.polarity_scores(text)["compound"]
        return "positive" if score >= 0.05 else "negative" if score <= -0.05 else "neutral"

    return answer


def _by_lexicon(feelings: Sequence[Feeling]) -> Names:
    return numpy.array(
        ["negative" if one.score < -0.05 else "positive" if one.score > 0.3 else "neutral" for one in feelings]
    )


def _features(rows: Sequence[Labelled], library: Library) -> Features:
    return library.vectoriser().rows_of([row.text for row in rows], [row.lang for row in rows])


def _some(rows: Sequence[Labelled], which: Sequence[int], library: Library) -> Features:
    return _features([rows[at] for at in which], library)


def _earlier(truth: Names, count: int) -> list[int]:
    """The first `count` rows in time, with two of each label at least."""
    chosen = dict.fromkeys(range(count))
    for label in numpy.unique(truth):
        chosen |= dict.fromkeys(numpy.flatnonzero(truth == label)[:2].tolist())
    return sorted(chosen)


def _said(head: Head, features: Features) -> Names:
    return numpy.array(head.labels)[head.opinions(features).best]


def _truth(rows: Sequence[Labelled], question: str) -> Names:
    return numpy.array([row.labels[question] for row in rows])


def _most(truth: Names) -> str:
    labels, counts = numpy.unique(truth, return_counts=True)
    return str(labels[counts.argmax()])


def _commonest(learned: Names, asked: Names) -> float:
    return float((asked == _most(learned)).mean())


def _f1(truth: Names, said: Names) -> float:
    return float(f1_score(truth, said, average="macro", labels=numpy.unique(truth), zero_division=0))


def _recall(truth: Names, said: Names) -> float:
    return float(recall_score(truth, said, average="macro", labels=numpy.unique(truth), zero_division=0))


def _gap(chances: NDArray[numpy.float32], right: NDArray[numpy.bool_]) -> float:
    """The mean distance between how sure it was and how often it was right, over ten equal steps of certainty."""
    sure = chances.max(axis=1)
    step = numpy.minimum((sure * 10).astype(int), 9)
    return float(
        sum(
            abs(sure[step == one].mean() - right[step == one].mean()) * (step == one).mean()
            for one in numpy.unique(step)
        )
    )

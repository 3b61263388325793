"""How well the whole pipeline understands the hand-written Dutch mentions: sentiment, intent, issues and entities.

Each mention goes through the stages as its company's workspace would send it: the sector's issue types, the sector's
invented brands, a venue of the brand's own. What triage sets aside, and what it does not find, counts as wrong.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from services.triage import analyse, pipeline
from services.triage.library import Library
from services.triage.stage import Assessment, Briefing
from services.triage.stages.intent import INTENTS
from services.triage.training.dutch_set import (
    ENTITY_TYPES,
    MENTIONS,
    SENTIMENTS,
    LabelledMention,
    Span,
    brands,
    read,
    taxonomy_of,
)
from services.triage.training.evaluate.row import Row
from shared.models import taxonomy

BATCH: Final = 64
WRITTEN_AT: Final = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
"""When all mentions are taken to be published; days without a year are reckoned from it."""
COMMONEST: Final = "always the commonest label"
NOTHING: Final = ""

_VENUES: Final = {
    "tweet": ("x", "post", "public"),
    "review": ("google_business", "review", "public"),
    "mail": ("mail", "mail", "private"),
    "forum": ("discourse", "post", "public"),
    "comment": ("facebook", "comment", "public"),
    "app_review": ("google_play", "review", "public"),
    "chat": ("messenger", "message", "private"),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What the pipeline said of one mention; what it did not come to say is empty. `issues` holds each issue type's
    places."""

    mention: LabelledMention
    language: str
    dismissed: str | None
    sentiment: str
    intent: str
    issues: dict[str, list[tuple[int, int]]]
    entities: frozenset[tuple[str, int, int]]


@dataclass(frozen=True, slots=True)
class Score:
    """Right, wrongly said and missed, and what follows from them; a rate of nothing is 0."""

    right: int
    wrong: int
    missed: int

    @property
    def precision(self) -> float:
        """The share of what was said that is right."""
        return _share(self.right, self.right + self.wrong)

    @property
    def recall(self) -> float:
        """The share of what there is that was said."""
        return _share(self.right, self.right + self.missed)

    @property
    def f1(self) -> float:
        """Their harmonic mean."""
        return _share(2 * self.right, 2 * self.right + self.wrong + self.missed)


def measure(data: Path | None = None, library: Library | None = None) -> list[Row]:
    """Every figure of the set. `data` is a folder with another `mentions.nl.jsonl`, by default the project's own."""
    path = data / MENTIONS.name if data and (data / MENTIONS.name).exists() else MENTIONS
    return rows(answers(read(path), library or Library()))


def answers(mentions: Iterable[LabelledMention], library: Library) -> list[Answer]:
    """What the pipeline says of each mention, sector by sector. Raises RuntimeError where a stage failed, which would
    look like a bad answer."""
    by_sector: dict[str, list[LabelledMention]] = {}
    for mention in mentions:
        by_sector.setdefault(mention.sector, []).append(mention)
    found = []
    for sector, of_sector in by_sector.items():
        briefing = briefing_of(sector).with_models(library)
        for at in range(0, len(of_sector), BATCH):
            batch = of_sector[at : at + BATCH]
            assessed = pipeline.run([_assessment(mention) for mention in batch], briefing).assessed()
            found += [_answer(mention, one) for mention, one in zip(batch, assessed, strict=True)]
    return found


def briefing_of(sector: str) -> Briefing:
    """The workspace of a company of that sector, which listens for its brands."""
    issue_types = tuple(map(analyse.issue_type, taxonomy.load(taxonomy_of(sector))))
    return Briefing("dutch", sector, brands=brands(sector), issue_types=issue_types)


def rows(found: Sequence[Answer]) -> list[Row]:
    """The figures of these answers."""
    sentiments = [(answer.mention.sentiment, answer.sentiment) for answer in found]
    intents = [(answer.mention.intent, answer.intent) for answer in found]
    kept = _share(sum(answer.dismissed is None for answer in found), len(found))
    dutch = _share(sum(answer.language == "nl" for answer in found), len(found))
    return [
        Row("dutch kept", "share not set aside", kept, None, NOTHING),
        Row("dutch language", "accuracy", dutch, None, NOTHING),
        Row(
            "dutch sentiment",
            "macro recall",
            macro_recall(sentiments, SENTIMENTS),
            macro_recall(_commonest(sentiments), SENTIMENTS),
            COMMONEST,
        ),
        *(
            Row("dutch sentiment", f"recall of {label}", score(sentiments, label).recall, None, NOTHING)
            for label in SENTIMENTS
        ),
        Row(
            "dutch sentiment, ironic",
            "accuracy",
            accuracy([pair for pair, answer in zip(sentiments, found, strict=True) if answer.mention.ironic]),
            None,
            NOTHING,
        ),
        Row("dutch intent", "macro F1", macro_f1(intents, INTENTS), macro_f1(_commonest(intents), INTENTS), COMMONEST),
        *(Row("dutch intent", f"F1 of {label}", score(intents, label).f1, None, NOTHING) for label in INTENTS),
        *_issue_rows(found),
        *_entity_rows(found),
    ]


def _issue_rows(found: Sequence[Answer]) -> list[Row]:
    total = _compared((answer.mention.issue_keys, frozenset(answer.issues)) for answer in found)
    places = [
        _touches(answer.issues[key], [issue for issue in answer.mention.issues if issue.label == key])
        for answer in found
        for key in sorted(answer.mention.issue_keys & answer.issues.keys())
    ]
    alarms = [bool(answer.issues) for answer in found if not answer.mention.issues]
    return [
        *_three("dutch issues", total),
        Row("dutch issues", "share of right ones at the right words", _share(sum(places), len(places)), None, NOTHING),
        Row(
            "dutch issues",
            "share of mentions without any that get none",
            1 - _share(sum(alarms), len(alarms)),
            None,
            NOTHING,
        ),
    ]


def _entity_rows(found: Sequence[Answer]) -> list[Row]:
    """By type; the same words with the same type count. What the set does not label (handles of others) is left out."""
    made: list[Row] = []
    gold = [frozenset((one.label, one.start, one.end) for one in answer.mention.entities) for answer in found]
    for kind in ENTITY_TYPES:
        made += _three(
            f"dutch entities {kind}",
            _compared(
                (_of_kind(labelled, kind), _of_kind(answer.entities, kind))
                for labelled, answer in zip(gold, found, strict=True)
            ),
        )
    everything = _compared(
        (labelled, frozenset(entity for entity in answer.entities if entity[0] in ENTITY_TYPES))
        for labelled, answer in zip(gold, found, strict=True)
    )
    return _three("dutch entities", everything) + made


def _of_kind(entities: Iterable[tuple[str, int, int]], kind: str) -> frozenset[tuple[str, int, int]]:
    return frozenset(entity for entity in entities if entity[0] == kind)


def _three(task: str, total: Score) -> list[Row]:
    figures = (("precision", total.precision), ("recall", total.recall), ("F1", total.f1))
    return [Row(task, metric, figure, None, NOTHING) for metric, figure in figures]


def _compared(pairs: Iterable[tuple[frozenset[Any], frozenset[Any]]]) -> Score:
    """Sets of what there is and of what was said, added up."""
    right = wrong = missed = 0
    for labelled, said in pairs:
        right += len(labelled & said)
        wrong += len(said - labelled)
        missed += len(labelled - said)
    return Score(right, wrong, missed)


def score(pairs: Sequence[tuple[str, str]], label: str) -> Score:
    """Of one label among (labelled, said)."""
    counts = Counter((labelled == label, said == label) for labelled, said in pairs)
    return Score(counts[True, True], counts[False, True], counts[True, False])


def macro_recall(pairs: Sequence[tuple[str, str]], labels: Sequence[str]) -> float:
    """The mean of the labels' recalls: each label counts the same, however often it stands."""
    return sum(score(pairs, label).recall for label in labels) / len(labels)


def macro_f1(pairs: Sequence[tuple[str, str]], labels: Sequence[str]) -> float:
    """The mean of the labels' F1."""
    return sum(score(pairs, label).f1 for label in labels) / len(labels)


def accuracy(pairs: Sequence[tuple[str, str]]) -> float:
    """The share of pairs that agree."""
    return _share(sum(labelled == said for labelled, said in pairs), len(pairs))


def _commonest(pairs: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The same pairs as if the commonest label had always been said."""
    commonest = Counter(labelled for labelled, _ in pairs).most_common(1)[0][0]
    return [(labelled, commonest) for labelled, _ in pairs]


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _touches(said: Iterable[tuple[int, int]], labelled: Sequence[Span]) -> bool:
    """Whether any place that was said shares a letter with any that was labelled."""
    return any(start < span.end and span.start < end for start, end in said for span in labelled)


def _assessment(mention: LabelledMention) -> Assessment:
    channel_type, kind, visibility = _VENUES[mention.venue]
    return Assessment(
        mention_id=UUID(int=mention.line),
        text=mention.text,
        channel_type=channel_type,
        published_at=WRITTEN_AT,
        kind=kind,
        visibility=visibility,
        owned=True,
    )


def _answer(mention: LabelledMention, one: pipeline.Assessed) -> Answer:
    if one.failed:
        raise RuntimeError(f"{', '.join(one.failed)} failed on line {mention.line}; mend it, then measure again.")
    findings = one.findings
    return Answer(
        mention=mention,
        language=_value(findings, "language"),
        dismissed=one.dismissed,
        sentiment=_value(findings, "sentiment"),
        intent=_value(findings, "intent"),
        issues={issue["value"]: _places(issue) for issue in findings.get("issues") or ()},
        entities=frozenset(
            (entity["type"], entity["start"], entity["end"]) for entity in findings.get("entities") or ()
        ),
    )


def _value(findings: dict[str, Any], name: str) -> str:
    finding = findings.get(name)
    return str(finding["value"]) if finding else NOTHING


def _places(issue: dict[str, Any]) -> list[tuple[int, int]]:
    return [(start, end) for start, end in issue.get("spans") or ()]

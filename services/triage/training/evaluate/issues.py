"""How well the issue types' phrases alone find what a mention tells of: no head, no learning, no other stage.

Two sets: the hand-written Dutch mentions, each with its sector's issue types, and an airline's tweets, each with the one
reason that a reader gave for a complaint. Phrases are mended by looking at the even lines of the first and the earlier half of
the second; the rows of a task called "held out" are of the other halves. Nobody mended by their texts, but which of the Dutch
phrases were kept was chosen with their figures in view.
"""

import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple
from uuid import UUID

from services.triage import analyse
from services.triage.library import Library
from services.triage.stage import Assessment, Briefing, Finding
from services.triage.stages import issues
from services.triage.training.dutch_set import LabelledMention, read, taxonomy_of
from services.triage.training.evaluate.row import Row
from services.triage.training.ner_sets import Score
from shared.models import taxonomy

FILE: Final = "airline_dev.jsonl.gz"
NOTHING: Final = ""
BATCH: Final = 64
_AT: Final = datetime(2026, 11, 20, tzinfo=UTC)

REASONS: Final[Mapping[str, tuple[str, ...]]] = {
    "Late Flight": ("flight.delayed", "flight.connection_missed"),
    "Cancelled Flight": ("flight.cancelled",),
    "Lost Luggage": ("baggage", "baggage.lost"),
    "Damaged Luggage": ("baggage.damaged",),
    "Bad Flight": ("onboard", "onboard.food", "seat"),
    "Flight Booking Problems": ("booking", "booking.denied", "loyalty", "digital.app", "account.login"),
    "Flight Attendant Complaints": ("crew", "contact.staff"),
    "longlines": ("checkin",),
    "Customer Service Issue": (
        "contact", "contact.unreachable", "contact.no_answer", "contact.promise_broken", "contact.runaround",
        "contact.staff", "compensation", "billing.refund", "information.unclear",
    ),
}  # fmt: skip
"""The issue types that speak for each reason. "Can't Tell" speaks for none and is left out. Rude staff may be on the ground
or in the air, so it speaks for two."""


class Said(NamedTuple):
    """The keys labelled, the keys found, and for those rightly found whether the places touch the quotes."""

    labelled: frozenset[str]
    found: frozenset[str]
    at_the_words: tuple[bool, ...] = ()


def measure(data: Path, library: Library | None = None) -> list[Row]:
    """The figures of both sets, the halves that phrases were mended by and the halves held out."""
    library = library or Library()
    mentions = read()
    rows: list[Row] = []
    for half, name in ((1, "held out"), (0, "mended by")):
        rows += _dutch_rows(
            f"issues by phrases, Dutch, {name}", dutch([m for m in mentions if m.line % 2 == half], library)
        )
    if not (data / FILE).exists():
        return rows
    tweets = read_airline(data)
    middle = len(tweets) // 2
    for name, some in (("held out", tweets[middle:]), ("mended by", tweets[:middle])):
        rows += _airline_rows(f"issues by phrases, airline, {name}", airline(some, library))
    return rows


def dutch(mentions: Iterable[LabelledMention], library: Library) -> list[Said]:
    """What the phrases say of these mentions, in sectors' order."""
    by_sector: dict[str, list[LabelledMention]] = {}
    for mention in mentions:
        by_sector.setdefault(mention.sector, []).append(mention)
    said = []
    for sector, some in by_sector.items():
        found = find([one.text for one in some], taxonomy_of(sector), "nl", library)
        for mention, findings in zip(some, found, strict=True):
            places = {str(one.value): one.extra["spans"] for one in findings}
            touches = tuple(
                any(
                    start < issue.end and issue.start < end
                    for issue in mention.issues
                    if issue.label == key
                    for start, end in places[key]
                )
                for key in sorted(mention.issue_keys & places.keys())
            )
            said.append(Said(mention.issue_keys, frozenset(places), touches))
    return said


def read_airline(data: Path) -> list[tuple[str, str | None, str]]:
    """(text, reason, sentiment) of the airline's tweets in the order of their ids, without those that "Can't Tell"."""
    with gzip.open(data / FILE, "rt", encoding="utf-8") as lines:
        rows: list[dict[str, Any]] = sorted(map(json.loads, lines), key=lambda row: int(row["id"]))
    return [(row["text"], row["reason"], row["sentiment"]) for row in rows if row["reason"] in (None, *REASONS)]


def airline(tweets: Sequence[tuple[str, str | None, str]], library: Library) -> list[Said]:
    """What the phrases say of these tweets, in reasons."""
    found = find([text for text, _, _ in tweets], "airline", "en", library)
    said = []
    for (_, reason, _), findings in zip(tweets, found, strict=True):
        keys = {str(one.value) for one in findings}
        reasons = frozenset(name for name, speaking in REASONS.items() if keys & set(speaking))
        said.append(Said(frozenset({reason} if reason else ()), reasons))
    return said


def find(texts: Sequence[str], sector: str | None, language: str, library: Library) -> list[tuple[Finding, ...]]:
    """The issues that the phrases of a sector find in texts of a language."""
    issue_types = tuple(map(analyse.issue_type, taxonomy.load(sector)))
    briefing = Briefing("evaluate", sector or NOTHING, issue_types=issue_types).with_models(library)
    told = Finding(language, 1.0, "written in it", "evaluate", "1")
    mentions = [Assessment(UUID(int=at), text, "push", _AT).found(language=told) for at, text in enumerate(texts)]
    found: list[tuple[Finding, ...]] = []
    for at in range(0, len(mentions), BATCH):
        found += [one.many("issues") for one in issues.assess(mentions[at : at + BATCH], briefing)]
    return found


def score(said: Iterable[Said], key: str | None = None) -> Score:
    """Right, wrong and missed over all keys, or of one."""
    right = wrong = missed = 0
    for one in said:
        labelled, found = (one.labelled, one.found) if key is None else (one.labelled & {key}, one.found & {key})
        right, wrong = right + len(labelled & found), wrong + len(found - labelled)
        missed += len(labelled - found)
    return Score(right, wrong, missed)


def _dutch_rows(task: str, said: Sequence[Said]) -> list[Row]:
    total = score(said)
    touching = [touches for one in said for touches in one.at_the_words]
    silent = [not one.found for one in said if not one.labelled]
    return [
        *_three(task, total),
        Row(task, "share of right ones at the right words", _share(touching), None, NOTHING),
        Row(task, "share of mentions without any that get none", _share(silent), None, NOTHING),
    ]


def _airline_rows(task: str, said: Sequence[Said]) -> list[Row]:
    rows = [row for reason in REASONS for row in _three(f"{task}: {reason}", score(said, reason))[:2]]
    any_found = [bool(one.found) for one in said if one.labelled]
    silent = [not one.found for one in said if not one.labelled]
    return [
        *_three(task, score(said)),
        Row(task, "share of complaints with any issue", _share(any_found), None, NOTHING),
        Row(task, "share of tweets without a complaint that get none", _share(silent), None, NOTHING),
        *rows,
    ]


def _three(task: str, total: Score) -> list[Row]:
    figures = (("precision", total.precision), ("recall", total.recall), ("F1", total.f1))
    return [Row(task, metric, figure, None, NOTHING) for metric, figure in figures]


def _share(answers: Sequence[bool]) -> float:
    return sum(answers) / len(answers) if answers else 0.0

"""A workspace's own heads: learned from what its people set right, tried on what they did not learn from, and put in force only
where they are better there.

What a person set right is a lesson; what somebody answered or settled without objecting is one of less weight. A fifth of the
lessons, chosen by their mention's id so that it is the same fifth each time, is never learned from. Old and new are compared as a
customer would find them: by the pipeline's whole answer, rules included.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from math import comb
from typing import Any, Final
from uuid import UUID

import asyncpg
from sklearn.metrics import f1_score

from services.triage import pipeline
from services.triage.briefing import Briefings
from services.triage.library import Library
from services.triage.reading import Reading
from services.triage.stage import Assessment, Briefing
from services.triage.stages import issues, relevance
from services.triage.training.adapt import adapt_head
from services.triage.training.train_heads import OF_SUBJECTS, Recipe, TooFewLabels, train_head
from services.triage.words.features import Features
from services.triage.words.heads import Head, Kind
from shared.models.head import Question
from shared.store import heads as store
from shared.store.heads import Lesson

HELD_OUT: Final = 5
"""One lesson of so many is held out."""
FEWEST: Final = 30
"""Corrections without which nothing is learned; a fifth of them is what the decision rests on."""
MOST: Final = 20_000
LET_STAND: Final = 0.3
"""How much what nobody objected to counts, beside a person's own word."""
MAY_CHANGE: Final = 0.1
"""Of what nobody objected to, a new version may see at most this share in another way."""
CHANCE: Final = 0.1
"""A version that was right where the old one was wrong as often as this by mere chance is not called better (sign test)."""
_BATCH: Final = 64
_RECIPE: Final = Recipe(bits=(16, 17), cost=0.5)
_ORDER: Final[Mapping[Question, tuple[str, ...]]] = {
    Question.RELEVANCE: ("no", "yes"),
    Question.SPAM: ("no", "yes"),
}


@dataclass(frozen=True, slots=True)
class Trial:
    """How a new version and what stood before did on held-out lessons. Shares are 0 to 1; None where there was nothing to try."""

    corrected: int
    right: int
    right_before: int
    gained: int
    """Corrections that the new version gets right and the old did not, and"""
    lost: int
    """the other way round."""
    macro_f1: float
    macro_f1_before: float
    let_stand: int
    changed: int
    """Of what nobody objected to, how many are found otherwise now."""

    @property
    def better(self) -> bool:
        """Whether the new version is to answer."""
        return (
            self.gained > self.lost
            and by_chance(self.gained, self.lost) <= CHANCE
            and self.changed <= MAY_CHANGE * self.let_stand
        )

    @property
    def because(self) -> str:
        """Why, or why not, in a sentence."""
        told = (
            f"Of {self.corrected} held-out corrections it finds {self.right} as people said, against {self.right_before} before"
            f" ({self.gained} gained, {self.lost} lost)"
        )
        if self.changed > MAY_CHANGE * self.let_stand:
            return f"{told}, but it changes {self.changed} of {self.let_stand} findings that nobody objected to."
        if not self.better:
            return f"{told}: no better than chance would have it."
        return f"{told}; {self.changed} of {self.let_stand} findings that nobody objected to change."

    def figures(self) -> dict[str, object]:
        """As they are kept and shown."""
        return {
            "corrected": {"held_out": self.corrected, "right": self.right, "right_before": self.right_before,
                          "gained": self.gained, "lost": self.lost},
            "macro_f1": {"now": round(self.macro_f1, 4), "before": round(self.macro_f1_before, 4)},
            "let_stand": {"held_out": self.let_stand, "changed": self.changed},
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Refitted:
    """A new version of a head, what it learned from, and how it did."""

    question: Question
    head: Head
    learned_from: int
    trial: Trial


async def refit(
    connection: asyncpg.Connection,
    workspace_id: UUID,
    question: Question,
    library: Library,
    tell: Callable[[str], None] = lambda _: None,
) -> Refitted:
    """A new version of the workspace's head for a question, tried but not kept. `connection` shows the workspace; `tell` hears
    what is being done. Raises TooFewLabels."""
    tell("reading what people said")
    lessons = await store.lessons(connection, question, MOST)
    if len(lessons) < FEWEST:
        raise TooFewLabels(
            f"There are {len(lessons)} corrections of {question}, and {FEWEST} are needed. "
            f"`webcare train wanted {question}` lists the mentions of which a correction would teach most."
        )
    lessons += await store.let_stand(connection, question, min(MOST, 5 * len(lessons)))
    learned = [one for one in lessons if not held_out(one.mention_id)]
    tried = [one for one in lessons if held_out(one.mention_id)]
    told = await Briefings().brief(connection, workspace_id, [one.mention_id for one in tried])
    tell(f"learning from {len(learned):,} lessons")
    briefing = told.briefing.with_models(library)
    head = learn(question, learned, briefing)
    tell(f"trying it on {len(tried):,} others")
    mentions = {a.mention_id: a for a in told.assessments}
    tried = [one for one in tried if one.mention_id in mentions]
    trial = compare(question, tried, [mentions[one.mention_id] for one in tried], briefing, head)
    return Refitted(question, head, len(learned), trial)


def held_out(mention_id: UUID) -> bool:
    """Whether what is said of this mention is never learned from."""
    return blake2b(mention_id.bytes, digest_size=2).digest()[0] % HELD_OUT == 0


def learn(question: Question, lessons: Sequence[Lesson], briefing: Briefing) -> Head:
    """A head from lessons: the shipped one moved by them, or where there is none, one of their own. Raises TooFewLabels."""
    models = briefing.models
    read_as = [relevance.READ_AS if question == Question.RELEVANCE else one.lang or "und" for one in lessons]
    rows = models.vectoriser().rows_of(store.texts_of(lessons), read_as)
    weights = [1.0 if one.corrected else LET_STAND for one in lessons]
    about = {"question": str(question), "corrected": sum(one.corrected for one in lessons)}
    if question == Question.ISSUES:
        named = issues.by_phrases(store.texts_of(lessons), read_as, briefing)
        return _issues(lessons, rows, named, weights, about)
    labels = [label_of(question, one.said) for one in lessons]
    shipped = models.heads().get(question)
    if shipped is not None:
        known = [at for at, label in enumerate(labels) if label in shipped.labels]
        if len(known) == len(labels):
            return adapt_head(shipped, rows, labels, weights=weights, about=about)
    kind: Kind = "yes_no" if question in _ORDER else "one_of"
    return train_head(
        rows, labels, name=question, kind=kind, order=_ORDER.get(question), recipe=_RECIPE, weights=weights, about=about
    )


def _issues(
    lessons: Sequence[Lesson],
    rows: Features,
    named: Sequence[frozenset[str]],
    weights: Sequence[float],
    about: Mapping[str, Any],
) -> Head:
    """From what people said, the wording, and the issue types that phrases named."""
    said = [set(one.said or ()) for one in lessons]
    counts: dict[str, int] = {}
    for keys in said:
        for key in keys:
            counts[key] = counts.get(key, 0) + 1
    known = sorted(key for key, count in counts.items() if 2 <= count <= len(said) - 2)
    if not known:
        raise TooFewLabels("No issue type was named twice yet by what people said.")
    return train_head(
        rows, [sorted(keys & set(known)) for keys in said], name=Question.ISSUES, kind="any_of", order=known,
        recipe=OF_SUBJECTS, hits=named, weights=weights, about=about,
    )  # fmt: skip


def label_of(question: Question, said: Any) -> str:
    """What a head calls what a person said."""
    if question in _ORDER:
        return "yes" if said else "no"
    return "none" if said is None else str(said)


def compare(
    question: Question,
    lessons: Sequence[Lesson],
    mentions: Sequence[Assessment],
    briefing: Briefing,
    head: Head,
) -> Trial:
    """How the head does on lessons that it did not learn from, beside what stands now (`briefing`)."""
    asked = [_put(question, a) for a in mentions]
    before = answers(question, asked, briefing)
    tried = replace(briefing, heads={**briefing.heads, question: head.to_bytes()})
    now = answers(question, asked, tried)
    said = [_comparable(question, one.said) for one in lessons]
    corrected = [at for at, one in enumerate(lessons) if one.corrected]
    stood = [at for at, one in enumerate(lessons) if not one.corrected]
    right, was = [now[at] == said[at] for at in corrected], [before[at] == said[at] for at in corrected]
    return Trial(
        corrected=len(corrected),
        right=sum(right),
        right_before=sum(was),
        gained=sum(a and not b for a, b in zip(right, was, strict=True)),
        lost=sum(b and not a for a, b in zip(right, was, strict=True)),
        macro_f1=_macro_f1([said[at] for at in corrected], [now[at] for at in corrected]),
        macro_f1_before=_macro_f1([said[at] for at in corrected], [before[at] for at in corrected]),
        let_stand=len(stood),
        changed=sum(now[at] != before[at] for at in stood),
    )


def answers(question: Question, mentions: Sequence[Assessment], briefing: Briefing) -> list[str]:
    """What the whole pipeline finds, in a form in which two answers can be compared."""
    found: list[str] = []
    for start in range(0, len(mentions), _BATCH):
        for a in pipeline.run(mentions[start : start + _BATCH], briefing).assessments:
            value: Any = [one.value for one in a.many("issues")] if question == Question.ISSUES else a.value(question)
            found.append(_comparable(question, value))
    return found


def _comparable(question: Question, said: Any) -> str:
    if question == Question.ISSUES:
        return ", ".join(sorted(set(said or ())))
    return label_of(question, said)


def _put(question: Question, a: Assessment) -> Assessment:
    """The mention as a stage is asked about it: what is no question of relevance is asked of what is about us."""
    background = replace(a.background, look_alikes=(), in_our_conversation=question != Question.RELEVANCE)
    return a.but(background=background, reading=Reading.of(a.text))


def _macro_f1(said: Sequence[str], found: Sequence[str]) -> float:
    return float(f1_score(said, found, labels=sorted(set(said)), average="macro", zero_division=0)) if said else 0.0


def by_chance(gained: int, lost: int) -> float:
    """How often a coin would fall for the new version at least `gained` times of `gained + lost` (one-sided sign test)."""
    tosses = gained + lost
    return sum(comb(tosses, heads) for heads in range(gained, tosses + 1)) / 2**tosses if tosses else 1.0

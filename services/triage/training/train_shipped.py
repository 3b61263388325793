"""Trains the heads that the project ships, from the data folder and the written sets; the same data give the same bytes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from services.triage.library import Library
from services.triage.training import sets
from services.triage.training.sets import SENTIMENTS, TRAIN, Labelled, split_of
from services.triage.training.train_heads import Recipe, train_head
from services.triage.words.features import Features, together, unworded
from services.triage.words.heads import Head
from services.triage.words.shipped import WEIGHTS

INTENTS: Final = ("churn", "complaint", "request", "question", "praise", "other")
URGENCIES: Final = ("none", "safety", "vulnerable", "legal", "outage", "churn")
WRITTEN_COUNTS: Final = 3.0
"""A text written for the project counts for so many tweets: it is what mentions of a brand sound like."""
UNWORDED_COUNTS: Final = 1.0
CALM: Final = 300
"""So many tweets that want nothing teach the intent head what `other` is, and"""
CALM_COUNTS: Final = 0.3
"""each counts so much beside a written mention."""

_SENTIMENT: Final = Recipe(cost=0.2, lean=1.0)


def sentiment(data: Path, library: Library, most: int | None = None) -> Head:
    """From SemEval's tweets and the written mentions. The tweets come once more without their words, as a text in a
    language without labelled data looks, so that the head does with the lexicon's opinion what can be done there."""
    tweets = split_of(sets.semeval(data), TRAIN)[:most]
    own = split_of(sets.written("sentiment"), TRAIN)[:most]
    bare = _features(library, tweets)
    rows = together([bare, unworded(bare), _features(library, own)])
    labels = [row.labels["sentiment"] for row in (*tweets, *tweets, *own)]
    weights = [1.0] * len(tweets) + [UNWORDED_COUNTS] * len(tweets) + [WRITTEN_COUNTS] * len(own)
    about = {"data": {"SemEval 2013-2016 task 4A (train part of TweetEval)": len(tweets), "written": len(own)}}
    return train_head(rows, labels, name="sentiment", order=SENTIMENTS, recipe=_SENTIMENT, weights=weights, about=about)


def spam(data: Path, library: Library, most: int | None = None) -> Head:
    """From the UCI collection of SMS, the written mentions, and what customers ask, which is no spam."""
    texts = split_of(sets.sms(data), TRAIN)[:most]
    own = split_of(sets.written("spam"), TRAIN)[:most]
    plain = sets.customers(data)[:most]
    about = {
        "data": {
            "UCI SMS Spam Collection": len(texts),
            "BANKING77 and presidio-research (as not spam)": len(plain),
            "written": len(own),
        }
    }
    return _simple("spam", "yes_no", ("no", "yes"), [*texts, *plain, *own], library, about)


def intent(data: Path, library: Library, most: int | None = None) -> Head:
    """From the written mentions, and tweets of SemEval that feel nothing and ask nothing, as `other`: without them whatever is not
    worded like the few written ones of that kind is taken for a complaint."""
    own = split_of(sets.written("intent"), TRAIN)[:most]
    calm = [row for row in split_of(sets.semeval(data), TRAIN) if row.labels["sentiment"] == "neutral"]
    calm = [replace(row, labels={"intent": "other"}) for row in calm if "?" not in row.text]
    calm = calm[:: max(1, len(calm) // CALM)][: min(CALM, most or CALM)]
    weights = [1.0] * len(own) + [CALM_COUNTS] * len(calm)
    about = {"data": {"written": len(own), "SemEval 2013-2016 task 4A, neutral, without a question mark": len(calm)}}
    return _simple("intent", "one_of", INTENTS, [*own, *calm], library, about, weights)


def urgency(data: Path, library: Library, most: int | None = None) -> Head:
    """From the written mentions alone."""
    own = split_of(sets.written("urgency"), TRAIN)[:most]
    return _simple("urgency", "one_of", URGENCIES, own, library, {"data": {"written": len(own)}})


TRAINERS: Final[Mapping[str, Callable[[Path, Library, int | None], Head]]] = {
    "sentiment": sentiment,
    "spam": spam,
    "intent": intent,
    "urgency": urgency,
}


def train_shipped(
    data: Path,
    library: Library,
    names: Sequence[str] = tuple(TRAINERS),
    *,
    folder: Path = WEIGHTS,
    most: int | None = None,
    told: Callable[[str], None] = lambda _: None,
) -> dict[str, Head]:
    """Trains these heads and writes them as <name>.head. `most` takes only so many rows of each source (tests)."""
    made = {}
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        told(f"training {name}")
        made[name] = TRAINERS[name](data, library, most)
        (folder / f"{name}.head").write_bytes(made[name].to_bytes())
    return made


def _features(library: Library, rows: Sequence[Labelled]) -> Features:
    return library.vectoriser().rows_of([row.text for row in rows], [row.lang for row in rows])


def _simple(
    name: str,
    kind: str,
    order: Sequence[str],
    rows: Sequence[Labelled],
    library: Library,
    about: Mapping[str, object],
    weights: Sequence[float] | None = None,
) -> Head:
    present = {row.labels[name] for row in rows}
    recipe = Recipe(bits=(16, 16), cost=1.0)
    return train_head(
        _features(library, rows),
        [row.labels[name] for row in rows],
        name=name,
        kind="yes_no" if kind == "yes_no" else "one_of",
        order=[label for label in order if label in present],
        recipe=recipe,
        weights=weights,
        about=about,
    )

"""How the author feels: negation both ways, contrast, emphasis, emoji, ratings, hollow praise."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from services.triage.library import Library
from services.triage.stage import Briefing, Finding
from services.triage.stages import sentiment
from tests.triage.building import a_mention

DATA = Path(__file__).parents[3].parent / "shared" / "data"


def told(text: str, library: Library, lang: str = "en", **fields: Any) -> Finding:
    briefing = Briefing("w", "1").with_models(library)
    finding = sentiment.assess([a_mention(text, lang=lang, **fields)], briefing)[0].one("sentiment")
    assert finding is not None
    return finding


@pytest.mark.parametrize(
    ("text", "lang", "value"),
    [
        ("Great service, thank you so much!", "en", "positive"),
        ("The agent was not helpful at all", "en", "negative"),
        ("not bad at all", "en", "positive"),
        ("No problem with my order, all good", "en", "positive"),
        ("I have no internet", "en", "negative"),
        ("When does the store open?", "en", "neutral"),
        ("Good phone but terrible, terrible support", "en", "negative"),
        ("Terrible start, but the new agent was excellent and solved it", "en", "positive"),
        ("Great, another delay. Thanks for ruining my holiday", "en", "negative"),
        ("😍😍", "en", "positive"),
        ("my router 😡", "en", "negative"),
        ("this is sooo baaaad", "en", "negative"),
        ("#fail", "en", "negative"),
        ("Super blij met de snelle hulp, bedankt!", "nl", "positive"),
        ("De app werkt weer eens niet", "nl", "negative"),
        ("werkt perfect", "nl", "positive"),
        ("niet blij mee", "nl", "negative"),
        ("geen klachten, prima geholpen", "nl", "positive"),
        ("al drie weken aan het lijntje gehouden, schandalig", "nl", "negative"),
        ("Hoe laat gaan jullie open?", "nl", "neutral"),
        ("Fijn hoor, weer vertraging. Bedankt", "nl", "negative"),
        ("Mooie telefoon maar de klantenservice is waardeloos", "nl", "negative"),
        ("geen internet", "nl", "negative"),
    ],
)
def test_sentiment(library: Library, text: str, lang: str, value: str) -> None:
    finding = told(text, library, lang)
    assert finding.value == value, finding
    assert (finding.extra["score"] < 0) is (value == "negative") or value == "neutral"


@pytest.mark.parametrize(
    ("stronger", "weaker"),
    [
        ("very bad", "bad"),
        ("bad", "a bit bad"),
        ("BAD service here", "bad service here"),
        ("bad!!!", "bad"),
        ("this is baaaad", "this is bad"),
        ("terrible", "disappointing"),
    ],
)
def test_emphasis(library: Library, stronger: str, weaker: str) -> None:
    assert told(stronger, library).extra["score"] < told(weaker, library).extra["score"] < 0


def test_why_quotes_the_words_that_decided(library: Library) -> None:
    assert "'not helpful'" in told("not helpful", library).why
    assert "'werkt niet'" in told("app werkt niet", library, "nl").why


def test_a_rating_counts_more_than_words(library: Library) -> None:
    assert told("Fine.", library, rating=1.0).value == "negative"
    assert told("Not bad, not great", library, rating=5.0).value == "positive"
    both = told("Terrible", library, rating=5.0)
    assert both.extra["score"] == pytest.approx(0.7 + 0.3 * both.extra["text_score"], abs=0.01)
    assert "text_score" not in told("Terrible", library).extra


def test_a_language_without_a_lexicon_is_neutral_but_for_signs(library: Library) -> None:
    assert told("Det är hemskt", library, "sv").value == "neutral"
    assert told("Det är hemskt 😡", library, "sv").value == "negative"


def recall(rows: list[tuple[str, str]], library: Library) -> float:
    briefing = Briefing("w", "1").with_models(library)
    found = sentiment.assess([a_mention(text, lang="en") for text, _ in rows], briefing)
    by_label: dict[str, list[bool]] = {}
    for (_, label), outcome in zip(rows, found, strict=True):
        by_label.setdefault(label, []).append(outcome.value("sentiment") == label)
    return sum(sum(of) / len(of) for of in by_label.values()) / len(by_label)


@pytest.mark.parametrize(
    ("file", "key", "floor"), [("sentiment_tweets_val", "label", 0.57), ("airline_dev", "sentiment", 0.65)]
)
def test_real_tweets(library: Library, file: str, key: str, floor: float) -> None:
    path = DATA / f"{file}.jsonl.gz"
    if not path.exists():
        pytest.skip(f"{path} is not on this machine")
    with gzip.open(path) as lines:
        rows = [(row["text"], row[key]) for row in map(json.loads, lines)]
    reached = recall(rows, library)
    print(f"{file}: macro-recall {reached:.3f}")
    assert reached > floor

"""One vectorisation for all heads: the workspace's own stand in for shipped ones, titles count, places are the text's."""

from typing import Any

from services.triage.library import Library
from services.triage.stage import Assessment, Briefing
from services.triage.stages import sentiment, wording
from services.triage.training.train_heads import Recipe, train_head
from services.triage.words.heads import Head
from services.triage.words.wording import Wording
from tests.triage.building import a_mention, assessed


def worded(library: Library, *mentions: Assessment, **fields: Any) -> list[Wording]:
    found = wording.assess(mentions, Briefing("w", "1", **fields).with_models(library))
    assert all(a.wording for a in found)
    return [a.wording for a in found if a.wording]


def own_head(library: Library) -> Head:
    texts = ["blue sky", "blue sea", "blue car", "red sky", "red sea", "red car"]
    rows = library.vectoriser().rows_of(texts, "en")
    return train_head(rows, ["blue"] * 3 + ["red"] * 3, name="sentiment", recipe=Recipe(bits=(10, 10)))


def test_shipped_heads_speak(library: Library) -> None:
    good, bad = worded(library, a_mention("I love it", lang="en"), a_mention("I hate it", lang="en"))
    said = [one.opinion("sentiment") for one in (good, bad)]
    assert [opinion.label for opinion in said if opinion] == ["positive", "negative"]
    assert good.opinion("nothing like it") is None
    assert good.told("nothing like it") == ()


def test_a_workspaces_own_head_replaces_the_shipped_one(library: Library) -> None:
    own = own_head(library)
    (said,) = worded(library, a_mention("a red door", lang="en"), heads={"sentiment": own.to_bytes()})
    opinion = said.opinion("sentiment")
    assert opinion is not None
    assert (opinion.label, opinion.version) == ("red", own.version)
    assert said.opinion("intent") is not None


def test_a_head_that_cannot_be_used_is_passed_over(library: Library) -> None:
    (said,) = worded(library, a_mention("I love it", lang="en"), heads={"sentiment": b"WCH1 of another day"})
    opinion = said.opinion("sentiment")
    assert opinion is not None
    assert opinion.label == "positive"


def test_the_title_is_read_and_places_are_those_of_the_text(library: Library) -> None:
    mention = a_mention("it was good", lang="en", title="Terrible")
    (said,) = worded(library, mention)
    assert [hit.words for hit in said.feeling.hits] == ["terrible", "good"]
    places = {one.word.lower(): one for one in said.told("sentiment", "positive", 5)}
    assert mention.text[places["good"].start : places["good"].end] == "good"
    for one in said.told("sentiment", "negative", 5):
        assert one.word.lower() != "terrible" or one.start < 0


def test_sentiment_by_the_head_says_who_decided(library: Library, telecom: Briefing) -> None:
    finding = assessed("I love this, thank you", telecom).one("sentiment")
    assert finding is not None
    assert (finding.value, finding.decided_by) == ("positive", "sentiment.head")
    assert finding.version == f"{sentiment._VERSION}.{library.heads()['sentiment'].version}"
    assert "'love'" in finding.why


def test_unsure_is_shown(library: Library) -> None:
    texts = ["I love this", "the shop", "hm ok", "well, it is what it is I guess", "went to the store, saw a phone"]
    briefing = Briefing("w", "1").with_models(library)
    found = sentiment.assess(wording.assess([a_mention(text, lang="en") for text in texts], briefing), briefing)
    floor = library.heads()["sentiment"].unsure_below
    for finding in (a.one("sentiment") for a in found):
        assert finding is not None
        assert (finding.extra.get("unsure") is True) is (finding.confidence < floor)
        assert -1 <= finding.extra["score"] <= 1

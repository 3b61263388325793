"""Copies are found, linked to the first, and only set aside where nobody is owed an answer."""

from typing import Any

import pytest

from services.triage.stage import Assessment, Background, Briefing, LookAlike
from services.triage.stages.duplicates import Earlier, Sketch, assess, sketch
from tests.triage.building import NOON, a_mention

TEXT = "The internet in our street has been gone since this morning and nobody at Northwind answers the phone"
BRIEFING = Briefing("w", "1", own_handles=frozenset({"northwind"}))


def duplicate(*mentions: Assessment) -> Assessment:
    return assess(mentions, BRIEFING)[-1]


@pytest.mark.parametrize(
    ("second", "kind"),
    [
        (TEXT, "exact"),
        (TEXT.upper() + "!!! https://t.example/1", "exact"),
        ("@northwind " + TEXT.replace(" ", "  "), "exact"),
        (TEXT.replace("phone", "telephone"), "near"),
        (TEXT + " #northwind #fail", "near"),
        ("RT @ann: " + TEXT, "repost"),
        ("🔁 " + TEXT, "repost"),
        (TEXT + " via @ann", "repost"),
    ],
)
def test_copies_by_others_are_linked(second: str, kind: str) -> None:
    first = a_mention(TEXT)
    copy = duplicate(first, a_mention(second, author="bob", minutes=3))
    finding = copy.one("duplicate")
    assert finding is not None
    assert (finding.value, finding.extra["kind"]) == (str(first.mention_id), kind)
    assert finding.extra["copied_by"] == 1
    assert bool(copy.dismissed) is (kind == "repost")


@pytest.mark.parametrize(
    "second",
    [
        "The internet at home works fine since the engineer came by on Tuesday, thank you",
        "Bought a phone in your store, and the internet in our street is fine",
        "thanks!",
    ],
)
def test_other_texts_are_no_copies(second: str) -> None:
    assert duplicate(a_mention(TEXT), a_mention(second, author="bob")).one("duplicate") is None


def test_short_texts_of_two_people_are_two_texts() -> None:
    assert duplicate(a_mention("no internet"), a_mention("no internet", author="bob")).one("duplicate") is None


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"minutes": 5}, "posted twice within 10 minutes by the same author"),
        ({"minutes": 11}, None),  # who asks again later waits for an answer
        ({"minutes": 5, "author": "bob"}, None),
        ({"minutes": 5, "channel_type": "mail"}, None),  # another account, for all we know
        ({"minutes": 5, "visibility": "private"}, None),
        ({"minutes": 5, "author": None}, None),
    ],
)
def test_what_is_set_aside(fields: dict[str, Any], reason: str | None) -> None:
    assert duplicate(a_mention(TEXT), a_mention(TEXT, **fields)).dismissed == reason


def test_the_same_article_from_a_second_feed_is_set_aside() -> None:
    first = a_mention(TEXT, kind="article", author="desk", permalink="https://news.example/1")
    same_page = a_mention("Shortened.", kind="article", author=None, permalink="https://news.example/1", minutes=90)
    assert duplicate(first, same_page).dismissed == "the same article again"
    copied = a_mention(TEXT, kind="article", author="other", permalink="https://copy.example/9", minutes=90)
    assert duplicate(first, copied).dismissed == "the same article again"


def test_bought_via_us_is_no_repost() -> None:
    assert duplicate(a_mention("Booked my trip via @northwind")).one("duplicate") is None


def test_a_repost_of_something_unknown_says_so() -> None:
    finding = duplicate(a_mention("RT @bob: Northwind is down")).one("duplicate")
    assert finding is not None
    assert (finding.value, finding.extra["kind"]) == (None, "repost")


def test_the_first_of_several_is_named() -> None:
    mentions = [a_mention(TEXT, author=name, minutes=n) for n, name in enumerate(("ann", "bob", "cas", "dee"))]
    outcome = assess(mentions, BRIEFING)
    assert {a.value("duplicate") for a in outcome[1:]} == {str(mentions[0].mention_id)}
    assert [a.one("duplicate").extra["copied_by"] for a in outcome[1:]] == [1, 2, 3]  # type: ignore[union-attr]


def test_look_alikes_from_the_database_are_compared() -> None:
    like = LookAlike(a_mention("x").mention_id, TEXT, "bob", "push", NOON)
    given = a_mention(TEXT, background=Background(look_alikes=(like,)))
    assert duplicate(given).value("duplicate") == str(like.mention_id)
    other = LookAlike(like.mention_id, "Something entirely different that shares a band by chance", "bob", "push", NOON)
    assert duplicate(a_mention(TEXT, background=Background(look_alikes=(other,)))).one("duplicate") is None


def test_a_sketch_survives_storage_and_shares_bands_with_near_copies() -> None:
    made = sketch(TEXT)
    again = Sketch.from_bytes(made.exact, made.to_bytes())
    assert (again.exact, again.signature) == (made.exact, made.signature)
    assert len(made.bands) == 16
    assert all(-(2**63) <= band < 2**63 for band in made.bands)
    words = TEXT.split()
    for left_out in range(len(words)):
        near = sketch(" ".join(words[:left_out] + words[left_out + 1 :]))
        assert set(near.bands) & set(made.bands)
    assert sketch("short").bands == ()


def test_the_window_forgets_the_oldest() -> None:
    window = Earlier(most=60)
    texts = (
        "My parcel was left at the neighbours again",
        "Why is this month's invoice so high?",
        "Der Techniker kam heute nicht vorbei",
        "Lekker weer voor een wandeling door het bos",
        "Quantum computing explained with jam jars",
        "J'ai perdu mon chargeur dans le train",
        "Who wants two tickets for Saturday's match?",
        "Vandaag mijn nieuwe fiets opgehaald, wat een feest",
    )
    mentions = [a_mention(text) for text in texts]
    for mention in mentions:
        window.add(mention)
    assert not list(window.like(a_mention(mentions[0].text)))
    assert list(window.like(a_mention(mentions[-1].text)))

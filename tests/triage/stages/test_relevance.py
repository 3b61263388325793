"""What is about the brand, what is not, and why."""

from typing import Any

import pytest

from services.triage.library import Library
from services.triage.stage import Assessment, AuthorInfo, Background, BrandBrief, Briefing
from services.triage.stages import relevance
from tests.triage.building import a_briefing, a_mention

ORANGE = BrandBrief("o", "Orange", ("orange bank",), ("@orange",), ("Livebox",), ("juice", "sap"))
APPLE = BrandBrief("a", "Apple", exclude=("pie",), context=("iphone", "mac", "store"))


def judged(mention: Assessment | str, *brands: BrandBrief, library: Library, **fields: Any) -> Assessment:
    briefing: Briefing = a_briefing(None, brands=brands, **fields).with_models(library)
    mention = a_mention(mention) if isinstance(mention, str) else mention
    return relevance.assess([mention], briefing)[0]


@pytest.mark.parametrize(
    ("text", "about", "addressed"),
    [
        ("@orange my line is dead", True, True),
        ("thanks .@Orange!", True, True),
        ("Orange is down again", True, False),
        ("I love orange juice in the morning", False, False),
        ("orange juice on my Livebox, and @orange does not care", True, True),
        ("Sinaasappelsap, orange sap", False, False),
        ("Orangerie for rent", False, False),
        ("my livebox blinks red", True, False),
        ("mail info@orange.example", True, False),  # the name stands in it, but nobody is spoken to
        ("Hi Orange, when do you open?", True, True),
        ("Orange, jullie app is kapot", True, True),
        ("nothing to see here", False, False),
        ("ORANGE   BANK is closed", True, False),
    ],
)
def test_names_handles_and_homonyms(library: Library, text: str, about: bool, addressed: bool) -> None:
    outcome = judged(text, ORANGE, library=library)
    assert outcome.value("relevance") is about
    assert outcome.addressed is addressed
    assert (outcome.dismissed is None) is about
    assert outcome.one("relevance").extra["brands"] == (["o"] if about else [])  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("new Apple iPhone broken", True),
        ("an apple a day", False),
        ("the Mac at the Apple store, with apple pie", True),
        ("apple pie", False),
    ],
)
def test_an_ambiguous_name_needs_a_word_of_its_field(library: Library, text: str, about: bool) -> None:
    assert judged(text, APPLE, library=library).value("relevance") is about


@pytest.mark.parametrize(
    "author",
    [
        AuthorInfo("1", "@Orange"),
        AuthorInfo("1", "orange"),
        AuthorInfo("ours", "care"),
        AuthorInfo("77", "x"),
        AuthorInfo("1", "OrangeHelp"),
    ],
)
def test_our_own_posts_are_dismissed(library: Library, author: AuthorInfo) -> None:
    own = {"own_handles": frozenset({"orangehelp"}), "own_external_ids": frozenset({"ours", "push:77"})}
    outcome = judged(a_mention("@orange hello", about=author), ORANGE, library=library, **own)
    assert outcome.dismissed == "our own post"


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"visibility": "private"}, "a private message to us"),
        ({"owned": True}, "written on a venue of ours"),
        ({"background": Background(in_our_conversation=True)}, "an answer in a conversation of ours"),
    ],
)
def test_the_venue_can_say_it(library: Library, fields: dict[str, Any], why: str) -> None:
    outcome = judged(a_mention("it is broken", **fields), ORANGE, library=library)
    finding = outcome.one("relevance")
    assert finding is not None
    assert (finding.value, finding.why, outcome.addressed) == (True, why, True)


def test_who_listens_for_nothing_gets_no_answer(library: Library) -> None:
    outcome = judged("anything", library=library)
    assert outcome.findings["relevance"] is None
    assert outcome.dismissed is None


def test_words_that_the_workspace_excludes_win_over_names_but_not_over_handles(library: Library) -> None:
    assert judged("Orange horoscope", ORANGE, library=library, exclusions=("horoscope",)).dismissed
    assert not judged("@orange stop the horoscope texts", ORANGE, library=library, exclusions=("horoscope",)).dismissed


def test_the_title_counts(library: Library) -> None:
    assert judged(a_mention("It was down.", title="Orange outage"), ORANGE, library=library).value("relevance") is True

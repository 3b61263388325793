"""Copies are found, linked to the first, and only set aside where nobody is owed an answer."""

from typing import Any

import pytest

from services.triage.stage import Assessment, AuthorInfo, Background, Briefing, LookAlike
from services.triage.stages.duplicates import Earlier, assess
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


TWEET = "https://x.com/ann/status/1790000000000000001"
GIVEN = "https://www.google.com/url?rct=j&sa=t&url=https%3A%2F%2Ftwitter.com%2Fann%2Fstatus%2F1790000000000000001%3Fs%3D20&ct=ga"
VIDEO = "https://youtu.be/dQw4w9WgXcQ"
POST = {"channel_type": "x", "permalink": TWEET}
ITEM = {"channel_type": "rss", "kind": "article", "permalink": GIVEN, "author": None}
AGAIN = "found again by a feed"


@pytest.mark.parametrize(
    ("first", "second", "kind", "reason"),
    [
        (POST, ITEM, "page", AGAIN),
        (POST, {**ITEM, "kind": "post"}, "page", AGAIN),
        (POST, {**ITEM, "kind": "comment"}, None, None),  # a comment under the post
        (POST, {**ITEM, "kind": "review"}, None, None),
        (POST, {**ITEM, "visibility": "private"}, "page", None),
        (POST, {**ITEM, "permalink": "https://x.com/ann/status/1790000000000000002"}, None, None),
        ({**POST, "kind": "reply"}, ITEM, "page", AGAIN),
        (ITEM, POST, "page", None),  # only the post itself can be answered
        (ITEM, {**ITEM, "permalink": TWEET}, "page", "the same article again"),
        (ITEM, {**ITEM, "channel_type": "push", "kind": "post"}, "page", None),  # a person's words after a snippet
        ({**ITEM, "channel_type": "push", "kind": "post"}, ITEM, "page", AGAIN),
        ({**POST, "channel_type": "push"}, {**POST, "channel_type": "push"}, None, None),  # two people at one place
        (
            {"channel_type": "rss", "kind": "video", "permalink": VIDEO},
            {"channel_type": "rss", "kind": "video", "permalink": "https://www.youtube.com/watch?v=dQw4w9WgXcQ&t=4"},
            "page", "the same video again",
        ),
        (
            {"channel_type": "rss", "kind": "article", "permalink": "http://www.news.example/a/?utm_source=feed"},
            {"channel_type": "rss", "kind": "article", "permalink": "https://news.example/a"},
            "page", "the same article again",
        ),
        (
            {"channel_type": "rss", "kind": "article", "permalink": "https://news.example/a"},
            {"channel_type": "wordpress", "kind": "comment", "permalink": "https://news.example/a"},
            None, None,
        ),
    ],
)  # fmt: skip
def test_one_post_heard_by_two_ways(
    first: dict[str, Any], second: dict[str, Any], kind: str | None, reason: str | None
) -> None:
    heard = a_mention(TEXT, **first)
    again = duplicate(heard, a_mention("Ann on X: The internet in our ...", minutes=40, **second))
    finding = again.one("duplicate")
    assert (finding and (finding.value, finding.extra["kind"])) == (kind and (str(heard.mention_id), kind))
    assert again.dismissed == reason
    if finding:
        assert (finding.extra["copied_by"], "cross_post" in finding.extra) == (0, False)


def test_the_post_itself_goes_before_an_earlier_copy_of_its_words() -> None:
    elsewhere = a_mention(TEXT, author="bob", channel_type="mastodon")
    post = a_mention(TEXT, minutes=1, **POST)
    assert duplicate(elsewhere, post, a_mention(TEXT, minutes=2, **ITEM)).value("duplicate") == str(post.mention_id)
    assert duplicate(elsewhere, a_mention(TEXT, minutes=2, **ITEM), post).value("duplicate") == str(
        elsewhere.mention_id
    )


def test_what_the_database_says_of_a_page_is_believed() -> None:
    like = LookAlike(a_mention("x").mention_id, TEXT, "bob", "x", NOON, same_page=True)
    item = a_mention("Shortened.", author=None, channel_type="rss", kind="article")
    assert duplicate(item.but(background=Background(look_alikes=(like,)))).dismissed == AGAIN


@pytest.mark.parametrize(
    ("handle", "fields", "cross_post", "copied_by"),
    [
        ("ann", {"channel_type": "mastodon"}, True, 0),
        ("@Ann@social.example", {"channel_type": "mastodon"}, True, 0),
        ("ann.bsky.example", {"channel_type": "bluesky"}, True, 0),
        ("anna", {"channel_type": "mastodon"}, True, 1),
        ("ann", {"channel_type": "mastodon", "minutes": 72 * 60}, True, 0),
        ("ann", {"channel_type": "mastodon", "minutes": 72 * 60 + 1}, False, 1),
        ("bob", {"channel_type": "x"}, False, 1),  # the same venue
    ],
)
def test_cross_posts_are_linked_and_never_set_aside(
    handle: str, fields: dict[str, Any], cross_post: bool, copied_by: int
) -> None:
    first = a_mention(TEXT, author="ann", channel_type="x")
    about = AuthorInfo(external_id=f"{handle} there", handle=handle)
    copy = duplicate(first, a_mention(f"{TEXT} https://social.example/@ann/1", about=about, **fields))
    finding = copy.one("duplicate")
    assert finding is not None
    assert (finding.value, finding.extra["kind"]) == (str(first.mention_id), "exact")
    assert (finding.extra.get("cross_post", False), finding.extra["copied_by"]) == (cross_post, copied_by)
    assert copy.dismissed is None


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


def test_the_window_forgets_the_oldest() -> None:
    window = Earlier(most=3)
    mentions = [a_mention(f"{TEXT} {word * 3}") for word in ("invoice", "technician", "weather", "charger")]
    for mention in mentions:
        window.add(mention)
    assert {like.mention_id for like in window.like(a_mention(TEXT))} == {one.mention_id for one in mentions[1:]}

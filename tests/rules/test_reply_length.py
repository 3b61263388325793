"""Length as each venue counts it, and long replies as numbered threads."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.models.reply_rules import CountedAs, Length
from shared.rules.reply_length import count, fits, over_by, split

FAMILY, FLAG, SCOTLAND = "👨‍👩‍👧‍👦", "🇳🇱", "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"


@pytest.mark.parametrize(
    ("text", "code_points", "graphemes", "utf16", "utf8", "x"),
    [
        ("", 0, 0, 0, 0, 0),
        ("Hello, world!", 13, 13, 13, 13, 13),
        ("é", 1, 1, 1, 2, 1),
        ("e\u0301", 2, 1, 2, 3, 1),
        ("a\r\nb", 4, 3, 4, 4, 4),
        ("Hello, world! 👋", 15, 15, 16, 18, 16),
        (FAMILY, 7, 1, 11, 25, 2),
        (FLAG, 2, 1, 4, 8, 2),
        (SCOTLAND, 7, 1, 14, 28, 2),
        ("👍🏽", 2, 1, 4, 8, 2),
        ("☎️", 2, 1, 2, 6, 2),
        ("⭐️⭐️", 4, 2, 4, 12, 4),
        ("1️⃣", 3, 1, 3, 7, 2),
        ("👍\u0301", 2, 1, 3, 6, 3),
        ("日本語", 3, 3, 3, 9, 6),
        ("한국", 2, 2, 2, 6, 4),
        ("नमस्ते", 6, 3, 6, 18, 6),
        ("“a”—b", 5, 5, 5, 11, 5),
        ("…", 1, 1, 1, 3, 2),
        ("©", 1, 1, 1, 2, 2),
    ],
)
def test_counts(text: str, code_points: int, graphemes: int, utf16: int, utf8: int, x: int) -> None:
    assert count(text, "code_points") == code_points
    assert count(text, "graphemes") == graphemes
    assert count(text, "utf16_units") == utf16
    assert count(text, "utf8_bytes") == utf8
    assert count(text, "x_weighted") == x
    assert count(text, "mastodon") == graphemes


LINK = "https://www.northwind.example/a/very/long/address?with=parameters"


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("example.com", 23),
        ("www.example.nl/a", 23),
        (f"See {LINK}.", 28),
        (f"日本{LINK}", 27),
        ("mail a@example.com", 18),
        ("node.js", 7),
        ("http://localhost", 23),  # X would say 16: too much is safer than too little
        ("niet.De app", 27),
    ],
)
def test_x_weighs_links(text: str, length: int) -> None:
    assert count(text, "x_weighted") == length


@pytest.mark.parametrize(
    ("text", "length"),
    [
        (LINK, 23),
        ("http://a.nl", 23),
        ("www.example.com", 15),
        ("@jan@mastodon.example hoi", 8),
        ("@jan.jansen@mastodon.example", 11),
        ("jan@example.com", 15),
        ("x=@jan@mastodon.example", 23),
        ("me@jan@host.example", 19),
        (f"{LINK}/@jan@mastodon.example", 23),
        (f"{FAMILY} é", 3),
    ],
)
def test_mastodon_weighs_links_and_remote_handles(text: str, length: int) -> None:
    assert count(text, "mastodon") == length


def test_a_venue_may_weigh_links_otherwise() -> None:
    assert count(f"See {LINK}", "code_points") == 4 + len(LINK)
    assert count(f"See {LINK}", "code_points", 10) == 14
    assert count(f"See {LINK}", "utf8_bytes", 10) == 14
    assert count(f"See {LINK}", "x_weighted", 10) == 14
    assert count(f"See {LINK}", "mastodon", 10) == 14


def a_length(limit: int, counted_as: CountedAs = "code_points") -> Length:
    return Length(limit=limit, counted_as=counted_as)


def test_over_by() -> None:
    assert over_by("abcde", a_length(5)) == 0
    assert over_by("abcdef", a_length(5)) == 1
    assert over_by("日本語", a_length(5, "x_weighted")) == 1
    assert fits("日本語", [a_length(3), a_length(9, "utf8_bytes")])
    assert not fits("日本語", [a_length(3), a_length(8, "utf8_bytes")])
    assert fits("anything", [])


def test_what_fits_stays_as_it_is() -> None:
    assert split("  one\n two ", [a_length(11)]) == ["  one\n two "]


def test_splits_between_words_and_numbers() -> None:
    assert split("one two three four five six", [a_length(15)]) == [
        "one two (1/4)",
        "three (2/4)",
        "four five (3/4)",
        "six (4/4)",
    ]


def test_likes_the_end_of_a_sentence() -> None:
    text = "We are sorry to hear that it went wrong. Please send us your number so that we can help."
    assert split(text, [a_length(60)])[0] == "We are sorry to hear that it went wrong. (1/2)"
    early = "Hello! This goes on and on without an end that would be worth a part of its own at all"
    assert split(early, [a_length(60)])[0] == "Hello! This goes on and on without an end that would (1/2)"
    paragraphs = "Dear customer, thank you for the note\n\nWe will look into it at once and come back to you"
    assert split(paragraphs, [a_length(60)])[0] == "Dear customer, thank you for the note (1/2)"


def test_more_than_nine_parts_leave_room_for_their_number() -> None:
    parts = split("word " * 60, [a_length(25)])
    assert len(parts) > 9
    assert parts[0].endswith(f" (1/{len(parts)})")
    assert all(len(part) <= 25 for part in parts)


def test_long_words_are_cut_between_graphemes_and_links_are_not() -> None:
    parts = split(FAMILY * 20, [a_length(60)])
    assert "".join(part.rpartition(" ")[0] for part in parts) == FAMILY * 20
    assert all(len(part.rpartition(" ")[0]) % len(FAMILY) == 0 for part in parts)
    with pytest.raises(ValueError, match=r"The link https://www\.northwind"):
        split(f"{'word ' * 20}{LINK}", [a_length(40)])
    parts = split(f"{'word ' * 60}{LINK} {'word ' * 20}", [a_length(280, "x_weighted")])
    assert sum(LINK in part for part in parts) == 1


def test_a_limit_that_leaves_no_room() -> None:
    with pytest.raises(ValueError, match="no room"):
        split("one two three", [a_length(6)])
    with pytest.raises(ValueError, match="thousand parts"):
        split("one " * 3_000, [a_length(14)])


KINDS = st.sampled_from(["code_points", "graphemes", "utf16_units", "utf8_bytes", "x_weighted", "mastodon"])
WORDS = st.one_of(
    st.sampled_from(
        [
            "Sorry!",
            "hoi",
            FAMILY,
            FLAG,
            "e\u0301" * 5,
            "日本語日本語",
            "a.nl",
            LINK[:30],
            "@jan@mastodon.example",
            "x" * 70,
        ]
    ),
    st.text(max_size=12),
)
TEXTS = st.lists(st.tuples(WORDS, st.sampled_from([" ", "\n", "\n\n", "  "])), min_size=1, max_size=60).map(
    lambda words: "".join(word + space for word, space in words)
)


@settings(deadline=None)
@given(TEXTS, st.lists(st.builds(a_length, st.integers(60, 300), KINDS), min_size=1, max_size=2))
def test_parts_fit_and_nothing_is_lost(text: str, lengths: list[Length]) -> None:
    try:
        parts = split(text, lengths)
    except ValueError as refused:
        assert "link" in str(refused)  # noqa: PT017
        return
    assert all(fits(part, lengths) for part in parts)
    if len(parts) == 1:
        assert parts == [text]
        return
    bodies = [part.removesuffix(f" ({number}/{len(parts)})") for number, part in enumerate(parts, 1)]
    assert all(
        body + f" ({number}/{len(parts)})" == part
        for number, (body, part) in enumerate(zip(bodies, parts, strict=True), 1)
    )
    assert "".join("".join(bodies).split()) == "".join(text.split())


@given(st.text(max_size=40), KINDS)
def test_counting_adds_up(text: str, kind: CountedAs) -> None:
    assert count(text, kind) >= 0
    assert count(f"a\n{text}", kind) <= 2 + count(text, kind) + 23
    if kind == "x_weighted":
        assert count(unicodedata.normalize("NFD", text), kind) == count(text, kind)
    if "." not in text and "localhost" not in text:
        assert count(text, kind, 1) == count(text, kind)

"""What copies are known by: texts without what copies differ in, and sketches that are as alike as the texts."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.triage.reading import fold
from services.triage.sketching import PASSED_ON, SHINGLE, VIA, normalised, sketch, sketches

TEXT = "The internet in our street has been gone since this morning and nobody at Northwind answers the phone"


@pytest.mark.parametrize("name", ["@northwind", "@northwind@social.example", "@northwind.bsky.example"])
def test_who_is_spoken_to_makes_no_difference_between_venues(name: str) -> None:
    assert normalised(f"{name} no internet. {name}, help!") == "no internet help"
    assert normalised(f"RT {name}: no internet") == "no internet"
    assert normalised(f"no internet https://social.example/{name}/12") == "no internet"


PIECES = st.one_of(
    st.sampled_from(
        ["RT @ann:", "via @bob", "h/t @c ", "https://t.example/@x/1", "http://a", "@ann@b.example", "a@b.example", "_", "word", "Één", "  ",
         "\n", "漢字", "\U00020000", "😡", "\ud800", "\0", "-", "it's", "“@ann: x”", "♻️ bob", "\x1c", "\u2028", "ſ", "½"]
    ),
    st.text(max_size=6),
)  # fmt: skip
TEXTS = st.lists(PIECES, max_size=12).map(" ".join)


def naive(text: str) -> str:
    """Step by step, one text at a time."""
    plain = fold(text)
    if mark := PASSED_ON.match(plain):
        plain = plain[mark.end() :]
    plain = VIA.sub(" ", plain) if "@" in plain else plain
    links = r"https?://\S+"
    plain = re.sub(links, " ", plain) if "/@" in plain else plain
    plain = re.sub(r"(?<!\w)@\w+(?:\.\w[\w-]*)*(?:@\w[\w.-]*)?", " ", plain)
    return " ".join(re.sub(r"[^\w\s]|_", " ", re.sub(links, " ", plain)).split())


@given(st.lists(TEXTS, max_size=6))
def test_many_are_normalised_as_each_step_by_step(texts: list[str]) -> None:
    assert [normalised(text) for text in texts] == [naive(text) for text in texts]
    assert [one.exact for one in sketches(texts)] == [sketch(text).exact for text in texts]


def test_texts_are_sketched_together_as_each_by_itself() -> None:
    said = [
        TEXT,
        "short",
        "",
        TEXT.upper(),
        "x" * 90_000 + " y",
        f"{TEXT} 漢字 😡 \ud800",
        *(f"{TEXT} {n}" for n in range(600)),
    ]
    assert sketches(said) == [sketch(text) for text in said]
    assert sketches([]) == []
    assert [len(one.numbers()) for one in sketches(said[:6])] == [16, 0, 0, 16, 16, 16]


def test_near_copies_share_bands() -> None:
    made = sketch(TEXT)
    words = TEXT.split()
    for left_out in range(len(words)):
        near = sketch(" ".join(words[:left_out] + words[left_out + 1 :]))
        assert set(near.numbers()) & set(made.numbers())


def jaccard(one: str, other: str) -> float:
    """The share of runs of letters that two normalised texts have in common."""
    these, those = ({text[at : at + SHINGLE] for at in range(len(text) - SHINGLE + 1)} for text in (one, other))
    return len(these & those) / len(these | those)


WORDS = st.text(alphabet="abcdefghijklmnoprstuvwé", min_size=2, max_size=9)
SAID = st.lists(WORDS, min_size=12, max_size=60).map(" ".join)


@given(SAID, SAID, st.floats(0, 1))
def test_sketches_are_as_alike_as_the_texts(one: str, other: str, share: float) -> None:
    copy = one[: int(len(one) * share)] + " " + other[int(len(other) * share) :]
    mine, theirs = sketches([one, copy])
    if mine.exact != theirs.exact:
        alike = jaccard(normalised(one), normalised(copy))
        assert abs(mine.similarity(theirs) - alike) < 0.15
        assert mine.similarity(theirs) == theirs.similarity(mine) < 1
    assert mine.similarity(mine) == 1


def test_what_is_too_short_is_like_nothing_but_itself() -> None:
    one, other, same = sketches(["no internet", "no internet again", "No internet!"])
    assert one.similarity(other) == 0
    assert one.similarity(same) == 1
    assert sketch(TEXT).similarity(one) == one.similarity(sketch(TEXT)) == 0

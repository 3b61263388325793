"""Whatever is done to a text for analysis, places lead back to the stored text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.triage.reading import CAP, RUN, Reading, legible
from tests.triage.building import a_mention

anything = st.text(st.characters(exclude_categories=()), max_size=900)
runs = st.lists(st.text("!?🔥aé́\u202e", min_size=150, max_size=450), max_size=4).map(" ".join)


@given(st.one_of(anything, runs), st.data())
def test_every_place_of_the_reading_is_the_same_text_in_the_stored_one(stored: str, data: st.DataObject) -> None:
    clean = legible(stored)
    reading = Reading.of(stored)
    start = data.draw(st.integers(0, len(reading.text)))
    end = data.draw(st.integers(start, len(reading.text)))
    there, until = reading.span(start, end)
    assert 0 <= there <= until <= len(stored)
    inserted = [place for place in reading.breaks if start <= place < end]
    assert len(inserted) == (end - start) - (until - there)
    kept = [letter for at, letter in enumerate(reading.text[start:end], start) if at not in reading.breaks]
    assert "".join(kept) == clean[there:until]


@given(runs)
def test_no_run_is_longer_than_allowed(stored: str) -> None:
    assert all(len(word) <= RUN for word in Reading.of(stored).text.split())


def test_a_long_text_is_capped_and_says_so() -> None:
    reading = Reading.of("word " * 10_000)
    assert reading.truncated
    assert len(reading.text) == CAP
    assert not Reading.of("word").truncated


@pytest.mark.parametrize("stored", ["a\x00b", "a\ud800b", "é\udfffé"])
def test_what_cannot_be_encoded_is_replaced_one_for_one(stored: str) -> None:
    mention = a_mention(stored)
    assert len(mention.text) == len(stored)
    assert mention.text.encode()
    assert mention.text[1] == "\ufffd"


def test_words_are_folded_and_know_their_places() -> None:
    reading = Reading.of("Één koffer, niet DE koffer! 🔥 can’t")
    assert [word for word, _, _ in reading.words] == ["een", "koffer", ",", "niet", "de", "koffer", "!", "🔥", "can't"]
    _, start, end = reading.words[0]
    assert reading.text[start:end] == "Één"


def test_of_a_run_of_signs_only_the_first_are_read_and_of_what_people_write_all() -> None:
    signs = Reading.of("!?" * 9_000)
    assert signs.truncated
    assert 4_900 < len(signs.text.replace(" ", "")) <= 5_000
    words = "the parcel, which I ordered on Monday, has not arrived " * 350
    assert Reading.of(words).text == words
    assert not Reading.of(words).truncated

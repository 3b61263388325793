"""What is masked is seen nowhere: not in the text, not in a finding; places lead to the right parts of what is shown."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.rules.masking import mask, mask_findings

TEXT = "call Ann on 06-12345678 or ann@example.org today"
PII = [
    {"type": "name", "value": "[name]", "start": 5, "end": 8},
    {"type": "phone", "value": "[phone]", "start": 12, "end": 23},
    {"type": "email", "value": "[email]", "start": 27, "end": 42},
]


def test_each_kind_has_its_placeholder() -> None:
    assert mask(TEXT, PII).text == "call [name] on [phone] or [email] today"


def test_only_the_kinds_asked_for() -> None:
    assert mask(TEXT, PII, {"phone"}).text == "call Ann on [phone] or ann@example.org today"
    assert mask(TEXT, PII, ()).text == TEXT


def test_places_lead_to_what_is_shown() -> None:
    masked = mask(TEXT, PII)
    for word in ("call", "on", "or", "today"):
        start = TEXT.index(word)
        at, to = masked.span(start, start + len(word))
        assert masked.text[at:to] == word
    assert masked.text[slice(*masked.span(12, 23))] == "[phone]"
    assert masked.text[slice(*masked.span(14, 18))] == "[phone]"  # a part of it takes all of it
    assert masked.text[slice(*masked.span(9, 26))] == "on [phone] or"


def test_overlapping_places_are_masked_once() -> None:
    places: list[dict[str, Any]] = [
        {"start": 0, "end": 4, "type": "name"},
        {"start": 2, "end": 6, "type": "email"},
        {"start": None, "end": None},
    ]
    assert mask("abcdefgh", places).text == "[name]gh"


def test_findings_repeat_nothing_that_was_masked() -> None:
    findings = {
        "pii": PII,
        "sentiment": {"value": "negative", "score": -0.5, "why": "'Ann', 'today'"},
        "entities": [
            {"type": "PERSON", "value": "Ann", "text": "Ann", "start": 5, "end": 8},
            {"type": "PHONE", "value": "+31612345678", "text": "06-12345678", "start": 12, "end": 23},
            {"type": "DATE", "value": "2026-11-22", "text": "today", "start": 43, "end": 48},
        ],
        "issues": [{"value": "contact", "why": "'call Ann'", "start": 0, "end": 8}],
    }
    shown = mask_findings(TEXT, findings)
    text = mask(TEXT, PII).text
    assert [one["value"] for one in shown["entities"]] == ["[name]", "[phone]", "2026-11-22"]
    assert [text[one["start"] : one["end"]] for one in shown["entities"]] == ["[name]", "[phone]", "today"]
    assert shown["sentiment"] == {"value": "negative", "score": -0.5, "why": "'[name]', 'today'"}
    assert text[shown["issues"][0]["start"] : shown["issues"][0]["end"]] == "call [name]"
    for private in ("Ann", "12345678", "example.org"):
        assert private not in str(shown)


def test_where_nothing_is_masked_findings_stay() -> None:
    findings = {"pii": PII, "spam": {"value": False, "why": "Ann"}}
    assert mask_findings(TEXT, findings, {"iban"}) == findings


@given(
    st.text(max_size=60),
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60), st.sampled_from(["name", "email"])), max_size=6),
)
def test_what_is_outside_stays_and_what_is_inside_goes(text: str, places: list[tuple[int, int, str]]) -> None:
    pii = [{"start": start, "end": end, "type": kind} for start, end, kind in places]
    masked = mask(text, pii)
    hidden = {at for start, end, _ in places if start < end for at in range(start, min(end, len(text)))}
    kept = "".join(letter for at, letter in enumerate(text) if at not in hidden)
    left = "".join(
        masked.text[start:end]
        for start, end in zip(
            [0, *(cut.masked_end for cut in masked.cuts)],
            [*(cut.masked_start for cut in masked.cuts), len(masked.text)],
            strict=True,
        )
    )
    assert left == kept
    for at in range(len(text)):
        start, end = masked.span(at, at + 1)
        assert 0 <= start < end <= len(masked.text)
        if at not in hidden:
            assert masked.text[start:end] == text[at]


@pytest.mark.parametrize("kind", ["name", "iban"])
def test_the_placeholder_tells_nothing_of_what_stood_there(kind: str) -> None:
    short, long = ({"start": 0, "end": end, "type": kind} for end in (1, 9))
    assert mask("x" * 9, [short]).text[: len(kind) + 2] == mask("x" * 9, [long]).text

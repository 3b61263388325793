"""What may come in as a mention, and the sentence that tells why something may not."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from services.ingest.incoming_mention import (
    LONGEST_ID,
    LONGEST_TEXT,
    IncomingAuthor,
    IncomingMedia,
    IncomingMention,
    Rejected,
    cleaned,
    explain,
    read_mentions,
)
from shared.kit import clock

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
LEAST: dict[str, Any] = {"external_id": "1", "text": "kapot", "published_at": "2026-11-20T10:00:00Z"}


@pytest.fixture(autouse=True)
def _at_noon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOON)


def _read(**fields: Any) -> IncomingMention:
    return IncomingMention.model_validate({**LEAST, **fields})


def _why(**fields: Any) -> str:
    [], [rejected] = read_mentions([{**LEAST, **fields}])
    return rejected.detail


def test_the_least_there_is() -> None:
    mention = _read()
    assert (mention.kind, mention.visibility, mention.media, mention.raw) == ("post", "public", (), None)


@pytest.mark.parametrize(
    ("said", "means"),
    [
        ("2026-11-20T10:00:00Z", "2026-11-20T10:00:00+00:00"),
        ("2026-11-20T10:00:00+02:00", "2026-11-20T08:00:00+00:00"),
        ("2026-11-20 10:00:00", "2026-11-20T10:00:00+00:00"),
        ("2026-11-20", "2026-11-20T00:00:00+00:00"),
        (1763632800, "2025-11-20T10:00:00+00:00"),
        (1763632800000, "2025-11-20T10:00:00+00:00"),
        ("1763632800", "2025-11-20T10:00:00+00:00"),
        ("2026-11-20T12:03:00Z", "2026-11-20T12:00:00+00:00"),  # a clock three minutes fast
        ("2026-11-21T12:00:00Z", "2026-11-20T12:00:00+00:00"),  # local time sent as UTC
    ],
)
def test_moments_become_utc_and_never_lie_ahead(said: Any, means: str) -> None:
    assert _read(published_at=said).published_at == datetime.fromisoformat(means)


def test_an_edit_may_be_told_with_any_moment_since_1970() -> None:
    assert _read(edited_at="2026-11-20T12:30:00Z").edited_at == NOON + timedelta(minutes=30)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"external_id": ""}, "external_id is empty."),
        ({"external_id": "  "}, "external_id is empty."),
        ({"external_id": None}, "external_id is not right: input should be a valid string."),
        ({"external_id": "é" * 600}, f"external_id takes 1200 bytes; at most {LONGEST_ID} are taken."),
        ({"text": "x" * (LONGEST_TEXT + 1)}, f"text is too long; at most {LONGEST_TEXT} are taken."),
        ({"text": " \n"}, "Text is empty, and there is no title, rating or media either."),
        ({"published_at": "2026-11-21T12:00:01Z"}, "more than a day ahead; check the clock and the time zone."),
        ({"published_at": "0001-01-01T00:00:00+14:00"}, "published_at lies outside the calendar."),
        ({"published_at": "1969-12-31T23:59:59Z"}, "before 1970; check its unit (seconds or milliseconds)."),
        ({"published_at": "gisteren"}, "published_at is not right: input should be a valid datetime"),
        ({"colour": "red"}, "colour is not a field of a mention."),
        ({"kind": "tweet"}, "kind is not one of 'post', 'comment',"),
        ({"visibility": "secret"}, "visibility is not one of 'public' or 'private'."),
        ({"permalink": "javascript:alert(1)"}, "permalink is not a URL that begins with http:// or https://."),
        ({"permalink": "https://a b"}, "permalink is not a URL that begins with http:// or https://."),
        ({"lang": "Nederlands!"}, "lang is not a language tag such as nl or pt-BR."),
        ({"country": "NLD"}, "country is not a country code such as NL."),
        ({"rating": 0}, "rating is not right: input should be greater than or equal to 1."),
        ({"rating": "nan"}, "rating is not right: input should be a finite number."),
        ({"rating": {"value": 11, "min": 0, "max": 10}}, "rating is 11, outside its scale of 0 to 10."),
        ({"rating": {"value": 5, "min": 5, "max": 5}}, "rating is 5, outside its scale of 5 to 5."),
        ({"rating": {"value": "best"}}, 'rating is a number from 1 to 5, or {"value": 8, "min": 0, "max": 10}.'),
        ({"rating": {"value": 10**400}}, "rating is a number from 1 to 5"),
        ({"author": "jan"}, "author is not an object."),
        ({"author": {"followers": -1}}, "author.followers is not right: input should be greater than or equal to 0."),
        ({"author": {"password": "x"}}, "author.password is not a field of a mention."),
        ({"media": [{"kind": "image"}]}, "media.0 has no url; without one, name and size say what it is."),
        ({"media": [{"name": "a.pdf"}]}, "media.0 has no url; without one, name and size say what it is."),
        ({"media": [{"name": "", "size": 1}]}, "media.0 has no url; without one, name and size say what it is."),
        (
            {"deleted_at": "2026-01-01T00:00:00Z", "restored": True},
            "Deleted_at and restored say opposite things; send one of them.",
        ),
        ({"media": [{"url": "https://x.example"}] * 51}, "media is too long; at most 50 are taken."),
        ({"engagement": {"likes": 10**30}}, "engagement.likes is not right"),
        ({"raw": "x" * 2_000_001}, "raw is too long; at most 2000000 are taken."),
        ({"title": [[["deep"]]]}, "title is not right: input should be a valid string."),
        ({"title": json.loads("[" * 300 + "]" * 300)}, "Something is nested too deeply."),
    ],
)
def test_a_refusal_is_a_sentence(fields: dict[str, Any], sentence: str) -> None:
    assert sentence in _why(**fields)


def test_all_that_is_wrong_is_said_at_once_with_places() -> None:
    with pytest.raises(ValidationError) as caught:
        IncomingMention.model_validate({"text": "x", "published_at": "2026-11-20T10:00:00Z", "author": {"url": "x"}})
    assert explain(caught.value) == [
        ("/external_id", "external_id is missing."),
        ("/author/url", "author.url is not a URL that begins with http:// or https://."),
    ]


def test_what_customers_wrote_stays_out_of_the_message() -> None:
    assert "mijn wachtwoord" not in _why(kind="mijn wachtwoord is 1234", country="mijn wachtwoord is 1234")


def test_items_keep_their_places() -> None:
    good, bad = read_mentions(
        [LEAST, 3, Rejected(0, "not_json", "This line is not JSON."), {**LEAST, "external_id": "2"}]
    )
    assert [(index, mention.external_id) for index, mention in good] == [(0, "1"), (3, "2")]
    assert [(one.index, one.code) for one in bad] == [(1, "invalid_mention"), (2, "not_json")]


def test_small_kindnesses() -> None:
    mention = _read(
        external_id=12345678901234567890,
        lang="pt_br",
        country=" nl ",
        author={"handle": "@jan", "name": "  Jan "},
        rating={"value": 0, "min": 0, "max": 10},
    )
    assert (mention.external_id, mention.lang, mention.country, mention.rating) == (
        "12345678901234567890",
        "pt-br",
        "NL",
        1,
    )
    assert mention.author is not None
    assert (mention.author.handle, mention.author.name) == ("jan", "Jan")
    assert _read(lang="und").lang is None


def test_a_review_may_be_stars_only_and_a_deletion_silent() -> None:
    assert _read(text="", rating=1).rating == 1
    assert _read(text="", deleted_at="2026-11-20T11:00:00Z").text == ""


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("plain", "plain"),
        ("a\x00b", "ab"),
        ("half \ud83d pair", "half � pair"),
        ("two \ud83d\ude21 halves", "two 😡 halves"),
        ("é😡", "é😡"),
        ("\udc00\ud800", "��"),
    ],
)
def test_what_a_database_cannot_hold_is_cleaned(sent: str, stored: str) -> None:
    assert cleaned(sent) == stored
    mention = _read(text=sent, title=sent, author={"name": sent}, media=[{"url": "https://x.example", "alt": sent}])
    assert mention.author is not None
    assert {mention.text, mention.title, mention.author.name, mention.media[0].alt} == {stored}


def test_the_payload_is_kept_as_it_was() -> None:
    payload = {"text": "a\x00\ud800", "n": [1, 2.5, None]}
    raw = _read(raw=payload).raw
    assert raw is not None
    assert json.loads(raw) == payload
    assert _read(raw="\ud800").raw == b"\xed\xa0\x80"
    assert _read(raw=b"\x00\xff").raw == b"\x00\xff"
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert _why(raw=deep) == "Raw is not JSON that can be kept."


def test_the_digest_tells_an_edit_from_a_repeat() -> None:
    base = _read(title="t", rating=3, media=[{"url": "https://x.example/a"}]).digest()
    same = _read(
        title="t", rating=3, media=[{"url": "https://x.example/a"}], engagement={"likes": 9}, lang="nl"
    ).digest()
    assert base == same
    assert len(base) == 16
    changed: list[dict[str, Any]] = [
        {"text": "heel"},
        {"title": "u"},
        {"rating": 4},
        {"media": []},
        {"media": [{"name": "a", "size": 1}]},
        {"deleted_at": 1e9},
    ]
    others = [
        _read(**{"title": "t", "rating": 3, "media": [{"url": "https://x.example/a"}], **change}).digest()
        for change in changed
    ]
    assert len({base, *others}) == len(changed) + 1


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)) | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from(sorted(IncomingMention.model_fields))


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(FIELDS, VALUES, max_size=5), st.booleans())
def test_nothing_that_is_sent_breaks_the_doorstep(fields: dict[str, Any], complete: bool) -> None:
    good, bad = read_mentions([{**LEAST, **fields} if complete else fields, LEAST])
    assert len(good) + len(bad) == 2
    for _, mention in good:
        mention.text.encode()
        assert "\x00" not in mention.text
        assert mention.published_at <= NOON
        mention.digest()


def test_what_a_channel_made_itself_is_cleaned_too() -> None:
    author = IncomingAuthor(external_id="7", name="Jo\x00 Doe")
    media = (IncomingMedia(kind="image", url="https://x.example/1.png", alt="a\x00b"),)
    mention = IncomingMention(
        external_id="1", text="said", published_at=datetime(2026, 11, 20, tzinfo=UTC), author=author, media=media
    )
    assert mention.author == IncomingAuthor(external_id="7", name="Jo Doe")
    assert mention.media[0].alt == "ab"


def test_a_file_without_an_address_is_known_by_its_name_and_size() -> None:
    one, other = (_read(text="", media=[{"name": "a.pdf", "size": size}]) for size in (7, 8))
    assert one.media[0].model_dump(exclude_none=True) == {"kind": "file", "name": "a.pdf", "size": 7}
    assert one.digest() != other.digest()

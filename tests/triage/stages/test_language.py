"""Which language a text is in, short ones and foreign ones too."""

import gzip
import json
from pathlib import Path

import pytest

from services.triage.library import Library
from services.triage.stage import Briefing, Finding
from services.triage.stages import language
from tests.triage.building import a_mention

DATA = Path(__file__).parents[3].parent / "shared" / "data" / "language_dev.jsonl.gz"


def told(text: str, library: Library, *, languages: tuple[str, ...] = ("en", "nl"), hint: str | None = None) -> Finding:
    briefing = Briefing("w", "1", languages=languages).with_models(library)
    finding = language.assess([a_mention(text, lang_hint=hint)], briefing)[0].one("language")
    assert finding is not None
    return finding


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("no internet", "en"),
        ("geen internet", "nl"),
        ("@northwind storing?", "nl"),
        ("internet down", "en"),
        ("slecht", "nl"),
        ("nice!", "en"),
        ("@northwind jullie app doet het niet meer, ik kan niet inloggen", "nl"),
        ("My app crashed again and nobody answers", "en"),
        ("Wat een #fail zeg, weer vertraging!! https://t.example/abc", "nl"),
        ("Meine Rechnung ist schon wieder falsch, das ist unverschämt", "de"),
        ("Je ne peux pas me connecter depuis ce matin", "fr"),
        ("No me ha llegado el pedido todavía", "es"),
        ("لا يوجد إنترنت منذ الصباح", "ar"),
        ("インターネットが使えません", "ja"),
        ("Ek het nog geen internet nie", "nl"),
    ],
)
def test_language(library: Library, text: str, code: str) -> None:
    assert told(text, library).value == code


def test_what_the_venue_says_decides_where_there_are_no_words(library: Library) -> None:
    assert told("😡😡😡", library, hint="nl-NL").value == "nl"
    assert told("12345", library).value == "und"
    assert told("🔥", library, languages=("en",)).value == "en"


def test_a_hint_does_not_overrule_the_words(library: Library) -> None:
    assert told("my order has not arrived and nobody answers", library, hint="nl").value == "en"


def test_the_more_words_the_surer(library: Library) -> None:
    assert told("hoi", library).confidence < told("hoi, mijn pakket is niet aangekomen gisteren", library).confidence


@pytest.mark.skipif(not DATA.exists(), reason=f"{DATA} is not on this machine")
def test_real_sentences(library: Library) -> None:
    with gzip.open(DATA) as lines:
        rows = [json.loads(line) for line in lines]
    briefing = Briefing("w", "1").with_models(library)
    found = language.assess([a_mention(row["text"]) for row in rows], briefing)
    right: dict[str, list[bool]] = {}
    for row, outcome in zip(rows, found, strict=True):
        right.setdefault(row["lang"], []).append(outcome.value("language") == row["lang"])
    share = {code: sum(of) / len(of) for code, of in right.items()}
    print({code: round(of, 3) for code, of in share.items()})
    assert share["en"] > 0.98
    assert share["nl"] > 0.99
    assert all(share[code] > 0.9 for code in ("de", "fr", "es", "it", "pt"))

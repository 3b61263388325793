"""Texts that are made to hurt: each is analysed in less than a second, with places inside the text."""

import random
import sys
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.triage.library import ELIDES, SLOW_TO_LOAD, Library
from services.triage.pipeline import run
from services.triage.stage import Briefing
from tests.machine import slowness
from tests.triage.building import a_mention

random_letters = random.Random(7)
ZALGO = "".join("h" + "".join(chr(random_letters.randrange(0x300, 0x36F)) for _ in range(30)) for _ in range(2_000))
HOSTILE = {
    "punctuation": "!?" * 20_000,
    "dollars": "$" * 20_000,
    "brackets": "(" * 20_000,
    "emoji": "😡" * 20_000,
    "zwj emoji": "👩‍👩‍👧‍👦" * 4_000,
    "zalgo": ZALGO,
    "right to left": "\u202e" + "لا يوجد إنترنت " * 2_000,
    "one megabyte of words": "internet is down " * 62_000,
    "one megabyte of one word": "a" * 1_000_000,
    "one megabyte of digits": "1" * 1_000_000,
    "one megabyte of telephone numbers": "06-12345678 " * 83_000,
    "one megabyte of nearly telephone numbers": "1234567 " * 125_000,
    "digit groups": "12 34-56.78 " * 10_000,
    "at signs": "@" * 30_000,
    "nearly e-mails": "a@" * 15_000,
    "dots": "a." * 20_000,
    "handles": "@a1 " * 8_000,
    "nearly ibans": "NL91 ABNA 0417 " * 3_000,
    "lone surrogates": "no internet \ud800\udfff " * 500,
    "nul": "no internet\x00" * 1_000,
    "new lines": "\n" * 20_000,
    "links": "https://a.example/" + "x" * 5_000 + " " + "https://bit.ly/a " * 2_000,
    "gaps": "kan " * 5_000 + "niet inloggen",
    "drawn out": "slooooo" * 3_000,
    "capitals": "Aa Bb Cc " * 5_000,
    "streets": "Langestraatweglaan " * 2_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_text_is_analysed_in_a_second(telecom: Briefing, name: str) -> None:
    text = HOSTILE[name]
    mention = a_mention(text, owned=True)
    began = time.process_time()
    (outcome,) = run([mention], telecom).assessed()
    took = time.process_time() - began
    assert took < 1.0 * slowness()
    assert outcome.failed == ()
    _inside(outcome.findings, len(text))


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    st.lists(
        st.one_of(
            st.text(st.characters(exclude_categories=()), max_size=60),
            st.sampled_from([
                "no internet", "doet het niet", "€ 12,50", "ann@example.org", "NL91ABNA0417164300", "0612345678",
                "x" * 230, "🔥" * 210, "Northwind", "@northwind", "3 mei 2026", "1234 AB", "Damrak 12",
            ]),
        ),
        max_size=12,
    )
)  # fmt: skip
def test_places_are_inside_the_stored_text_and_entities_stand_there(telecom: Briefing, pieces: list[str]) -> None:
    mention = a_mention(" ".join(pieces), owned=True)
    (outcome,) = run([mention], telecom).assessed()
    assert outcome.failed == ()
    _inside(outcome.findings, len(mention.text))
    for entity in outcome.findings.get("entities", []):
        assert mention.text[entity["start"] : entity["end"]] == entity["text"]


def _inside(findings: dict[str, object], length: int) -> None:
    for found in findings.values():
        for one in found if isinstance(found, list) else [found]:
            if isinstance(one, dict) and "start" in one:
                assert 0 <= one["start"] < one["end"] <= length


@pytest.mark.parametrize("name", ["punctuation", "zwj emoji", "one megabyte of words", "capitals"])
def test_where_the_same_goes_on_and_on_the_model_does_not_look(library: Library, name: str) -> None:
    doc, ordinary = library.read([HOSTILE[name][:4_000], f"{'Anna Smith lives in Boston. ' * 2}{'!' * 20}"], "en")
    assert doc.ents == ()
    assert {entity.text for entity in ordinary.ents} >= {"Boston"}


@pytest.mark.parametrize("language", sorted(SLOW_TO_LOAD))
def test_a_first_text_in_a_language_does_not_wait_for_its_rules(library: Library, language: str) -> None:
    (doc,) = library.read(["L'internet ne marche pas d’ici, 12,50 € a@example.org."], language)
    assert f"spacy.lang.{language}" not in sys.modules
    words = [token.text for token in doc]
    assert words[-4:] == ["12,50", "€", "a@example.org", "."]
    assert ("internet" in words) == (language in ELIDES)

"""What identifies a private person is found and can be masked; what only looks like it is left."""

import gzip
import json
from pathlib import Path

import pytest

from services.triage.stage import Assessment, BrandBrief, Briefing
from services.triage.stages import pii
from shared.rules.masking import mask
from tests.triage.building import a_mention

DATA = Path(__file__).parents[3].parent / "shared" / "data" / "pii_dev.jsonl.gz"
BRIEFING = Briefing("w", "1")


def of(text: str, lang: str = "nl", briefing: Briefing = BRIEFING) -> Assessment:
    return pii.assess([a_mention(text, lang=lang)], briefing)[0]


def shown(text: str, lang: str = "nl") -> str:
    """The text with all that was found in it masked."""
    return mask(text, [one.to_json() for one in of(text, lang).many("pii")]).text


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("mail ann.de-vries+x@mail.example.org!", "mail [email]!"),
        ("bel me op 06-12345678 of 0201234567", "bel me op [phone] of [phone]"),
        ("call me at +44 20 7946 0958 please", "call me at [phone] please"),
        ("mijn IBAN is NL91 ABNA 0417 1643 00 graag", "mijn IBAN is [iban] graag"),
        ("NL91ABNA0417164300", "[iban]"),
        ("kaart 4111 1111 1111 1111", "kaart [card]"),
        ("BSN 111222333", "BSN [national_id]"),
        ("my SSN is 514-69-0360", "my SSN is [national_id]"),
        ("1234 AB Utrecht", "[postcode] Utrecht"),
        ("Damstraat 12a in Haarlem", "[address] in Haarlem"),
        ("10 Downing Street, SW1A 2AA", "[address], [postcode]"),
        ("mijn naam is Jan van der Berg en ik bel", "mijn naam is [name] en ik bel"),
        ("Kapot.\nMet vriendelijke groet,\nPiet Jansen", "Kapot.\nMet vriendelijke groet,\n[name]"),
        ("sprak met mevrouw De Vries", "sprak met mevrouw [name]"),
    ],
)
def test_found_and_masked(text: str, masked: str) -> None:
    assert shown(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "order 0612345678 is er nog niet",
        "bestelnummer 20123456789",
        "op 12-03-2026 om 14:30",
        "4111 1111 1111 1112",  # fails the Luhn check
        "NL91 ABNA 0417 1643 01",  # fails its check digits
        "BSN 111222334",  # fails the test of eleven
        "server 192.168.100.200",
        "in 2026 OK",
        "1000 EU",
        "€ 1234567,89",
        "a@b",
        "5000 mensen",
    ],
)
def test_what_only_looks_like_it(text: str) -> None:
    assert shown(text) == text


def test_no_finding_repeats_what_it_found() -> None:
    text = "ann@example.org 4111 1111 1111 1111 NL91ABNA0417164300 06-12345678 BSN 111222333"
    for finding in of(text).many("pii"):
        told = json.dumps(finding.to_json())
        assert text[finding.start : finding.end] not in told
        assert finding.value == f"[{finding.extra['type']}]"


def test_the_whole_text_is_looked_at() -> None:
    text = "word " * 8_000 + "ann@example.org"
    assert shown(text).endswith("word [email]")


@pytest.mark.parametrize(
    ("text", "lang", "masked"),
    [
        ("wohne Hauptstraße 5, 10115 Berlin", "de", "wohne [address], [postcode] Berlin"),
        ("12 rue de Rivoli, code postal 75001", "fr", "[address], code postal [postcode]"),
        ("vivo en Calle Mayor 12", "es", "vivo en [address]"),
        ("abito in Via Garibaldi 3", "it", "abito in [address]"),
        ("B-1000 Brussel", "nl", "[postcode] Brussel"),
        ("Springfield, IL 62704", "en", "Springfield, [postcode]"),
        ("P.O. Box 149 please", "en", "[address] please"),
        ("from 81.2.69.142 all day", "en", "from [ip_address] all day"),
        ("appelle-moi au 01.84.17.61.18", "fr", "appelle-moi au [phone]"),
        ("Viele Grüße, Jürgen Müller", "de", "Viele Grüße, [name]"),
        ("groetjes, J. van der Wal", "nl", "groetjes, [name]"),
    ],
)
def test_other_countries(text: str, lang: str, masked: str) -> None:
    assert shown(text, lang) == masked


@pytest.mark.parametrize(
    "text",
    [
        "During 1971 May died",
        "version 10.0.19.4 of the app",
        "the 3.12.1.0 release",
        "a 5 star Way to go",
        "Spring 2026",
    ],
)
def test_what_only_looks_like_it_in_english(text: str) -> None:
    assert shown(text, "en") == text


def test_whoever_speaks_for_the_brand_is_no_private_person() -> None:
    briefing = Briefing(
        "w", "1", brands=(BrandBrief("b", "Dr. Oetker", product_lines=("Mr Muscle",)),), agents=("Anna Smit",)
    )
    text = "mijn naam is Anna Smit, ik koop Mr Muscle en Dr. Oetker, mijn naam is Piet Jansen"
    found = [text[one.start : one.end] for one in of(text, "nl", briefing).many("pii")]
    assert found == ["Piet Jansen"]


@pytest.mark.skipif(not DATA.exists(), reason=f"{DATA} is not on this machine")
def test_synthetic_set() -> None:
    types = {"EMAIL_ADDRESS": "email", "PHONE_NUMBER": "phone", "IBAN_CODE": "iban", "CREDIT_CARD": "card",
             "US_SSN": "national_id", "IP_ADDRESS": "ip_address"}  # fmt: skip
    with gzip.open(DATA) as lines:
        rows = [json.loads(line) for line in lines]
    hit = dict.fromkeys(types.values(), 0)
    missed, wrong = dict(hit), dict(hit)
    for row in rows:
        found = [(one.extra["type"], one.start or 0, one.end or 0) for one in of(row["text"], "en").many("pii")]
        wanted = [(types[span["type"]], span["start"], span["end"]) for span in row["spans"] if span["type"] in types]
        for kind, start, end in wanted:
            if any(kind == other and start < until and since < end for other, since, until in found):
                hit[kind] += 1
            else:
                missed[kind] += 1
        for kind, start, end in found:
            if kind in wrong and not any(kind == k and start < until and since < end for k, since, until in wanted):
                wrong[kind] += 1
    recall = {kind: hit[kind] / (hit[kind] + missed[kind]) for kind in hit}
    precision = {kind: hit[kind] / max(1, hit[kind] + wrong[kind]) for kind in hit}
    print("recall", recall, "precision", precision)
    assert min(recall[kind] for kind in ("email", "iban", "card", "national_id", "ip_address")) == 1.0
    assert recall["phone"] > 0.95
    assert precision["phone"] > 0.9

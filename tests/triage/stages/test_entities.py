"""Who and what is named: the workspace's names, then rules, then the model."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from spacy.tokens import Span

from services.triage.stage import Assessment, Briefing
from services.triage.stages import entities
from tests.triage.building import a_mention


def found(text: str, briefing: Briefing, lang: str = "en", **fields: Any) -> Assessment:
    return entities.assess([a_mention(text, lang=lang, **fields)], briefing)[0]


def pairs(text: str, briefing: Briefing, lang: str = "en", **fields: Any) -> set[tuple[str, str]]:
    return {(one.extra["type"], one.value) for one in found(text, briefing, lang, **fields).many("entities")}


@pytest.mark.parametrize(
    ("text", "lang", "kind", "value"),
    [
        ("order 12345678 is late", "en", "ORDER_NUMBER", "12345678"),
        ("Order no. AB-123456 is late", "en", "ORDER_NUMBER", "AB-123456"),
        ("bestelnummer: 2026/00451", "nl", "ORDER_NUMBER", "2026/00451"),
        ("mijn bestelling #98765 is kwijt", "nl", "ORDER_NUMBER", "98765"),
        ("booking XKLDPQ please", "en", "ORDER_NUMBER", "XKLDPQ"),
        ("track 3SABCD123456789 says nothing", "en", "ORDER_NUMBER", "3SABCD123456789"),
        ("€ 1.234,50 te veel", "nl", "MONEY", "EUR 1234.50"),
        ("paid $1,234.5 for it", "en", "MONEY", "USD 1234.50"),
        ("12,50 euro", "nl", "MONEY", "EUR 12.50"),
        ("€25,- kwijt", "nl", "MONEY", "EUR 25.00"),
        ("20 quid", "en", "MONEY", "GBP 20.00"),
        ("$5k", "en", "MONEY", "USD 5000.00"),
        ("on 2026-11-03", "en", "DATE", "2026-11-03"),
        ("op 3-11-2026", "nl", "DATE", "2026-11-03"),
        ("13/12/26", "en", "DATE", "2026-12-13"),
        ("3 maart", "nl", "DATE", "2027-03-03"),
        ("March 3rd, 2026", "en", "DATE", "2026-03-03"),
        ("gisteren gebeld", "nl", "DATE", "2026-11-19"),
        ("see you tomorrow", "en", "DATE", "2026-11-21"),
        ("op maandag", "nl", "DATE", "monday"),
        ("sinds maandag", "nl", "DATE", "2026-11-16"),
        ("next Friday", "en", "DATE", "2026-11-27"),
        ("this Wednesday", "en", "DATE", "2026-11-25"),
        ("last Friday", "en", "DATE", "2026-11-13"),
        ("vrijdag volgende week", "nl", "DATE", "2026-11-27"),
        ("2 weeks ago", "en", "DATE", "2026-11-06"),
        ("drie dagen geleden", "nl", "DATE", "2026-11-17"),
        ("last week", "en", "DATE", "2026-W46"),
        ("in oktober 2026", "nl", "DATE", "2026-10"),
        ("op 31/12", "nl", "DATE", "2026-12-31"),
        ("morgen graag", "nl", "DATE", "2026-11-21"),
        ("am 3. März 2026", "de", "DATE", "2026-03-03"),
        ("vor 3 Tagen", "de", "DATE", "2026-11-17"),
        ("il y a 3 jours", "fr", "DATE", "2026-11-17"),
        ("lundi dernier", "fr", "DATE", "2026-11-16"),
        ("el 3 de mayo de 2026", "es", "DATE", "2026-05-03"),
        ("lunedì scorso", "it", "DATE", "2026-11-16"),
        ("há 3 dias", "pt", "DATE", "2026-11-17"),
        ("twintig euro", "nl", "MONEY", "EUR 20.00"),
        ("1,5 miljoen euro", "nl", "MONEY", "EUR 1500000.00"),
        ("1 250,50 euros", "fr", "MONEY", "EUR 1250.50"),
        ("R$ 12,50", "pt", "MONEY", "BRL 12.50"),
        ("um 14 Uhr", "de", "TIME", "14:00"),
        ("à 14h30", "fr", "TIME", "14:30"),
        ("mijn vliegtuig, de XZ514, had vertraging", "nl", "FLIGHT", "XZ514"),
        ("bel 06-12345678", "nl", "PHONE", "+31612345678"),
        ("call (212) 555-2368", "en", "PHONE", "+12125552368"),
        ("1234ab staat niet, 1234AB wel", "nl", "POSTCODE", "1234 AB"),
        ("SW1A2AA", "en", "POSTCODE", "SW1A 2AA"),
        ("Hauptstraße 5, 10115 Berlin", "de", "POSTCODE", "10115"),
        ("it says AB-1234567", "en", "ORDER_NUMBER", "AB-1234567"),
        ("so tired of #NorthwindMobile", "en", "BRAND", "Northwind"),
        ("ik woon in Delfzijl", "nl", "PLACE", "Delfzijl"),
        ("bus naar Langweer mist", "nl", "PLACE", "Langweer"),
        ("gesproken met Annemiek Terpstra", "nl", "PERSON", "Annemiek Terpstra"),
        ("mevrouw de Vries hielp mij", "nl", "PERSON", "de Vries"),
        ("J. van der Wal belt niet terug", "nl", "PERSON", "J. van der Wal"),
        ("at 2:30 pm", "en", "TIME", "14:30"),
        ("om 14.30 uur", "nl", "TIME", "14:30"),
        ("from 9am", "en", "TIME", "09:00"),
        ("flight KL 1234 delayed", "en", "FLIGHT", "KL1234"),
        ("vlucht hv5132", "nl", "FLIGHT", "HV5132"),
        ("trein 3045 valt uit", "nl", "TRAIN", "3045"),
        ("ask @some_one.else", "en", "HANDLE", "@some_one.else"),
        ("hi @northwind", "en", "BRAND", "Northwind"),
        ("my WINDPHONE is dead", "en", "PRODUCT", "WindPhone"),
        ("lives in Amsterdam and works for Microsoft", "en", "PLACE", "Amsterdam"),
        ("Ik woon in Den Haag", "nl", "PLACE", "Den Haag"),
        ("Barack Obama visited Germany", "en", "PERSON", "Barack Obama"),
        ("got a flight at 11:55am on Thursday", "en", "TIME", "11:55"),
        ("flight 4443.We arrived at dca", "en", "FLIGHT", "4443"),
        ("flight 849's delays", "en", "FLIGHT", "849"),
        ("terwijl mijn vlucht om 20:30 ging", "nl", "TIME", "20:30"),
        ("koffer vergeten in trein 16.40 naar Zutphen", "nl", "TIME", "16:40"),
        ("I like it on at 8.30.", "en", "TIME", "08:30"),
        ("Sat 13.25 with Cat", "en", "TIME", "13:25"),
        ("op de halte staat 7.42", "nl", "TIME", "07:42"),
        ("Dr. Seuss’s first book", "en", "PERSON", "Seuss"),
        ("Geen antwoord.\n\nMet vriendelijke groet, Fam. Terpstra", "nl", "PERSON", "Terpstra"),
        ("I have to drive with Ms. Pope Saturday", "en", "PERSON", "Pope"),
    ],
)
def test_entities(telecom: Briefing, text: str, lang: str, kind: str, value: str) -> None:
    assert (kind, value) in pairs(text, telecom, lang)


@pytest.mark.parametrize(
    ("text", "lang", "kind"),
    [
        ("ORDER STATUS PLEASE", "en", "ORDER_NUMBER"),
        ("may 5 people come", "en", "DATE"),
        ("mail ann@example.org", "en", "HANDLE"),
        ("version 2.14.30", "en", "TIME"),
        ("ik wil het beste", "nl", "PLACE"),
        ("I have nothing to say here", "en", "PERSON"),
        ("open 24/7", "en", "DATE"),
        ("on 3/4 of the days", "en", "DATE"),
        ("goede morgen", "nl", "DATE"),
        ("Guten Morgen", "de", "DATE"),
        ("por la mañana", "es", "DATE"),
        ("1000 EU burgers", "nl", "POSTCODE"),
        ("lid sinds Kerst, in Excel", "nl", "PLACE"),
        ("de U.S. Open", "nl", "PERSON"),
        ("order XZ514", "en", "FLIGHT"),
        ("I got a flight at 11:55am on Thursday", "en", "FLIGHT"),
        ("flight is 100% full", "en", "FLIGHT"),
        ("hope to make my flight in 12 hours", "en", "FLIGHT"),
        ("impression on my first flight. 20 minutes before boarding", "en", "FLIGHT"),
        ("vuelo24.es sells too cheap", "es", "FLIGHT"),
        ("koffer vergeten in trein 16.40 naar Zutphen", "nl", "TRAIN"),
        ("Soul Train 70’s Halloween", "en", "TRAIN"),
        ("to opt out text STOP, £1.50 a message", "en", "TIME"),
        ("I just finished a 9.02 km run", "en", "TIME"),
        ("booked for 2.24, has to be a nonstop", "en", "TIME"),
        ("14-7 with 2:22 left in the game", "en", "TIME"),
        ("row C. Fans should hate it", "en", "PERSON"),
        ("a letter to U of O. Can’t believe it", "en", "PERSON"),
        ("in the L.A. Times", "en", "PERSON"),
        ("the next Miss America", "en", "PERSON"),
    ],
)
def test_what_is_none(telecom: Briefing, text: str, lang: str, kind: str) -> None:
    assert kind not in {one for one, _ in pairs(text, telecom, lang)}


def test_what_the_model_takes_for_people_is_held_against_its_form(telecom: Briefing) -> None:
    """An airport's code is a place, and what has signs that no name has is nobody."""
    text = "JFK and LAX were closed, KLM called, LAX->JFK is gone, ANN answered."
    doc = telecom.models.read([text], "en", entities=False)[0]
    words = {token.text: token.i for token in doc}
    spans = [("JFK", "PERSON"), ("LAX", "ORG"), ("KLM", "PERSON"), ("ANN", "PERSON")]
    doc.ents = [Span(doc, words[word], words[word] + 1, label=label) for word, label in spans]
    a = a_mention(text)
    known = [(one.value, one.kind) for one in entities._recognised(doc, "model", a, telecom.models.words("airports"))]
    assert known == [("JFK", "PLACE"), ("LAX", "PLACE")]
    assert not entities._may_be_a_person("LAX->JFK", text)
    assert entities._may_be_a_person("ANN", "MY NAME IS ANN")


def test_the_workspaces_names_come_before_the_model_and_nothing_overlaps(telecom: Briefing) -> None:
    mention = found("Northwind Mobile in London charged Jane Doe $20 on 3 May 2026 for order 55512345", telecom)
    places = [(one.start or 0, one.end or 0) for one in mention.many("entities")]
    assert places == sorted(places)
    assert all(end <= start for (_, end), (start, _) in pairwise(places))
    brand = mention.many("entities")[0]
    assert (brand.value, brand.extra["text"], brand.decided_by) == (
        "Northwind",
        "Northwind Mobile",
        "entities.gazetteer",
    )
    assert any(one.decided_by.startswith("en_webcare_ner-") for one in mention.many("entities"))


def test_a_name_of_the_workspace_leads_to_its_brand_and_product(telecom: Briefing) -> None:
    brand, product = found("Northwind sold me a windphone", telecom).many("entities")
    assert (brand.extra["brand_id"], "product" in brand.extra) == ("brand-1", False)
    assert (product.extra["brand_id"], product.extra["product"]) == ("brand-1", "WindPhone")


def test_the_workspaces_own_references(telecom: Briefing) -> None:
    briefing = replace(telecom, order_number_patterns=(r"NW-[A-Z]{3}\d{2}",)).with_models(telecom.models)
    assert ("ORDER_NUMBER", "NW-ABC12") in pairs("it says NW-ABC12 on it", briefing)


def test_places_lead_to_the_stored_text_behind_a_long_run(telecom: Briefing) -> None:
    text = "x" * 450 + " order 12345678 for $20"
    mention = found(text, telecom)
    assert {text[one.start : one.end] for one in mention.many("entities")} >= {"12345678", "$20"}


def test_which_day_comes_first_depends_on_the_country(telecom: Briefing) -> None:
    assert ("DATE", "2026-03-04") in pairs("on 3/4/2026", telecom, country="US")
    assert ("DATE", "2026-04-03") in pairs("on 3/4/2026", telecom)


@pytest.mark.parametrize(
    "text",
    [
        "Call me on 0612345678 please",
        "my number is 06 1234 5678",
        "call 020-6490787",
        "text me on 2025550143",
        "Reach me at 212 555 0199 thanks",
    ],
)
def test_a_telephone_number_is_no_date(telecom: Briefing, text: str) -> None:
    assert {kind for kind, _ in pairs(text, telecom)}.isdisjoint({"DATE", "TIME", "MONEY"})


def test_a_date_beside_a_telephone_number_stays_one(telecom: Briefing) -> None:
    said = "I wait since 3 March 2026, call me on 0612345678"
    assert [(one.extra["type"], one.value) for one in found(said, telecom).many("entities")] == [
        ("DATE", "2026-03-03"),
        ("PHONE", "+31612345678"),
    ]

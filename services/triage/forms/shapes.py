"""What rules can read from the shape of words: amounts, days, times, references, flights, trains, postcodes, telephone
numbers, handles.

Each reader yields places in the text that it is given, with their normal forms: `EUR 12.50`, `2026-11-22`, `14:30`,
`KL1234`, `1234 AB`, `+31612345678`, `@handle`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from services.triage.forms import amounts, days, postcodes, telephone
from services.triage.reading import Word

_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Place(NamedTuple):
    """Something named in a text: its type, normal form and place (code points of the text that was read). `links` are
    what it is linked to: `brand_id`, `product`."""

    kind: str
    value: str
    start: int
    end: int
    confidence: float
    why: str
    by: str
    links: Mapping[str, Any] = _NOTHING


BY: Final = "entities.rules"

_REFERENCE = re.compile(
    r"(?<!\w)(?i:orders?|ordernummer|bestelling|bestelnummer|ref|reference|referentie|referentienummer|case|ticket"
    r"|zaak|zaaknummer|klantnummer|customer|account|booking|boeking|boekingsnummer|boekingscode|reservation|reservering"
    r"|reserveringsnummer|confirmation|pnr|tracking|track[ ]?(?:&|and|en)[ ]?trace|factuur|factuurnummer|invoice"
    r"|dossier|dossiernummer|kenmerk|polisnummer|serienummer|contractnummer|meldingsnummer|storingsnummer|pakket|parcel"
    r"|bestellung|bestellnummer|bestellnr|auftragsnummer|kundennummer|rechnungsnummer|sendungsnummer|buchungsnummer|buchung"
    r"|commande|numéro[ ]de[ ]commande|réservation|dossier[ ]client|pedido|reserva|localizador|factura|ordine|prenotazione|encomenda)"
    r"(?:[ ](?i:no|nr|number|nummer|num|code|id|ref|reference|n°|nº))?\.?(?:[ ](?i:is|was|ist|est|es))?[ ]?[:#]{0,2}[ ]?#?"
    r"(?P<code>(?:[A-Z]{2,4}[ ](?=\d{1,6}-?\d{3})|[A-Za-z]{0,6}[-/]?)\d[\dA-Za-z/-]{2,22})(?![\w-])"
)
_BOOKING = re.compile(
    r"(?<!\w)(?i:booking|boeking|boekingscode|reservation|reservering|confirmation|pnr|buchung|réservation|reserva)"
    r"(?:[ ](?i:no|nr|number|nummer|code|ref|reference))?(?:[ ](?i:is|was))?[ ]?[:#]?[ ]?(?P<code>[A-Z0-9]{6})(?![\w-])"
)
_BOOKS = re.compile(
    r"(?<!\w)(?i:boek\w{0,12}|geboekt|book\w{0,6}|reserv\w{0,10}|check-?in\w{0,6}|ingecheckt|pnr|buchung\w{0,8}|gebucht|réserv\w{0,8}|ticket\w{0,2}"
    r"|vlucht\w{0,8}|flight\w{0,2})(?!\w)"
)
_MIXED = re.compile(r"(?<![\w-])(?=[A-Z0-9]{0,5}\d)(?=[A-Z0-9]{0,5}[A-Z])[A-Z0-9]{6}(?![\w-])")
_SIX = re.compile(r"[A-Z0-9]{6}")
_TRACKING = re.compile(
    r"(?<![\w-])(?:3S[A-Z0-9]{9,15}|1Z[0-9A-Z]{16}|JVGL\d{10,20}|[A-Z]{2}\d{9}[A-Z]{2}|#\d{5,12})(?![\w-])"
)
_LETTERED = re.compile(r"(?<![\w-])[A-Z]{2,4}\d{0,3}-(?=[\d-]{5,16}(?![\w-]))\d[\d-]{3,14}\d(?![\w-])")
_TIME = re.compile(
    r"(?<![\w.,:£$€])(?:(?P<h>[01]?\d|2[0-3])(?P<sep>[:.])(?P<min>[0-5]\d)"
    r"(?P<said>[ ]?(?P<half>(?i:am|pm|a\.m\.|p\.m\.))|[ ]?(?i:uur|u|h|uhr|hrs|hours)(?!\w))?"
    r"|(?P<h2>1[0-2]|0?[1-9])[ ]?(?P<half2>(?i:am|pm))"
    r"|(?P<h4>[01]?\d|2[0-3])[ ]?[uhU](?P<min4>[0-5]\d)"
    r"|(?P<h3>[01]?\d|2[0-3])[ ](?:(?i:uur)(?=[ ](?i:'s|vanavond|vanmorgen|vanmiddag|morgen))|Uhr))(?![\w:])"
)
_BEFORE_TIME: Final = re.compile(
    r"(?:[@&–-]|\b(?:at|by|before|after|until|till|til|from|since|around|about|past|om|tot|vanaf|sinds|voor|vóór|na|rond|tegen|tussen|en|and"
    r"|um|ab|bis|vor|nach|gegen|seit|today|tomorrow|tonight|morning|afternoon|evening|night|now|vandaag|morgen|gisteren|vanochtend"
    r"|vanmorgen|vanmiddag|vanavond|vannacht|nu|(?:mon|tues?|wed(?:nes)?|weds|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?"
    r"|(?:maan|dins|woens|donder|vrij|zater|zon)dag|ma|di|wo|do|vr|za|zo))[ ]?$",
    re.IGNORECASE,
)
"""Words behind which 7.30 is a time of day. Elsewhere it is a number with decimals, but in Dutch and German."""
_POINTED: Final = ("nl", "de")
"""Languages in which a time is written with a point."""
_NO_TIME: Final = re.compile(
    r"[ ]?(?i:left|remaining|to[ ]play|to[ ]go|km|kg|kilo|gb|mb|%|euro|each|per|sec|x|°|graden|degrees|mln|miljoen|million)(?!\w)"
)
"""Behind a number that counts something: an amount, a distance, the rest of a match."""
_CLOCK = re.compile(
    r"(?<!\w)(?i:at|om|tegen|rond|vanaf|tot|um|ab|bis|morgen|vandaag|gisteren|vanavond|vanmiddag)[ ]"
    r"(?P<all>(?P<h>[01]?\d|2[0-3])[ ]?(?i:uur|uhr|o'clock|u)(?!\w))"
)
_NO_COUNT: Final = (
    r"(?![.:,]\d|\.[a-z]{2,3}(?!\w))(?![ ]?(?i:%|min|mins|minutes?|minuten|minuut|hrs?|hours?|uur|uren|h|days?|dagen|dag|weeks?|weken"
    r"|months?|maanden|years?|jaar|times|keer|people|seats|stoelen|mensen|miles|km|dollars?|euros?|am|pm)(?!\w))"
)
"""Behind a number that counts something, or begins a time, an amount or an address on the internet."""
_FLIGHT = re.compile(
    r"(?<!\w)(?:(?:(?i:flight|flt|vlucht|vluchtnummer|flug|vuelo|volo|voo)[ ]?(?i:no|nr|number|nummer)?\.?|(?i:vol))[ ]?#?[ ]?"
    r"(?P<any>(?:(?:[A-Z]{2}|[A-Z]\d|\d[A-Z])[ ]?|[a-z]{2})?\d{2,4})"
    r"|(?P<known>(?:KL|HV|TO|BA|LH|AF|AA|UA|DL|WN|B6|FR|U2|EZY|SN|LX|OS|IB|VY|EK|QR|TK|EI|AC|QF|SQ|CX|WZ|W6|TP|SK|AY|LO)"
    r"[ ]?\d{2,4}))(?![\w-])" + _NO_COUNT
)
_FLIES = re.compile(
    r"(?<!\w)(?i:vlucht\w{0,10}|vlieg\w{0,8}|flights?|fly|flying|flew|plane|gate|boarding|airport|luchthaven|schiphol|landed|landing"
    r"|geland|vertrek|kapitein|captain|piloot|pilot|crew|boord|onboard|flug|flughafen|vuelo|aeropuerto|aéroport|aeroporto|bagage|luggage|baggage|koffers?)(?!\w)"
)
_CODED = re.compile(
    r"(?<![\w-])(?!(?:IN|OP|OM|EN|TE|DE|NR|NO|OF|AT|ON|US|EU|NL|UK|ER|IK|WE|BY|TO|IS|IT|SO|PM|AM|OK|GB|MB|TV|AD|AB|LE|LA|EL|IL)[ \d])"
    r"(?:[A-Z]{2}[ ]?\d{2,4})(?![\w-])"
)
_TRAIN = re.compile(
    r"(?<!\w)(?:(?i:train|trein|treinnummer|zug|treno|tren)[ ](?:(?i:no|nr|number|nummer)\.?[ ])?(?P<n>\d{2,6})"
    r"|(?P<kind>ICE|ICD|IC|EC|RE|RB|NJ|THA|Thalys|Eurostar|Sprinter|TGV|Intercity|Nightjet)[ ](?P<n2>\d{2,6}))(?![\w-]|['’]s)"
    + _NO_COUNT
)
_HANDLE = re.compile(r"(?<![\w@/.])@\w[\w.]{0,48}\w(?:@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8})?")


def read(
    text: str,
    words: Sequence[Word],
    language: str,
    published: date,
    country: str | None,
    own: Sequence[re.Pattern[str]],
) -> Iterator[Place]:
    """Everything that a rule can read in the text, surest first; places may overlap. `published` says what day
    "yesterday" was, `country` which way round 3/4/2026 is, `own` are the workspace's patterns of references."""
    for pattern in own:
        for match in pattern.finditer(text):
            yield _place("ORDER_NUMBER", match.group(), match, 0, 0.95, "a reference as the workspace writes it")
    if "@" in text:
        for match in _HANDLE.finditer(text):
            yield _place("HANDLE", match.group().lower(), match, 0, 0.95, "a handle")
    figures = any(map(str.isdigit, text))
    for amount in amounts.read(text, words, language):
        yield Place("MONEY", *amount, BY)
    if figures:
        yield from _said_to_be(_REFERENCE, text)
        for number in telephone.read(text, language, country):
            yield Place("PHONE", number.value, number.start, number.end, number.confidence, number.why, BY)
    for day in days.read(text, words, language, published, country):
        yield Place("DATE", *day, BY)
    if figures:
        yield from _journeys(text)
        yield from _times(text, language)
        for code in postcodes.read(text):
            yield Place("POSTCODE", *code, BY)
        yield from _references(text)
    if _SIX.search(text):
        yield from _bookings(text)


def _place(kind: str, value: str, match: re.Match[str], group: int | str, sure: float, why: str) -> Place:
    return Place(kind, value, match.start(group), match.end(group), sure, why, BY)


def _references(text: str) -> Iterator[Place]:
    for pattern, sure in ((_TRACKING, 0.8), (_LETTERED, 0.65)):
        for match in pattern.finditer(text):
            yield _place("ORDER_NUMBER", match.group(), match, 0, sure, "has the form of a reference")


def _said_to_be(pattern: re.Pattern[str], text: str) -> Iterator[Place]:
    for match in pattern.finditer(text):
        said = " ".join(match.group().split())[:40]
        yield _place("ORDER_NUMBER", match.group("code"), match, "code", 0.85, f"said to be one: '{said}'")


def _bookings(text: str) -> Iterator[Place]:
    yield from _said_to_be(_BOOKING, text)
    if _BOOKS.search(text):
        for match in _MIXED.finditer(text):
            why = "has the form of a booking code in a text about booking"
            yield _place("ORDER_NUMBER", match.group(), match, 0, 0.65, why)


def _journeys(text: str) -> Iterator[Place]:
    for match in _FLIGHT.finditer(text):
        group = "any" if match.group("any") else "known"
        yield _place("FLIGHT", match.group(group).upper().replace(" ", ""), match, group, 0.85, "a flight number")
    for match in _TRAIN.finditer(text):
        kind = f"{match.group('kind')} " if match.group("kind") else ""
        yield _place("TRAIN", kind + (match.group("n") or match.group("n2")), match, 0, 0.85, "a train number")
    if _FLIES.search(text):
        for match in _CODED.finditer(text):
            value = match.group().replace(" ", "")
            yield _place("FLIGHT", value, match, 0, 0.65, "has the form of a flight number in a text about flying")


def _times(text: str, language: str) -> Iterator[Place]:
    for match in _TIME.finditer(text):
        if not _may_be_a_time(match, text, language):
            continue
        hour = int(match.group("h") or match.group("h2") or match.group("h4") or match.group("h3"))
        half = (match.group("half") or match.group("half2") or "").lower()[:1]
        if half == "p" and hour < 12:
            hour += 12
        elif half == "a" and hour == 12:
            hour = 0
        minutes = match.group("min") or match.group("min4") or "00"
        yield _place("TIME", f"{hour:02d}:{minutes}", match, 0, 0.75, "a time of day")
    for match in _CLOCK.finditer(text):
        yield _place("TIME", f"{int(match.group('h')):02d}:00", match, "all", 0.75, "a time of day")


def _may_be_a_time(match: re.Match[str], text: str, language: str) -> bool:
    if match.group("sep") is None or match.group("said"):
        return True
    if _NO_TIME.match(text, match.end()):
        return False
    if match.group("sep") == ":" or language in _POINTED:
        return True
    return bool(_BEFORE_TIME.search(text[max(0, match.start() - 12) : match.start()]))

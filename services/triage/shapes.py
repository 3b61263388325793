"""What rules can read from the shape of words: amounts, dates, times, references, flights, trains, handles.

Each reader yields places in the text that it is given, with their normal forms: `EUR 12.50`, `2026-11-22`,
`monday`, `14:30`, `KL1234`, `@handle`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Final, NamedTuple

from services.triage.reading import Word


class Place(NamedTuple):
    """Something named in a text: its type, normal form and place (code points of the text that was read)."""

    kind: str
    value: str
    start: int
    end: int
    confidence: float
    why: str
    by: str


BY: Final = "entities.rules"

_REFERENCE = re.compile(
    r"(?<!\w)(?i:orders?|ordernummer|bestelling|bestelnummer|ref|reference|referentie|referentienummer|case|ticket"
    r"|zaak|zaaknummer|klantnummer|customer|account|booking|boeking|boekingsnummer|boekingscode|reservation|reservering"
    r"|reserveringsnummer|confirmation|pnr|tracking|track[ ]?(?:&|and|en)[ ]?trace|factuur|factuurnummer|invoice"
    r"|dossier|dossiernummer|kenmerk|polisnummer|serienummer|contractnummer)"
    r"(?:[ ](?i:no|nr|number|nummer|num|code|id|ref|reference))?\.?(?:[ ](?i:is|was))?[ ]?[:#]{0,2}[ ]?#?"
    r"(?P<code>[A-Za-z]{0,6}[-/]?\d[\dA-Za-z/-]{2,22})(?![\w-])"
)
_BOOKING = re.compile(
    r"(?<!\w)(?i:booking|boeking|boekingscode|reservation|reservering|confirmation|pnr)"
    r"(?:[ ](?i:no|nr|number|nummer|code|ref|reference))?(?:[ ](?i:is|was))?[ ]?[:#]?[ ]?(?P<code>[A-Z0-9]{6})(?![\w-])"
)
_SIX = re.compile(r"[A-Z0-9]{6}")
_TRACKING = re.compile(
    r"(?<![\w-])(?:3S[A-Z0-9]{9,15}|1Z[0-9A-Z]{16}|JVGL\d{10,20}|[A-Z]{2}\d{9}[A-Z]{2}|#\d{5,12})(?![\w-])"
)
_AMOUNT = r"\d{1,3}(?:[.,' ]\d{3})+(?:[.,]\d{1,2})?|\d+(?:[.,]\d{1,2})?"
_MONEY = re.compile(
    rf"(?<![\w.,])(?:(?P<sign>€|£|\$|¥|(?i:EUR|USD|GBP|CHF)[ ]?)[ ]?(?P<n1>{_AMOUNT})(?:,-)?(?P<k>[kKmM](?!\w))?"
    rf"|(?P<n2>{_AMOUNT})(?:,-)?[ ]?"
    r"(?P<word>€|£|(?i:euro's|euros|euro|eur|dollars|dollar|usd|bucks|pounds|pound|quid|gbp|chf)(?!\w)))"
)
_CURRENCIES: Final = {
    "EUR": "€ eur euro euros euro's",
    "USD": "$ usd dollar dollars bucks",
    "GBP": "£ gbp pound pounds quid",
    "JPY": "¥",
    "CHF": "chf",
}
_CURRENCY: Final = {word: code for code, words in _CURRENCIES.items() for word in words.split()}
_MONTHS: Final = (
    "january jan januari", "february feb februari", "march mar maart mrt", "april apr", "may mei", "june jun juni",
    "july jul juli", "august aug augustus", "september sep sept", "october oct oktober okt", "november nov",
    "december dec",
)  # fmt: skip
_MONTH_NUMBER: Final = {name: number for number, names in enumerate(_MONTHS, 1) for name in names.split()}
_ALSO_WORDS: Final = frozenset({"may", "mar", "jan"})
_MONTH = "|".join(sorted(_MONTH_NUMBER, key=len, reverse=True))
_DATE = re.compile(
    rf"(?<![\w/.-])(?:(?P<y>(?:19|20)\d\d)[-/.](?P<m>\d{{1,2}})[-/.](?P<d>\d{{1,2}})"
    rf"|(?P<a>\d{{1,2}})(?P<s>[-/.])(?P<b>\d{{1,2}})(?P=s)(?P<c>(?:19|20)?\d\d)"
    rf"|(?P<d2>\d{{1,2}})(?:st|nd|rd|th|e)?[ ](?:of[ ])?(?P<m2>(?i:{_MONTH}))(?:[ ,.]{{1,2}}(?P<y2>(?:19|20)\d\d))?"
    rf"|(?P<m3>(?i:{_MONTH}))[ ](?P<d3>\d{{1,2}})(?:st|nd|rd|th)?(?:[ ,]{{1,2}}(?P<y3>(?:19|20)\d\d))?)(?![\w/-])"
)
_DAYS_AWAY: Final[Mapping[str, Mapping[str, int]]] = {
    "en": {"today": 0, "tonight": 0, "yesterday": -1, "tomorrow": 1},
    "nl": {"vandaag": 0, "vanavond": 0, "vanmorgen": 0, "vanmiddag": 0, "gisteren": -1, "gisteravond": -1,
           "eergisteren": -2, "overmorgen": 2},
}  # fmt: skip
_WEEKDAYS: Final = {
    "monday": "monday maandag", "tuesday": "tuesday dinsdag", "wednesday": "wednesday woensdag",
    "thursday": "thursday donderdag", "friday": "friday vrijdag", "saturday": "saturday zaterdag",
    "sunday": "sunday zondag",
}  # fmt: skip
_WEEKDAY: Final = {word: day for day, words in _WEEKDAYS.items() for word in words.split()}
_TIME = re.compile(
    r"(?<![\w.,:])(?:(?P<h>[01]?\d|2[0-3])[:.](?P<min>[0-5]\d)"
    r"(?:[ ]?(?P<half>(?i:am|pm|a\.m\.|p\.m\.))|[ ]?(?i:uur|u|h)(?!\w))?"
    r"|(?P<h2>1[0-2]|0?[1-9])[ ]?(?P<half2>(?i:am|pm))"
    r"|(?P<h3>[01]?\d|2[0-3])[ ](?i:uur)(?=[ ](?i:'s|vanavond|vanmorgen|vanmiddag|morgen)))(?![\w:])"
)
_FLIGHT = re.compile(
    r"(?<!\w)(?:(?i:flight|flt|vlucht|vluchtnummer)[ ]?(?i:no|nr|number|nummer)?\.?[ ]?#?[ ]?"
    r"(?P<any>(?:[A-Za-z]{2}|[A-Za-z]\d|\d[A-Za-z])?[ ]?\d{2,4})"
    r"|(?P<known>(?:KL|HV|TO|BA|LH|AF|AA|UA|DL|WN|B6|FR|U2|EZY|SN|LX|OS|IB|VY|EK|QR|TK|EI|AC|QF|SQ|CX|WZ|W6|TP|SK|AY|LO)"
    r"[ ]?\d{2,4}))(?![\w-])"
)
_TRAIN = re.compile(
    r"(?<!\w)(?:(?i:train|trein|treinnummer)[ ](?:(?i:no|nr|number|nummer)\.?[ ])?(?P<n>\d{2,6})"
    r"|(?:ICE|ICD|IC|Thalys|Eurostar|Sprinter|TGV)[ ](?P<n2>\d{2,6}))(?![\w-])"
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
    if any(map(str.isdigit, text)):
        yield from _money(text)
        yield from _dates(text, published, country)
        yield from _journeys(text)
        yield from _references(text)
        yield from _times(text)
    if _SIX.search(text):
        yield from _said_to_be(_BOOKING, text)
    yield from _days(words, language, published)


def _place(kind: str, value: str, match: re.Match[str], group: int | str, sure: float, why: str) -> Place:
    return Place(kind, value, match.start(group), match.end(group), sure, why, BY)


def _references(text: str) -> Iterator[Place]:
    yield from _said_to_be(_REFERENCE, text)
    for match in _TRACKING.finditer(text):
        yield _place("ORDER_NUMBER", match.group(), match, 0, 0.8, "has the form of a reference")


def _said_to_be(pattern: re.Pattern[str], text: str) -> Iterator[Place]:
    for match in pattern.finditer(text):
        said = " ".join(match.group().split())[:40]
        yield _place("ORDER_NUMBER", match.group("code"), match, "code", 0.85, f"said to be one: '{said}'")


def _journeys(text: str) -> Iterator[Place]:
    for match in _FLIGHT.finditer(text):
        group = "any" if match.group("any") else "known"
        yield _place("FLIGHT", match.group(group).upper().replace(" ", ""), match, group, 0.85, "a flight number")
    for match in _TRAIN.finditer(text):
        yield _place("TRAIN", match.group("n") or match.group("n2"), match, 0, 0.85, "a train number")


def _money(text: str) -> Iterator[Place]:
    for match in _MONEY.finditer(text):
        number = (match.group("n1") or match.group("n2")).replace("'", "").replace(" ", "")
        cut = max(number.rfind("."), number.rfind(","))
        if cut >= 0 and len(number) - cut - 1 in (1, 2):  # 1.234,50 and 1,234.50: the last sign says cents
            amount = float(re.sub(r"[.,]", "", number[:cut]) + "." + number[cut + 1 :])
        else:
            amount = float(re.sub(r"[.,]", "", number))
        if many := match.group("k"):
            amount *= 1_000 if many in "kK" else 1_000_000
        currency = _CURRENCY[(match.group("sign") or match.group("word")).strip().lower()]
        yield _place("MONEY", f"{currency} {amount:.2f}", match, 0, 0.9, "an amount with its currency")


def _dates(text: str, published: date, country: str | None) -> Iterator[Place]:
    for match in _DATE.finditer(text):
        if value := _date(match.groupdict(), published, country):
            yield _place("DATE", value, match, 0, 0.85, "a date")


def _date(part: dict[str, str | None], published: date, country: str | None) -> str | None:
    if part["y"] and part["m"] and part["d"]:
        year, month, day = int(part["y"]), int(part["m"]), int(part["d"])
    elif part["a"] and part["b"] and part["c"]:
        first, second, year = int(part["a"]), int(part["b"]), int(part["c"])
        year += 2000 if year < 100 else 0
        month_first = second > 12 or (country == "US" and first <= 12)
        month, day = (first, second) if month_first else (second, first)
    else:
        name = part["m2"] or part["m3"] or ""
        if part["m3"] in _ALSO_WORDS:
            return None  # "may 5 people …", "jan 3x gebeld": a word, not a month
        month, day = _MONTH_NUMBER[name.lower()], int(part["d2"] or part["d3"] or 0)
        said = part["y2"] or part["y3"]
        year = int(said) if said else _nearest_year(month, published)
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return None


def _nearest_year(month: int, published: date) -> int:
    """The year in which a month without one lies nearest: in January, "december" is last year's."""
    if month - published.month > 6:
        return published.year - 1
    return published.year + 1 if published.month - month > 6 else published.year


def _times(text: str) -> Iterator[Place]:
    for match in _TIME.finditer(text):
        hour = int(match.group("h") or match.group("h2") or match.group("h3"))
        half = (match.group("half") or match.group("half2") or "").lower()[:1]
        if half == "p" and hour < 12:
            hour += 12
        elif half == "a" and hour == 12:
            hour = 0
        yield _place("TIME", f"{hour:02d}:{match.group('min') or '00'}", match, 0, 0.75, "a time of day")


def _days(words: Sequence[Word], language: str, published: date) -> Iterator[Place]:
    away = _DAYS_AWAY.get(language, {})
    for word, start, end in words:
        if word in away:
            day = (published + timedelta(days=away[word])).isoformat()
            yield Place("DATE", day, start, end, 0.8, f"'{word}' when it was published", BY)
        elif word in _WEEKDAY:
            yield Place("DATE", _WEEKDAY[word], start, end, 0.7, "a day of the week", BY)

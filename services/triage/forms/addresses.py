"""Streets with a number, post boxes, and what is said to be somebody's address."""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from services.triage.forms.hints import Hints

_CAPITAL: Final = r"[A-ZÀ-ÖØ-ÞΑ-Ω][\w'’.-]{0,30}"
_NUMBER: Final = r"\d{1,5}(?:[ ]?[a-zA-Z](?!\w))?(?:[-/]\d{1,4})?(?!\w)"
_ENDINGS = re.compile(
    r"(?P<sure>straat|stra(?:ß|ss)e|gasse|laan|plein|gracht|kade|singel|dreef|steeg|plantsoen|boulevard|steenweg|gatan|gränd|vägen"
    r"|gade|vænget|veien|vegen|katu|kuja)"
    rf"[ ](?P<n1>{_NUMBER})"
    rf"|(?P<word>weg|hof|dijk|wal|pad|markt|ring|park|baan|lei|platz|allee|damm|ufer|str\.|vej|tie|gata|haus)[ ](?P<n2>{_NUMBER})"
)
_BEFORE = re.compile(rf"(?:{_CAPITAL}[ ]){{0,3}}[\w'’.-]{{0,30}}$")
_YEAR = re.compile(r"(?:19|20)\d\d$")
_FRENCH = re.compile(
    r"(?<![\w.,-])(?:\d{1,4}(?:[ ]?(?:bis|ter))?,?[ ])?(?P<kind>(?i:rue|avenue|av\.|boulevard|bd|place|chemin|impasse|allée|quai|cours"
    rf"|route))[ ](?:(?:de|du|des|la|le|les|d'|l'|al|el)[ ]?){{0,3}}{_CAPITAL}(?:[ -](?:{_CAPITAL}|de|du|des|la)){{0,3}}"
)
_SOUTHERN = re.compile(
    r"(?<![\w-])(?:(?i:calle|c/|avenida|avda\.?|plaza|paseo|ronda|camino|rúa|via|viale|piazza|corso|largo|vicolo|rua|praça|travessa"
    rf"|estrada|av\.|ul\.|ulica))[ ](?:{_CAPITAL}|de|del|della|dei|do|da|dos|das|la|el)(?:[ ](?:{_CAPITAL}|de|del|do|da|la)){{0,4}},?[ ]"
    r"(?:n[ºo°]\.?[ ]?)?\d{1,5}(?!\w)"
)
_ENGLISH = re.compile(
    rf"(?<![\w.,-])\d{{1,5}}[A-Za-z]?[ ](?:{_CAPITAL}[ ]){{1,4}}"
    r"(?:Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Dr|Boulevard|Blvd|Way|Court|Ct|Place|Pl"
    r"|Square|Terrace|Close|Crescent|Gardens|Grove|Hill|Mews|Row|Parkway|Pkwy|Highway|Hwy)\b\.?"
)
_BOX = re.compile(
    r"(?<!\w)(?:(?i:p\.?[ ]?o\.?[ ]box|post ?box|postbus|postfach|boîte postale|apartado|casella postale|caixa postal)[ ]\d{1,6}"
    r"|(?i:psc|unit)[ ]\d{3,5},?[ ](?i:box)[ ]\d{3,5}|(?i:apt\.?|apartment|suite|flat)[ ]\d{1,4}[A-Z]?)(?!\w)"
)
_SAID = re.compile(
    r"(?<!\w)(?i:lives? (?:at|on)|living at|address(?: is|:| with| to)?|adres(?: is|:)?|located at|offices? (?:is|are) at"
    r"|adresse(?: ist|:)?|dirección(?: es|:)?|indirizzo(?: è|:)?|send(?: one| it)? to|sent to|return to|meet (?:me|you) at)\s{1,8}"
    rf"(?P<all>\d{{1,6}}(?:[ ]\d{{1,5}})?[ ](?:\w{{1,15}}[ ])?{_CAPITAL}(?:[ ][\w'’.-]{{1,30}}){{0,4}})"
)
_STATIC: Final = (
    ("english", _ENGLISH, 0.8, "a street with a number"),
    ("southern", _SOUTHERN, 0.75, "a street with a number"),
    ("box", _BOX, 0.8, "a post box or an apartment"),
)
_HINTS: Final = Hints({
    "english": (
        " st", " ave", " road", " rd", " lane", " ln", " dr", " boul", " blvd", " way", " court", " ct", " pl", " square", " terr",
        " clo", " cres", " gard", " gro", " hill", " mews", " row", " pkwy", " park", " hw", " high",
    ),
    "southern": (
        "calle ", "c/ ", "avenida ", "avda", "av. ", "plaza ", "paseo ", "ronda ", "camino ", "rúa ", "via ", "viale ", "piazza ", "corso ",
        "largo ", "vicolo ", "rua ", "praça ", "travessa ", "estrada ", "ul. ", "ulica ",
    ),
    "box": ("box ", "postbus ", "postfach ", "postal", "apartado ", "apt", "apartment ", "suite ", "flat "),
    "ends": (
        "straat ", "straße ", "strasse ", "gasse ", "laan ", "plein ", "gracht ", "kade ", "singel ", "dreef ", "steeg ", "plantsoen ",
        "boulevard ", "weg ", "gatan ", "gränd ", "vägen ", "gade ", "vænget ", "veien ", "vegen ", "katu ", "kuja ", "hof ", "dijk ",
        "wal ", "pad ", "markt ", "ring ", "park ", "baan ", "lei ", "platz ", "allee ", "damm ", "ufer ", "str. ", "vej ", "tie ", "gata ",
        "haus ",
    ),
    "french": (
        "rue ", "avenue ", "av. ", "boulevard ", "bd ", "place ", "chemin ", "impasse ", "allée ", "quai ", "cours ", "route ",
    ),
    "said": (
        "lives ", "live ", "living", "addres", "adres", "direcc", "indirizzo", "located", "office", "send ", "sent to", "return to",
        "meet ",
    ),
})  # fmt: skip
"""By pattern the letters without one of which it cannot match."""


class Address(NamedTuple):
    """An address and its place."""

    start: int
    end: int
    confidence: float
    why: str


def read(text: str) -> Iterator[Address]:
    """The addresses in a text, the surest first; places may overlap."""
    worth = _HINTS.of(text)
    for match in _ENDINGS.finditer(text) if "ends" in worth else ():
        if found := _with_name(text, match):
            yield Address(*found, 0.8, "a street with a number")
    for name, pattern, sure, why in _STATIC:
        for match in pattern.finditer(text) if name in worth else ():
            yield Address(*match.span(), sure, why)
    for match in _FRENCH.finditer(text) if "french" in worth else ():
        if match.group()[0].isdigit():
            yield Address(*match.span(), 0.8, "a street with a number")
    for match in _SAID.finditer(text) if "said" in worth else ():
        yield Address(*match.span("all"), 0.75, "said to be an address")


def _with_name(text: str, match: re.Match[str]) -> tuple[int, int] | None:
    """The street's whole name before its ending, None where the ending is that of another word: "During 1971"."""
    before = _BEFORE.search(text[max(0, match.start() - 100) : match.start()])
    name = before.group() if before else ""
    stem = name.rpartition(" ")[2]
    number = match.group("n1") or match.group("n2")
    if match.group("word"):
        named = stem[:1].isupper() and len(stem) >= 3
        if not named or _YEAR.match(number):
            return None
    elif not stem and not name:
        return None
    return match.start() - len(name), match.end()

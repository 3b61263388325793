"""Postcodes of the Netherlands, Belgium, Germany, France, the United Kingdom and the United States.

Those with letters are known by their form. Plain figures are one only where something beside them says so: the word
postcode, a country's letter (B-1000), a street with a number before them, or a state's letters.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from services.triage.forms.hints import Hints

_NL = re.compile(r"(?<![\w-])[1-9]\d{3}[ ]?(?!SA|SD|SS|sa|sd|ss)(?:[A-Z]{2}|[a-z]{2})(?![\w-])")
_FOUR: Final = re.compile(r"\d{4}")
_HINTS: Final = Hints({"said": ("post", "zip", "plz", "code", "codigo", "código", "cap", "cep")})
_UK = re.compile(r"(?<![\w-])(?:GIR ?0AA|(?:[A-PR-UWYZ][A-HK-Y]?\d[A-Z\d]?)[ ]?\d[ABD-HJLNP-UW-Z]{2})(?![\w-])")
_US = re.compile(
    r"(?<!\w)(?:A[KLRZ]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|PA|RI|S[CD]|T[NX]|UT|V[AT]"
    r"|W[AIVY])[ ](\d{5}(?:-\d{4})?)(?!\w)"
)
_ZIP4 = re.compile(r"(?<![\w-])\d{5}-\d{4}(?![\w-])")
_COUNTRY = re.compile(r"(?<![\w-])(?:B-[1-9]\d{3}|(?:D|F|DE|FR)-\d{5}|NL-[1-9]\d{3}[ ]?[A-Z]{2})(?![\w-])")
_SAID = re.compile(
    r"(?<!\w)(?i:postcode|post[ ]code|postal[ ]code|postcodes?|zip[ ]?code|zip|plz|postleitzahl|code[ ]postal|código[ ]postal"
    r"|codigo[ ]postal|cap|cep)(?:[ ](?i:is|=|ist|est|es|nummer|number|van mij is))?[ ]?[:=]?[ ]?"
    r"(?P<code>\d{3,6}(?:[ -]\d{2,4}(?!\d))?(?:[ ]?[A-Za-z]{2}(?!\w))?|[A-Za-z]{1,2}\d[A-Za-z\d]?(?:[ ]?\d[A-Za-z]{2})?)(?![\w-])"
)
_AFTER_STREET = re.compile(r"(?<=[\d,\n][ ])(?P<code>[1-9]\d{3,4})[ ](?=[A-ZÀ-Ý][a-zà-ÿ]{2,30}(?!\w))")
_STREET_BEFORE = re.compile(
    r"(?i:straat|laan|weg|plein|lei|kaai|steenweg|stra(?:ß|ss)e|str\.|platz|allee|gasse|\brue\b|\bavenue\b|boulevard|\bplace\b|chemin)"
    r"[^\n\d]{0,40}\d{1,4}[a-zA-Z]?,?\s{1,2}$"
)
_NOT_NL: Final = frozenset(
    ("IN", "OK", "AM", "PM", "EU", "US", "UK", "NL", "TV", "MB", "GB", "KM", "CM", "MM", "KG", "BC", "AD", "KB", "TB",
     "EN", "OF", "OP", "TE", "DE", "IS", "HZ", "MW", "KW", "MA", "DI", "WO", "DO", "VR", "ZA", "ZO", "EURO")
)  # fmt: skip
"""Units and words in capitals that stand behind a number of four digits more often than a postcode's letters do."""


class Postcode(NamedTuple):
    """A postcode and its place; `value` is written as its country writes it."""

    value: str
    start: int
    end: int
    confidence: float
    why: str


def read(text: str) -> Iterator[Postcode]:
    """The postcodes of a text, the surest first; places may overlap."""
    four = bool(_FOUR.search(text))
    lettered = list(_NL.finditer(text)) if four else []
    for match in lettered:
        if match.group()[-2:].isupper() and match.group()[-2:] not in _NOT_NL:
            yield Postcode(_dutch(match.group()), *match.span(), 0.8, "has the form of a Dutch postcode")
    for match in _UK.finditer(text):
        code = match.group().replace(" ", "")
        if " " in match.group() or len(code) > 5:
            yield Postcode(f"{code[:-3]} {code[-3:]}", *match.span(), 0.8, "has the form of a British postcode")
    for match in _SAID.finditer(text) if _HINTS.of(text) else ():
        code = match.group("code")
        value = _dutch(code) if re.fullmatch(r"[1-9]\d{3} ?[A-Za-z]{2}", code) else code.upper()
        yield Postcode(value, *match.span("code"), 0.85, "said to be one")
    if four:
        yield from _figures(text)
        yield from _behind_streets(text, lettered)


def _figures(text: str) -> Iterator[Postcode]:
    for match in _US.finditer(text):
        yield Postcode(match.group(1), *match.span(), 0.8, "has the form of a United States postcode")
    if "-" in text:
        for match in _COUNTRY.finditer(text):
            yield Postcode(match.group(), *match.span(), 0.8, "a postcode with its country")
        for match in _ZIP4.finditer(text):
            yield Postcode(match.group(), *match.span(), 0.7, "has the form of a United States postcode")


def _behind_streets(text: str, lettered: Iterable[re.Match[str]]) -> Iterator[Postcode]:
    why = "stands behind a street and its number"
    for match in _AFTER_STREET.finditer(text):
        if _STREET_BEFORE.search(text[max(0, match.start() - 60) : match.start()]):
            yield Postcode(match.group("code"), *match.span("code"), 0.7, why)
    for match in lettered:
        letters = match.group()[-2:]
        may_be = letters.islower() and letters.upper() not in _NOT_NL
        if may_be and _STREET_BEFORE.search(text[max(0, match.start() - 60) : match.start()]):
            yield Postcode(_dutch(match.group()), *match.span(), 0.7, why)


def _dutch(code: str) -> str:
    letters = code.replace(" ", "").upper()
    return f"{letters[:4]} {letters[4:]}"

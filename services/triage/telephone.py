"""Telephone numbers in a text: by their form, the numbering plans and the words before them."""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

import phonenumbers

REGIONS: Final = {"en": ("GB", "US"), "nl": ("NL", "BE")}
WINDOW: Final = 40
"""How many characters before a number are looked at for a word that says what it is."""
VALIDATED: Final = 60
"""Of so many numbers in one text each is looked up in the numbering plans; of the rest the form must do."""

_PHONE = re.compile(
    r"(?<![\w.@#/=€$£-])(?:\+|00)?\(?\d(?:[ ().\-/]{0,2}\d){6,14}(?:[ ]?(?:x|ext\.?)[ ]?\d{1,5})?(?![\w€%]|[.,]\d)"
)
SAID = re.compile(
    r"\b(?:tel|telefoon|telefoonnummer|telephone|phone|mobile|mob|mobiel|nummer is|number is|reach me|bereikbaar"
    r"|whats\s?app|desk|fax|cell|(?:call|bel|bellen|text|app|sms|messages?|ring|contact|dial|answering|reach)"
    r"(?:[ ](?:me|mij|us|ons|dan|naar))?)\W*(?:at|on|op|to|naar|via|no|nr|number)?\W*$",
    re.IGNORECASE,
)
"""Words before a number that say that it is a telephone's."""
SAYS_REFERENCE = re.compile(
    r"(?:order|bestel\w*|klant\w*|customer|ref\w*|case|ticket|zaak\w*|dossier\w*|invoice|factuur\w*|booking|boeking\w*"
    r"|reservering\w*|tracking|track|trace|pnr|polis\w*|contract\w*|account|id|serial|serienummer|model|imei|#)"
    r"\W*(?:no|nr|number|nummer|id|is)?\W*$",
    re.IGNORECASE,
)
"""Words before a number that say that it is a reference."""
_IP = re.compile(r"(?:\d{1,3}\.){3}\d{1,3}")
_DATE = re.compile(r"(?:\d{1,2}[-/.]\d{1,2}[-/.](?:19|20)?\d{2}|(?:19|20)\d{2}[-/.]\d{1,2}[-/.]\d{1,2})(?:\D|$)")


class Number(NamedTuple):
    """A telephone number and its place in the text that was read."""

    start: int
    end: int
    confidence: float
    why: str


def read(text: str, language: str, country: str | None) -> Iterator[Number]:
    """The telephone numbers in the text, in its order. `country` is where its author lives, if that is known."""
    for tried, match in enumerate(_PHONE.finditer(text)):
        number = match.group()
        digits = re.sub(r"\D", "", number.lower().partition("x")[0])
        if not 7 <= len(digits) <= 15 or _DATE.match(number) or _IP.fullmatch(number) or len(set(digits)) < 3:
            continue
        before = text[max(0, match.start() - WINDOW) : match.start()]
        named = bool(SAID.search(before))
        if SAYS_REFERENCE.search(before) and not named:
            continue
        international = number.startswith(("+", "00"))
        grouped = sum(1 for group in re.split(r"\D+", number) if group) > 1
        regions = [None] if international else [country, *REGIONS.get(language, ()), "NL", "GB", "US"]
        valid = tried >= VALIDATED or any(
            _is_phone("+" + digits.removeprefix("00") if international else number, region) for region in regions
        )
        if not valid and not (grouped and (named or (international and len(digits) >= 10))):
            continue
        if international or named or (grouped and len(digits) >= 9) or (digits[0] == "0" and len(digits) >= 10):
            why = "a telephone number" + (", said to be one" if named else "")
            yield Number(match.start(), match.end(), 0.9 if named or international else 0.7, why)


def _is_phone(number: str, region: str | None) -> bool:
    try:
        return bool(phonenumbers.is_valid_number(phonenumbers.parse(number, region)))
    except phonenumbers.NumberParseException:
        return False

"""Telephone numbers in a text: by their form, the numbering plans and the words before them."""

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from typing import Final, NamedTuple

import phonenumbers

REGIONS: Final = {
    "en": ("GB", "US"), "nl": ("NL", "BE"), "de": ("DE", "AT", "CH"), "fr": ("FR", "BE", "CH"), "es": ("ES", "MX"),
    "it": ("IT", "CH"), "pt": ("PT", "BR"),
}  # fmt: skip
_WITH_ZERO: Final = frozenset(("NL", "BE", "GB", "DE", "AT", "CH", "FR"))
"""Where numbers begin with a nought when they are dialled within the country."""
WINDOW: Final = 40
"""How many characters before a number are looked at for a word that says what it is."""
LONGEST_NATIONAL: Final = 12
"""No national number of these regions has more digits."""
VALIDATED: Final = 60
"""Of so many numbers in one text each is looked up in the numbering plans; of the rest the form must do."""
CANDIDATES: Final = 2_500
"""Of what has the form of a number in one text, so many are looked at."""
MOST: Final = 600
"""So many numbers are read in one text; 500 of them say that it is full of personal data, and it is hidden as a whole."""

_PHONE = re.compile(
    r"(?<![\w.@#/=€$£-])(?:\+|00)?\(?\d(?:[ ().\-/]{0,2}\d){6,14}(?:[ ]?(?:x|ext\.?)[ ]?\d{1,5})?(?![\w€%]|[.,]\d)"
)
_SEVEN: Final = re.compile(r"\d(?:[ ().\-/]{0,2}\d){6}")
_FRENCH: Final = re.compile(r"\(?\d\d\)?(?:[ .\-]\d\d){3,4}")
SAID = re.compile(
    r"\b(?:tel|telefoon|telefoonnummer|telephone|phone|mobile|mob|mobiel|nummer is|number is|reach me|bereikbaar|handy|telefon"
    r"|téléphone|teléfono|telefono|telefone|móvil|cellulare|portable|gsm|office"
    r"|whats\s?app|desk|fax|cell|(?:call|bel|bellen|text|app|sms|messages?|ring|contact|dial|answering|reach)"
    r"(?:[ ](?:me|mij|us|ons|dan|naar))?)\W*(?:at|on|op|to|naar|via|no|nr|number|unter|au|al)?\W*$",
    re.IGNORECASE,
)
"""Words before a number that say that it is a telephone's."""
_SAID_AFTER = re.compile(r"[ ]?-?[ ]?(?:office|mobile|fax|cell|home|work|direct|desk|tel|phone)\b", re.IGNORECASE)
SAYS_REFERENCE = re.compile(
    r"(?:order|bestel\w*|klant\w*|customer|ref\w*|case|ticket|zaak\w*|dossier\w*|invoice|factuur\w*|booking|boeking\w*"
    r"|reservering\w*|tracking|track|trace|pnr|polis\w*|contract\w*|account|id|serial|serienummer|model|imei|licen[sc]e|#)"
    r"\W*(?:no|nr|number|nummer|id|is)?\W*(?:is)?\W*$",
    re.IGNORECASE,
)
"""Words before a number that say that it is a reference."""
_IP = re.compile(r"(?:\d{1,3}\.){3}\d{1,3}")
_DATE = re.compile(r"(?:\d{1,2}[-/.]\d{1,2}[-/.](?:19|20)?\d{2}|(?:19|20)\d{2}[-/.]\d{1,2}[-/.]\d{1,2})(?![-/.]?\d)")


class Number(NamedTuple):
    """A telephone number and its place in the text that was read. `value` is its E.164 form (`+31612345678`) where a
    numbering plan knows it, else its digits."""

    start: int
    end: int
    confidence: float
    why: str
    value: str


def read(text: str, language: str, country: str | None) -> Iterator[Number]:
    """The telephone numbers in the text, in its order. `country` is where its author lives, if that is known."""
    if _SEVEN.search(text):
        yield from _kept(text, language, country)


@lru_cache(maxsize=128)
def _kept(text: str, language: str, country: str | None) -> tuple[Number, ...]:
    """Two stages ask about the same text; the numbering plans are asked once."""
    return tuple(islice(_numbers(text, language, country), MOST))


def _numbers(text: str, language: str, country: str | None) -> Iterator[Number]:
    for tried, match in enumerate(islice(_PHONE.finditer(text), CANDIDATES)):
        number = match.group()
        digits = re.sub(r"\D", "", number.lower().partition("x")[0])
        if not 7 <= len(digits) <= 15 or _DATE.match(number) or _IP.fullmatch(number) or len(set(digits)) < 3:
            continue
        before = text[max(0, match.start() - WINDOW) : match.start()]
        named = bool(SAID.search(before) or _SAID_AFTER.match(text, match.end()))
        if SAYS_REFERENCE.search(before) and not named:
            continue
        international = number.startswith(("+", "00"))
        groups = [group for group in re.split(r"\D+", number) if group]
        regions = (
            [None] if international else list(dict.fromkeys((country, *REGIONS.get(language, ()), "NL", "GB", "US")))
        )
        value = None
        if tried < VALIDATED and (international or len(digits) <= LONGEST_NATIONAL):
            sought = "+" + digits.removeprefix("00") if international else number
            value = next(
                (known for region in regions if _may_be(digits, region) and (known := _known(sought, region))), None
            )
        grouped = len(groups) > 1
        paired = bool(_FRENCH.fullmatch(number)) and digits[0] in "03467"
        if (
            value is None
            and tried < VALIDATED
            and not (grouped and (named or paired or (international and len(digits) >= 10)))
        ):
            continue
        if not named and not international and len({len(group) for group in groups}) == 2 and _two_numbers(groups):
            continue
        if (
            international
            or named
            or paired
            or (grouped and len(digits) >= 9)
            or (digits[0] == "0" and len(digits) >= 10)
        ):
            why = "a telephone number" + (", said to be one" if named else "")
            sure = 0.9 if named or (international and value) else 0.7
            yield Number(match.start(), match.end(), sure, why, value or digits)


def _two_numbers(groups: list[str]) -> bool:
    """ "13813 3784": two groups of four or five digits are two numbers, such as a postcode and a house."""
    return len(groups) == 2 and min(map(len, groups)) >= 4 and not groups[0].startswith("0")


def _may_be(digits: str, region: str | None) -> bool:
    """Whether the digits can be a national number at all: to ask the numbering plan is dear."""
    if region in _WITH_ZERO:
        return digits[0] == "0"
    if region == "US":
        return len(digits) == 10 or (len(digits) == 11 and digits[0] == "1")
    return True


def _known(number: str, region: str | None) -> str | None:
    try:
        parsed = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(parsed):
        return None
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)

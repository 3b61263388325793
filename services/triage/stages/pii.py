"""Which parts of the text identify a private person? By shape, check digits and the words beside them.

The whole stored text is looked at, not only the part that is analysed, since whatever is missed here is shown. No
finding repeats what it found.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from services.triage import telephone
from services.triage.stage import Assessment, Briefing, Finding, finder, stage

_VERSION = "1"
_says = finder("pii", _VERSION)

WINDOW: Final = 40
"""How many characters before a number are looked at for a word that says what it is."""
MOST: Final = 500
"""More findings than this in one text are not listed."""

_EMAIL = re.compile(r"(?<![\w.+%-])[\w.+%-]{1,64}@(?:[\w-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![\w-])")
_IBAN = re.compile(r"(?<!\w)[A-Za-z]{2}\d{2}(?:[ ]?[A-Za-z0-9]{4}){2,7}(?:[ ]?[A-Za-z0-9]{1,3})?(?!\w)")
_CARD = re.compile(r"(?<![\w.+-])\d(?:[ -]?\d){11,18}(?![\w-])")
_NINE = re.compile(r"(?<![\w.+/-])(?:\d{9}|\d{3}[. ]\d{3}[. ]\d{3}|\d{4}[. ]\d{2}[. ]\d{3})(?![\w/-])")
_SSN = re.compile(r"(?<![\w-])(?!000|666)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])")
_NINO = re.compile(
    r"(?<!\w)(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]\s?\d{2}\s?\d{2}\s?\d{2}\s?[A-D](?!\w)"
)
_POSTCODE_NL = re.compile(r"(?<![\w-])[1-9]\d{3}[ ]?(?!SA|SD|SS)[A-Z]{2}(?![\w-])")
_POSTCODE_UK = re.compile(r"(?<![\w-])(?:[A-Z]{1,2}\d[A-Z\d]?)\s\d[ABD-HJLNP-UW-Z]{2}(?![\w-])")
_POSTCODE_US = re.compile(
    r"(?<!\w)(?:A[KLRZ]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|PA|RI|S[CD]|T[NX]|UT|V[AT]"
    r"|W[AIVY])\s\d{5}(?:-\d{4})?(?!\w)"
)
_NOT_POSTCODE: Final = frozenset(
    ("IN", "OK", "AM", "PM", "EU", "US", "UK", "NL", "TV", "MB", "GB", "KM", "CM", "MM", "KG", "BC", "AD", "KB", "TB",
     "EN", "OF", "OP", "TE", "DE", "IS", "HZ", "MW", "KW")
)  # fmt: skip
"""Units and words in capitals that stand behind a number of four digits more often than a postcode's letters do."""
_ADDRESS_NL = re.compile(
    r"(?<![\w])(?:[A-Z][\w'’.-]{0,30}[ ]){0,3}[A-Z]?[\w'’.-]{1,30}"
    r"(?:straat|weg|laan|plein|gracht|kade|singel|dreef|hof|steeg|dijk|plantsoen|boulevard|wal|pad|markt|ring|park|baan|lei)"
    r"[ ]\d{1,5}(?:[ ]?[a-zA-Z](?!\w))?(?:[-/]\d{1,4})?(?!\w)"
)
_ADDRESS_EN = re.compile(
    r"(?<![\w.,-])\d{1,5}[A-Za-z]?[ ](?:[A-Z][\w'’.-]{0,30}[ ]){1,4}"
    r"(?:Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Dr|Boulevard|Blvd|Way|Court|Ct|Place|Pl"
    r"|Square|Terrace|Close|Crescent|Gardens|Grove|Hill|Mews|Row|Parkway|Pkwy|Highway|Hwy)\b\.?"
)
_NAME = re.compile(
    r"\b(?i:my name is|my name's|i am called|mijn naam is|ik heet|mijn naam:|naam:|name:|full name:)[ ]{1,2}"
    r"((?:[A-Z][\w'’.-]{0,30})(?:[ ](?:(?:van|der|den|de|ten|ter|het|von|da|di)(?!\w)|[A-Z][\w'’.-]{0,30})){0,4})"
)
_SIGNED = re.compile(
    r"\b(?i:met vriendelijke groet(?:en)?|vriendelijke groet(?:en)?|hartelijke groet(?:en)?|groeten|groetjes|mvg"
    r"|m\.v\.g\.|gr\.|kind regards|best regards|warm regards|regards|yours sincerely|yours faithfully|sincerely)"
    r"[ ]?,?\s{1,4}"
    r"((?:[A-Z][\w'’-]{1,30}|[A-Z]\.)(?:[ ](?:(?:van|der|den|de|ten|ter|het)(?!\w)|[A-Z]\.|[A-Z][\w'’-]{1,30})){0,4})"
)
_TITLED = re.compile(
    r"\b(?:Mr|Mrs|Ms|Miss|Dr|Dhr|Mevr|Mw|Meneer|Mevrouw|de heer|mevrouw|meneer)\.?[ ]"
    r"((?:[A-Z]\.[ ]?){0,3}(?:(?:van|der|den|de|ten|ter)[ ]){0,2}[A-Z][\w'’-]{1,30}(?:[ ][A-Z][\w'’-]{1,30})?)"
)
_NAME_RULES: Final = (
    (("name", "naam", "called", "heet"), _NAME, "gives a name"),
    (("groet", "regards", "mvg", "m.v.g", "gr.", "sincerely", "faithfully"), _SIGNED, "signed with a name"),
    (("mr", "ms", "miss", "dr", "dhr", "mev", "mw", "meneer", "heer"), _TITLED, "a title and a name"),
)
"""Each pattern with the letters without one of which it cannot match, for most texts have none."""
_SAYS_NATIONAL = re.compile(
    r"(?:bsn|burgerservicenummer|sofi|sofinummer|ssn|social security|national insurance)\b.{0,20}$", re.IGNORECASE
)
Found = tuple[str, int, int, float, str]


@stage(needs=("language", "entities"), adds=("pii",), version=_VERSION)
def assess(batch: Sequence[Assessment], briefing: Briefing) -> Sequence[Assessment]:
    """Every place with its type: email, phone, iban, card, national_id, postcode, address or name."""
    return [a.found(pii=_of(a)) for a in batch]


def mask(text: str, findings: Iterable[Finding | Mapping[str, Any]]) -> str:
    """The text with every finding's place shown as its type in square brackets: "call me on [phone]"."""
    places = []
    for finding in findings:
        shape = finding.to_json() if isinstance(finding, Finding) else finding
        if shape.get("start") is not None and shape.get("end") is not None:
            places.append((int(shape["start"]), int(shape["end"]), str(shape.get("type", "private"))))
    pieces: list[str] = []
    at = 0
    for start, end, kind in sorted(places, key=lambda place: (place[0], -place[1])):
        if start >= at:
            pieces += [text[at:start], f"[{kind}]"]
        at = max(at, end)
    return "".join([*pieces, text[at:]])


def _of(a: Assessment) -> list[Finding]:
    text = a.text
    finders = [*_FINDERS] if any(map(str.isdigit, text)) else [_emails, _names]
    taken: list[tuple[int, int]] = []
    found: list[Found] = []
    for find in finders:
        for one in find(text, a):
            start, end = one[1], one[2]
            if not any(start < other_end and other_start < end for other_start, other_end in taken):
                taken.append((start, end))
                found.append(one)
                if len(found) >= MOST:
                    break
    found.sort(key=lambda one: one[1])
    return [_says(f"[{kind}]", sure, why, span=(start, end), type=kind) for kind, start, end, sure, why in found]


def _emails(text: str, a: Assessment) -> Iterator[Found]:
    if "@" in text:
        for match in _EMAIL.finditer(text):
            yield "email", match.start(), match.end(), 0.98, "an e-mail address"


def _ibans(text: str, a: Assessment) -> Iterator[Found]:
    for match in _IBAN.finditer(text):
        end = match.end()
        while end > match.start() + 14:  # a following word of up to four letters may have been taken for its last group
            compact = "".join(text[match.start() : end].split()).upper()
            if (
                15 <= len(compact) <= 34
                and int("".join(str(int(letter, 36)) for letter in compact[4:] + compact[:4])) % 97 == 1
            ):
                yield "iban", match.start(), end, 0.97, "an IBAN with valid check digits"
                break
            shorter = text.rfind(" ", match.start(), end)
            if shorter < 0:
                break
            end = shorter


def _cards(text: str, a: Assessment) -> Iterator[Found]:
    for match in _CARD.finditer(text):
        digits = re.sub(r"\D", "", match.group())
        if (digits[0] in "23456" or digits.startswith("1800")) and _luhn(digits) and len(set(digits)) > 1:
            yield "card", match.start(), match.end(), 0.93, f"{len(digits)} digits with a valid Luhn check"


def _luhn(digits: str) -> bool:
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(int(digit) for digit in digits[-1::-2]) + sum(doubled)) % 10 == 0


def _national_ids(text: str, a: Assessment) -> Iterator[Found]:
    for match in _NINE.finditer(text):
        digits = re.sub(r"\D", "", match.group())
        weighed = sum(int(digit) * weight for digit, weight in zip(digits, (9, 8, 7, 6, 5, 4, 3, 2, -1), strict=True))
        if weighed % 11 or not int(digits):
            continue
        before = text[max(0, match.start() - WINDOW) : match.start()]
        if _SAYS_NATIONAL.search(before):
            yield (
                "national_id",
                match.start(),
                match.end(),
                0.95,
                "nine digits that pass the test of eleven, named as a BSN",
            )
        elif a.language == "nl" and not telephone.SAYS_REFERENCE.search(before) and not telephone.SAID.search(before):
            yield "national_id", match.start(), match.end(), 0.4, "nine digits that pass the test of eleven"
    for pattern, what in ((_SSN, "a social security number"), (_NINO, "a national insurance number")):
        for match in pattern.finditer(text):
            yield "national_id", match.start(), match.end(), 0.8, f"has the form of {what}"


def _phones(text: str, a: Assessment) -> Iterator[Found]:
    for one in telephone.read(text, a.language, a.country):
        yield "phone", one.start, one.end, one.confidence, one.why


def _postcodes(text: str, a: Assessment) -> Iterator[Found]:
    for match in _POSTCODE_NL.finditer(text):
        if match.group()[-2:] not in _NOT_POSTCODE:
            yield "postcode", match.start(), match.end(), 0.8, "has the form of a Dutch postcode"
    for pattern, country in ((_POSTCODE_UK, "British"), (_POSTCODE_US, "United States")):
        for match in pattern.finditer(text):
            yield "postcode", match.start(), match.end(), 0.8, f"has the form of a {country} postcode"


def _addresses(text: str, a: Assessment) -> Iterator[Found]:
    for pattern in (_ADDRESS_NL, _ADDRESS_EN):
        for match in pattern.finditer(text):
            yield "address", match.start(), match.end(), 0.8, "a street with a number"


def _names(text: str, a: Assessment) -> Iterator[Found]:
    lowered = text.lower()
    for hints, pattern, why in _NAME_RULES:
        for match in pattern.finditer(text) if any(hint in lowered for hint in hints) else ():
            yield "name", match.start(1), match.end(1), 0.8, why
    for entity in a.many("entities"):
        if entity.extra.get("type") == "PERSON" and entity.start is not None and entity.end is not None:
            yield "name", entity.start, entity.end, min(entity.confidence, 0.6), "recognised as a person's name"


_FINDERS: Final[Sequence[Callable[[str, Assessment], Iterator[Found]]]] = (
    _emails,
    _ibans,
    _cards,
    _national_ids,
    _phones,
    _postcodes,
    _addresses,
    _names,
)
"""Surest first: what one has taken no later one takes."""

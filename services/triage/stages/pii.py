"""Which parts of the text identify a private person? By shape, check digits and the words beside them.

The whole stored text is looked at, not only the part that is analysed, since whatever is missed here is shown. No
finding repeats what it found.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from ipaddress import ip_address
from typing import Final

from services.triage.forms import addresses, names, postcodes, telephone
from services.triage.stage import Assessment, Briefing, Finding, finder, fold, stage

_VERSION = "3"
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
_IP4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w]|\.\d)")
_IP6 = re.compile(r"(?<![\w:])(?:[0-9A-Fa-f]{1,4}:){2,7}(?::?[0-9A-Fa-f]{1,4}){1,6}(?![\w:])")
_SAYS_VERSION = re.compile(r"(?:version|versie|firmware|software|update|release|build|\bv)\W{0,3}$", re.IGNORECASE)
_VERSION_AFTER = re.compile(r"\W{1,2}(?:version|versie|firmware|update|release|build)", re.IGNORECASE)
_SAYS_NATIONAL = re.compile(
    r"(?:bsn|burgerservicenummer|sofi|sofinummer|ssn|social security|national insurance)\b.{0,20}$", re.IGNORECASE
)
_FIGURES: Final = re.compile(r"\d(?:\D?\d){2}")
_NINE_DIGITS: Final = re.compile(r"\d(?:[ .-]?\d){8}")
Found = tuple[str, int, int, float, str]


@stage(needs=("language", "entities"), adds=("pii",), version=_VERSION)
def assess(batch: Sequence[Assessment], briefing: Briefing) -> Sequence[Assessment]:
    """Every place with its type: email, phone, iban, card, national_id, ip_address, postcode, address or name."""
    public = briefing.once("pii.public", _public, of=("brands", "gazetteer", "agents"))
    return [a.found(pii=_of(a, public)) for a in batch]


def _public(briefing: Briefing) -> frozenset[str]:
    """Names that identify no private person: the brands', their products', the workspace's own words and its agents'."""
    known = [name for name, _ in briefing.gazetteer] + list(briefing.agents)
    for brand in briefing.brands:
        known += [*brand.names, *brand.product_lines, *(handle.lstrip("@") for handle in brand.handles)]
    return frozenset(fold(name) for name in known if name.strip())


def _of(a: Assessment, public: frozenset[str]) -> list[Finding]:
    text = a.text
    finders = _FINDERS if _FIGURES.search(text) else _FEW_FIGURES if any(map(str.isdigit, text)) else _NO_FIGURES
    taken: list[tuple[int, int]] = []
    found: list[Found] = []
    for find in finders:
        for one in find(text, a):
            start, end = one[1], one[2]
            if any(start < other_end and other_start < end for other_start, other_end in taken):
                continue
            if one[0] == "name" and _is_public(text[max(0, start - WINDOW) : end], public):
                continue
            taken.append((start, end))
            found.append(one)
            if len(found) >= MOST:
                break
    found.sort(key=lambda one: one[1])
    return [_says(f"[{kind}]", sure, why, span=(start, end), type=kind) for kind, start, end, sure, why in found]


def _is_public(until: str, public: frozenset[str]) -> bool:
    """Whether the last words are a public name: the name found may be a part of it ("Muscle" of "Mr Muscle")."""
    last = fold(until).split()[-5:]
    return any(" ".join(last[at:]) in public for at in range(len(last)))


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
    if _NINE_DIGITS.search(text):
        yield from _citizens(text, a)
        for match in _SSN.finditer(text):
            yield "national_id", match.start(), match.end(), 0.8, "has the form of a social security number"
    for match in _NINO.finditer(text):
        yield "national_id", match.start(), match.end(), 0.8, "has the form of a national insurance number"


def _citizens(text: str, a: Assessment) -> Iterator[Found]:
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


def _networks(text: str, a: Assessment) -> Iterator[Found]:
    if text.count(".") < 3 and text.count(":") < 3:
        return
    for pattern in (_IP4, _IP6):
        for match in pattern.finditer(text):
            try:
                address = ip_address(match.group())
            except ValueError:
                continue
            before = text[max(0, match.start() - WINDOW) : match.start()]
            named = _SAYS_VERSION.search(before) or _VERSION_AFTER.match(text, match.end())
            if not (address.is_private or address.is_multicast or named):
                yield "ip_address", match.start(), match.end(), 0.8, "an address on the internet"


def _phones(text: str, a: Assessment) -> Iterator[Found]:
    for one in telephone.read(text, a.language, a.country):
        yield "phone", one.start, one.end, one.confidence, one.why


def _postcodes(text: str, a: Assessment) -> Iterator[Found]:
    for one in postcodes.read(text):
        yield "postcode", one.start, one.end, one.confidence, one.why


def _addresses(text: str, a: Assessment) -> Iterator[Found]:
    for one in addresses.read(text):
        yield "address", one.start, one.end, one.confidence, one.why


def _names(text: str, a: Assessment) -> Iterator[Found]:
    for one in names.people(text, (), given=False):
        yield "name", one.start, one.end, one.confidence, one.why
    for entity in a.many("entities"):
        if entity.extra.get("type") == "PERSON" and entity.start is not None and entity.end is not None:
            yield "name", entity.start, entity.end, min(entity.confidence, 0.6), "recognised as a person's name"


_FINDERS: Final[Sequence[Callable[[str, Assessment], Iterator[Found]]]] = (
    _emails,
    _ibans,
    _cards,
    _national_ids,
    _networks,
    _phones,
    _postcodes,
    _addresses,
    _names,
)
"""Surest first: what one has taken no later one takes."""
_FEW_FIGURES: Final = (_emails, _postcodes, _addresses, _names)
_NO_FIGURES: Final = (_emails, _names)

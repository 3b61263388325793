"""Names of people and places that rules can read, for languages without a trained model and beside it for the others.

A person is somebody who gives a name ("mijn naam is …"), signs with one, is spoken of with a title, or has a given name of
lexicons/first_names.yaml. A place is one of lexicons/places.yaml, or, in Dutch, a capitalised name behind a preposition of place.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Final, NamedTuple

import yaml

from services.triage.forms.hints import Hints
from services.triage.reading import Word, fold
from services.triage.words.lexicon import plain_words

_PARTICLE: Final = (
    r"(?:van der|van den|van de|van 't|van het|van|de la|der|den|de|ten|ter|het|'t|von|zu|da|dos|di|del|du|la|le|el|al|te"
    r"|op de)"
)
_CAPITAL: Final = r"[A-ZÀ-ÖØ-Þ][\w'’.-]{0,30}"
_FULL: Final = rf"(?:{_CAPITAL})(?:[ ](?:{_PARTICLE}(?!\w)|{_CAPITAL})){{0,4}}"
_GIVEN = re.compile(
    r"\b(?i:my name is|my name's|i am called|mijn naam is|ik heet|mijn naam:|naam:|name:|full name:|ich heiße|mein name ist"
    r"|je m'appelle|mon nom est|me llamo|mi nombre es|mi chiamo|meu nome é|chamo-me|name ist|nom :|nombre:|nome:)[ ]{1,2}"
    rf"({_FULL})"
)
_SIGNED = re.compile(
    r"\b(?i:met vriendelijke groet(?:en)?|vriendelijke groet(?:en)?|hartelijke groet(?:en)?|met groet|groeten|groetjes|groet|mvg"
    r"|m\.v\.g\.|gr\.|gr|kind regards|best regards|warm regards|many thanks|regards|yours sincerely|yours faithfully|sincerely"
    r"|cheers|mit freundlichen grüßen|viele grüße|liebe grüße|mfg|cordialement|bien à vous|saludos|un saludo|atentamente"
    r"|cordiali saluti|saluti|atenciosamente|cumprimentos)"
    r"[ ]?[,.!]?\s{1,4}(?:(?:Fam|fam|Familie|Family|Dhr|dhr|Mevr|mevr|Mw|mw)\.?[ ])?"
    rf"((?:[A-ZÀ-ÖØ-Þ][\w'’-]{{1,30}}|[A-Z]\.)(?:[ ](?:{_PARTICLE}(?!\w)|[A-Z]\.|[A-ZÀ-ÖØ-Þ][\w'’-]{{1,30}})){{0,4}})"
)
_TITLED = re.compile(
    r"\b(?:Mr|Mrs|Ms|Miss|Dr|Prof|Dhr|dhr|Mevr|mevr|Mw|mw|Meneer|Mevrouw|de heer|mevrouw|meneer|Herrn?|Frau|Monsieur|Madame|Mme"
    r"|Señora?|Sr|Sra|Signora?|Sig|Senhora?)\.?[ ]"
    rf"((?:[A-Z]\.[ ]?){{0,3}}(?:{_PARTICLE}[ ]){{0,2}}[A-ZÀ-ÖØ-Þ][\w'’-]{{1,30}}(?:[ ][A-ZÀ-ÖØ-Þ][\w'’-]{{1,30}})?)"
)
_INITIALS = re.compile(
    rf"(?<![\w.])((?:[A-Z]\.[ ]?){{1,4}}(?:{_PARTICLE}[ ]){{0,2}}[A-ZÀ-ÖØ-Þ][a-zà-ÿ'’-]{{2,30}}(?:-[A-Z][a-zà-ÿ]{{2,30}})?)(?!\w)"
)
_INITIAL = re.compile(r"(?<![\w.])[A-Z]\.[ A-Za-z]")
_SPEAKS_FOR = re.compile(
    r"(?<!\w)([A-ZÀ-ÖØ-Þ][a-zà-ÿ]{2,20})[ ](?:van|from|von|de)[ ](?=@\w|(?:jullie|your|de)[ ](?:klant|custom|helpdesk|support|servic))"
)
_LAST_LINE = re.compile(
    rf"\n[ ]{{0,4}}([A-ZÀ-ÖØ-Þ][a-zà-ÿ'’-]{{1,20}}(?:[ ](?:{_PARTICLE}[ ]){{0,2}}[A-ZÀ-ÖØ-Þ][a-zà-ÿ'’-]{{1,24}}){{1,2}})\s{{0,4}}$"
)
_ALONE: Final = "stands alone on the last line"
_RULES: Final = (
    (("name", "naam", "called", "heet", "hei", "appelle", "nom", "llamo", "chiamo", "chamo"), _GIVEN, "gives a name", 0.8),
    (
        ("groet", "grüße", "gr.", "gr,", "gr ", "mvg", "m.v.g", "mfg", "regards", "sincerely", "faithfully", "thanks", "cheers",
         "cordial", "bien à", "saludo", "saluti", "atentamente", "atenciosa", "cumprimentos"), _SIGNED, "signed with a name", 0.75,
    ),
    (
        ("mr ", "mr. ", "mrs ", "mrs. ", "ms ", "ms. ", "miss ", "dr ", "dr. ", "dhr", "mevr", "mw", "meneer ", "heer ", "herr", "frau ",
         "monsieur ", "madame ", "mme", "señor", "sr ", "sr. ", "sra", "signor", "sig ", "sig. ", "prof ", "prof. ", "senhor"),
        _TITLED, "a title and a name", 0.8,
    ),
    ((".",), _INITIALS, "initials and a family name", 0.7),
    ((" van ", " from ", " von ", " de "), _SPEAKS_FOR, "speaks for somebody", 0.65),
    (("\n",), _LAST_LINE, _ALONE, 0.6),
)  # fmt: skip
"""Each pattern with letters without one of which it cannot match, for most texts have none."""
_HINTS: Final = Hints({why: hints for hints, _, why, _ in _RULES})
_LATER = re.compile(rf"[ ](?:{_PARTICLE}[ ]){{0,2}}[A-ZÀ-ÖØ-Þ][a-zà-ÿ'’]{{1,30}}(?:-[A-Z][a-zà-ÿ'’]{{1,30}})?(?!\w)")
_NOT_NAMES_TEXT = (
    "een ik wij we je jij u the i you dear beste geachte hallo hi hello team klantenservice customer service"
    " support webcare dank thanks bedankt alvast graag ps nb en and of or maar but dus so ja yes nee no"
)
_NOT_NAMES: Final = frozenset(_NOT_NAMES_TEXT.split())
_ABBREVIATED: Final = (
    "U.S.", "U.K.", "E.U.", "U.N.", "D.C.", "L.A.", "N.Y.", "N.J.", "N.O.", "S.F.", "N.V.", "B.V.", "V.S.", "R.I.P.", "P.S.", "T.V.",
    "A.M.", "P.M.",
)  # fmt: skip
_NO_SURNAME_TEXT = (
    "america usa universe world texas teen africa korea ireland carolina dakota county street road avenue"
    " monday tuesday wednesday thursday friday saturday sunday mon tue tues wed thu thur thurs fri sat sun"
    " january february march april june july august september october november december happy birthday"
    " that this these those there then when what where who why how well now not no yes all just guess fans my your his her our"
    " their it its he she they if but because can could will would should do does did is are was were have has"
    " dit dat deze die daar dan toen wat waar wie waarom hoe goed nu niet nee ja mijn jouw zijn haar onze hun het hij zij ze als"
    " want kan kunnen wil zou doet heeft hebben is was waren"
)
_NO_SURNAME: Final = frozenset(_NO_SURNAME_TEXT.split())
"""What stands behind an initial or a title that belongs to something else: "row C. Fans should", "Miss America"."""
_CONTRACTED: Final = re.compile(r"['’](?:ll|d|ve|re|m|t)$", re.IGNORECASE)
_OWNING: Final = re.compile(r"['’]s$")
_SURNAMED: Final = frozenset(("initials and a family name", "a title and a name"))
_PLACED = re.compile(
    r"(?<!\w)(?i:in|naar|uit|vanuit|richting|nabij|rond|rondom|omgeving|regio|te|tussen|station|gemeente|vestiging|filiaal|winkel[ ]in)[ ]"
    r"(?P<name>(?:['’]s-|Den |De |Het |Nieuw-|Oud-|Sint[- ]|St\. )?[A-ZÀ-ÖØ-Þ][a-zà-ÿ]{2,24}(?:-[A-Za-zà-ÿ]{2,20}){0,3}"
    r"(?: (?:aan (?:de|den)|op|bij) [A-Z][a-z]{2,20})?)(?![\w@])"
)
_NO_PLACE_TEXT = (
    "januari februari maart april mei juni juli augustus september oktober november december maandag dinsdag"
    " woensdag donderdag vrijdag zaterdag zondag kerst pasen pinksteren sinterklaas nederlands engels duits frans"
    " excel word teams windows android euro euros whatsapp facebook twitter instagram google outlook gmail internet"
    " wifi english dutch god europees black covid corona premium basis de het een dit dat deze die mijn jullie uw"
)
_NO_PLACE: Final = frozenset(_NO_PLACE_TEXT.split())
_NAMED_AFTER_LAND = re.compile(
    r"(?<!\w)(?i:in|op|bij|naar|rond|halte|langs|vanaf|tot)[ ](?:(?i:de|het)[ ])?(?P<name>[A-ZÀ-ÖØ-Þ][a-zà-ÿ-]{2,24}"
    r"(?:wijk|plein|markt|park|meer|haven|buurt|brug|kwartier|stad|straat|weg|laan|eiland|polder|gracht|kade))(?![\w@])"
)
WHY_GUESSED: Final = "a name behind a preposition of place"


class Name(NamedTuple):
    """A name and its place."""

    start: int
    end: int
    confidence: float
    why: str


def people(text: str, words: Sequence[Word], *, given: bool) -> Iterator[Name]:
    """The names of people in a text, the surest first; with `given`, also by their given names."""
    worth = _HINTS.of(text)
    for _, pattern, why, sure in _RULES:
        if why not in worth or (pattern is _INITIALS and not _INITIAL.search(text)):
            continue
        for match in pattern.finditer(text):
            end = match.end(1)
            while end > match.start(1) and text[end - 1] in ".'’-":
                end -= 1
            if owning := _OWNING.search(text, match.start(1), end):
                end = owning.start()
            if why in _SURNAMED:
                end = _without_others(text, match.start(1), end)
            if _may_be(text[match.start(1) : end], why):
                yield Name(match.start(1), end, sure, why)
    if given:
        yield from _by_given_name(text, words)


def _without_others(text: str, start: int, end: int) -> int:
    """Where a name ends, without the words behind it that belong to something else; where nothing but those is left, its beginning."""
    while start < end:
        last = text.rfind(" ", start, end) + 1 or start
        word = fold(text[last:end])
        if word not in _NO_SURNAME and not _CONTRACTED.search(word) and not (len(word) <= 2 and word.endswith(".")):
            return end
        end = len(text[:last].rstrip()) if last > start else start
    return start


def _may_be(name: str, why: str) -> bool:
    """Whether these words can name a person, by what they are else."""
    words = fold(name).split()
    if not words or words[0].rstrip(".,") in _NOT_NAMES or name.startswith(_ABBREVIATED):
        return False
    return why != _ALONE or "_".join(words) not in plain_words("places")


def _by_given_name(text: str, words: Sequence[Word]) -> Iterator[Name]:
    sure, unsure = _given_names()
    done = 0
    for word, start, end in words:
        if start < done or not text[start].isupper() or word not in sure | unsure:
            continue
        if text[start:end].isupper() and end - start < 4:
            continue  # an abbreviation
        later = _LATER.match(text, end)
        if later is not None:
            done = later.end()
            yield Name(start, done, 0.65, "a given name with a family name")
        elif word in sure:
            done = end
            yield Name(start, end, 0.5, "a given name")


@cache
def _given_names() -> tuple[frozenset[str], frozenset[str]]:
    """(those that are nothing else, those that are also words), folded."""
    path = Path(__file__).parents[1] / "lexicons" / "first_names.yaml"
    told: dict[str, list[str]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    unsure = frozenset(fold(name) for line in told.pop("also_words") for name in str(line).split())
    return frozenset(
        fold(name) for lines in told.values() for line in lines for name in str(line).split()
    ) - unsure, unsure


def guessed_places(text: str) -> Iterator[tuple[str, Name]]:
    """(name as written, its place) of what Dutch prepositions say is a place."""
    for match in chain(_PLACED.finditer(text), _NAMED_AFTER_LAND.finditer(text)):
        name = match.group("name")
        if fold(name.split()[0]) not in _NO_PLACE and fold(name.split()[-1]) not in _NO_PLACE:
            yield name, Name(*match.span("name"), 0.5, WHY_GUESSED)

"""Days that a text names, as ISO dates: written out, counted from the day of writing, or by the name of a day of the week.

`2026-11-22` a day, `2026-W47` a week, `2026-11` a month. A day of the week of which nobody can say which one is meant keeps its
English name: `monday`. The words are those of lexicons/calendar.yaml.
"""

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from services.triage.reading import Word, fold

WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_NUMBERS: Final = {
    "en": "a=1 an=1 one=1 two=2 three=3 four=4 five=5 six=6 seven=7 eight=8 nine=9 ten=10 twelve=12",
    "nl": "een=1 twee=2 drie=3 vier=4 vijf=5 zes=6 zeven=7 acht=8 negen=9 tien=10 twaalf=12",
    "de": "einem=1 einer=1 zwei=2 drei=3 vier=4 funf=5 sechs=6 sieben=7 acht=8 neun=9 zehn=10",
    "fr": "un=1 une=1 deux=2 trois=3 quatre=4 cinq=5 six=6 sept=7 huit=8 dix=10",
    "es": "un=1 una=1 dos=2 tres=3 cuatro=4 cinco=5 seis=6 siete=7 ocho=8 diez=10",
    "it": "un=1 una=1 due=2 tre=3 quattro=4 cinque=5 sei=6 sette=7 otto=8 dieci=10",
    "pt": "um=1 uma=1 dois=2 duas=2 tres=3 quatro=4 cinco=5 seis=6 sete=7 oito=8 dez=10",
}
_ALSO_WORDS: Final = frozenset(("may", "mar", "jan", "mars", "mai", "march"))
"""Months whose names are also words: alone before a number they are none ("may 5 people …", "jan 3x gebeld")."""
_SHORT_DAYS: Final = frozenset(
    ("mon", "tue", "wed", "thu", "fri", "sat", "sun", "ma", "di", "wo", "do", "vr", "za", "zo")
)
"""Days of the week that are other words too: read only where the rest says that a day is meant."""


_NAMED_DAYS: Final = frozenset(("black", "good", "cyber", "goede", "witte", "blue", "ash"))
"""Words that make a day of the week the name of a day of the year."""


class Day(NamedTuple):
    """A day, week or month that a text names, with its place."""

    value: str
    start: int
    end: int
    confidence: float
    why: str


@dataclass(frozen=True)
class _Calendar:
    """A language's words for days."""

    months: Mapping[str, int]
    weekdays: Mapping[str, int]
    days_away: Mapping[tuple[str, ...], int]
    never_before: Mapping[str, frozenset[str]]
    units: Mapping[str, str]
    words: Mapping[str, frozenset[str]]  # last, this, next, since, after_last, after_next
    counted: tuple[tuple[int, tuple[str, ...]], ...]  # (-1 for ago or 1 for ahead, the words)
    numbers: Mapping[str, int]
    starts: frozenset[str]  # words at which anything of this can begin
    written: re.Pattern[str]
    bare: re.Pattern[str]
    day_before: re.Pattern[str]


def read(text: str, words: Sequence[Word], language: str, published: date, country: str | None) -> Iterator[Day]:
    """Every day named, the surest first; `country` says which way round 3/4/2026 is."""
    calendar = _calendar(language if language in _NUMBERS else "en")
    if any(map(str.isdigit, text)):
        for match in calendar.written.finditer(text):
            if value := _written(match, calendar, published, country):
                start, end = match.span()
                if before := calendar.day_before.search(text[max(0, start - 16) : start]):
                    start -= len(before.group())  # "zaterdag 7 november"
                yield Day(value, start, end - (text[end - 1] == "."), 0.85, "a date")
        for match in calendar.bare.finditer(text):
            if value := _bare(match, published):
                yield Day(value, *match.span(1), 0.7, "a day and a month")
    yield from _said(words, calendar, published)


def _written(match: re.Match[str], calendar: _Calendar, published: date, country: str | None) -> str | None:
    part = match.groupdict()
    if part["y"]:
        year, month, day = int(part["y"]), int(part["m"]), int(part["d"])
    elif part["a"]:
        first, second, year = int(part["a"]), int(part["b"]), int(part["c"])
        year += 2000 if year < 100 else 0
        month_first = second > 12 or (country == "US" and first <= 12)
        month, day = (first, second) if month_first else (second, first)
    elif part["m4"]:
        month, year = calendar.months[fold(part["m4"])], int(part["y4"])
        return f"{year}-{month:02d}"
    else:
        name = part["m2"] or part["m3"]
        if part["m3"] and name in _ALSO_WORDS and not part["y3"]:
            return None
        month, day = calendar.months[fold(name)], int(part["d2"] or part["d3"])
        said = part["y2"] or part["y3"]
        year = int(said) if said else _nearest_year(month, published)
    return _iso(year, month, day)


def _bare(match: re.Match[str], published: date) -> str | None:
    first, second = int(match.group("a")), int(match.group("b"))
    day, month = (first, second) if first > 12 else (second, first)
    if month > 12 or day <= 12:
        return None  # 24/7, 3/4: a share, a score, or a day that could be read both ways
    return _iso(_nearest_year(month, published), month, day)


def _iso(year: int, month: int, day: int) -> str | None:
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return None


def _nearest_year(month: int, published: date) -> int:
    """The year in which a month without one lies nearest: in January, "december" is last year's."""
    if month - published.month > 6:
        return published.year - 1
    return published.year + 1 if published.month - month > 6 else published.year


def _said(words: Sequence[Word], calendar: _Calendar, published: date) -> Iterator[Day]:
    at = 0
    while at < len(words):
        if words[at][0] in calendar.starts and (found := _at(words, at, calendar, published)):
            taken, value, sure, why = found
            first = at + (words[at][0] in calendar.words["since"])  # "since monday": the day is monday
            yield Day(value, words[first][1], words[at + taken - 1][2], sure, why)
            at += taken
        else:
            at += 1


_Found = tuple[int, str, float, str]
"""Words taken, value, confidence, why."""


def _at(words: Sequence[Word], at: int, calendar: _Calendar, published: date) -> _Found | None:
    """(words taken, value, confidence, why) for what begins at a word, the longest reading first."""
    said = [word for word, _, _ in words[at : at + 5]]
    return (
        _counted(said, calendar, published)
        or _near(said, calendar, published)
        or _away(words, at, said, calendar, published)
        or _weekday(words, at, said, calendar, published)
    )


def _counted(said: Sequence[str], calendar: _Calendar, published: date) -> _Found | None:
    for turn, pattern in calendar.counted:
        number: int | None = None
        unit: str | None = None
        for want, word in zip(pattern, said, strict=False):
            if want == "{n}":
                number = int(word) if word.isdecimal() and len(word) < 4 else calendar.numbers.get(word)
                if number is None:
                    break
            elif want == "{unit}":
                unit = calendar.units.get(word)
                if unit is None:
                    break
            elif want != word:
                break
        else:
            if number is not None and unit is not None and len(said) >= len(pattern):
                return len(pattern), _moved(published, turn * number, unit), 0.8, "counted from the day of writing"
    return None


def _moved(published: date, number: int, unit: str) -> str:
    """The day, month or year that lies so many units from a day; weeks lead to a day. Numbers are below 1,000."""
    if unit == "month":
        months = published.year * 12 + published.month - 1 + number
        return f"{months // 12}-{months % 12 + 1:02d}"
    if unit == "year":
        return str(published.year + number)
    return (published + timedelta(days=number * (7 if unit == "week" else 1))).isoformat()


def _near(said: Sequence[str], calendar: _Calendar, published: date) -> _Found | None:
    """ "last week", "next friday", "vrijdag volgende week", "lundi dernier"."""
    first, second = (*said, "", "")[:2]
    if second in _SHORT_DAYS and first in calendar.words["this"]:
        return None  # "dit zo": this so
    turn = _turn(first, calendar, "last", "this", "next", "since")
    what = second
    if turn is None:
        turn, what = _turn(second, calendar, "after_last", "after_next"), first
    if turn is None:
        return None
    why = f"'{first} {second}' when it was written"
    if (day := calendar.weekdays.get(what)) is not None:
        return 2, _the(day, turn, published).isoformat(), 0.75, why
    unit = calendar.units.get(what)
    if turn == "since" or unit not in ("week", "month", "year"):
        return None
    step = {"last": -1, "this": 0, "next": 1}[turn]
    if unit != "week":
        return 2, _moved(published, step, unit), 0.75, why
    week = published + timedelta(days=7 * step)
    third = said[2] if len(said) > 2 else ""
    if (day := calendar.weekdays.get(third)) is not None:
        return 3, (week + timedelta(days=day - week.weekday())).isoformat(), 0.8, why
    year, number, _ = week.isocalendar()
    return 2, f"{year}-W{number:02d}", 0.75, why


def _turn(word: str, calendar: _Calendar, *turns: str) -> str | None:
    for turn in turns:
        if word in calendar.words[turn]:
            return turn.removeprefix("after_")
    return None


def _the(day: int, turn: str, published: date) -> date:
    """The day of the week that is meant: the last before, the first after, or that of next week."""
    ahead = (day - published.weekday()) % 7
    if turn in ("last", "since"):
        return published - timedelta(days=(7 - ahead) % 7 or 7)
    if turn == "next":
        return published + timedelta(days=7 - published.weekday() + day)
    return published + timedelta(days=ahead)


def _away(words: Sequence[Word], at: int, said: Sequence[str], calendar: _Calendar, published: date) -> _Found | None:
    for length in (4, 3, 2, 1):
        away = calendar.days_away.get(tuple(said[:length])) if length <= len(said) else None
        if away is None:
            continue
        before = words[at - 1][0] if at else ""
        if before in calendar.never_before.get(said[0], ()):
            return None
        phrase = " ".join(said[:length])
        return length, (published + timedelta(days=away)).isoformat(), 0.8, f"'{phrase}' when it was written"
    return None


def _weekday(
    words: Sequence[Word], at: int, said: Sequence[str], calendar: _Calendar, published: date
) -> _Found | None:
    day = calendar.weekdays.get(said[0])
    if day is None or said[0] in _SHORT_DAYS or (at and words[at - 1][0] in _NAMED_DAYS):
        return None
    following = _turn((*said, "")[1], calendar, "last", "next")
    if following is not None and calendar.units.get((*said, "", "")[2]) == "week":  # "vrijdag volgende week"
        week = published + timedelta(days=7 if following == "next" else -7)
        return 3, (week + timedelta(days=day - week.weekday())).isoformat(), 0.75, "a day of a week named"
    return 1, WEEKDAYS[day], 0.7, "a day of the week"


@cache
def _calendars() -> Mapping[str, Mapping[str, Any]]:
    path = Path(__file__).parents[1] / "lexicons" / "calendar.yaml"
    read_in: Mapping[str, Mapping[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return read_in


@cache
def _calendar(language: str) -> _Calendar:
    """The words of a language, English ones too: people mix them."""
    told = _calendars()
    sources = [told["en"], told[language]] if language != "en" else [told["en"]]
    months = {spelling: n for one in sources for n, line in enumerate(one["months"], 1) for spelling in _words(line)}
    weekdays = {spelling: n for one in sources for n, line in enumerate(one["weekdays"]) for spelling in _words(line)}
    for one in sources:
        for n, line in enumerate(one["weekdays"]):
            weekdays |= {line.split()[0] + part: n for part in one.get("day_parts", "").split()}
    away = {tuple(_words(phrase.replace("_", " "))): n for one in sources for phrase, n in one["days_away"].items()}
    units = {spelling: unit for one in sources for unit, line in one["units"].items() for spelling in _words(line)}
    numbers = {
        word: int(number)
        for name in {"en", language}
        for word, _, number in (pair.partition("=") for pair in _NUMBERS[name].split())
    }
    turns = ("last", "this", "next", "since", "after_last", "after_next")
    words = {turn: frozenset(_words(" ".join(one.get(turn, "") for one in sources))) for turn in turns}
    counted = tuple(
        (turn, tuple(fold(word) for word in pattern.split()))
        for one in sources
        for turn, name in ((-1, "ago"), (1, "ahead"))
        for pattern in one[name]
    )
    firsts = {pattern[0] for _, pattern in counted if pattern[0] != "{n}"}
    starts = {*weekdays, *firsts, *(phrase[0] for phrase in away), *numbers, *map(str, range(1, 100))}
    starts |= {word for turn in turns[:4] for word in words[turn]} | ({*units} if words["after_last"] else set())
    never = {
        fold(word): frozenset(_words(line)) for one in sources for word, line in one.get("never_before", {}).items()
    }
    of = "|".join(sorted({word for one in sources for word in one.get("of", "of").split()}))
    on = "|".join(sorted({re.escape(word) for one in sources for word in one["dated"].split()}, key=len, reverse=True))
    names = {spelling for one in sources for line in one["months"] for spelling in line.split()}
    month = "|".join(sorted(map(re.escape, names | set(months)), key=len, reverse=True))
    return _Calendar(
        months, weekdays, away, never, units, words, counted, numbers, frozenset(starts), _pattern(month, of), _pair(on),
        _day_before({spelling for one in sources for line in one["weekdays"] for spelling in line.split()}),
    )  # fmt: skip


def _words(line: str) -> list[str]:
    return [fold(word) for word in line.split()]


def _pattern(month: str, of: str) -> re.Pattern[str]:
    return re.compile(
        rf"(?<![\w/.-])(?:(?P<y>(?:19|20)\d\d)[-/.](?P<m>\d{{1,2}})[-/.](?P<d>\d{{1,2}})"
        rf"|(?P<a>\d{{1,2}})(?P<s>[-/.])(?P<b>\d{{1,2}})(?P=s)(?P<c>(?:19|20)?\d\d)"
        rf"|(?P<d2>\d{{1,2}})(?:st|nd|rd|th|e|er|º|°|\.)?[ -](?:(?i:{of})[ ])?(?P<m2>(?i:{month}))\.?"
        rf"(?:[ ,.-]{{1,2}}(?:(?i:{of})[ ])?(?P<y2>(?:19|20)\d\d))?"
        rf"|(?P<m3>(?i:{month}))\.?[ ](?P<d3>\d{{1,2}})(?:st|nd|rd|th)?(?:[ ,]{{1,2}}(?P<y3>(?:19|20)\d\d))?"
        rf"|(?P<m4>(?i:{month}))[ ](?:(?i:{of})[ ])?(?P<y4>(?:19|20)\d\d))(?![\w/-])"
    )


def _day_before(weekdays: Set[str]) -> re.Pattern[str]:
    return re.compile(
        rf"(?<!\w)(?i:{'|'.join(sorted(map(re.escape, weekdays), key=len, reverse=True))})\.?[ ,]{{1,2}}(?:(?i:the|den|der|le|el|il)[ ])?$"
    )


def _pair(on: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?i:{on})[ ]((?P<a>\d{{1,2}})[-/](?P<b>\d{{1,2}}))(?![\w/.,-])")

"""Which language is it written in? The workspace's languages first, but others are recognised too."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from services.triage.stage import Assessment, Briefing, Finding, Models, finder, quote, stage

_VERSION = "2"
_says = finder("language", _VERSION)

_NOT_LANGUAGE = re.compile(r"https?://\S+|www\.\S+|(?<!\S)\S+@\S+\.\w+|[@#]\w+|\b(?:RT|via)\b|[\d_]+")
_HINTS: Final = ("@", "#", "RT", "via", "://", "www.")
"""Without one of these, or a digit, there is nothing in a text that is no language."""
_DIGIT = re.compile(r"[\d_]")
_LETTER = re.compile(r"[^\W\d_]")
_PUNCTUATION = ".,!?;:'\"()…-¿¡«»“”„"
_MARKS = re.compile("[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u20d0-\u20ff]+")

KNOWN: Final = ("en", "nl", "de", "fr", "es", "it", "pt")
"""Languages whose little words we have."""
NEAR: Final[Mapping[str, tuple[str, ...]]] = {"nl": ("af", "li", "fy", "nds", "lb"), "en": ("sco",)}
"""Languages that short texts are mistaken for: counted as the workspace's own."""
FOREIGN_TIMES: Final = 4.0
"""So many times likelier than the workspace's languages together must another one be before it is believed."""
FOREIGN_TIMES_WITH_WORDS: Final = 0.7
"""The same where little words of that language stand in the text, and none of the workspace's."""
FOREIGN_LETTERS: Final = 12
"""With fewer letters than this no language outside the workspace is believed, unless its script or words tell."""
FOREIGN_WORDS: Final = 0.5
"""Nor where so many of the words are little words of a language of the workspace: "no me" is English too."""
SURE_WORDS: Final = 2
FEW_WORDS: Final = 6
LOOKED_AT: Final = 300
"""Characters that are enough to tell a language."""
ENOUGH: Final = 60
"""Words that are enough to look for little ones among."""
_OUTSIDE: Final = ", none of the workspace's languages"


class _Home(NamedTuple):
    """Whose little word a word is: of one of the workspace's languages only, of one other that we know only, and of one that hardly
    any other language shares it with. Empty where of none, or of several."""

    ours: str
    other: str
    sure: str


class _Odds(NamedTuple):
    """How likely a text is in the languages that can be expected, and in the likeliest of all."""

    places: Mapping[str, int]
    row: list[float]
    best: str
    likely: float

    def of(self, code: str) -> float:
        """Of one that can be expected; 0 where it is not known."""
        at = self.places.get(code)
        return 0.0 if at is None else self.row[at]


class _Asked(NamedTuple):
    """A text as it is asked about: its place in the batch, without what is no language, its words, the little ones among them by
    whose they are, how many letters it has, and what the venue says."""

    at: int
    text: str
    words: list[str]
    little: "_Found"
    letters: int
    hint: str


class _Found(NamedTuple):
    """The little words of a text by language, as in _Home."""

    ours: dict[str, list[str]]
    others: dict[str, list[str]]
    sure: dict[str, list[str]]


@stage(adds=("language",), version=_VERSION)
def assess(batch: Sequence[Assessment], briefing: Briefing) -> Sequence[Assessment]:
    """The ISO 639-1 code of each text; `und` where there is nothing to go by and no language is expected."""
    homes = briefing.once("language.words", _homes, of=("languages",))
    found: dict[int, Finding] = {}
    asked: list[_Asked] = []
    for at, a in enumerate(batch):
        one = _read(a, at, homes)
        if one.letters < 2:
            found[at] = _without_words(one.hint, briefing.languages)
        elif plain := _sure(one.little):
            because = f"words like {quote(*one.little.sure[plain])}"
            found[at] = _says(plain, 0.97, because + ("" if plain in briefing.languages else _OUTSIDE))
        else:
            asked.append(one)
    if asked:
        for one, odds in zip(asked, _odds(asked, briefing), strict=True):
            found[one.at] = _of(one, odds, briefing)
    return [a.found(language=found[at]) for at, a in enumerate(batch)]


def _odds(asked: Sequence[_Asked], briefing: Briefing) -> Iterator[_Odds]:
    codes, odds = briefing.models.language_odds([one.text for one in asked])
    expected = {*briefing.languages, *KNOWN, *(near for mine in briefing.languages for near in NEAR.get(mine, ()))}
    columns = [at for at, code in enumerate(codes) if code in expected]
    places = {codes[column]: at for at, column in reversed(list(enumerate(columns)))}
    best = odds.argmax(axis=1).tolist()
    for row, at, likely in zip(odds[:, columns].tolist(), best, odds.max(axis=1).tolist(), strict=True):
        yield _Odds(places, row, codes[at], likely)


def _read(a: Assessment, at: int, homes: Mapping[str, _Home]) -> _Asked:
    text = f"{a.title} {a.reading.text[:LOOKED_AT]}" if a.title else a.reading.text[:LOOKED_AT]
    if any(hint in text for hint in _HINTS) or _DIGIT.search(text):
        text = _NOT_LANGUAGE.sub(" ", text)
    if not text.isascii():
        text = _MARKS.sub("", text)
    hint = (a.lang_hint or "").lower().replace("_", "-").partition("-")[0]
    words = _words(text)
    return _Asked(at, text, words, _found(words, homes), _letters(text), hint)


def _found(words: Sequence[str], homes: Mapping[str, _Home]) -> _Found:
    found = _Found({}, {}, {})
    for word in words:
        if word in homes:
            ours, other, sure = homes[word]
            if ours:
                found.ours.setdefault(ours, []).append(word)
            if other:
                found.others.setdefault(other, []).append(word)
            if sure:
                found.sure.setdefault(sure, []).append(word)
    return found


def _of(asked: _Asked, odds: _Odds, briefing: Briefing) -> Finding:
    ours, words, letters, hint = briefing.languages, asked.words, asked.letters, asked.hint
    by_words = asked.little.ours
    if not by_words and len(words) <= FEW_WORDS:
        by_words = _words_of_feeling(words, briefing.models, ours)
    own = {mine: odds.of(mine) + sum(map(odds.of, NEAR.get(mine, ()))) for mine in ours}
    total = sum(own.values())
    if foreign := _foreign(asked, odds, by_words, own):
        return foreign
    votes = {mine: (own[mine] / total if total else 0.0) for mine in own}
    for mine, found in by_words.items():  # of three words one little one says a lot, of thirty not much
        votes[mine] += 0.25 * min(len(found), 3) + len(found) / max(len(words), 1)
    if hint in votes:
        votes[hint] += 0.35 if letters < FOREIGN_LETTERS else 0.15
    chosen = max(ours, key=lambda mine: votes[mine])
    confidence = votes[chosen] / sum(votes.values()) if sum(votes.values()) else 0.5
    if letters < FOREIGN_LETTERS:
        confidence *= 0.8
    because = f", words like {quote(*by_words[chosen], limit=3)}" if by_words.get(chosen) else ""
    return _says(chosen, min(confidence, 0.99), f"reads as {chosen} among {', '.join(ours)}{because}")


def _foreign(
    asked: _Asked, odds: _Odds, by_words: Mapping[str, Sequence[str]], own: Mapping[str, float]
) -> Finding | None:
    """The finding where the text is in none of the workspace's languages."""
    total, others, best, likely = sum(own.values()), asked.little.others, odds.best, odds.likely
    told = max(others, key=lambda code: (len(others[code]), odds.of(code)), default=None)
    if told is not None and not by_words and odds.of(told) > FOREIGN_TIMES_WITH_WORDS * total:
        confidence = odds.of(told) / (odds.of(told) + total)
        return _says(told, confidence, f"reads as {told}, words like {quote(*others[told], limit=3)}{_OUTSIDE}")
    if best in own or any(best in NEAR.get(mine, ()) for mine in own):
        return None
    little = sum(map(len, by_words.values())) / max(len(asked.words), 1)
    if likely > FOREIGN_TIMES * total and little < FOREIGN_WORDS and (
        asked.letters >= FOREIGN_LETTERS or not asked.text.isascii() or asked.hint == best
    ):  # fmt: skip
        return _says(best, likely / (likely + total), f"reads as {best}{_OUTSIDE}")
    return None


def _without_words(hint: str, ours: Sequence[str]) -> Finding:
    if hint:
        return _says(hint, 0.5, f"no words to go by; the venue says {hint}")
    if len(ours) == 1:
        return _says(ours[0], 0.3, f"no words to go by; the workspace works in {ours[0]}")
    return _says("und", 0.1, "no words to go by")


def _letters(text: str) -> int:
    """How many letters there are, counted no further than it matters."""
    near = len(_LETTER.findall(text[:40]))
    return near if near >= FOREIGN_LETTERS else len(_LETTER.findall(text[:400]))


def _words(text: str) -> list[str]:
    return list(dict.fromkeys(word.strip(_PUNCTUATION) for word in text.lower().replace("’", "'").split()[:ENOUGH]))


def _homes(briefing: Briefing) -> Mapping[str, _Home]:
    """Every little word that tells a language."""
    models, ours = briefing.models, briefing.languages
    lists = {code: models.words(f"function_words.{code}") for code in dict.fromkeys((*ours, *KNOWN))}
    certain = {code: models.words(f"function_words_sure.{code}") for code in lists}
    among_ours = _of_one_list({code: lists[code] for code in ours})
    among_all = _of_one_list(lists)
    homes = {}
    for word in {*among_ours, *among_all}:
        one = among_all.get(word, "")
        homes[word] = _Home(
            among_ours.get(word, ""), "" if one in ours else one, one if one and word in certain[one] else ""
        )
    return homes


def _of_one_list(lists: Mapping[str, frozenset[str]]) -> dict[str, str]:
    """The words that stand in one list only, with its language."""
    homes: dict[str, str | None] = {}
    for code, words in lists.items():
        for word in words:
            homes[word] = None if word in homes else code
    return {word: code for word, code in homes.items() if code is not None}


def _sure(little: _Found) -> str | None:
    """The one language of which there are SURE_WORDS words that hardly any other language has, and none of another; asking the
    identifier costs several times as much and would say the same."""
    if len(little.sure) != 1:
        return None
    (code, sure), *_ = little.sure.items()
    told = {*little.ours, *little.others}
    return code if len(sure) >= SURE_WORDS and told <= {code} else None


def _words_of_feeling(words: Sequence[str], models: Models, ours: Sequence[str]) -> dict[str, list[str]]:
    """The words of feeling of one language only ("slecht", "nice"): they tell a language too."""
    lexicons = {mine: models.lexicon("sentiment", mine) for mine in ours}
    found: dict[str, list[str]] = {}
    for word in words:
        homes = [mine for mine in ours if lexicons[mine].longest_from(word)]
        if len(homes) == 1:
            found.setdefault(homes[0], []).append(word)
    return found

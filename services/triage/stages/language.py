"""Which language is it written in? The workspace's languages first, but others are recognised too."""

import re
from collections.abc import Sequence

from services.triage.stage import Assessment, Briefing, Finding, Models, finder, quote, stage

_VERSION = "1"
_says = finder("language", _VERSION)

_NOT_LANGUAGE = re.compile(r"https?://\S+|www\.\S+|\S+@\S+\.\w+|[@#]\w+|\b(?:RT|via)\b|[\d_]+")
_LETTER = re.compile(r"[^\W\d_]")
_PUNCTUATION = ".,!?;:'\"()…-"
_MARKS = re.compile("[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u20d0-\u20ff]+")

NEAR = {"nl": ("af", "li", "fy", "nds", "lb"), "en": ("sco",)}
"""Languages that short texts are mistaken for: counted as the workspace's own."""
FOREIGN_TIMES = 4.0
"""So many times likelier than the workspace's languages together must another one be before it is believed."""
FOREIGN_LETTERS = 12
"""With fewer letters than this no language outside the workspace is believed, unless its script differs."""
FOREIGN_WORDS = 0.5
"""Nor where so many of the words are little words of a language of the workspace: "no me" is English too."""
SURE_WORDS = 2
FEW_WORDS = 6
LOOKED_AT = 600
"""Characters that are enough to tell a language."""


@stage(adds=("language",), version=_VERSION)
def assess(batch: Sequence[Assessment], briefing: Briefing) -> Sequence[Assessment]:
    """The ISO 639-1 code of each text; `und` where there is nothing to go by and no language is expected."""
    return [a.found(language=_of(a, briefing)) for a in batch]


def _of(a: Assessment, briefing: Briefing) -> Finding:
    text = _NOT_LANGUAGE.sub(" ", f"{a.title} {a.reading.text[:LOOKED_AT]}" if a.title else a.reading.text[:LOOKED_AT])
    if not text.isascii():
        text = _MARKS.sub("", text)
    letters = len(_LETTER.findall(text[:400]))
    hint = (a.lang_hint or "").lower().replace("_", "-").partition("-")[0]
    ours = briefing.languages
    if letters < 2:
        return _without_words(hint, ours)
    by_words = _function_words(text, briefing.models, ours)
    if plain := _sure(by_words, briefing.models):
        return _says(plain, 0.97, f"words like {quote(*by_words[plain])}")
    ranked = briefing.models.languages_by_likelihood(text)
    best, likely_best = ranked[0]
    likelihood = dict(ranked)
    own = {mine: sum(likelihood.get(code, 0.0) for code in (mine, *NEAR.get(mine, ()))) for mine in ours}
    total = sum(own.values())
    long = max(len(text.split()), 1)
    little = sum(map(len, by_words.values())) / long
    near = best in own or any(best in NEAR.get(mine, ()) for mine in ours)
    foreign = not near and likely_best > FOREIGN_TIMES * total and little < FOREIGN_WORDS
    if foreign and (letters >= FOREIGN_LETTERS or not text.isascii() or hint == best):
        confidence = likely_best / (likely_best + total)
        return _says(best, confidence, f"reads as {best}, none of the workspace's languages")
    votes = {mine: (own[mine] / total if total else 0.0) for mine in own}
    for mine, words in by_words.items():  # of three words one little one says a lot, of thirty not much
        votes[mine] += 0.25 * min(len(words), 3) + len(words) / long
    if hint in votes:
        votes[hint] += 0.35 if letters < 12 else 0.15
    chosen = max(ours, key=lambda mine: votes[mine])
    confidence = votes[chosen] / sum(votes.values()) if sum(votes.values()) else 0.5
    if letters < 12:
        confidence *= 0.8
    because = f", words like {quote(*by_words[chosen], limit=3)}" if by_words.get(chosen) else ""
    return _says(chosen, min(confidence, 0.99), f"reads as {chosen} among {', '.join(ours)}{because}")


def _without_words(hint: str, ours: Sequence[str]) -> Finding:
    if hint:
        return _says(hint, 0.5, f"no words to go by; the venue says {hint}")
    if len(ours) == 1:
        return _says(ours[0], 0.3, f"no words to go by; the workspace works in {ours[0]}")
    return _says("und", 0.1, "no words to go by")


def _sure(by_words: dict[str, list[str]], models: Models) -> str | None:
    """The one language of which there are SURE_WORDS words that hardly any other language has; asking the identifier
    costs ten times as much and would say the same."""
    if len(by_words) != 1:
        return None
    (language, words), *_ = by_words.items()
    return language if len(models.words(f"function_words_sure.{language}").intersection(words)) >= SURE_WORDS else None


def _function_words(text: str, models: Models, ours: Sequence[str]) -> dict[str, list[str]]:
    """The little words of each language that stand in the text and in no other of the workspace's languages."""
    lists = {mine: models.words(f"function_words.{mine}") for mine in ours}
    found: dict[str, list[str]] = {}
    words = list(dict.fromkeys(word.strip(_PUNCTUATION) for word in text.lower().replace("’", "'").split()[:60]))
    for bare in words:
        homes = [mine for mine in ours if bare in lists[mine]]
        if len(homes) == 1:
            found.setdefault(homes[0], []).append(bare)
    if not found and len(words) <= FEW_WORDS:  # "slecht", "nice": words of feeling tell a language too
        lexicons = {mine: models.lexicon("sentiment", mine) for mine in ours}
        for bare in words:
            homes = [mine for mine in ours if lexicons[mine].longest_from(bare)]
            if len(homes) == 1:
                found.setdefault(homes[0], []).append(bare)
    return found

"""How the languages are written and how they say no: folding, negation, supposing, and the words that phrases share."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

LANGUAGES: Final = ("en", "nl")
"""The languages that phrases and names are written in (BCP 47)."""
NEGATION_REACH: Final = 3
"""How many tokens before a hit a negation word may stand and still govern it."""

_OTHER: Final = re.compile("[^\x00-\x5f\x61-\x7f]+")  # all but ASCII, and the accent that is written for an apostrophe
_WORDS: Final = Path(__file__).with_name("taxonomies") / "words.yaml"


class TaxonomyError(ValueError):
    """An issue type, a phrase or a file is not written as it must be. The message says where and what to change."""


@dataclass(frozen=True, slots=True)
class Negation:
    """How one language says no. All words folded."""

    words: frozenset[str]
    not_negations: tuple[tuple[str, ...], ...]  # "not only", "geen wonder": the first word negates nothing here
    of_nouns: frozenset[str]  # those of `words` that deny the noun behind them and nothing else
    breaks: frozenset[str]  # words that begin a new clause: what stands before them governs nothing behind
    joins: frozenset[str] = frozenset()  # words that no short gap skips: another subject follows
    suppose: frozenset[str] = frozenset()  # "if", "mocht": what they govern is not said to be so
    supposed: frozenset[str] = frozenset()  # the words that may stand between them and what they govern

    def holds(self, word: str) -> bool:
        """Whether this folded word (or token) says no: "never", "n't", "doesn't", "geen"."""
        return word in self.words or word.endswith("n't")

    def denies_within(self, word: str) -> bool:
        """Whether this folded word, standing in a gap of a hit, denies the hit: "zeg .. niet .. op". Words like "without"
        deny only the noun behind them: "cancelled my flight without a word"."""
        return self.holds(word) and word not in self.of_nouns

    def governs(self, before: Sequence[str]) -> int | None:
        """The index, in the folded tokens that precede a hit in its sentence, of the negation word that governs the
        hit; None where there is none. It looks back `NEGATION_REACH` tokens and stops at a clause break or at
        punctuation."""
        for back in range(1, min(NEGATION_REACH, len(before)) + 1):
            at = len(before) - back
            word = before[at]
            if word in self.breaks or not any(letter.isalnum() for letter in word):
                return None
            if self.holds(word):
                return None if self._is_only_apparent(before, at) else at
        return None

    def supposes(self, before: Sequence[str]) -> bool:
        """Whether what follows these folded tokens is only supposed: "if the internet is down", "mocht het uitvallen". Nothing but
        articles and the like may stand between; "if I cannot log in" tells of something that happened."""
        for word in reversed(before[-4:]):
            if word in self.suppose:
                return True
            if word not in self.supposed:
                return False
        return False

    def _is_only_apparent(self, tokens: Sequence[str], at: int) -> bool:
        return any(tuple(tokens[at : at + len(words)]) == words for words in self.not_negations)


def fold(text: str) -> str:
    """Lower case, no accents, straight apostrophes; one code point in, one out, so that every position in the folded
    text is the same position in the text. Expects composed text (NFC), as mentions are stored."""
    return _OTHER.sub(_fold_run, text).lower()  # what is not ASCII is in lower case by then, and stays as it is


def _fold_run(run: re.Match[str]) -> str:
    return "".join(map(_fold_letter, run.group()))


@cache
def _fold_letter(letter: str) -> str:
    if letter in "\u2018\u2019\u02bc\u00b4`":
        return "'"
    base = unicodedata.normalize("NFD", letter)[0]
    lower = base.lower()
    return lower if len(lower) == 1 else base


@cache
def negations(language: str) -> Negation:
    """How the language says no, from ``words.yaml``. Raises TaxonomyError for a language not in LANGUAGES."""
    try:
        source = words()["negation"][language]
    except KeyError:
        raise TaxonomyError(f"There are no words for {language!r}; choose one of: {', '.join(LANGUAGES)}.") from None
    apparent = tuple(tuple(fold(line).split()) for line in lines_of(source["not_negations"]))
    fields = ("words", "of_nouns", "breaks", "joins", "suppose", "supposed")
    sets = {field: frozenset(fold(source[field]).split()) for field in fields}
    return Negation(not_negations=apparent, **sets)


def refuse_unknown(source: Mapping[str, Any], known: set[str], where: str) -> None:
    """Raise TaxonomyError when `source` has a field that is not `known`; a misspelt field is never just ignored."""
    unknown = sorted(str(field) for field in source if field not in known)
    if unknown:
        raise TaxonomyError(f"The {where} has unknown fields {', '.join(unknown)}; known: {', '.join(sorted(known))}.")


def lines_of(source: str) -> list[str]:
    """The lines of a block of text that say something: no empty ones, none that begin with ``#``."""
    lines = (line.strip() for line in source.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


@cache
def words() -> Any:
    """What words.yaml holds."""
    return read_yaml(_WORDS)


def read_yaml(path: Path) -> Any:
    """The mapping that a YAML file of this project holds. Raises TaxonomyError when it is not valid."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise TaxonomyError(f"{path.name} is not valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise TaxonomyError(f"{path.name} must be a mapping.")
    return content

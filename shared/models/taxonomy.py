"""The issue types that come with the project: one YAML file per sector, read and checked here.

`load("telecom")` gives the common types and those of the sector. A file holds a list `issue_types`, each with

- ``key``       lower-case words joined by dots, unique in what is loaded together
- ``name``      by language, both of them
- ``parent``    the key of a broader type of the same or the common file (optional)
- ``severity``  1 a wish, 2 a nuisance, 3 hinders, 4 costs money or a day, 5 harms people or lays everything flat
- ``phrases``   by language, a list or a text with one phrase a line (``#`` begins a remark), written in the language of
  `shared.models.phrase`, which says what a phrase means and what counts as a hit
- ``unless``    by language: phrases that undo an overlapping hit of this type (optional)
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from shared.models.phrase import LANGUAGES, Phrase, TaxonomyError, lines_of, parse_phrase, read_yaml, refuse_unknown

_FOLDER: Final = Path(__file__).with_name("taxonomies")
_KEY: Final = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*")
_COMMON, _WORDS = "common", "words"


@dataclass(frozen=True, slots=True)
class IssueTypeDefinition:
    """A kind of problem as a taxonomy describes it, before it is anybody's row."""

    key: str  # "outage.internet"; unique in a loaded taxonomy
    name: Mapping[str, str]  # by language, every one of LANGUAGES
    parent: str | None  # the key of a broader type of the same taxonomy
    severity: int  # 1 a wish … 3 hinders … 5 harms
    phrases: Mapping[str, tuple[Phrase, ...]]  # by language
    unless: Mapping[str, tuple[Phrase, ...]]  # by language; hold for every phrase of the type

    def as_source(self) -> dict[str, Any]:
        """JSON-able and equal to what `read_definition` reads; fit for a column or an API body."""
        source: dict[str, Any] = {"key": self.key, "name": dict(self.name), "severity": self.severity}
        source["parent"] = self.parent
        source["phrases"] = {language: [one.as_source() for one in many] for language, many in self.phrases.items()}
        source["unless"] = {language: [one.as_source() for one in many] for language, many in self.unless.items()}
        return source


def read_definition(source: Mapping[str, Any]) -> IssueTypeDefinition:
    """Read one issue type from a file, an API body or a row. Does not look whether the parent exists.

    Raises TaxonomyError naming the issue type and the field."""
    key = source.get("key")
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise TaxonomyError(
            f"An issue type's key is lower-case words joined by dots, like outage.internet; not {key!r}."
        )
    refuse_unknown(source, {"key", "name", "parent", "severity", "phrases", "unless"}, f"issue type {key}")
    name, severity, parent = source.get("name"), source.get("severity"), source.get("parent")
    if not isinstance(name, Mapping) or not all(name.get(one) and isinstance(name[one], str) for one in LANGUAGES):
        raise TaxonomyError(f"Issue type {key} needs a `name` in each of: {', '.join(LANGUAGES)}.")
    refuse_unknown(name, set(LANGUAGES), f"`name` of issue type {key}")
    if isinstance(severity, bool) or not isinstance(severity, int) or not 1 <= severity <= 5:
        raise TaxonomyError(f"Issue type {key} needs a `severity` from 1 to 5; not {severity!r}.")
    if parent is not None and (not isinstance(parent, str) or not _KEY.fullmatch(parent)):
        raise TaxonomyError(f"The `parent` of issue type {key} must be the key of another one; not {parent!r}.")
    phrases, unless = _phrases_of(key, "phrases", source), _phrases_of(key, "unless", source)
    return IssueTypeDefinition(key, dict(name), parent, severity, phrases, unless)


def sectors() -> tuple[str, ...]:
    """The sectors there is a taxonomy for, in alphabetical order; each is loaded together with the common types."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.yaml") if path.stem not in {_COMMON, _WORDS}))


def load(sector: str | None) -> list[IssueTypeDefinition]:
    """The common issue types and those of a sector, parents before children; None loads the common ones alone.

    Raises TaxonomyError for an unknown sector, a key that stands twice, or a parent that does not exist."""
    if sector is not None and sector not in sectors():
        raise TaxonomyError(f"There is no taxonomy for {sector!r}; choose one of: {', '.join(sectors())}.")
    found: dict[str, IssueTypeDefinition] = {}
    for name in (_COMMON, *([sector] if sector else [])):
        for source in _read_file(name):
            try:
                definition = read_definition(source)
            except TaxonomyError as error:
                raise TaxonomyError(f"{name}.yaml: {error}") from error
            if definition.key in found:
                raise TaxonomyError(f"{name}.yaml: the key {definition.key} stands twice; rename one.")
            found[definition.key] = definition
    for definition in found.values():
        if definition.parent is not None and definition.parent not in found:
            raise TaxonomyError(
                f"Issue type {definition.key} has the parent {definition.parent}, which does not exist."
            )
    return sorted(found.values(), key=lambda definition: (_depth(definition, found), definition.key))


def _phrases_of(key: str, field: str, source: Mapping[str, Any]) -> dict[str, tuple[Phrase, ...]]:
    by_language = source.get(field) or {}
    if not isinstance(by_language, Mapping):
        raise TaxonomyError(f"`{field}` of issue type {key} must be lists of phrases by language.")
    refuse_unknown(by_language, set(LANGUAGES), f"`{field}` of issue type {key}")
    found = {}
    for language, sources in by_language.items():
        if isinstance(sources, str):
            sources = lines_of(sources)
        if not isinstance(sources, Sequence):
            raise TaxonomyError(f"`{field}.{language}` of issue type {key} must be phrases: a list, or one a line.")
        try:
            found[language] = tuple(parse_phrase(one, language) for one in sources)
        except TaxonomyError as error:
            raise TaxonomyError(f"Issue type {key}, {field}.{language}: {error}") from error
    return found


def _depth(definition: IssueTypeDefinition, known: Mapping[str, IssueTypeDefinition]) -> int:
    depth, at = 0, definition
    while at.parent is not None:
        depth, at = depth + 1, known[at.parent]
        if depth > len(known):
            raise TaxonomyError(f"The parents of issue type {definition.key} form a ring; one must have no parent.")
    return depth


@cache
def _read_file(name: str) -> list[Mapping[str, Any]]:
    sources = read_yaml(_FOLDER / f"{name}.yaml").get("issue_types")
    if not isinstance(sources, list) or not all(isinstance(source, dict) for source in sources):
        raise TaxonomyError(f"{name}.yaml must hold a list `issue_types` of mappings.")
    return sources

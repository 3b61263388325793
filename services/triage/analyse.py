"""The pipeline without a database: lines of mentions in, findings out, in the same order."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final

import yaml

from services.triage import pipeline
from services.triage.library import Library
from services.triage.sketching import sketches
from services.triage.spread import Spread
from services.triage.stage import Assessment, AuthorInfo, Background, BrandBrief, Briefing, IssueTypeBrief, QueryBrief
from services.triage.stages.duplicates import Earlier
from shared.kit import clock, ids
from shared.models import taxonomy
from shared.rules.query_language import parse

BATCH: Final = 64
FEW: Final = 8
"""So many batches are worth the seconds that further processes take to start."""
_KNOWN: Final = {
    "brand", "brands", "queries", "sector", "issue_types", "languages", "priority", "order_number_patterns",
    "exclusions",
}  # fmt: skip


class WorkspaceFileError(ValueError):
    """The workspace file cannot be used; the message says which part and what to write instead."""


@dataclass(slots=True)
class _Batch:
    """Lines that go together: what is told of each (None where the pipeline is to tell it), and what the pipeline is asked."""

    told: list[dict[str, Any] | None] = field(default_factory=list)
    sources: list[dict[str, Any]] = field(default_factory=list)
    assessments: list[Assessment] = field(default_factory=list)


def analyse(
    lines: Iterable[str | bytes],
    workspace: Briefing | None = None,
    library: Library | None = None,
    *,
    models: Mapping[str, str] | None = None,
    processes: int = 1,
) -> Iterator[dict[str, Any]]:
    """For each line, an IncomingMention as JSON of which only `text` must be there, the same with `id` (its external_id, or the
    number of its line, unless it has one), `disposition`, `dismissed` and `findings`; in order. A line that cannot be read gives
    `id` and `error`; empty lines are passed over. Without a workspace relevance is null and issues are the common ones.

    With several `processes` each loads `models` (language to spaCy pipeline, as Library takes them); a few lines are not worth
    that, and are read here.
    """
    briefing = workspace or default_workspace()
    names: dict[str, str] = {}
    batches = _batches(lines, names)
    first = list(islice(batches, FEW)) if processes > 1 else []
    batches = chain(first, batches)
    if len(first) == FEW:
        with Spread(briefing, models or {}, processes) as spread:
            for batch, assessed in spread.run((batch, batch.assessments) for batch in batches):
                yield from _rows(batch, assessed, names)
        return
    briefing = briefing.with_models(library or Library(models))
    for batch in batches:
        yield from _rows(batch, pipeline.run(batch.assessments, briefing).assessed(), names)


def _batches(lines: Iterable[str | bytes], names: dict[str, str]) -> Iterator[_Batch]:
    """The lines in batches, with what look-alikes came before; `names` learns what each mention is called outside."""
    earlier = Earlier()
    numbered = ((number, line) for number, line in enumerate(lines, 1) if line.strip())
    while rows := list(islice(numbered, BATCH)):
        batch = _Batch()
        for number, line in rows:
            try:
                source = _source(line)
                assessment = _assessment(source)
            except ValueError as error:
                batch.told.append({"id": str(number), "error": str(error)})
                continue
            batch.assessments.append(assessment)
            batch.sources.append({"id": str(source.get("external_id") or number), **source})
            names[str(assessment.mention_id)] = str(batch.sources[-1]["id"])
            batch.told.append(None)
        made = sketches([a.text for a in batch.assessments])
        for at, one in enumerate(made):
            a = batch.assessments[at].but(background=Background(sketch=one))
            batch.assessments[at] = a.but(background=Background(one, tuple(earlier.like(a))))
        for a in batch.assessments:
            earlier.add(a)
        yield batch


def _rows(batch: _Batch, assessed: Sequence[pipeline.Assessed], names: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    found = iter(zip(batch.sources, assessed, strict=True))
    for told in batch.told:
        yield told if told is not None else _row(*next(found), names)


def _row(source: Mapping[str, Any], one: pipeline.Assessed, names: Mapping[str, str]) -> dict[str, Any]:
    duplicate = one.findings.get("duplicate")
    if duplicate and duplicate["value"]:
        duplicate["value"] = names.get(duplicate["value"], duplicate["value"])
    authenticity = one.findings.get("authenticity")
    if authenticity and authenticity.get("cluster"):
        authenticity["cluster"] = [names.get(other, other) for other in authenticity["cluster"]]
    return {**source, "disposition": one.disposition, "dismissed": one.dismissed, "findings": one.findings}


def _source(line: str | bytes) -> dict[str, Any]:
    try:
        source = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"This line is not JSON: {error}.") from error
    if not isinstance(source, dict) or not isinstance(source.get("text"), str):
        raise ValueError("A mention is an object with `text`.")
    return source


def _assessment(source: Mapping[str, Any]) -> Assessment:
    author = source.get("author")
    if author is not None and not isinstance(author, dict):
        raise ValueError("`author` is an object.")
    return Assessment(
        mention_id=ids.new_id(),
        text=source["text"],
        channel_type=str(source.get("channel_type") or "push"),
        published_at=_moment(source.get("published_at")) or clock.now(),
        title=source.get("title"),
        lang_hint=source.get("lang"),
        author=_author(author) if author else None,
        kind=str(source.get("kind") or "post"),
        visibility=str(source.get("visibility") or "public"),
        permalink=source.get("permalink"),
        rating=None if source.get("rating") is None else float(source["rating"]),
        reach=source.get("reach"),
        country=source.get("country"),
    )


def _author(source: Mapping[str, Any]) -> AuthorInfo:
    known: dict[str, Any] = {name: source.get(name) for name in AuthorInfo.__slots__}
    known["account_created_at"] = _moment(source.get("account_created_at"))
    return AuthorInfo(**known)


def _moment(text: object) -> datetime | None:
    if text is None:
        return None
    moment = datetime.fromisoformat(str(text))
    if moment.tzinfo is None:
        raise ValueError(f"The time {text} has no zone; write it like 2026-11-22T09:30:00Z.")
    return moment


def default_workspace() -> Briefing:
    """Listens for nothing in particular, in English and Dutch, and knows the common issue types."""
    return Briefing("analyse", "default", issue_types=tuple(map(issue_type, taxonomy.load(None))))


def issue_type(definition: taxonomy.IssueTypeDefinition) -> IssueTypeBrief:
    """An issue type of a taxonomy as the stages see it."""
    phrases, unless = (
        {language: tuple(one.as_source() for one in many) for language, many in by_language.items()}
        for by_language in (definition.phrases, definition.unless)
    )
    return IssueTypeBrief(
        definition.key, definition.name["en"], definition.severity, phrases, unless, definition.parent
    )


def read_workspace(path: Path) -> Briefing:
    """The workspace that a YAML file describes.

        brand: {name: Northwind, aliases: [northwind mobile], handles: ["@northwind"]}   # or brands: [...]
        queries: [{name: outage, text: northwind AND storing}]                           # or plain texts
        sector: telecom            # its issue types, beside the common ones
        issue_types: [...]         # further ones, written as in shared/models/taxonomies
        languages: [en, nl]

    Raises WorkspaceFileError.
    """
    try:
        source = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError) as error:
        raise WorkspaceFileError(f"{path} cannot be read: {error}") from error
    if not isinstance(source, dict):
        raise WorkspaceFileError(f"{path} must be a mapping with some of: {', '.join(sorted(_KNOWN))}.")
    if unknown := sorted(str(part) for part in source if part not in _KNOWN):
        raise WorkspaceFileError(f"{path} has unknown parts {', '.join(unknown)}; known: {', '.join(sorted(_KNOWN))}.")
    try:
        return _workspace(source, str(path))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise WorkspaceFileError(f"{path}: {error}") from error


def _workspace(source: Mapping[str, Any], version: str) -> Briefing:
    brands = [source["brand"]] if source.get("brand") else source.get("brands") or []
    definitions = [*taxonomy.load(source.get("sector"))]
    definitions += [taxonomy.read_definition(one) for one in source.get("issue_types") or []]
    queries = []
    for number, one in enumerate(source.get("queries") or [], 1):
        query = {"name": one, "text": one} if isinstance(one, str) else one
        parse(query["text"])
        queries.append(QueryBrief(str(number), query.get("name", query["text"]), query["text"]))
    return Briefing(
        "analyse",
        version,
        brands=tuple(_brand(one) for one in brands),
        queries=tuple(queries),
        issue_types=tuple(map(issue_type, definitions)),
        languages=tuple(source.get("languages") or ("en", "nl")),
        exclusions=tuple(source.get("exclusions") or ()),
        order_number_patterns=tuple(source.get("order_number_patterns") or ()),
        priority=source.get("priority") or {},
    )


def _brand(source: Any) -> BrandBrief:
    brand = {"name": source} if isinstance(source, str) else dict(source)
    lists = {name: tuple(brand.get(name) or ()) for name in ("aliases", "handles", "product_lines", "context")}
    excluded = tuple(brand.get("excluded") or brand.get("exclude") or ())
    return BrandBrief(id=brand["name"], name=brand["name"], exclude=excluded, **lists)

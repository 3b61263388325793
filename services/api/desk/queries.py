"""Queries: what we listen for, written in the query language, tried on what is there before it is saved."""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from services.api.desk import fields, looked_for
from services.api.desk.desk import Desk
from shared.kit import clock
from shared.kit.errors import Invalid
from shared.models.brand import Brand, Query, QueryFields
from shared.rules import query_language
from shared.rules.query_language import QuerySyntaxError
from shared.store import queries as store
from shared.store import rows

LOOKED_AT = 20_000
"""A dry run looks at this many of the newest mentions that hold one of the query's words."""
_SAMPLES = 10
_USUAL_DAYS, _MOST_DAYS = 28, 366


async def create_query(desk: Desk, given: Mapping[str, Any]) -> UUID:
    """Saves a query. Raises Invalid where its text cannot be read, with the position."""
    asked = await _read(desk, fields.read_fields(QueryFields, given))
    looked_for.may_choose(desk, "A query's text", ("text",), asked)
    query = Query(workspace_id=desk.workspace_id, **asked)
    await rows.add(desk.session, query)
    return query.id


async def change_query(desk: Desk, query_id: UUID, given: Mapping[str, Any]) -> UUID:
    """Changes what is given of a query; another text is another version."""
    query = await rows.take(desk.session, Query, desk.workspace_id, query_id)
    asked = await _read(desk, fields.changed_fields(QueryFields, query, given))
    looked_for.may_choose(desk, "A query's text", ("text",), asked, query)
    if asked["text"] != query.text:
        query.version += 1
    for name, value in asked.items():
        setattr(query, name, value)
    await rows.touch(desk.session, query)
    return query.id


async def remove_query(desk: Desk, query_id: UUID) -> None:
    """Takes a query away. What matched it stays."""
    await rows.remove(desk.session, await rows.take(desk.session, Query, desk.workspace_id, query_id))


def validate_query(given: Mapping[str, Any]) -> dict[str, Any]:
    """Whether a text is a query: {"valid", "errors": [{position, detail}], "terms": [{text, kind, position}]}."""
    fields.refuse_others(given, ("text",))
    text = _text(given)
    try:
        read = query_language.parse(text)
    except QuerySyntaxError as wrong:
        return {"valid": False, "errors": [{"position": wrong.position, "detail": wrong.message}], "terms": []}
    terms = [{"text": leaf.text, "kind": leaf.kind, "position": leaf.position} for leaf in query_language.leaves(read)]
    return {"valid": True, "errors": [], "terms": terms}


async def dry_run_query(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
    """What a query would have found among the mentions of the last `days`: hits, volume by week, how many no other query
    found, and a few samples with the places of their words. Nothing is kept."""
    desk.must_see_everything("A query cannot be tried: it would show whose words it finds")
    fields.refuse_others(given, ("text", "days"))
    text = _text(given)
    days = given.get("days", _USUAL_DAYS)
    if isinstance(days, bool) or not isinstance(days, int) or not 1 <= days <= _MOST_DAYS:
        raise Invalid(f"days must be from 1 to {_MOST_DAYS}.", errors=[("/days", "is out of range")])
    read = _parse(text)
    since = clock.now() - timedelta(days=days)
    async with desk.reading() as connection:
        candidates = await store.holding_one_of(connection, sorted(query_language.terms(read)), since, LOOKED_AT)
    # Reading thousands of texts takes a moment: other requests go on meanwhile.
    tried = await asyncio.to_thread(_try, read, [dict(row) for row in candidates])
    return {
        **tried,
        "looked_at": len(candidates),
        "complete": len(candidates) < LOOKED_AT,
        "since": clock.iso(since),
    }


def _try(read: query_language.Query, candidates: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    weeks: dict[str, int] = {}
    hits, alone = 0, 0
    samples: list[dict[str, Any]] = []
    for row in candidates:
        said = f"{row['title']}\n{row['text']}" if row["title"] else row["text"]
        spans = query_language.matches(read, said)
        if not spans:
            continue
        hits += 1
        alone += not row["query_ids"]
        year, week, _ = row["published_at"].isocalendar()
        weeks[f"{year:04d}-W{week:02d}"] = weeks.get(f"{year:04d}-W{week:02d}", 0) + 1
        if len(samples) < _SAMPLES:
            samples.append(
                {"id": str(row["id"]), "said": said, "spans": [{"start": one.start, "end": one.end} for one in spans]}
            )
    return {
        "hits": hits,
        "found_by_no_other": alone,
        "weeks": [{"week": week, "count": count} for week, count in sorted(weeks.items())],
        "samples": samples,
    }


def first_term(text: str) -> str:
    """The first word or phrase that a query looks for. Raises Invalid."""
    return next(query_language.leaves(_parse(text))).text.strip('"')


async def _read(desk: Desk, asked: QueryFields) -> dict[str, Any]:
    _parse(asked.text)
    await fields.must_exist(desk, Brand, [asked.brand_id], "/brand_id")
    return fields.values_of(asked)


def _parse(text: str) -> query_language.Query:
    try:
        return query_language.parse(text)
    except QuerySyntaxError as wrong:
        raise Invalid(
            f"The query cannot be read: {wrong.message}",
            errors=[("/text", f"at position {wrong.position}: {wrong.message}")],
            code="query_syntax",
        ) from wrong


def _text(given: Mapping[str, Any]) -> str:
    text = given.get("text")
    if not isinstance(text, str):
        raise Invalid("text must be a query.", errors=[("/text", "is missing")])
    return text

"""The database masks as the rule does, and every column that can hold personal data says what is seen in its place."""

import inspect
import re
from dataclasses import replace
from random import Random
from typing import Any

import asyncpg
import orjson
import pytest

from services.triage import reading as triage_reading
from services.triage.stages import pii, urgency
from shared.kit.database import Database
from shared.kit.pages import Page
from shared.models.masking import ALL, PersonalData
from shared.models.read_model import Column, Filter
from shared.rules.masking import mask
from shared.store import hidden, reading
from shared.store.reading import Library, PersonalDataHidden
from shared.store.views import NOUNS
from tests.builders import a_workspace

SEEN_AS_IT_IS = {
    "mention": "channel_type kind visibility engagement country reply lang disposition dismissed_because sentiment intent priority "
    "issue_keys failed_stages",
    "conversation": "channel_type lang country visibility status priority sentiment issue_keys tags",
    "author": "channel_type",
    "channel_name": "name type",
    "queue_name": "name",
    "agent_name": "name",
    "correction": "finding actor",
    "channel": "type name status settings thread_mode signature health health_detail drift account check_error hook_url",
    "channel_gap": "reason error",
    "channel_type": "type title abilities settings_schema secrets_schema reply_rules display_rules",
    "brand": "name aliases handles product_lines excluded",
    "query": "name text languages channel_types status",
    "issue_type": "key name names parent_key phrases unless status",
    "playbook": "name issue_key owner steps templates",
    "playbook_version": "body",
    "team": "name",
    "agent": "name email initials languages skills presence",
    "queue": "name filter mode needs",
    "routing_decision": "kind item rules candidates relaxed seed reason",
    "offer": "state",
    "skill": "kind name title",
    "shift": "kind note weekly timezone first_day last_day",
    "automation_rule": "name event filter actions status",
    "automation_run": "rule_name event_type outcome chain steps error traceparent",
    "calendar": "name timezone weekly holidays ical_url ical_holidays ical_error",
    "sla_policy": "name filter starts_at targets pause_on warnings status",
    "sla_clock": "metric state priority",
    "message": "kind",
    "reply": "visibility state signature settled_by",
    "moderation": "action actor state settled_by",
    "head": "question state figures because actor why_not",
    "webhook_endpoint": "url event_types description status disabled_because",
    "delivery": "type state",
    "event": "type subject traceparent",
    "api_key": "name role prefix",
    "report": "week data_hash",
    "workspace": "slug name timezone settings",
}
"""Columns that hold words and never those of a customer: what we named, set or decided. A column that is not here must be hidden."""


def test_every_column_of_words_is_hidden_or_known_to_hold_no_customers_words() -> None:
    found = {
        noun: {
            name
            for name, column in NOUNS[noun].columns().items()
            if column.type in ("text", "texts", "json", "jsons") and column.masked is None
        }
        for noun in NOUNS.nouns()
    }
    told = {noun: set(names.split()) for noun, names in SEEN_AS_IT_IS.items()}
    assert {noun: names for noun, names in found.items() if names} == told


def test_no_filter_and_no_order_goes_by_what_is_hidden() -> None:
    for noun in NOUNS.nouns():
        model = NOUNS[noun]
        hidden_from_some = [name for name, column in model.columns().items() if column.masked is not None]
        told = re.compile(
            "|".join([*(rf"\.{name}(_folded)?\b" for name in hidden_from_some), "search_mentions", "handle"])
        )
        for name, one in model.filters.items():
            sql = one.sql if one.masked is None else one.masked
            assert not told.search(sql.replace("{", "").replace("}", "")), (noun, name)
        for order in model.orders.values():
            assert not any(told.search(sql.replace("{", "").replace("}", "")) for sql, _, _ in order.keys), noun


def test_what_triage_finds_is_what_can_be_hidden() -> None:
    assert set(PersonalData) == set(re.findall(r'yield\s*\(?\s*"(\w+)"', inspect.getsource(pii)))
    assert hidden.MOST_FOUND == pii.MOST
    assert hidden.ANALYSED == triage_reading.CAP
    assert all(f"'{reason}'" in hidden.URGENCY for reason in (*urgency.REASONS, "none"))


class _Heard:
    """A connection that hears statements and answers nothing."""

    def __init__(self) -> None:
        self.said: list[tuple[str, tuple[Any, ...]]] = []

    async def fetchrow(self, sql: str, *values: Any) -> dict[str, Any]:
        self.said.append((sql, values))
        return {"data": "[]", "keys": None}

    async def fetch(self, sql: str, *values: Any) -> list[Any]:
        self.said.append((sql, values))
        return []


async def test_who_sees_everything_is_asked_for_in_the_very_same_words_as_without_masking() -> None:
    def bare(item: Any) -> Any:
        return replace(item, masked=None, masked_joins=()) if isinstance(item, Column) else item

    def unfiltered(item: Filter) -> Filter:
        return replace(item, masked=None)

    models = [NOUNS[noun] for noun in NOUNS.nouns()]
    without = Library(
        [
            replace(
                model,
                fields={name: bare(item) for name, item in model.fields.items()},
                filters={name: unfiltered(item) for name, item in model.filters.items()},
            )
            for model in models
        ]
    )
    for model in models:
        told = []
        for library in (NOUNS, without):
            heard: Any = _Heard()
            for given in ({}, *({name: _value(one)} for name, one in model.filters.items())) if model.orders else ():
                await reading.read_page(heard, library, model.noun, Page(50), filters=given)
            await reading.read_many(heard, library, model.noun, [])
            told.append(heard.said)
        assert told[0] == told[1], model.noun
        assert not any("masked_" in sql for sql, _ in told[0])


def _value(one: Filter) -> Any:
    if one.choices:
        return one.choices[0]
    return {
        "time": "2026-11-22T10:00:00Z",
        "integer": 1,
        "boolean": True,
        "id": "019ac0de-7a10-7c3a-9d1e-3f2b6a5c4d10",
    }.get(one.type, "x")


@pytest.mark.parametrize(("noun", "name"), [("mention", "q"), ("author", "handle")])
async def test_nobody_searches_what_they_do_not_see(database: Database, noun: str, name: str) -> None:
    async with database.read(await a_workspace(database)) as connection:
        await reading.read_page(connection, NOUNS, noun, Page(5), filters={name: "ann"})
        with pytest.raises(PersonalDataHidden, match=name):
            await reading.read_page(connection, NOUNS, noun, Page(5), filters={name: "ann"}, masked=ALL)


@pytest.mark.parametrize("noun", NOUNS.nouns())
async def test_every_noun_can_be_read_by_who_sees_no_personal_data(database: Database, noun: str) -> None:
    """With everything that hangs on it, two deep: the statement stands."""
    model = NOUNS[noun]
    selection = dict.fromkeys(model.columns()) | {
        name: dict.fromkeys(NOUNS[item.noun].columns()) for name, item in model.nested().items()
    }
    async with database.read(await a_workspace(database)) as connection:
        if model.orders:
            await reading.read_page(connection, NOUNS, noun, Page(5), selection=selection, masked=ALL)
        await reading.read_many(connection, NOUNS, noun, [], selection=selection, masked=ALL)


# ---- the functions


LETTERS = "ab é😀👩‍👩‍👧 \n[]日"
KINDS = ("email", "phone", "name")


def _cases(seed: int, count: int) -> list[tuple[str, list[dict[str, Any]], list[str]]]:
    chance = Random(seed)  # cases of a test
    cases: list[tuple[str, list[dict[str, Any]], list[str]]] = [
        ("", [], ["email"]),
        ("x", [{"type": "email"}], ["email"]),
    ]
    for _ in range(count):
        said = "".join(chance.choice(LETTERS) for _ in range(chance.randrange(30)))
        places = [
            {"type": chance.choice(KINDS), "start": chance.randrange(-2, 32), "end": chance.randrange(-2, 32)}
            for _ in range(chance.randrange(6))
        ]
        cases.append((said, places, chance.sample(KINDS, chance.randrange(4))))
    return cases


async def test_the_database_masks_as_the_rule_does(database: Database) -> None:
    async with database.lookup() as connection:
        for said, places, kinds in _cases(seed=11, count=400):
            shown = await connection.fetchval("SELECT masked_text($1, $2::jsonb, $3)", said, _json(places), kinds)
            assert shown == mask(said, places, kinds).text, (said, places, kinds)
            cuts = await connection.fetch("SELECT * FROM masked_cuts($1, $2::jsonb, $3)", said, _json(places), kinds)
            assert [tuple(cut) for cut in cuts] == list(mask(said, places, kinds).cuts), (said, places, kinds)


async def test_places_of_findings_are_those_of_the_text_that_is_shown(database: Database) -> None:
    chance = Random(5)
    async with database.lookup() as connection:
        for said, places, kinds in _cases(seed=7, count=200):
            masked = mask(said, places, kinds)
            start, end = sorted((chance.randrange(31), chance.randrange(31)))
            found = {"issues": [{"value": "outage", "start": start, "end": end, "why": said}], "pii": places}
            shown = await _findings(connection, said, found, places, kinds)
            ((begins, ends),) = [(one["start"], one["end"]) for one in shown["issues"]]
            assert (begins, ends) == masked.span(start, end), (said, places, kinds, start, end)


async def test_findings_show_what_is_named_and_nothing_else(database: Database) -> None:
    said = "Ann 06-12345678 in Leeds"
    places = [{"type": "name", "start": 0, "end": 3}, {"type": "phone", "start": 4, "end": 15, "value": "+31612345678"}]
    told = {"confidence": 0.9, "decided_by": "x", "version": "1"}
    found = {
        "language": {"value": "en", "why": "Ann", **told},
        "urgency": {"value": "Ann is in danger", "why": "Ann", **told},
        "sentiment": {"value": "negative", "score": -0.5, "quote": "Ann", **told},
        "authenticity": {"value": 0.4, "signals": [{"name": "pace", "value": "Ann", "weight": 0.1}], **told},
        "entities": [
            {"value": "Ann", "type": "PERSON", "text": "Ann", "start": 0, "end": 3},
            {"value": "Leeds", "type": "PLACE", "text": "Leeds", "start": 19, "end": 24},
            {"value": "Ann", "type": "PERSON", "text": "Ann"},
        ],
        "issues": [{"value": "outage", "why": "in the title: Ann", "spans": [[0, 3]]}],
        "pii": places,
        "something_new": {"value": "Ann"},
    }
    async with database.lookup() as connection:
        shown = await _findings(connection, said, found, places, ["name", "phone"])
        unknown = await _findings(connection, said, found, None, ["name", "phone"])
    assert shown["entities"] == [{"value": "Leeds", "type": "PLACE", "start": 18, "end": 23}]
    assert [(one["type"], one["value"], one["start"], one["end"]) for one in shown["pii"]] == [
        ("name", "[name]", 0, 6),
        ("phone", "[phone]", 7, 14),
    ]
    assert shown["urgency"]["value"] == "[hidden]"
    assert shown["sentiment"] == {"value": "negative", "score": -0.5, **told}
    assert shown["authenticity"]["signals"] == [{"name": "pace", "weight": 0.1}]
    assert shown["issues"] == [{"value": "outage"}]
    assert "Ann" not in str(shown)
    assert "12345678" not in str(shown)
    assert set(unknown) == {"language", "urgency", "sentiment", "authenticity"}


async def test_a_text_of_which_nobody_knows_what_is_in_it_is_not_shown(database: Database) -> None:
    async with database.lookup() as connection:
        assert await connection.fetchval("SELECT masked_text('Ann', NULL, '{name}')") is None
        assert await connection.fetchval("SELECT masked_text('Ann', '{}', '{name}')") is None
        assert await connection.fetchval("SELECT masked_text('Ann', '[]', '{name}')") == "Ann"


async def _findings(
    connection: asyncpg.Connection, said: str, found: Any, places: Any, kinds: list[str]
) -> dict[str, Any]:
    shown = await connection.fetchval(
        "SELECT masked_findings($1, $2::jsonb, $3::jsonb, $4)",
        said, _json(found), None if places is None else _json(places), kinds,
    )  # fmt: skip
    told: dict[str, Any] = orjson.loads(shown)
    return told


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()

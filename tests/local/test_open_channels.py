"""The table of channels that need no credential: held to the published types, and to what a query looks for."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from services.ingest import catalog
from services.local.open_channels import MOST_SEARCHES, OPEN, OpenChannel, Planned, plan, searches
from shared.kit.http import HttpClient
from shared.rules.query_language import QuerySyntaxError, matches, parse

TEXTS = ("KLM", "Air France", '"air france" OR KLM', "northwind AND (outage OR storing)")


def published() -> dict[str, Mapping[str, Any]]:
    """The settings schemas as ingest publishes them."""
    return {type_: catalog.describe(type_).settings_schema for type_ in catalog.types()}


def planned(text: str, **asked: Any) -> list[Planned]:
    return list(plan(text, published(), apps=["391732065"], countries=["NL", "be"], **asked))


@pytest.mark.parametrize("one", OPEN, ids=lambda one: one.called)
@pytest.mark.parametrize("text", TEXTS)
def test_every_line_makes_channels_that_their_type_takes_without_a_secret(
    one: OpenChannel, text: str, tmp_path: Path
) -> None:
    if one.type not in catalog.types():
        pytest.skip(f"there is no channel {one.type} (yet)")
    made = [each for each in planned(text) if each.of is one]
    assert made
    for each in made:
        assert each.left_out is None
        catalog.check(one.type, each.settings, {})
        catalog.open_channel(one.type, each.settings, {}, HttpClient(), data_dir=tmp_path)
        assert "{" not in str(list(each.settings.values()))
    abilities = set(catalog.describe(one.type).abilities)
    assert abilities & {"pages", "stream"}
    assert one.hears
    assert one.misses


def test_names_and_settings_tell_the_channels_apart() -> None:
    for text in TEXTS:
        made = planned(text)
        assert len({each.name for each in made}) == len(made)
        assert len({(each.of.type, str(each.settings)) for each in made}) == len(made)
        assert all(len(each.name) <= 160 for each in made)


def test_a_type_that_is_not_there_is_left_out_by_itself() -> None:
    assert {each.of.type for each in plan("KLM", {"rss": published()["rss"]})} == {"rss"}
    assert list(plan("KLM", {})) == []


def test_what_a_type_does_not_take_is_left_out_with_the_reason() -> None:
    schema = {
        "type": "object",
        "properties": {"url": {"type": "string", "maxLength": 10}},
        "additionalProperties": False,
    }
    made = list(plan("KLM", {"rss": schema}))
    assert made
    assert all(each.left_out == "url takes 10 characters at most" for each in made)


def test_apps_are_read_only_where_one_is_named() -> None:
    assert not [each for each in plan("KLM", published()) if each.of.for_app]
    if "app_store" in catalog.types():
        (made,) = [each for each in planned("KLM") if each.of.for_app]
        assert made.settings == {"app_id": "391732065", "countries": ["nl", "be"]}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("KLM", ("KLM",)),
        ("  Air   France ", ("Air France",)),
        ('"air france"', ("air france",)),
        ('"air france" OR KLM', ("air france", "KLM")),
        ("northwind AND (outage OR storing)", ("northwind",)),
        ("(outage OR storing) AND northwind", ("northwind",)),
        ("(a1 OR b1) AND (c1 OR d1 OR e1)", ("a1", "b1")),
        ("KLM AND NOT strike", ("KLM",)),
        ("(KLM OR klm)", ("KLM", "klm")),
        ("(a1 OR b1 OR c1 OR d1 OR e1 OR f1)", ("a1", "b1", "c1", "d1", "e1")),
    ],
)
def test_what_venues_are_asked_for(text: str, found: tuple[str, ...]) -> None:
    assert searches(text) == found
    assert len(found) <= MOST_SEARCHES


def test_whatever_a_query_finds_holds_one_of_the_searches() -> None:
    query = "northwind AND (outage OR storing) OR (cumulus AND NOT weather)"
    for text in ("northwind storing", "the northwind outage", "cumulus is slow", "outage and northwind and weather"):
        assert matches(parse(query), text)
        assert any(one in text for one in searches(query))


def test_a_query_that_cannot_be_read_says_so() -> None:
    with pytest.raises(QuerySyntaxError):
        searches('"air france')

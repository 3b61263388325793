"""SLA policies: which holds, what it promises, when clocks start and warn, and how one is written."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from shared.kit.errors import Invalid
from shared.rules import filter as filters
from shared.rules import sla_policy
from shared.rules.filter import FieldType
from shared.rules.sla_clock import Mark
from shared.rules.sla_policy import Policy, Target, Threshold
from tests.rules.calendars import CALENDARS, at

FIELDS: dict[str, FieldType] = {"lang": "text", "priority": "text"}
HOUR = timedelta(hours=1)
OFFICE = CALENDARS["office"]


def a_policy(**fields: Any) -> Policy:
    given: dict[str, Any] = {"id": "p", "version": 1, "position": 1}
    return Policy(**{"targets": (Target("first_response", "*", HOUR),), **given, **fields})


def only(lang: str) -> filters.Filter:
    return filters.parse({"field": "lang", "op": "eq", "value": lang}, FIELDS)


def test_the_first_by_position_whose_filter_matches_holds() -> None:
    everyone, dutch = a_policy(id="everyone", position=2), a_policy(id="dutch", position=1, where=only("nl"))
    late_dutch = a_policy(id="late dutch", position=3, where=only("nl"))
    policies = [late_dutch, everyone, dutch]
    assert sla_policy.choose(policies, {"lang": "nl"}) == dutch
    assert sla_policy.choose(policies, {"lang": "en"}) == everyone
    assert sla_policy.choose([dutch], {"lang": "en"}) is None


def test_at_one_position_the_id_decides() -> None:
    assert sla_policy.choose([a_policy(id="b"), a_policy(id="a")], {}) == a_policy(id="a")


def test_a_priority_of_its_own_comes_before_every_priority() -> None:
    urgent, every = Target("first_response", "urgent", HOUR / 4), Target("first_response", "*", HOUR)
    policy = a_policy(targets=(every, urgent, Target("resolution", "high", 8 * HOUR)))
    assert sla_policy.target_for(policy, "first_response", "urgent") == urgent
    assert sla_policy.target_for(policy, "first_response", "low") == every
    assert sla_policy.target_for(policy, "resolution", "high") is not None
    assert sla_policy.target_for(policy, "resolution", "low") is None
    assert sla_policy.terms(policy, "resolution", "low") is None


def test_terms_are_what_held_at_application() -> None:
    policy = a_policy(
        id="standard",
        version=7,
        calendar=OFFICE,
        targets=(Target("first_response", "*", HOUR), Target("resolution", "*", 8 * HOUR, "clock")),
        warnings=(sla_policy.threshold("PT10M"), sla_policy.threshold("0.5"), sla_policy.threshold("PT2H")),
    )
    terms = sla_policy.terms(policy, "first_response", "high")
    assert terms is not None
    assert (terms.within, terms.calendar) == (HOUR, OFFICE)
    assert (terms.policy_id, terms.policy_version, terms.priority) == ("standard", 7, "high")
    assert terms.marks == (Mark("0.5", HOUR / 2), Mark("PT10M", HOUR * 5 / 6))
    resolution = sla_policy.terms(policy, "resolution", "high")
    assert resolution is not None
    assert resolution.calendar is None
    assert [mark.used for mark in resolution.marks] == [4 * HOUR, 6 * HOUR, 8 * HOUR - timedelta(minutes=10)]


RECEIVED = at("2026-11-22T12:00+00:00")


@pytest.mark.parametrize(
    ("fields", "published", "starts"),
    [
        ({}, RECEIVED - HOUR, RECEIVED),
        ({"starts_at": "published_at"}, RECEIVED - HOUR, RECEIVED - HOUR),
        ({"starts_at": "published_at"}, None, RECEIVED),
        ({"starts_at": "published_at"}, RECEIVED + HOUR, RECEIVED),
        ({}, RECEIVED - timedelta(days=7), RECEIVED),
        ({}, RECEIVED - timedelta(days=7, microseconds=1), None),
        ({"ignore_older_than": None}, RECEIVED - timedelta(days=700), RECEIVED),
        ({"ignore_older_than": HOUR, "starts_at": "published_at"}, RECEIVED - 2 * HOUR, None),
    ],
)
def test_when_clocks_start(fields: dict[str, Any], published: Any, starts: Any) -> None:
    assert sla_policy.starts(a_policy(**fields), received_at=RECEIVED, published_at=published) == starts


def test_reply_clocks_do_not_pause_by_themselves() -> None:
    assert not any(sla_policy.pauses(a_policy(), m, "pending") for m in ("first_response", "next_response", "update"))
    assert sla_policy.pauses(a_policy(), "resolution", "pending")
    assert not sla_policy.pauses(a_policy(), "resolution", "open")


def test_thresholds() -> None:
    assert sla_policy.threshold("0.75") == Threshold("0.75", part=Decimal("0.75"))
    assert sla_policy.threshold(0.50) == Threshold("0.5", part=Decimal("0.5"))
    assert sla_policy.threshold("pt30m") == Threshold("PT30M", before=HOUR / 2)
    assert Threshold("x", part=Decimal("0.333333333333")).mark(timedelta(microseconds=3)) is None
    assert Threshold("x", before=HOUR).mark(HOUR) is None


@pytest.mark.parametrize("written", ["0", "1", "-0.5", "1.5", "half", "nan", "inf", "", "PT0S", True, "30%"])
def test_thresholds_that_are_none(written: Any) -> None:
    with pytest.raises(ValueError, match=r"[Ww]rite"):
        sla_policy.threshold(written)


CONTRACT: dict[str, Any] = {
    "name": "Standard",
    "position": 1,
    "filter": {},
    "calendar_id": "…",
    "starts_at": "published_at",
    "ignore_older_than": "P7D",
    "targets": [{"metric": "first_response", "priority": "*", "within": "PT1H", "hours": "business"}],
}


def parse(written: dict[str, Any]) -> Policy:
    calendar = OFFICE if written.get("calendar_id") else None
    return sla_policy.parse(written, policy_id="id", version=2, fields=FIELDS, calendar=calendar)


def test_reads_the_shape_of_the_contract() -> None:
    assert parse(CONTRACT) == Policy(
        id="id",
        version=2,
        position=1,
        targets=(Target("first_response", "*", HOUR, "business"),),
        calendar=OFFICE,
        starts_at="published_at",
        ignore_older_than=timedelta(days=7),
    )


def test_reads_all_the_rest() -> None:
    policy = parse(
        CONTRACT
        | {
            "filter": {"field": "lang", "op": "eq", "value": "nl"},
            "ignore_older_than": None,
            "pause_on": {"first_response": ["pending", "snoozed"]},
            "warnings": [0.5, "PT15M"],
            "automatic_replies_count": True,
        }
    )
    assert policy.where == only("nl")
    assert policy.ignore_older_than is None
    assert sla_policy.pauses(policy, "first_response", "snoozed")
    assert not sla_policy.pauses(policy, "resolution", "pending")
    assert [warning.name for warning in policy.warnings] == ["0.5", "PT15M"]
    assert policy.automatic_replies_count


def test_hours_are_those_of_the_calendar_where_there_is_one() -> None:
    bare = {"metric": "resolution", "within": "PT8H"}
    assert parse(CONTRACT | {"targets": [bare]}).targets == (Target("resolution", "*", 8 * HOUR, "business"),)
    assert parse({"targets": [bare]}).targets == (Target("resolution", "*", 8 * HOUR, "clock"),)


@pytest.mark.parametrize(
    ("changed", "pointer"),
    [
        ({"filter": {"any": [{"field": "langg", "op": "eq", "value": "nl"}]}}, "/filter/any/0/field"),
        ({"position": "first"}, "/position"),
        ({"starts_at": "yesterday"}, "/starts_at"),
        ({"ignore_older_than": "a week"}, "/ignore_older_than"),
        ({"ignore_older_than": "PT0S"}, "/ignore_older_than"),
        ({"targets": []}, "/targets"),
        ({"targets": None}, "/targets"),
        ({"targets": ["PT1H"]}, "/targets/0"),
        ({"targets": [{"metric": "joy", "within": "PT1H"}]}, "/targets/0/metric"),
        ({"targets": [{"metric": [], "within": "PT1H"}]}, "/targets/0/metric"),
        ({"targets": [{"metric": "update", "within": "PT1H", "priority": "vip"}]}, "/targets/0/priority"),
        ({"targets": [{"metric": "update", "within": "1 hour"}]}, "/targets/0/within"),
        ({"targets": [{"metric": "update"}]}, "/targets/0/within"),
        ({"targets": [{"metric": "update", "within": "PT0S"}]}, "/targets/0/within"),
        ({"targets": [{"metric": "update", "within": "P9999D"}]}, "/targets/0/within"),
        ({"targets": [{"metric": "update", "within": "PT1H", "hours": "office"}]}, "/targets/0/hours"),
        ({"calendar_id": None}, "/targets/0/hours"),
        ({"targets": [{"metric": "update", "within": "PT1H"}, {"metric": "update", "within": "PT2H"}]}, "/targets/1"),
        ({"pause_on": ["pending"]}, "/pause_on"),
        ({"pause_on": {"joy": ["pending"]}}, "/pause_on/joy"),
        ({"pause_on": {"update": "pending"}}, "/pause_on/update"),
        ({"pause_on": {"update": ["asleep"]}}, "/pause_on/update"),
        ({"warnings": "PT10M"}, "/warnings"),
        ({"warnings": ["0.5", "soon"]}, "/warnings/1"),
    ],
)
def test_says_what_is_wrong_and_where(changed: dict[str, Any], pointer: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse(CONTRACT | changed)
    assert [place for place, _ in refused.value.errors] == [pointer]

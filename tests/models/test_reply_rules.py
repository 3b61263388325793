"""What may be answered, as data: each rule with the case that it was made for."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from services.ingest.networks.played_venues import PLAYS
from shared.models.reply_rules import Answerable, Length, ReplyAnswer, ReplyRules, ReplyWay

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
POST = Answerable(published_at=NOON - HOUR)


def _public(way: ReplyWay | None, mention: Answerable = POST, at: datetime = NOON) -> tuple[bool, str | None]:
    answer = ReplyRules(public=way).answer_for(mention, at).public
    return answer.allowed, answer.reason


def _private(way: ReplyWay | None, mention: Answerable = POST, at: datetime = NOON) -> tuple[bool, str | None]:
    answer = ReplyRules(private=way).answer_for(mention, at).private
    return answer.allowed, answer.reason


def test_a_way_that_is_not_there_says_so_in_a_sentence() -> None:
    answer = ReplyRules().answer_for(POST, NOON)
    for way in (answer.public, answer.private):
        assert (way.allowed, way.reason) == (False, "no_api")
        assert way.detail
        assert way.detail.endswith(".")


def test_the_limit_is_told_with_how_it_is_counted() -> None:
    lengths = (Length(limit=300, counted_as="graphemes"), Length(limit=3000, counted_as="utf8_bytes"))
    answer = ReplyRules(public=ReplyWay(lengths=lengths, threads=True)).answer_for(POST, NOON).public
    assert (answer.allowed, answer.limit, answer.counted_as, answer.url_weight) == (True, 300, "graphemes", None)
    assert (answer.lengths, answer.threads) == (lengths, True)
    unlimited = ReplyRules(public=ReplyWay()).answer_for(POST, NOON).public
    assert (unlimited.allowed, unlimited.limit, unlimited.lengths) == (True, None, ())


def test_what_was_said_in_private_is_not_answered_in_public() -> None:
    private = replace(POST, private=True)
    assert _public(ReplyWay(), private) == (False, "mention_is_private")
    assert _private(ReplyWay(), private) == (True, None)


def test_cold_answers_are_closed_where_the_author_must_have_spoken_to_us() -> None:
    way = ReplyWay(requires=("addressed_to_us",))
    assert _public(way) == (False, "not_addressed_to_us")
    assert _public(way, replace(POST, addressed_to_us=True)) == (True, None)


@pytest.mark.parametrize(
    ("condition", "unmet", "met", "reason"),
    [
        ("author_known", replace(POST, author_known=False), POST, "author_unknown"),
        (
            "customer_wrote_privately",
            POST,
            replace(POST, customer_wrote_privately=True),
            "customer_has_not_written_privately",
        ),
        ("customer_wrote_privately", POST, replace(POST, private=True), "customer_has_not_written_privately"),
        ("written_privately", POST, replace(POST, private=True), "mention_is_public"),
    ],
)
def test_conditions_of_a_private_answer(condition: str, unmet: Answerable, met: Answerable, reason: str) -> None:
    way = ReplyWay.model_validate({"requires": [condition]})
    assert _private(way, unmet) == (False, reason)
    assert _private(way, met) == (True, None)


def test_a_window_is_open_until_its_end_and_not_at_it() -> None:
    way = ReplyWay(window_s=3600, window_from="published_at")
    assert _private(way, POST, NOON - timedelta(seconds=1)) == (True, None)
    assert _private(way, POST, NOON) == (False, "window_closed")
    answer = ReplyRules(private=way).answer_for(POST, NOON - timedelta(minutes=1)).private
    assert answer.open_until == NOON
    assert answer.open_at(NOON - timedelta(seconds=1))
    assert not answer.open_at(NOON)


def test_a_window_from_the_last_message_moves_with_it_and_one_from_the_post_does_not() -> None:
    later = replace(POST, last_inbound_at=NOON - timedelta(minutes=10))
    assert _private(ReplyWay(window_s=3600), later, NOON + timedelta(minutes=40)) == (True, None)
    fixed = ReplyWay(window_s=3600, window_from="published_at")
    assert _private(fixed, later, NOON + timedelta(minutes=40)) == (False, "window_closed")
    earlier = replace(POST, last_inbound_at=POST.published_at - 5 * HOUR)
    assert _private(ReplyWay(window_s=3600), earlier, NOON - timedelta(minutes=1)) == (True, None)


def test_one_answer_is_one_answer_in_its_own_way() -> None:
    once = ReplyWay(once=True)
    assert _private(once, replace(POST, answered_privately=True)) == (False, "already_answered")
    assert _private(once, replace(POST, answered_publicly=True)) == (True, None)
    assert _public(once, replace(POST, answered_publicly=True)) == (False, "already_answered")


def test_what_is_deleted_is_not_answered() -> None:
    gone = replace(POST, deleted=True)
    assert _public(ReplyWay(), gone) == (False, "deleted")
    assert _private(ReplyWay(), gone) == (False, "deleted")


def test_rules_that_contradict_themselves_are_refused() -> None:
    with pytest.raises(ValidationError):
        ReplyWay(once=True, overwrites=True)
    with pytest.raises(ValidationError):
        Length(limit=0)
    with pytest.raises(ValidationError):
        ReplyWay.model_validate({"requires": ["a_full_moon"]})


@pytest.mark.parametrize("venue", PLAYS)
def test_the_answer_travels_as_json(venue: str) -> None:
    rules = PLAYS[venue].rules
    assert ReplyRules.model_validate_json(rules.model_dump_json()) == rules
    answer = rules.answer_for(replace(POST, private=True), NOON)
    assert ReplyAnswer.model_validate(answer.model_dump(mode="json")) == answer


def test_what_was_said_in_private_may_have_a_private_way_of_its_own() -> None:
    """A comment takes one private answer in seven days, a direct message any number in one."""
    once = ReplyWay(window_s=7 * 86_400, window_from="published_at", once=True)
    rules = ReplyRules(private=once, in_private=ReplyWay(window_s=86_400))
    old = NOON - 48 * HOUR
    comment, message = Answerable(published_at=old), Answerable(published_at=old, private=True)
    assert rules.answer_for(comment, NOON).private.allowed
    assert rules.answer_for(message, NOON).private.reason == "window_closed"
    fresh = replace(message, last_inbound_at=NOON - HOUR, answered_privately=True)
    assert rules.answer_for(fresh, NOON).private.allowed
    assert rules.answer_for(replace(comment, answered_privately=True), NOON).private.reason == "already_answered"
    assert ReplyRules(private=once).answer_for(message, NOON).private.once
    assert rules.answer_for(message, NOON).public.reason == "no_api"

"""What was allowed when a mention came in is looked at again when its answer goes out."""

from datetime import timedelta
from typing import Any

import pytest

from services.ingest.channel import ReplyRules, ReplyWay, SkipThis
from services.ingest.reply_window import still_taken
from shared.kit import clock
from shared.models.reply_rules import Answerable

DAY = 86_400
RULES = ReplyRules(
    public=ReplyWay(once=True, requires=("addressed_to_us",), window_s=7 * DAY, window_from="published_at"),
    private=ReplyWay(window_s=DAY, requires=("customer_wrote_privately",)),
)


def a_context(
    hours_ago: float = 1, *, rules: ReplyRules = RULES, addressed: bool = True, **fields: Any
) -> dict[str, Any]:
    at = clock.now() - timedelta(hours=hours_ago)
    asked = Answerable(
        published_at=at, addressed_to_us=addressed, private=fields.get("mention_visibility") == "private"
    )
    return {
        "rules": rules.answer_for(asked, at).model_dump(mode="json"), "published_at": at, "mention_visibility": "public",
        "last_inbound_at": at, "author_external_id": "a", "wrote_privately": False, "answered": False, "deleted_at": None,
        **fields,
    }  # fmt: skip


def test_what_is_still_open_is_taken() -> None:
    still_taken(a_context(), RULES, private=False)
    still_taken(a_context(wrote_privately=True), RULES, private=True)
    still_taken(a_context() | {"rules": None}, RULES, private=False)


@pytest.mark.parametrize(
    ("context", "said"),
    [
        (a_context(8 * 24), "time in which this venue takes an answer is over"),
        (a_context(answered=True), "takes one answer and has it"),
        (a_context(deleted_at=clock.now()), "has been deleted"),
        (a_context(addressed=False), "only those who named or quoted"),
        (a_context(mention_visibility="private"), "said privately"),
    ],
)
def test_what_is_over_is_refused_with_its_reason(context: dict[str, Any], said: str) -> None:
    with pytest.raises(SkipThis, match=said):
        still_taken(context, RULES, private=False)


def test_a_private_window_runs_from_what_the_customer_wrote_last() -> None:
    old = a_context(30, mention_visibility="private", wrote_privately=True)
    with pytest.raises(SkipThis, match="is over"):
        still_taken(old, RULES, private=True)
    still_taken(old | {"last_inbound_at": clock.now() - timedelta(hours=23)}, RULES, private=True)


def test_who_wrote_privately_since_may_be_answered_privately() -> None:
    with pytest.raises(SkipThis, match="only to people who wrote to us first"):
        still_taken(a_context(), RULES, private=True)
    still_taken(a_context(wrote_privately=True), RULES, private=True)


def test_a_way_that_the_channel_no_longer_has_is_refused() -> None:
    with pytest.raises(SkipThis, match="takes no answers from programs"):
        still_taken(a_context(), ReplyRules(), private=False)

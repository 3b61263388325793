"""Whether a venue still takes an answer at the moment it goes out: what was worked out when the mention came in may be over."""

from collections.abc import Mapping
from typing import Any

from services.ingest.channel import ReplyRules, SkipThis
from shared.kit import clock
from shared.models.reply_rules import Answerable, ReplyAnswer, WayAnswer


def still_taken(context: Mapping[str, Any], rules: ReplyRules, *, private: bool) -> None:
    """Raises SkipThis, with the reason, where the venue takes it no more. `context` is `store.reply.sending_context`, and `rules`
    the channel's own. Windows run from what the customer wrote last; of answers to a mention only one stands where the venue
    takes one. Whom a mention names was worked out when it came in and does not change."""
    then = _way(ReplyAnswer.model_validate(context["rules"]), private) if context["rules"] else None
    asked = Answerable(
        published_at=context["published_at"],
        private=context["mention_visibility"] == "private",
        last_inbound_at=context["last_inbound_at"],
        addressed_to_us=then is None or then.reason != "not_addressed_to_us",
        author_known=context["author_external_id"] is not None,
        customer_wrote_privately=context["wrote_privately"]
        or then is None
        or then.reason != "customer_has_not_written_privately",
        answered_publicly=context["answered"],
        answered_privately=context["answered"],
        deleted=context["deleted_at"] is not None,
    )
    way = _way(rules.answer_for(asked, clock.now()), private)
    if not way.allowed:
        raise SkipThis(way.detail or "This venue does not take this answer.")


def _way(answer: ReplyAnswer, private: bool) -> WayAnswer:
    return answer.private if private else answer.public

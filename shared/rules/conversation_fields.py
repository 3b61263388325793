"""What a conversation may be filtered by: the same names in queues, SLA policies, views and automation."""

from collections.abc import Mapping
from typing import Any

from shared.rules.filter import FieldType

CONVERSATION_FIELDS: Mapping[str, FieldType] = {
    "status": "text",
    "priority": "text",
    "priority_score": "number",
    "channel_type": "text",
    "channel_id": "uuid",
    "channel": "text",
    "kind": "text",
    "visibility": "text",
    "lang": "text",
    "country": "text",
    "sentiment": "text",
    "intent": "text",
    "urgency": "text",
    "rating": "number",
    "issue_keys": "text[]",
    "tags": "text[]",
    "brand_id": "uuid",
    "queue_id": "uuid",
    "team_id": "uuid",
    "assignee_id": "uuid",
    "subject": "text",
    "author.handle": "text",
    "author.followers": "number",
    "author.verified": "bool",
}

PERSONAL = frozenset({"subject", "author.handle"})
"""Those that hold words of the customer: from whom personal data is hidden, does not filter by them."""


def row(conversation: Mapping[str, Any], mention: Mapping[str, Any]) -> dict[str, Any]:
    """A conversation as filters see it: its own fields, and those of the mention that brought it about."""
    seen: dict[str, Any] = {}
    for name in CONVERSATION_FIELDS:
        if "." not in name:
            value = conversation.get(name)
            seen[name] = value if value is not None else mention.get(name)
    seen["author"] = mention.get("author") or {}
    return seen

"""Which verbs GraphQL offers: the desk's, under the names that the operations of REST have."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import strawberry

from services.api.auth import Action
from services.api.desk import (
    brands,
    bulk,
    channels,
    conversations,
    heads,
    issue_types,
    keys,
    mentions,
    moderation,
    playbooks,
    queries,
    replies,
    sla_policies,
    webhook_endpoints,
    workspaces,
)
from services.api.desk.desk import Desk
from services.api.graphql import routing_verbs
from services.api.graphql.inputs import NOT_SAID, Field, input_type, record_type
from services.api.graphql.mutations import Given, Verb
from services.api.graphql.readings import REPLY_INPUT, Masking
from services.api.graphql.scalars import DateTime, Duration, Json
from services.api.graphql.verb_making import (
    ID,
    MAYBE_ID,
    MAYBE_TEXT,
    SETTINGS,
    Change,
    changes,
    changes_seen,
    configured,
    creates,
    does,
)
from shared.models.brand import BrandFields, IssueTypeFields, PlaybookFields, QueryFields
from shared.models.channel import ChannelFields
from shared.models.event import WebhookEndpointFields
from shared.models.sla import SlaPolicyFields
from shared.models.workspace import ApiKeyFields

_SECRETS: Field = (Json | None, "By the type's secretsSchema. Sealed; never shown.", NOT_SAID)
_AGE: Field = (Duration | None, "Mentions found later than this get no clocks; null: never ignored.", NOT_SAID)


@strawberry.type(description="How many deliveries are due again.")
class DeliveryCount:
    """A number of deliveries."""

    deliveries: int


@strawberry.type(description="What became of one conversation of many.")
class BulkResult:
    """Done, or refused with a code and a sentence."""

    conversation_id: ID
    ok: bool
    code: str | None
    detail: str | None


@strawberry.type(description="What became of each conversation.")
class BulkResults:
    """How many were done and refused, and each of them."""

    done: int
    refused: int
    results: list[BulkResult]


async def _act_on_many(desk: Desk, given: Given) -> dict[str, Any]:
    told = await bulk.act_on_many(desk, given.fields)
    return {**told, "results": [{"code": None, "detail": None, **one} for one in told["results"]]}


def _works(run: Any, doc: str, takes: Any = None, versioned: Any = "optional") -> Verb:
    """A verb on a conversation."""
    run = changes_seen(run) if takes is not None else _seen(run)
    return Verb(
        action=Action.WORK_CONVERSATIONS, run=run, noun="conversation", of="conversation", takes=takes,
        versioned=versioned, doc=doc,
    )  # fmt: skip


def _moderates(run: Change, of: str, takes: Any, doc: str) -> Verb:
    """A verb that asks something of a venue, or says what became of it."""
    return Verb(action=Action.MODERATE, run=changes(run), noun="moderation", of=of, takes=takes, doc=doc)


def _seen(run: Any) -> Callable[[Desk, Given], Awaitable[Any]]:
    return lambda desk, given: run(desk, given.key, given.version)


async def _change_masking(desk: Desk, given: Given) -> dict[str, Any]:
    return dict(await workspaces.change_masking(desk, given.fields))


_CONVERSATION_CHANGE = record_type(
    "ChangeConversationInput",
    {
        "subject": MAYBE_TEXT,
        "priority": (str | None, "urgent, high, normal or low.", NOT_SAID),
        "status": (str | None, "open or pending.", NOT_SAID),
        "queue_id": MAYBE_ID,
        "team_id": MAYBE_ID,
        "brand_id": MAYBE_ID,
        "tags": (list[str] | None, "", NOT_SAID),
        "issue_keys": (list[str] | None, "", NOT_SAID),
    },
    "What is to be changed of a conversation.",
)
_ASSIGN = record_type(
    "AssignConversationInput",
    {"agent_id": (ID | None, "To whom; null gives it back to its queue.", NOT_SAID), "team_id": MAYBE_ID},
    "To whom a conversation goes.",
)
_SNOOZE = record_type("SnoozeConversationInput", {"until": (DateTime, "Until when.", ...)}, "Until when.")
_NOTE = record_type("AddNoteInput", {"text": (str, "What it says.", ...)}, "An internal note.")
_CORRECTION = record_type(
    "CorrectMentionInput",
    {
        "finding": (str, f"One of {', '.join(mentions.CORRECTABLE)}.", ...),
        "value": (Json | None, "What is right, in the form in which the finding has it.", NOT_SAID),
        "note": MAYBE_TEXT,
    },
    "What is right about a mention.",
)
_SETTLE = record_type(
    "SettleReplyInput",
    {
        "outcome": (str, "sent or failed.", ...),
        "sent_at": (DateTime | None, "When the venue took it; the moment it went out unless said otherwise.", NOT_SAID),
        "external_id": MAYBE_TEXT,
        "permalink": MAYBE_TEXT,
        "note": MAYBE_TEXT,
    },
    "What became of a reply.",
)
_WHY = record_type(
    "ModerateInput",
    {"reason": (str | None, "For ourselves; the venue does not hear it.", NOT_SAID)},
    "Why it is asked.",
)
_TOLD = record_type(
    "ReportInput", {"reason": (str, "What is wrong with it; the venue hears it.", ...)}, "What is wrong with it."
)
_SETTLE_MODERATION = record_type(
    "SettleModerationInput",
    {"outcome": (str, "done or failed.", ...), "note": MAYBE_TEXT},
    "What became of a moderation.",
)
_MANY = record_type(
    "ActOnManyInput",
    {
        "action": (str, f"One of {', '.join(bulk.ACTIONS)}.", ...),
        "conversation_ids": (list[ID], f"Of which conversations, 1 to {bulk.MOST}.", ...),
        "fields": (Json | None, "What the action takes for one conversation, as agent_id for assign.", NOT_SAID),
    },
    "One thing for many conversations.",
)
_MASKING = record_type(
    "ChangeMaskingInput",
    {
        "roles": (list[str] | None, "Who does not see personal data; admins always do.", NOT_SAID),
        "kinds": (list[str] | None, "What is masked in texts.", NOT_SAID),
    },
    "From whom personal data is hidden.",
)
_SINCE = record_type("SinceInput", {"since": (DateTime, "At most 30 days ago.", ...)}, "Since when.")

_WORK = {
    "correctMention": Verb(
        action=Action.CORRECT_MENTIONS, run=changes(mentions.correct_mention), noun="mention", of="mention",
        takes=_CORRECTION, doc="Sets a finding right; the correction stands above what the pipeline found, and the conversation follows.",
    ),
    "promoteHead": Verb(
        action=SETTINGS, run=does(heads.promote_head), noun="head", of="head",
        doc="Has this version answer from now on, a former one as well.",
    ),
    "retireHead": Verb(
        action=SETTINGS, run=does(heads.retire_head), noun="head", of="head",
        doc="Has what the project ships answer again.",
    ),
    "changeConversation": _works(
        conversations.change_conversation, "Changes what is given of a conversation.", _CONVERSATION_CHANGE, "required"
    ),
    "assignConversation": _works(
        conversations.assign_conversation, "Gives it to an agent; null gives it back to its queue.", _ASSIGN
    ),
    "snoozeConversation": _works(
        conversations.snooze_conversation, "Puts it aside until a moment, or until the customer writes.", _SNOOZE
    ),
    "resolveConversation": _works(conversations.resolve_conversation, "Says that the matter is settled."),
    "reopenConversation": _works(
        conversations.reopen_conversation, "Takes a resolved, snoozed or pending conversation up again."
    ),
    "actOnMany": Verb(
        action=Action.WORK_CONVERSATIONS, run=_act_on_many, gives=BulkResults, takes=_MANY,
        doc="Does one thing to up to 500 conversations; each is done or refused by itself.",
    ),
    "changeMasking": Verb(
        action=Action.MANAGE_MASKING, run=_change_masking, gives=Masking, takes=_MASKING,
        doc="Hides personal data from roles, or shows it again; it holds within seconds.",
    ),
    "addNote": Verb(
        action=Action.WORK_CONVERSATIONS, run=changes(conversations.add_note), noun="message", of="conversation",
        takes=_NOTE, doc="Writes an internal note; no customer ever sees it.",
    ),
    "createReply": Verb(
        action=Action.WRITE_REPLIES, run=changes_seen(replies.create_reply), noun="reply", of="conversation",
        takes=REPLY_INPUT, versioned="optional",
        doc="Answers the customer by the channel on which they wrote: checked, queued, carried out at most once.",
    ),
    "withdrawReply": Verb(
        action=Action.WRITE_REPLIES, run=does(replies.withdraw_reply), noun="reply", of="reply",
        doc="Takes a reply back before it goes out.",
    ),
    "settleReply": Verb(
        action=Action.WRITE_REPLIES, run=changes(replies.settle_reply), noun="reply", of="reply", takes=_SETTLE,
        doc="Says what became of a reply whose outcome is unknown.",
    ),
    "hideMention": _moderates(
        moderation.hide_mention, "mention", _WHY, "Asks the venue to hide what a customer wrote at our own place."
    ),
    "unhideMention": _moderates(moderation.unhide_mention, "mention", _WHY, "Asks the venue to show it again."),
    "reportMention": _moderates(
        moderation.report_mention, "mention", _TOLD, "Reports to the venue what breaks its rules; never sent twice."
    ),
    "disputeMention": _moderates(
        moderation.dispute_mention, "mention", _TOLD, "Asks the venue to look whether a review is genuine; never sent twice."
    ),
    "deleteReply": _moderates(
        moderation.delete_reply, "reply", _WHY, "Asks the venue to take away a reply of ours that stands there."
    ),
    "settleModeration": _moderates(
        moderation.settle_moderation, "moderation", _SETTLE_MODERATION,
        "Says what became of a moderation whose outcome is unknown.",
    ),
    **routing_verbs.WORK,
}  # fmt: skip
_CONFIGURE = {
    **configured("brand", BrandFields, brands.create_brand, brands.change_brand, brands.remove_brand),
    **configured("query", QueryFields, queries.create_query, queries.change_query, queries.remove_query),
    **configured(
        "issue_type", IssueTypeFields, issue_types.create_issue_type, issue_types.change_issue_type,
        issue_types.remove_issue_type,
    ),
    **configured(
        "playbook", PlaybookFields, playbooks.create_playbook, playbooks.change_playbook, playbooks.remove_playbook
    ),
    **routing_verbs.CONFIGURE,
    **configured(
        "sla_policy", SlaPolicyFields, sla_policies.create_sla_policy, sla_policies.change_sla_policy,
        sla_policies.remove_sla_policy, more={"ignore_older_than": _AGE},
    ),
    **configured(
        "channel", ChannelFields, channels.create_channel, channels.change_channel, channels.pause_channel,
        action=Action.CONNECT_CHANNELS, removes="pause", removing="Ends the reading of a channel; its mentions stay.",
        more={"secrets": _SECRETS},
    ),
}  # fmt: skip
_WEBHOOKS = {
    **configured(
        "webhook_endpoint", WebhookEndpointFields, webhook_endpoints.create_webhook_endpoint,
        webhook_endpoints.change_webhook_endpoint, webhook_endpoints.remove_webhook_endpoint,
        action=Action.WRITE_WEBHOOKS, tells="secret",
    ),
    "testWebhookEndpoint": Verb(
        action=Action.WRITE_WEBHOOKS, run=does(webhook_endpoints.test_webhook_endpoint), noun="webhook_endpoint",
        of="webhook endpoint", doc="Sends this endpoint a webhook_endpoint.tested event.",
    ),
    "rotateWebhookSecret": Verb(
        action=Action.WRITE_WEBHOOKS, run=does(webhook_endpoints.rotate_secret), noun="webhook_endpoint",
        of="webhook endpoint", tells="secret", doc="Makes a new secret; for a day the former one signs as well.",
    ),
    "recoverWebhookDeliveries": Verb(
        action=Action.WRITE_WEBHOOKS, run=changes(webhook_endpoints.recover), gives=DeliveryCount,
        of="webhook endpoint", takes=_SINCE, doc="Tries again what failed since a moment.",
    ),
    "replayMissingWebhookDeliveries": Verb(
        action=Action.WRITE_WEBHOOKS, run=changes(webhook_endpoints.replay_missing), gives=DeliveryCount,
        of="webhook endpoint", takes=_SINCE, doc="Delivers what this endpoint was never sent since a moment.",
    ),
    "resendDelivery": Verb(
        action=Action.WRITE_WEBHOOKS, run=does(webhook_endpoints.resend), noun="delivery", of="delivery",
        doc="Delivers one event once more.",
    ),
}  # fmt: skip
_KEYS = {
    "createApiKey": Verb(
        action=Action.MANAGE_KEYS, run=creates(keys.create_api_key), noun="api_key", tells="key",
        takes=input_type("CreateApiKeyInput", ApiKeyFields), doc="Makes a key; it is told in this answer only.",
    ),
    "revokeApiKey": Verb(
        action=Action.MANAGE_KEYS, run=does(keys.revoke_api_key), of="key", doc="Ends a key within seconds, for good."
    ),
}  # fmt: skip
VERBS: Mapping[str, Verb] = {**_WORK, **_CONFIGURE, **_WEBHOOKS, **_KEYS}
"""Name → verb: every mutation there is."""

"""Every fact there is: what happened, to what. Past tense and small; who is told reads the rest.

`type` is the event's name in the feed and in webhooks, `noun` what the subject is, and so which read model is shown as
its data. `work` says that something of ours must still be done about it: then a row of work with that kind lies ready
until it is done.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Something that happened to `subject_id`. `detail` is what the subject's row will not tell afterwards (who, from, to).

    `at` is when it became true; left out, Postgres' clock at the writing, which is under the conversation's lock where there
    is one, so that a conversation's facts have one order. `heavy` says that the work it leaves takes long to do.
    """

    type: ClassVar[str] = ""
    noun: ClassVar[str] = ""
    work: ClassVar[bool] = False

    subject_id: UUID
    conversation_id: UUID | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    at: datetime | None = None
    priority: int = 5
    heavy: bool = False


def _fact(name: str, type_: str, noun: str, meaning: str, *, work: bool = False) -> type[Fact]:
    return type(name, (Fact,), {"__slots__": (), "__doc__": meaning, "type": type_, "noun": noun, "work": work})


MentionReceived = _fact("MentionReceived", "mention.received", "mention", "A mention came in and lies safe.", work=True)
MentionTriaged = _fact("MentionTriaged", "mention.triaged", "mention", "A mention was understood.")
MentionEdited = _fact("MentionEdited", "mention.edited", "mention", "Its author changed it.", work=True)
MentionDeleted = _fact("MentionDeleted", "mention.deleted", "mention", "It was taken away at its venue.")
MentionQuarantined = _fact(
    "MentionQuarantined", "mention.quarantined", "mention", "Triage could not read it; a person looks."
)
MentionCorrected = _fact("MentionCorrected", "mention.corrected", "mention", "A person set a finding right.")

ConversationOpened = _fact("ConversationOpened", "conversation.opened", "conversation", "A new matter.")
ConversationRouted = _fact("ConversationRouted", "conversation.routed", "conversation", "It waits in a queue.")
MessageAdded = _fact("MessageAdded", "conversation.message_added", "conversation", "A turn was added.")
ConversationAssigned = _fact("ConversationAssigned", "conversation.assigned", "conversation", "It has an agent.")
ConversationReleased = _fact(
    "ConversationReleased", "conversation.released", "conversation", "It has no agent any more."
)
StatusChanged = _fact("StatusChanged", "conversation.status_changed", "conversation", "Its status changed.")
PriorityChanged = _fact("PriorityChanged", "conversation.priority_changed", "conversation", "Its priority changed.")
ConversationSnoozed = _fact(
    "ConversationSnoozed", "conversation.snoozed", "conversation", "It was put aside for a while."
)
ConversationReopened = _fact("ConversationReopened", "conversation.reopened", "conversation", "It was taken up again.")
ConversationResolved = _fact("ConversationResolved", "conversation.resolved", "conversation", "The matter is settled.")

OfferMade = _fact("OfferMade", "offer.made", "offer", "Work was offered to an agent.")
OfferAccepted = _fact("OfferAccepted", "offer.accepted", "offer", "The agent took it.")
OfferDeclined = _fact("OfferDeclined", "offer.declined", "offer", "The agent did not want it.")
OfferExpired = _fact("OfferExpired", "offer.expired", "offer", "The agent did not answer in time.")
OfferWithdrawn = _fact("OfferWithdrawn", "offer.withdrawn", "offer", "What was offered needs nobody any more.")
PresenceChanged = _fact("PresenceChanged", "agent.presence_changed", "agent", "An agent came, went away or left.")
QueueAlarm = _fact("QueueAlarm", "queue.alarm", "queue", "Nobody can be found for what waits in it.")

ReplyQueued = _fact("ReplyQueued", "reply.queued", "reply", "An answer is to be carried out.", work=True)
ReplySent = _fact("ReplySent", "reply.sent", "reply", "The venue took it.")
ReplyFailed = _fact(
    "ReplyFailed", "reply.failed", "reply", "The venue did not take it, or took it and could not deliver it."
)
ReplyOutcomeUnknown = _fact(
    "ReplyOutcomeUnknown", "reply.outcome_unknown", "reply", "Nobody knows if it was taken.", work=True
)
ReplyWithdrawn = _fact("ReplyWithdrawn", "reply.withdrawn", "reply", "It was taken back before it went out.")
ReplyDeleted = _fact("ReplyDeleted", "reply.deleted", "reply", "It stood at the venue, and we took it away.")

ModerationRequested = _fact(
    "ModerationRequested", "moderation.requested", "moderation", "A venue is to be asked about a post.", work=True
)
ModerationDone = _fact("ModerationDone", "moderation.done", "moderation", "The venue did it, or took the report.")
ModerationFailed = _fact("ModerationFailed", "moderation.failed", "moderation", "The venue did not, and will not.")
ModerationOutcomeUnknown = _fact(
    "ModerationOutcomeUnknown",
    "moderation.outcome_unknown",
    "moderation",
    "Nobody knows if it was taken; a person looks.",
)

NoteCreated = _fact("NoteCreated", "note.created", "message", "An internal note was written.")

SlaStarted = _fact("SlaStarted", "sla.started", "sla_clock", "A promise began to run.")
SlaPaused = _fact("SlaPaused", "sla.paused", "sla_clock", "A promise stands still.")
SlaResumed = _fact("SlaResumed", "sla.resumed", "sla_clock", "A promise runs on.")
SlaWarning = _fact("SlaWarning", "sla.warning", "sla_clock", "A promise will soon be broken.")
SlaBreached = _fact("SlaBreached", "sla.breached", "sla_clock", "A promise was broken.")
SlaMet = _fact("SlaMet", "sla.met", "sla_clock", "A promise was kept.")
SlaCorrected = _fact(
    "SlaCorrected", "sla.corrected", "sla_clock", "A late event contradicts what was said of a promise."
)

ChannelConnected = _fact("ChannelConnected", "channel.connected", "channel", "Its first reading worked.")
ChannelDegraded = _fact("ChannelDegraded", "channel.degraded", "channel", "It fails; said once.")
ChannelRecovered = _fact("ChannelRecovered", "channel.recovered", "channel", "It works again; said once.")
ChannelReauthRequired = _fact(
    "ChannelReauthRequired", "channel.reauth_required", "channel", "It needs a new credential."
)
ChannelGapFound = _fact(
    "ChannelGapFound", "channel.gap_found", "channel", "Something may be missing in a stretch of it."
)
ChannelGapClosed = _fact("ChannelGapClosed", "channel.gap_closed", "channel", "The stretch was read again.")

ReportReady = _fact("ReportReady", "report.ready", "report", "A weekly report was rendered.")
WebhookEndpointDisabled = _fact(
    "WebhookEndpointDisabled", "webhook_endpoint.disabled", "webhook_endpoint", "We no longer deliver there."
)
WebhookTested = _fact(
    "WebhookTested", "webhook_endpoint.tested", "webhook_endpoint", "Somebody asked for a test delivery."
)

FACTS: Mapping[str, type[Fact]] = {
    kind.type: kind
    for kind in list(globals().values())
    if isinstance(kind, type) and issubclass(kind, Fact) and kind.type
}

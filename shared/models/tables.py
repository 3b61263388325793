"""Every table there is, in one import, for migrations and for tests that ask the metadata."""

from sqlmodel import SQLModel

from shared.models import (
    automation,
    brand,
    channel,
    conversation,
    event,
    head,
    mention,
    moderation,
    offer,
    people,
    reply,
    sla,
    work,
    workspace,
)

metadata = SQLModel.metadata

NOUNS = (
    automation, brand, channel, conversation, event, head, mention, moderation, offer, people, reply, sla, work, workspace,
)  # fmt: skip

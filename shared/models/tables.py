"""Every table there is, in one import, for migrations and for tests that ask the metadata."""

from sqlmodel import SQLModel

from shared.models import (
    brand,
    channel,
    conversation,
    event,
    head,
    mention,
    moderation,
    people,
    reply,
    sla,
    work,
    workspace,
)

metadata = SQLModel.metadata

NOUNS = (brand, channel, conversation, event, head, mention, moderation, people, reply, sla, work, workspace)

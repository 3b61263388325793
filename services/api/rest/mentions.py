"""Mentions over REST."""

from fastapi import Response

from services.api.auth import Action
from services.api.desk import mentions
from services.api.rest.door import Call, Door, filters_of, one, page
from services.api.rest.inputs import TEXT, maybe, record

door = Door("mentions")
_CORRECTION = record(
    ("finding", "value"),
    finding={"type": "string", "enum": list(mentions.CORRECTABLE)},
    value={
        "description": "What is right: in the form in which the finding has it. `issues` takes the whole list of keys."
    },
    note=maybe({**TEXT, "maxLength": 2000}),
)
_EXAMPLE = {"finding": "sentiment", "value": "negative", "note": "irony"}


@door.get("/mentions", "listMentions", Action.READ_MENTIONS, page("mention"), query=filters_of("mention"))
async def list_mentions(call: Call) -> Response:
    """Mentions, the newest first, filtered and searched.

    `findings` come with a single mention; the columns beside them (sentiment, intent, issue_keys and so on) are in the list.
    """
    return await call.listed("mention")


@door.get("/mentions/{id}", "getMention", Action.READ_MENTIONS, one("mention"))
async def get_mention(call: Call) -> Response:
    """One mention with all its findings."""
    return await call.one("mention", call.id())


@door.get("/mentions/{id}/corrections", "listCorrections", Action.READ_MENTIONS, page("correction"))
async def list_corrections(call: Call) -> Response:
    """What people set right about a mention, the newest first."""
    await call.one("mention", call.id())
    return await call.listed("correction", mention=call.id())


@door.post(
    "/mentions/{id}/corrections",
    "correctMention",
    Action.CORRECT_MENTIONS,
    one("mention"),
    takes=_CORRECTION,
    example=_EXAMPLE,
)
async def correct_mention(call: Call) -> Response:
    """Sets a finding right; the correction stands above what the pipeline found, and is kept.

    The conversation that the mention is in follows: its issue types, sentiment, language and priority, as far as nobody gave
    it those by hand.
    """
    given = await call.body()
    return await call.write("mention", lambda desk: mentions.correct_mention(desk, call.id(), given))

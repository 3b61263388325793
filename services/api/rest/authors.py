"""Authors over REST."""

from fastapi import Response

from services.api.auth import Action
from services.api.rest.door import Call, Door, filters_of, one, page

door = Door("authors")


@door.get("/authors", "listAuthors", Action.READ_MENTIONS, page("author"), query=filters_of("author"))
async def list_authors(call: Call) -> Response:
    """Who wrote, the newest first."""
    return await call.listed("author")


@door.get("/authors/{id}", "getAuthor", Action.READ_MENTIONS, one("author"))
async def get_author(call: Call) -> Response:
    """One author, as last seen."""
    return await call.one("author", call.id())


@door.get("/messages/{id}", "getMessage", Action.READ_CONVERSATIONS, one("message"))
async def get_message(call: Call) -> Response:
    """One turn of a conversation."""
    return await call.one("message", call.id())

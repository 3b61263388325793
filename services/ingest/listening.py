"""What a firehose is listened for: read from the workspace before it streams, and again where a person changed it meanwhile."""

import asyncio
from dataclasses import dataclass

import asyncpg

from shared.rules.query_language import Query, QuerySyntaxError, parse
from shared.rules.wanted import Named, Wanted
from shared.store import firehose


@dataclass(frozen=True, slots=True)
class Told:
    """What a channel was told to listen for, and the version of the workspace's wishes that it was made of."""

    version: str
    wanted: Wanted


async def what_is_wanted(connection: asyncpg.Connection, channel_type: str, before: Told | None = None) -> Told:
    """What a workspace wants to hear from channels of a type: the same object as `before` where nothing changed. `connection`
    shows the workspace."""
    version = await firehose.version(connection)
    if before is not None and before.version == version:
        return before
    brands = [
        Named((row["name"], *row["aliases"], *row["product_lines"]), tuple(row["handles"]), tuple(row["excluded"]))
        for row in await firehose.brands(connection)
    ]
    queries = _readable(await firehose.searches(connection, channel_type))
    never = await firehose.exclusions(connection)
    return Told(version, await asyncio.to_thread(Wanted, brands, queries, never))


def _readable(searches: list[str]) -> list[Query]:
    found = []
    for text in searches:
        try:
            found.append(parse(text))
        except QuerySyntaxError:
            continue  # it was valid when it was saved; a query that no longer is finds nothing
    return found

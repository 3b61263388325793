"""A process of triage that starts anew knows the copies of what came before it: the window is read back from Postgres."""

from uuid import UUID

from services.triage.briefing import Briefings
from services.triage.look_alikes import AT_ONCE
from shared.kit.database import Database
from tests.builders import a_channel, a_workspace, an_item, taken

SAID = "the train to Utrecht stood still for two hours and nobody said a word"
OTHER = "number {n} of those who wrote about something else, {square} words long"


async def test_copies_of_what_came_before_a_start_are_known(database: Database) -> None:
    workspace_id = await a_workspace(database)
    channel = await a_channel(database, workspace_id)
    first = an_item("first", SAID)
    others = [an_item(f"o{n}", OTHER.format(n=n, square=n * n)) for n in range(AT_ONCE + 20)]
    for start in range(0, len(others), 250):
        await taken(database, workspace_id, channel, *([first] if not start else []), *others[start : start + 250])
    before = Briefings()
    (seen,) = await _ids(database, workspace_id, "first")
    async with database.read(workspace_id) as connection:
        told = await before.brief(connection, workspace_id, [seen])
    assert told.assessments[0].background.look_alikes == ()

    del before  # the process is killed: all that it held is gone
    await taken(
        database, workspace_id, channel, an_item("copy", f"{SAID}, again"), an_item("more", "and one more, of another")
    )
    copy, more = await _ids(database, workspace_id, "copy", "more")
    started = Briefings()
    async with database.read(workspace_id) as connection:
        told = await started.brief(connection, workspace_id, [copy, more])
        again = await started.brief(connection, workspace_id, [copy])
    likes = {a.mention_id: [like.mention_id for like in a.background.look_alikes] for a in told.assessments}
    assert likes == {copy: [seen], more: []}
    assert [like.mention_id for like in again.assessments[0].background.look_alikes] == [seen]


async def _ids(database: Database, workspace_id: UUID, *external_ids: str) -> list[UUID]:
    async with database.read(workspace_id) as connection:
        rows = await connection.fetch(
            "SELECT id, external_id FROM mention WHERE external_id = ANY($1)", list(external_ids)
        )
    known = {row["external_id"]: row["id"] for row in rows}
    return [known[one] for one in external_ids]

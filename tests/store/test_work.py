"""Work is claimed fairly: light work never waits for heavy work, however much of it there is, and heavy work has its own turn."""

import asyncio
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from shared import outbox
from shared.kit import ids
from shared.kit.database import Database
from shared.models import facts
from shared.models.work import lane
from shared.store import work, workspaces
from shared.store.work import Claim
from tests.builders import a_workspace

KIND = facts.MentionReceived.type


@pytest.fixture(autouse=True)
async def nothing_waits(database: Database) -> None:
    await forget(database)


async def forget(database: Database) -> None:
    """Takes away whatever waits."""
    async with database.lookup() as connection:
        known = await workspaces.every(connection)
    for workspace_id in known:
        async with database.read(workspace_id) as inside:
            await inside.execute("DELETE FROM work")


async def waiting(database: Database, workspace_id: UUID, *heavy: bool) -> list[UUID]:
    """Mentions that came in, in this order. Returns their ids."""
    came = [facts.MentionReceived(subject_id=ids.new_id(), heavy=one) for one in heavy]
    async with database.write(workspace_id) as session:
        await outbox.add(session, workspace_id, came)
    return [one.subject_id for one in came]


async def claimed(database: Database, limit: int, *, heavy: bool = False) -> Claim | None:
    async with database.lookup() as connection:
        return await work.claim(connection, KIND, limit, heavy=heavy)


async def test_a_light_one_behind_a_thousand_heavy_ones_is_claimed_next(database: Database) -> None:
    workspace_id = await a_workspace(database)
    heavy = await waiting(database, workspace_id, *[True] * 1_000)
    (light,) = await waiting(database, workspace_id, False)
    first = await claimed(database, 64)
    assert first is not None
    assert first.subjects == [light]
    assert await claimed(database, 64) is None
    second = await claimed(database, 4, heavy=True)
    assert second is not None
    assert second.subjects == heavy[:4]


async def test_heavy_ones_have_their_turn_beside_a_thousand_light_ones(database: Database) -> None:
    workspace_id = await a_workspace(database)
    await waiting(database, workspace_id, *[False] * 1_000)
    (heavy,) = await waiting(database, workspace_id, True)
    first = await claimed(database, 4, heavy=True)
    assert first is not None
    assert first.subjects == [heavy]


async def test_another_workspaces_heavy_ones_are_in_nobodys_way(database: Database) -> None:
    flooded, calm = await a_workspace(database), await a_workspace(database)
    await waiting(database, flooded, *[True] * 200)
    (light,) = await waiting(database, calm, False)
    first = await claimed(database, 64)
    assert first is not None
    assert (first.workspace_id, first.subjects) == (calm, [light])


@examples(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    came=st.lists(st.booleans(), max_size=40), turns=st.lists(st.tuples(st.booleans(), st.integers(1, 9)), max_size=25)
)
async def test_whatever_the_turns_each_lane_is_taken_in_its_order_and_nothing_twice(
    database: Database, came: list[bool], turns: list[tuple[bool, int]]
) -> None:
    await forget(database)
    workspace_id = await a_workspace(database)
    subjects = await waiting(database, workspace_id, *came)
    left = {which: [one for one, mark in zip(subjects, came, strict=True) if mark is which] for which in (False, True)}
    for heavy, limit in turns:
        claim = await claimed(database, limit, heavy=heavy)
        assert (claim.subjects if claim else []) == left[heavy][:limit]
        del left[heavy][:limit]


async def test_two_at_once_share_a_lane_and_take_nothing_twice(database: Database) -> None:
    workspace_id = await a_workspace(database)
    subjects = await waiting(database, workspace_id, *[True] * 40)
    claims = await asyncio.gather(*(claimed(database, 4, heavy=True) for _ in range(4)))
    taken = [subject for claim in claims if claim for subject in claim.subjects]
    assert len(taken) == len(set(taken))
    assert set(taken) <= set(subjects)


async def test_what_turns_out_heavy_changes_its_lane_and_keeps_its_tries(database: Database) -> None:
    workspace_id = await a_workspace(database)
    (one,) = await waiting(database, workspace_id, False)
    claim = await claimed(database, 64)
    assert claim is not None
    async with database.lookup() as connection:
        await work.died(connection, claim, claim.work_ids, "it died")
    again = await claimed(database, 64)
    assert again is not None
    async with database.lookup() as connection:
        await work.weighed(connection, again, again.work_ids)
    assert await claimed(database, 64) is None
    heavy = await claimed(database, 4, heavy=True)
    assert heavy is not None
    assert [(subject, tries) for _, subject, tries in heavy.works] == [(one, 1)]


async def test_what_died_comes_alone_in_either_lane(database: Database) -> None:
    for heavy in (False, True):
        workspace_id = await a_workspace(database)
        subjects = await waiting(database, workspace_id, *[heavy] * 3)
        claim = await claimed(database, 64, heavy=heavy)
        assert claim is not None
        async with database.lookup() as connection:
            await work.died(connection, claim, claim.work_ids, "it died")
        alone = [await claimed(database, 64, heavy=heavy) for _ in subjects]
        assert [one.subjects for one in alone if one] == [[subject] for subject in subjects]
        assert await claimed(database, 64, heavy=heavy) is None


async def test_a_lease_that_was_lost_is_not_weighed(database: Database) -> None:
    workspace_id = await a_workspace(database)
    await waiting(database, workspace_id, False)
    async with database.lookup() as connection:
        former = await work.claim(connection, KIND, 64, lease_s=0.0)
    now = await claimed(database, 64)
    assert former is not None
    assert now is not None
    async with database.lookup() as connection:
        await work.weighed(connection, former, former.work_ids)
    assert await _heavy(database) == [False]


async def test_lanes_are_woken_and_counted_apart(database: Database) -> None:
    woken: list[set[str]] = []
    database.after_commit = lambda kinds: woken.append(set(kinds))
    workspace_id = await a_workspace(database)
    await waiting(database, workspace_id, True)
    await waiting(database, workspace_id, False)
    await waiting(database, workspace_id, False, True)
    async with database.write(workspace_id) as session:  # one that tells more than its subject takes another way
        await outbox.add(
            session, workspace_id, [facts.MentionReceived(subject_id=ids.new_id(), heavy=True, detail={"a": 1})]
        )
    light, heavy = KIND, lane(KIND, heavy=True)
    assert [one & {light, heavy} for one in woken if one & {light, heavy}] == [
        {heavy},
        {light},
        {light, heavy},
        {heavy},
    ]
    async with database.lookup() as connection:
        due = await work.due(connection)
    assert {name: n for name, (n, _) in due.items()} == {light: 2, heavy: 3}


async def _heavy(database: Database) -> list[bool]:
    async with database.lookup() as connection:
        return [row["heavy"] for row in await connection.fetch("SELECT heavy FROM work")]

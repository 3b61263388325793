"""The demo brand is loaded where the first start decided so: once, whoever comes in meanwhile, and never again."""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import pytest

from services.api.desk import brands, workspaces
from services.api.desk.desk import Desk
from services.local import demo, first_start, operator
from services.local.demo import content
from shared.kit.database import Database
from shared.kit.settings import Settings

CUMULUS = str(content.setup()["brands"][0]["name"])
_numbers = itertools.count(1)


class Start:
    """What a first start and the demo that follows it do, in a main workspace of this test's own."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self.database = database
        self.settings = settings

    async def prepares(self, *, demo: bool | None) -> None:
        assert await first_start._prepare(self.settings, demo) == 0

    async def demo_is_played(self) -> bool:
        return await demo._begin(self.settings) is not None

    @asynccontextmanager
    async def desk(self) -> AsyncIterator[Desk]:
        workspace_id = await workspaces.find_workspace(self.database, operator.MAIN)
        assert workspace_id
        async with operator.desk_in(self.database, self.settings, workspace_id).writing() as writing:
            yield writing

    async def somebody_makes(self, brand: str) -> None:
        async with self.desk() as desk:
            await brands.create_brand(desk, {"name": brand})

    async def brands(self) -> dict[str, UUID]:
        async with self.desk() as desk, desk.reading() as connection:
            rows = await connection.fetch("SELECT id, name FROM brand")
        return {row["name"]: row["id"] for row in rows}


@pytest.fixture
def start(database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Start:
    monkeypatch.setattr(operator, "MAIN", f"main-{next(_numbers)}")
    return Start(database, settings)


async def test_a_brand_made_before_the_demo_came_does_not_keep_it_away(start: Start) -> None:
    await start.prepares(demo=True)
    await start.somebody_makes("Northwind")
    assert await start.demo_is_played()
    assert set(await start.brands()) == {"Northwind", CUMULUS}


async def test_it_is_loaded_once_and_played_on_after_a_stop(start: Start) -> None:
    await start.prepares(demo=True)
    begun = await demo._begin(start.settings)
    loaded = await start.brands()
    await start.prepares(demo=True)
    assert await demo._begin(start.settings) == begun
    assert await start.brands() == loaded


async def test_who_took_it_away_is_rid_of_it(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    await start.prepares(demo=True)
    assert await start.demo_is_played()
    async with start.desk() as desk:
        await brands.remove_brand(desk, (await start.brands())[CUMULUS])
    for _ in range(2):
        await start.prepares(demo=True)
        assert not await start.demo_is_played()
        assert await start.brands() == {}
    assert "was taken away" in capsys.readouterr().out


async def test_who_starts_without_it_has_a_first_start_without_it(start: Start) -> None:
    await start.prepares(demo=False)
    await start.prepares(demo=True)
    assert not await start.demo_is_played()
    assert await start.brands() == {}


@pytest.mark.parametrize(("own", "comes"), [((), True), (("Northwind",), False)])
async def test_a_command_before_the_first_start_leaves_it_open(start: Start, own: tuple[str, ...], comes: bool) -> None:
    await start.prepares(demo=None)
    for brand in own:
        await start.somebody_makes(brand)
    assert not await start.demo_is_played()
    await start.prepares(demo=True)
    assert await start.demo_is_played() is comes
    assert (CUMULUS in await start.brands()) is comes


async def test_a_demo_from_before_decisions_were_kept_plays_on(start: Start) -> None:
    await start.prepares(demo=None)
    async with start.desk() as desk:
        began = await demo.founding.found(desk)
    await start.prepares(demo=True)
    begun = await demo._begin(start.settings)
    assert begun is not None
    assert begun[1] == began


async def test_when_loading_it_fails_it_is_still_wanted(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    await start.prepares(demo=True)

    async def fails(desk: Desk) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as broken:
        broken.setattr(demo.founding, "found", fails)
        with pytest.raises(OSError, match="disk full"):
            await start.demo_is_played()
    assert await start.brands() == {}
    assert await start.demo_is_played()
    assert set(await start.brands()) == {CUMULUS}

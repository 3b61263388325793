"""Weekly listening reports: a finished week is rendered once and kept, the running one as often as somebody asks."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson

from services.api.desk.desk import Desk
from services.api.listening.report import Week
from services.api.listening.report_page import figures_to_json, render
from services.api.listening.weekly import Weekly, weekly_figures
from shared import outbox
from shared.kit import clock
from shared.models.facts import ReportReady
from shared.store import reports, workspaces


@dataclass(frozen=True, slots=True)
class RenderedReport:
    """A week's report: the page (HTML, UTF-8) and its figures (JSON). `id` is set where it is kept and will not change."""

    week: Week
    id: UUID | None
    page: bytes
    figures: bytes
    data_hash: str
    rendered_at: datetime


async def read_report(desk: Desk, week: str, *, anew: bool = False) -> RenderedReport:
    """A week's report, as 2026-W47; rendered where it is not yet.

    It is kept once the week is over (by the workspace's clock), all its mentions are understood and there is something to tell:
    from then on it is the same, byte for byte. `anew` replaces a kept one whose figures have changed since (late mentions,
    corrections). Raises Invalid for what is no week, NotFound for one that has not begun.
    """
    asked = Week.parse(week)
    if not anew and (kept := await _kept(desk, asked)) is not None:
        return kept
    gathered = await weekly_figures(desk.database, desk.workspace_id, asked)
    page, figures, data_hash = await asyncio.to_thread(_rendered, gathered)
    if gathered.final:
        await _keep(desk, asked, page, figures, data_hash, anew=anew)
        # Whoever was first is shown to all, and the figures as they are kept.
        if (kept := await _kept(desk, asked)) is not None:
            return kept
    return RenderedReport(asked, None, page, figures, data_hash, clock.now())


async def last_week(desk: Desk) -> Week:
    """The last week that is over, by the workspace's clock."""
    async with desk.reading() as connection:
        zone = await workspaces.timezone(connection)
    return Week.of(clock.now(), ZoneInfo(zone)).before()


async def _kept(desk: Desk, week: Week) -> RenderedReport | None:
    async with desk.reading() as connection:
        row = await reports.find(connection, str(week))
    if row is None:
        return None
    return RenderedReport(
        week, row["id"], bytes(row["page"]), row["figures"].encode(), row["data_hash"], row["rendered_at"]
    )


async def _keep(desk: Desk, week: Week, page: bytes, figures: bytes, data_hash: str, *, anew: bool) -> None:
    async with desk.writing() as writing:
        report_id = await reports.keep(
            writing.session, desk.workspace_id, str(week), figures.decode(), page, data_hash, anew=anew
        )
        if report_id is not None:
            fact = ReportReady(subject_id=report_id, detail={"week": str(week), "data_hash": data_hash})
            await outbox.add(writing.session, desk.workspace_id, [fact])


def _rendered(gathered: Weekly) -> tuple[bytes, bytes, str]:
    figures = figures_to_json(gathered.figures)
    return render(gathered.figures), orjson.dumps(figures), str(figures["data_hash"])

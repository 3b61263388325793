"""A week's report as a thing that is kept: rendered once its week is over, and the same from then on."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson

from services.api.listening.report import Week
from services.api.listening.report_page import figures_to_json, render
from services.api.listening.weekly import Weekly, weekly_figures
from shared import outbox
from shared.kit import clock
from shared.kit.database import Database
from shared.models.facts import ReportReady
from shared.store import listening, reports, workspaces

SETTLES_IN: Final = timedelta(hours=1)
"""So long after its end a week's report is rendered unasked: what was said on Sunday night is read by then."""


@dataclass(frozen=True, slots=True)
class ReportFigures:
    """What a week's report says (JSON). `id` is set where it is kept and will not change, `rendered_at` where it was rendered."""

    week: Week
    id: UUID | None
    figures: bytes
    data_hash: str
    rendered_at: datetime | None


@dataclass(frozen=True, slots=True)
class RenderedReport:
    """A week's report: the page (HTML, UTF-8) and its figures (JSON). `id` is set where it is kept and will not change."""

    week: Week
    id: UUID | None
    page: bytes
    figures: bytes
    data_hash: str
    rendered_at: datetime


async def report_of(database: Database, workspace_id: UUID, week: Week, *, anew: bool = False) -> RenderedReport:
    """A week's report, rendered where it is not yet.

    It is kept once the week is over (by the workspace's clock), all its mentions are understood and there is something to tell:
    from then on it is the same, byte for byte. `anew` replaces a kept one whose figures have changed since (late mentions,
    corrections). Raises NotFound for a week that has not begun.
    """
    if not anew and (kept := await _kept_page(database, workspace_id, week)) is not None:
        return kept
    gathered = await weekly_figures(database, workspace_id, week)
    return await _rendered(database, workspace_id, week, gathered, anew=anew)


async def figures_of(database: Database, workspace_id: UUID, week: Week, *, keep: bool) -> ReportFigures:
    """What a week's report says, without drawing its plots where that can be spared. A week that may be kept is rendered and kept
    if `keep`, else its figures are told as they are now. Raises NotFound for a week that has not begun."""
    async with database.read(workspace_id) as connection:
        row = await reports.find_figures(connection, str(week))
    if row is not None:
        return ReportFigures(week, row["id"], row["figures"].encode(), row["data_hash"], row["rendered_at"])
    gathered = await weekly_figures(database, workspace_id, week)
    if keep and gathered.final:
        made = await _rendered(database, workspace_id, week, gathered)
        return ReportFigures(week, made.id, made.figures, made.data_hash, made.rendered_at)
    figures, data_hash = await asyncio.to_thread(_written, gathered)
    return ReportFigures(week, None, figures, data_hash, None)


async def keep_last_week(database: Database, workspace_id: UUID) -> Week | None:
    """Renders and keeps the report of the last week that is over, by the workspace's clock, where there is something to tell, all
    of it is understood and nobody has yet. Returns the week if it did. To do it twice, or in two places at once, harms nothing."""
    async with database.read(workspace_id) as connection:
        zone = ZoneInfo(await workspaces.timezone(connection))
        week = Week.of(clock.now() - SETTLES_IN, zone).before()
        since, until = week.bounds(zone)
        if not await reports.is_lacking(connection, str(week), since, until):
            return None
        if await listening.waiting(connection, since, until):
            return None
    gathered = await weekly_figures(database, workspace_id, week)
    if not gathered.final:
        return None
    page, figures, data_hash = await asyncio.to_thread(_drawn, gathered)
    return week if await _keep(database, workspace_id, week, page, figures, data_hash, anew=False) else None


async def _rendered(
    database: Database, workspace_id: UUID, week: Week, gathered: Weekly, *, anew: bool = False
) -> RenderedReport:
    page, figures, data_hash = await asyncio.to_thread(_drawn, gathered)
    if gathered.final:
        await _keep(database, workspace_id, week, page, figures, data_hash, anew=anew)
        # Whoever was first is shown to all, and the figures as they are kept.
        if (kept := await _kept_page(database, workspace_id, week)) is not None:
            return kept
    return RenderedReport(week, None, page, figures, data_hash, clock.now())


async def _kept_page(database: Database, workspace_id: UUID, week: Week) -> RenderedReport | None:
    async with database.read(workspace_id) as connection:
        row = await reports.find(connection, str(week))
    if row is None:
        return None
    return RenderedReport(
        week, row["id"], bytes(row["page"]), row["figures"].encode(), row["data_hash"], row["rendered_at"]
    )


async def _keep(
    database: Database, workspace_id: UUID, week: Week, page: bytes, figures: bytes, data_hash: str, *, anew: bool
) -> bool:
    """Whether it was kept: not where somebody else was first."""
    async with database.write(workspace_id) as session:
        report_id = await reports.keep(session, workspace_id, str(week), figures.decode(), page, data_hash, anew=anew)
        if report_id is not None:
            fact = ReportReady(subject_id=report_id, detail={"week": str(week), "data_hash": data_hash})
            await outbox.add(session, workspace_id, [fact])
    return report_id is not None


def _drawn(gathered: Weekly) -> tuple[bytes, bytes, str]:
    return render(gathered.figures), *_written(gathered)


def _written(gathered: Weekly) -> tuple[bytes, str]:
    figures = figures_to_json(gathered.figures)
    return orjson.dumps(figures), str(figures["data_hash"])

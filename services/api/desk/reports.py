"""Weekly listening reports: a finished week is rendered once and kept, the running one as often as somebody asks."""

from dataclasses import replace
from zoneinfo import ZoneInfo

import orjson

from services.api.desk.desk import Desk
from services.api.listening.report import Week
from services.api.listening.weekly_report import RenderedReport, ReportFigures, figures_of, report_of
from shared.kit import clock
from shared.store import workspaces
from shared.store.hidden import HIDDEN

__all__ = ["RenderedReport", "ReportFigures", "address_of", "last_week", "read_figures", "read_report"]


async def read_report(desk: Desk, week: str, *, anew: bool = False) -> RenderedReport:
    """A week's report with its page, as 2026-W47; rendered where it is not yet, and kept once it is final. `anew` replaces a kept
    one whose figures have changed since. Raises Invalid for what is no week, NotFound for one that has not begun, PersonalDataHidden
    from whom that is hidden: the page names conversations by their subjects, and posts by their addresses."""
    desk.must_see_everything("The page cannot be shown; its figures (application/json) can")
    return await report_of(desk.database, desk.workspace_id, Week.parse(week), anew=anew)


async def read_figures(desk: Desk, week: str, *, keep: bool = True) -> ReportFigures:
    """What a week's report says: as it is kept, else as it is now. A final week is rendered and kept with that if `keep`; no plot
    is drawn otherwise. Raises Invalid for what is no week, NotFound for one that has not begun."""
    found = await figures_of(desk.database, desk.workspace_id, Week.parse(week), keep=keep)
    return replace(found, figures=_masked(found.figures)) if desk.actor.hidden else found


def _masked(figures: bytes) -> bytes:
    """The quotations are masked for everybody; this takes the subjects that customers gave, and addresses with their names."""
    told = orjson.loads(figures)
    for one in told["critical"]:
        one["subject"], one["url"] = HIDDEN, f"/v1/conversations/{one['conversation_id']}"
    for issue in told["issues"]:
        for quote in issue["quotes"]:
            quote["permalink"] = None
    return orjson.dumps(told)


def address_of(desk: Desk, week: Week) -> str:
    """Where the world finds a week's report: its page, for who prefers text/html."""
    return f"{desk.settings.base_url}/v1/reports/{week}"


async def last_week(desk: Desk) -> Week:
    """The last week that is over, by the workspace's clock."""
    async with desk.reading() as connection:
        zone = await workspaces.timezone(connection)
    return Week.of(clock.now(), ZoneInfo(zone)).before()

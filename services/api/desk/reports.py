"""Weekly listening reports: a finished week is rendered once and kept, the running one as often as somebody asks."""

from zoneinfo import ZoneInfo

from services.api.desk.desk import Desk
from services.api.listening.report import Week
from services.api.listening.weekly_report import RenderedReport, ReportFigures, figures_of, report_of
from shared.kit import clock
from shared.store import workspaces

__all__ = ["RenderedReport", "ReportFigures", "address_of", "last_week", "read_figures", "read_report"]


async def read_report(desk: Desk, week: str, *, anew: bool = False) -> RenderedReport:
    """A week's report with its page, as 2026-W47; rendered where it is not yet, and kept once it is final. `anew` replaces a kept
    one whose figures have changed since. Raises Invalid for what is no week, NotFound for one that has not begun."""
    return await report_of(desk.database, desk.workspace_id, Week.parse(week), anew=anew)


async def read_figures(desk: Desk, week: str, *, keep: bool = True) -> ReportFigures:
    """What a week's report says: as it is kept, else as it is now. A final week is rendered and kept with that if `keep`; no plot
    is drawn otherwise. Raises Invalid for what is no week, NotFound for one that has not begun."""
    return await figures_of(desk.database, desk.workspace_id, Week.parse(week), keep=keep)


def address_of(desk: Desk, week: Week) -> str:
    """Where the world finds a week's report: its page, for who prefers text/html."""
    return f"{desk.settings.base_url}/v1/reports/{week}"


async def last_week(desk: Desk) -> Week:
    """The last week that is over, by the workspace's clock."""
    async with desk.reading() as connection:
        zone = await workspaces.timezone(connection)
    return Week.of(clock.now(), ZoneInfo(zone)).before()

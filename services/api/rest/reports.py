"""The weekly listening reports over REST: as JSON or as a page, by Accept."""

from fastapi import Response

from services.api.auth import Action
from services.api.desk import reports
from services.api.listening.report_page import CONTENT_SECURITY_POLICY
from services.api.listening.weekly_report import RenderedReport, ReportFigures
from services.api.rest.door import JSON, Call, Door, filters_of, page, shape
from services.api.rest.inputs import TEXT, TIME, Schema, many, maybe, shown
from shared.kit.errors import WebcareError

door = Door("reports")
HTML = "text/html"
_OFFERED = (JSON, HTML)
_OBJECTS: Schema = many({"type": "object"})
_FIGURES = shown(
    workspace=TEXT, week=TEXT, zone=TEXT, as_of=maybe({**TIME, "description": "Up to when the figures go, in a running week."}),
    days=_OBJECTS, weeks_before=many({"type": "integer"}), brands=_OBJECTS, sentiment=_OBJECTS,
    sentiment_before=maybe({"type": "object"}), issues=_OBJECTS, critical=_OBJECTS, critical_count={"type": "integer"},
    sla=_OBJECTS, answer_times=_OBJECTS, conversations={"type": "object"}, dispositions=_OBJECTS, languages=_OBJECTS,
    ledger=_OBJECTS, notes=many(TEXT), data_hash=TEXT,
    definitions={"type": "object", "description": "What the figures mean, in words."},
)  # fmt: skip


class NotAcceptable(WebcareError):
    """It is not to be had in a form that the caller takes."""

    status = 406
    code = "not_acceptable"
    title = "It is not to be had in that form"


@door.get("/reports", "listReports", Action.READ_METRICS, page("report"), query=filters_of("report"))
async def list_reports(call: Call) -> Response:
    """The reports of finished weeks that were rendered, the latest week first."""
    return await call.listed("report")


@door.get(
    "/reports/{week}", "readReport", Action.READ_METRICS, shape(_FIGURES, JSON, HTML),
    also={304: "As you have it (If-None-Match).", 406: "It is not to be had in that form."},
)  # fmt: skip
async def read_report(call: Call) -> Response:
    """A week's listening report, as 2026-W47: its figures (application/json) or one page with plots (text/html), by Accept.

    A finished week is rendered in the hours after its end, or when it is first asked for, once all its mentions are understood; it
    is kept: from then on it is the same byte for byte, and has an ETag. The running week is told anew each time; `as_of` says up to
    when its figures go.
    """
    call.only()
    media = preferred(call.request.headers.get("accept", ""))
    if media == HTML:
        report: RenderedReport | ReportFigures = await reports.read_report(call.desk, call.part("week"))
    else:
        report = await reports.read_figures(call.desk, call.part("week"))
    headers = {"vary": "Accept"}
    if report.id is not None:
        etag = headers["etag"] = f'"{report.data_hash[:32]}-{media.partition("/")[2]}"'
        if call.request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers=headers)
    if isinstance(report, RenderedReport):
        headers["content-security-policy"] = CONTENT_SECURITY_POLICY
        return Response(report.page, media_type=HTML, headers=headers)
    return Response(report.figures, media_type=JSON, headers=headers)


def preferred(accept: str) -> str:
    """The form that an Accept header likes best: JSON unless it likes the page better. Raises NotAcceptable for neither."""
    liking = {media: _liking(accept, media) for media in _OFFERED}
    best = max(_OFFERED, key=lambda media: liking[media])
    if accept.strip() and not liking[best]:
        raise NotAcceptable(
            "The report is to be had as application/json and as text/html. For a PDF, ask for text/html and print the page: it "
            "is made for A4."
        )
    return best


def _liking(accept: str, media: str) -> float:
    """The quality (RFC 9110) that the header gives to a form; the most exact range decides."""
    exactness, quality = 0, 0.0
    for part in accept.split(","):
        given, *parameters = (one.strip().lower() for one in part.split(";"))
        ranges = {media: 3, f"{media.partition('/')[0]}/*": 2, "*/*": 1}
        if ranges.get(given, 0) > exactness:
            exactness, quality = ranges[given], 1.0
            for parameter in parameters:
                name, _, value = parameter.partition("=")
                if name.strip() == "q":
                    quality = _quality(value)
    return quality


def _quality(text: str) -> float:
    try:
        return min(max(float(text), 0.0), 1.0)
    except ValueError:
        return 0.0

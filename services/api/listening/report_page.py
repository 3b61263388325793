"""The weekly listening report as one HTML page that needs nothing else, and the same figures as JSON."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime, timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from services.api.listening import daily, plots
from services.api.listening.daily import DailyIssue
from services.api.listening.report import AnswerTimes, Sentiment, Week, WeeklyFigures
from shared.kit import clock
from shared.rules import duration

CONTENT_SECURITY_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""What the page may load: nothing. Send it as a header too where the page is served."""

DEFINITIONS: Mapping[str, str] = {
    "Mention": "one post about the brands or to them, not counting what was dismissed: spam, copies, not about them. "
    "Days are those of the time zone named at the top, by the moment of publication.",
    "Usual": "the median of the same weekday (for a week: of the whole weeks) among up to eight weeks before, so that "
    "one earlier peak does not become the norm. Where fewer are known, those are used; without any, nothing is said.",
    "Change": "this week divided by the usual week, less one.",
    "Share of voice": "a brand's mentions divided by the mentions of all brands listened to. A mention of two brands "
    "counts for both.",
    "Sentiment": "what triage found in the text, or a person corrected. Shares are of the mentions with a sentiment.",
    "Issue rank": "volume × severity × log10(10 + reach). Volume counts reposts once, severity is that of the issue "
    "type (1 to 5), reach adds up each author's widest mention.",
    "Phrases": "words that stand exactly so, letter for letter, in the number of mentions given, reposts left out. "
    "They are chosen by how many different people wrote them and how much rarer they are in other mentions.",
    "Sample": "mentions that together resemble all others most, spread over channels and languages, one per author. "
    "Personal data is masked.",
    "Critical": "conversations opened or active this week that are urgent, that breached a promised answer time, or "
    "whose author reaches many people.",
    "SLA attainment": "clocks met ÷ (clocks met + clocks breached) among those decided this week. An answer exactly on "
    "the deadline is met. Clocks still running count for neither. The target is the most common one.",
    "Answer time": "from the clock's start to the moment the venue accepted the answer. p50 is the median: half of the "
    "answers were quicker; p90: nine in ten were quicker.",
    "Ledger": "received = stored + updated + duplicate + filtered + quarantined + rejected; received is counted apart, "
    "at the doorstep.",
}


def figures_to_json(figures: WeeklyFigures) -> dict[str, Any]:
    """Return the figures as JSON-able values (moments RFC 3339, durations ISO 8601), their hash and what they mean."""
    said: dict[str, Any] = _plain(figures)
    return said | {"data_hash": data_hash(figures), "definitions": dict(DEFINITIONS)}


def data_hash(figures: WeeklyFigures) -> str:
    """Return the SHA-256 of the figures in hexadecimal: two reports with the same one say the same."""
    return sha256(orjson.dumps(_plain(figures), option=orjson.OPT_SORT_KEYS)).hexdigest()


def render(figures: WeeklyFigures) -> bytes:
    """Return the page as UTF-8 HTML: the same bytes for equal figures. Takes about a second; don't block a loop on it.

    Everything people wrote is escaped, links other than http and https are left out, and the page's own policy
    forbids it to load or to run anything.
    """
    zone = ZoneInfo(figures.zone)
    targets = {(line.metric, line.hours): line.target for line in figures.sla}  # a mark only where hours are alike
    drawn = {
        "volume": plots.volume(figures.days) if _total(figures) else "",
        "share_of_voice": plots.share_of_voice(figures.brands) if _is_shared(figures) else "",
        "sentiment": plots.sentiment(figures.sentiment) if _sum(figures).told else "",
        "issues": plots.top_issues(figures.issues) if figures.issues else "",
        "attainment": plots.attainment(figures.sla) if any(one.met + one.breached for one in figures.sla) else "",
    }
    answers = [
        (times, Markup(plots.answer_times(times, targets.get((times.metric, times.hours)))))  # noqa: S704  # made here, names escaped
        for times in figures.answer_times
        if times.count and times.histogram
    ]
    page = (
        _templates()
        .get_template("report.html")
        .render(
            figures=figures,
            policy=CONTENT_SECURITY_POLICY,
            plots={name: Markup(svg) for name, svg in drawn.items()},  # noqa: S704  # made here, names escaped
            answers=answers,
            channel_types=plots.channel_order(figures.days),
            tiles=_tiles(figures),
            in_short=_in_short(figures),
            total=_total(figures),
            usual=_usual_week(figures),
            sentiment=_sum(figures),
            definitions=DEFINITIONS,
            data_hash=data_hash(figures),
            at=lambda moment: _moment(moment, zone),
            days=_days(figures.week),
        )
    )
    return page.encode("utf-8", "replace")


@cache
def _templates() -> Environment:
    folder = Path(__file__).with_name("templates")
    made = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "number": _number, "percent": _percent, "change": _change, "span": plots.span, "label": plots.label,
        "day": plots.day_name, "web": _web_address, "severity": _severity,
    }  # fmt: skip
    return made


def _plain(value: Any) -> Any:
    """Turn figures into JSON-able values; a type nobody thought of is an error, not a guess."""
    match value:
        case DailyIssue():
            return value.as_json()
        case Week():
            return str(value)
        case datetime():
            return clock.iso(value)
        case date():
            return value.isoformat()
        case timedelta():
            return duration.write(value)
        case UUID():
            return str(value)
        case tuple():
            return [_plain(one) for one in value]
        case None | str() | int() | float():
            return value
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    raise TypeError(f"The report has no form for a {type(value).__name__}; give it one in report_page.py.")


def _total(figures: WeeklyFigures) -> int:
    return sum(day.count for day in figures.days)


def _is_shared(figures: WeeklyFigures) -> bool:
    return len(figures.brands) > 1 and any(brand.count for brand in figures.brands)


def _usual_week(figures: WeeklyFigures) -> float | None:
    return daily.usual(figures.weeks_before, season=1)


def _sum(figures: WeeklyFigures) -> Sentiment:
    days = [day.sentiment for day in figures.sentiment]
    return Sentiment(*(sum(getattr(day, field.name) for day in days) for field in fields(Sentiment)))


def _first_answers(figures: WeeklyFigures) -> AnswerTimes | None:
    return next((times for times in figures.answer_times if times.metric == "first_response" and times.count), None)


def _first_sla(figures: WeeklyFigures) -> float | None:
    return next((line.attainment for line in figures.sla if line.metric == "first_response"), None)


def _tiles(figures: WeeklyFigures) -> list[tuple[str, str, str]]:
    """The figures a reader looks for first: what it is, the figure, what to hold it against."""
    total, usual, mood = _total(figures), _usual_week(figures), _sum(figures)
    first, met, flow = _first_answers(figures), _first_sla(figures), figures.conversations
    against = _change(daily.change(total, usual))
    before = figures.sentiment_before.negative_share if figures.sentiment_before else None
    moved = f"{_percent(before)} the week before" if before is not None else ""
    return [
        ("Mentions", _number(total), f"{against} against a usual week" if usual else "no earlier weeks yet"),
        ("Negative", _percent(mood.negative_share), moved or "of mentions with a sentiment"),
        ("Answered in time", _percent(met), "of the first answers promised"),
        (
            "Median answer",
            plots.span(first.p50) if first and first.p50 is not None else "–",
            f"nine in ten within {plots.span(first.p90)}"
            if first and first.p90 is not None
            else "no answers this week",
        ),
        ("Conversations", _number(flow.opened), f"opened; {_number(flow.open_at_end)} open at the end"),
        ("Critical", _number(figures.critical_count), "conversations to look at"),
    ]


def _in_short(figures: WeeklyFigures) -> list[str]:
    """The week in a few sentences; only what is known is said."""
    total, usual, mood = _total(figures), _usual_week(figures), _sum(figures)
    if not total:
        return ["Nothing was heard this week: we know of no mention that was published in it."]
    told = [f"{_number(total)} mentions{_compared(daily.change(total, usual))}."]
    loudest = max(figures.days, key=lambda day: day.count)
    if loudest.usual and loudest.count >= 1.5 * loudest.usual:
        named = plots.day_name(loudest.day)
        told.append(f"The loudest day was {named}: {_number(loudest.count)}, where {_number(loudest.usual)} are usual.")
    if (share := mood.negative_share) is not None:
        before = figures.sentiment_before.negative_share if figures.sentiment_before else None
        points = round(100 * share) - round(100 * before) if before is not None else None
        moved = (
            "" if points is None else f", {abs(points)} points {'more' if points > 0 else 'less'} than the week before"
        )
        told.append(
            f"{_percent(share)} were negative{moved if points else ', as the week before' if points == 0 else ''}."
        )
    if figures.issues:
        top = figures.issues[0].issue
        words = f", in words such as “{top.phrases[0].text}”" if top.phrases else ""
        told.append(f"The top issue is {top.name}: {_mentions(top.count)}{_compared(top.change)}{words}.")
    if (met := _first_sla(figures)) is not None:
        first = _first_answers(figures)
        took = f"; half of them took no longer than {plots.span(first.p50)}" if first and first.p50 is not None else ""
        told.append(f"{_percent(met)} of first answers were in time{took}.")
    if figures.critical_count:
        are = "conversation needs" if figures.critical_count == 1 else "conversations need"
        told.append(f"{_number(figures.critical_count)} critical {are} to be looked at.")
    return told


def _mentions(count: int) -> str:
    return f"{_number(count)} mention{'' if count == 1 else 's'}"


def _compared(change: float | None) -> str:
    if change is None:
        return ""
    if abs(change) < 0.02:
        return ", as many as usual"
    if change >= 2:
        return f", {change + 1:.0f} times as many as usual"
    return f", {abs(change):.0%} {'more' if change > 0 else 'fewer'} than usual"


def _number(value: float) -> str:
    return f"{value:,.0f}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"


def _change(value: float | None) -> str:
    """`+18%`, `−7%`, `±0%`; a dash where there is nothing to compare with."""
    if value is None:
        return "–"
    if value >= 2:
        return f"×{value + 1:.1f}"
    return "±0%" if round(100 * value) == 0 else f"{value:+.0%}".replace("-", "−")


def _severity(value: int) -> str:
    return {1: "a wish", 2: "a nuisance", 3: "hinders", 4: "costly", 5: "harmful"}.get(value, str(value))


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _days(week: Week) -> str:
    first, last = week.days()[0], week.days()[-1]
    begins = f"{first.day} {_MONTHS[first.month - 1]}" + (f" {first.year}" if first.year != last.year else "")
    return f"{begins} to {last.day} {_MONTHS[last.month - 1]} {last.year}"


def _moment(moment: datetime, zone: ZoneInfo) -> str:
    local = moment.astimezone(zone)
    return f"{plots.day_name(local.date())} {_MONTHS[local.month - 1]}, {local:%H:%M}"


def _web_address(url: str | None) -> str:
    """Return a link that may be shown as one, or nothing: other schemes than http and https could run something."""
    try:
        parts = urlsplit((url or "").strip())
    except ValueError:
        return ""
    return parts.geturl() if parts.scheme in {"http", "https"} and parts.netloc else ""

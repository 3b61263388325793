"""The report's plots as inline SVG: the same bytes for the same figures, no date, no font file, no outside address."""

import io
import re
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from services.api.listening.report import AnswerTimes, BrandVoice, DaySentiment, DayVolume, SlaAttainment, TopIssue

INK, SOFT, GRID, PAPER = "#1c2733", "#566573", "#dfe5eb", "#ffffff"
BLUE, RED, GREY, GREEN = "#1f5f99", "#b8432f", "#c3ccd5", "#2f7d5b"
SERIES = ("#1f5f99", "#e0912f", "#3d9a80", "#a8568f", "#7fb2dd", "#6d6a9e")
"""Colours that stay apart for colour-blind eyes and in grey print; the seventh and later series share `GREY`."""

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
_WIDTH = 8.4
_STYLE: Any = {
    "svg.fonttype": "none",  # words stay words: they can be read aloud, searched and copied
    "svg.hashsalt": "webcare",
    "text.parse_math": False,  # names come from people; a dollar sign is a dollar sign
    "font.family": ["DejaVu Sans"],  # comes with matplotlib: widths are measured alike on every machine
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": GRID,
    "axes.labelcolor": SOFT,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}
_DRAWING = threading.Lock()  # matplotlib's settings are global; reports may be rendered in several threads


def volume(days: Sequence[DayVolume]) -> str:
    """Stacked bars of mentions by day and channel type, with a mark where a usual day of that weekday ends."""
    names = channel_order(days)
    shown, rest = names[: len(SERIES)], names[len(SERIES) :]
    rows: list[tuple[str, str, list[int]]] = []
    counts = [{one.name: one.count for one in day.by_channel_type} for day in days]
    for name, colour in zip(shown, SERIES, strict=False):
        rows.append((label(name), colour, [count.get(name, 0) for count in counts]))
    if rest:
        rows.append(("other", GREY, [sum(count.get(name, 0) for name in rest) for count in counts]))

    def draw(axes: Any) -> None:
        foot = [0] * len(days)
        for name, colour, values in rows:
            axes.bar(range(len(days)), values, bottom=foot, color=colour, width=0.62, label=name, linewidth=0)
            foot = [low + value for low, value in zip(foot, values, strict=True)]
        peak = max([*foot, *(day.usual or 0 for day in days), 1])
        for place, (day, top) in enumerate(zip(days, foot, strict=True)):
            if top:
                where = (place, _beyond(top, day.usual, peak))
                axes.annotate(f"{top:,}", where, (0, 4), textcoords="offset points", ha="center", weight="bold")
            if day.usual is not None:
                axes.hlines(day.usual, place - 0.42, place + 0.42, color=INK, linestyle=(0, (3, 2)), linewidth=1.4)
        if any(day.usual is not None for day in days):
            axes.plot([], [], color=INK, linestyle=(0, (3, 2)), linewidth=1.4, label="usual")
        axes.set_xticks(range(len(days)), [day_name(day.day) for day in days])
        _counts_upwards(axes, peak)
        _legend(axes)

    return _svg("volume", 2.9, draw)


def sentiment(days: Sequence[DaySentiment]) -> str:
    """Bars by day: positive and neutral mentions above the line, negative ones below it."""

    def draw(axes: Any) -> None:
        at = range(len(days))
        neutral = [day.sentiment.neutral for day in days]
        positive = [day.sentiment.positive for day in days]
        negative = [-day.sentiment.negative for day in days]
        axes.bar(at, positive, color=BLUE, width=0.62, label="positive", linewidth=0)
        axes.bar(at, neutral, bottom=positive, color=GREY, width=0.62, label="neutral", linewidth=0)
        axes.bar(at, negative, color=RED, width=0.62, label="negative", linewidth=0)
        for place, day in enumerate(days):
            share = day.sentiment.negative_share
            if share is not None and day.sentiment.negative:
                where = (place, negative[place])
                axes.annotate(f"{share:.0%}", where, (0, -11), textcoords="offset points", ha="center", color=RED)
        axes.axhline(0, color=SOFT, linewidth=0.8)
        axes.set_xticks(at, [day_name(day.day) for day in days])
        axes.grid(axis="y")
        top = max([up + more for up, more in zip(positive, neutral, strict=True)] + [1])
        low = min([*negative, -1])
        axes.set_ylim(low - 0.14 * (top - low), top + 0.06 * (top - low))
        axes.yaxis.set_major_formatter(lambda value, _: f"{abs(value):,.0f}")
        axes.yaxis.get_major_locator().set_params(integer=True)
        _legend(axes)

    return _svg("sentiment", 2.9, draw)


def share_of_voice(brands: Sequence[BrandVoice]) -> str:
    """Bars of each brand's part of all mentions, with a mark at its part of a usual week."""
    total = sum(brand.count for brand in brands) or 1
    usual = sum(brand.usual or 0 for brand in brands)
    shares = [brand.count / total for brand in brands]
    marks = [brand.usual / usual if brand.usual is not None and usual else None for brand in brands]
    names = [brand.brand for brand in brands]
    return _bars("voice", names, shares, marks, "usual week", lambda value: f"{value:.0%}", [SERIES[0]] * len(brands))


def top_issues(issues: Sequence[TopIssue]) -> str:
    """Bars of the mentions of each issue, darker the graver it is, with a mark at a usual week."""
    names = [one.issue.name for one in issues]
    counts = [float(one.issue.count) for one in issues]
    colours = ["#8fb3d4" if one.issue.severity < 3 else BLUE if one.issue.severity < 5 else RED for one in issues]
    marks = [one.issue.baseline for one in issues]
    return _bars("issues", names, counts, marks, "usual week", lambda value: f"{value:,.0f}", colours)


def attainment(sla: Sequence[SlaAttainment]) -> str:
    """Bars of the part of each metric's clocks that was met."""
    told = [one for one in sla if one.attainment is not None]
    names = [label(one.metric).capitalize() for one in told]
    values = [one.attainment or 0.0 for one in told]
    return _bars("sla", names, values, [None] * len(told), "", _percent, [GREEN] * len(told), full=1.0)


def answer_times(times: AnswerTimes, target: timedelta | None = None) -> str:
    """A histogram of how long answers took; what was over the target, where there is one, is drawn in red."""

    def late(until: timedelta | None) -> bool:
        return target is not None and (until is None or until > target)

    def draw(axes: Any) -> None:
        counts = [bucket.count for bucket in times.histogram]
        colours = [RED if late(bucket.until) else BLUE for bucket in times.histogram]
        axes.bar(range(len(counts)), counts, color=colours, width=0.86, linewidth=0)
        for place, count in enumerate(counts):
            if count:
                axes.annotate(f"{count:,}", (place, count), (0, 4), textcoords="offset points", ha="center")
        ends = [bucket.until for bucket in times.histogram]
        last = next((span(end) for end in reversed(ends) if end is not None), "")
        axes.set_xticks(range(len(ends)), [f"≤ {span(end)}" if end is not None else f"> {last}" for end in ends])
        _counts_upwards(axes, max([*counts, 1]))
        if target is not None and any(late(end) for end in ends):
            first = next(place for place, end in enumerate(ends) if late(end))
            axes.axvline(first - 0.5, color=INK, linestyle=(0, (3, 2)), linewidth=1.2)
            top = (first - 0.5, 1.0)
            axes.annotate(
                f"target {span(target)}", top, (4, -2), xycoords=("data", "axes fraction"), textcoords="offset points"
            )

    return _svg(f"answers-{times.metric}", 2.4, draw)


def channel_order(days: Sequence[DayVolume]) -> list[str]:
    """Return the channel types of a week, the one with most mentions first."""
    sums: dict[str, int] = {}
    for day in days:
        for one in day.by_channel_type:
            sums[one.name] = sums.get(one.name, 0) + one.count
    return sorted((name for name, count in sums.items() if count), key=lambda name: (-sums[name], name))


def label(name: str) -> str:
    """Return a technical name as words."""
    return name.replace("_", " ")


def day_name(day: Any) -> str:
    """Return `Mon 16`, in English whatever the machine's language."""
    return f"{('Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun')[day.weekday()]} {day.day}"


def span(length: timedelta) -> str:
    """Return a length of time in at most two units: `45 s`, `12 min`, `1 h 30 min`, `2 d 4 h`."""
    seconds = round(length.total_seconds())
    if seconds < 60:
        return f"{seconds} s"
    minutes = (seconds + 30) // 60 if seconds < 86_400 else seconds // 3600 * 60
    units = [(minutes // 1440, "d"), (minutes % 1440 // 60, "h"), (minutes % 60, "min")]
    return " ".join(f"{number} {unit}" for number, unit in units if number) or "0 min"


def _percent(value: float) -> str:
    return f"{value:.0%}"


def _shortened(name: str) -> str:
    name = " ".join(name.split())
    return name if len(name) <= 30 else f"{name[:29].rstrip()}…"


def _counts_upwards(axes: Any, top: float) -> None:
    axes.grid(axis="y")
    axes.set_ylim(0, top * 1.14)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.yaxis.get_major_locator().set_params(integer=True)


def _beyond(value: float, mark: float | None, peak: float) -> float:
    """Return where a bar's figure is written: at its end, or past the mark where the mark would cross it out."""
    return mark if mark is not None and value <= mark <= value + 0.1 * peak else value


def _legend(axes: Any) -> None:
    axes.legend(
        loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=8, handlelength=1.1, columnspacing=1.3, fontsize=8.5
    )


def _bars(
    name: str,
    names: Sequence[str],
    values: Sequence[float],
    marks: Sequence[float | None],
    mark_name: str,
    written: Callable[[float], str],
    colours: Sequence[str],
    full: float | None = None,
) -> str:
    """Lying bars, the first on top, with their values at the end and a mark where it usually ends."""

    def draw(axes: Any) -> None:
        at = range(len(names))
        if full is not None:
            axes.barh(at, [full] * len(names), color=GRID, height=0.56, linewidth=0)
        axes.barh(at, values, color=colours, height=0.56, linewidth=0)
        peak = max([*values, *(mark or 0 for mark in marks), full or 0.0])
        for place, (value, mark) in enumerate(zip(values, marks, strict=True)):
            end = full or _beyond(value, mark, peak)
            where = {"textcoords": "offset points", "va": "center", "weight": "bold"}
            axes.annotate(written(value), (end, place), (6, 0), **where)
            if mark is not None:
                axes.vlines(mark, place - 0.4, place + 0.4, color=INK, linestyle=(0, (3, 2)), linewidth=1.4)
        if any(mark is not None for mark in marks):
            axes.plot([], [], color=INK, linestyle=(0, (3, 2)), linewidth=1.4, label=mark_name)
            _legend(axes)
        axes.set_yticks(at, [_shortened(one) for one in names], color=INK)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set_xlim(0, peak * 1.1 or 1)
        axes.xaxis.set_visible(False)
        axes.spines["bottom"].set_visible(False)

    return _svg(name, 0.5 + 0.36 * len(names), draw)


@contextmanager
def _settings() -> Iterator[None]:
    """Matplotlib with our settings alone, whatever this machine's or the user's own are."""
    import matplotlib

    with _DRAWING, matplotlib.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a glyph the measuring font lacks is drawn by the reader's own
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        yield


def _svg(name: str, height: float, draw: Callable[[Any], None]) -> str:
    """Draw into one pair of axes and return an <svg> to be put into a page: without prologue, metadata, own styles."""
    with _settings():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(_WIDTH, height), layout="constrained")
        draw(figure.add_subplot())
        written = io.StringIO()
        figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    name = re.sub(r"[^a-z0-9]+", "-", name.lower())
    svg = written.getvalue()
    svg = svg[svg.index("<svg") :].strip()
    svg = re.sub(r"\s*<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\s*<style type="text/css">.*?</style>', "", svg, flags=re.DOTALL)
    svg = re.sub(
        r'<svg [^>]*?viewBox="([^"]+)"[^>]*>', r'<svg viewBox="\1" aria-hidden="true" focusable="false">', svg, count=1
    )
    svg = re.sub(r"'DejaVu Sans'(?:, [^;\"]+)?", FONT, svg)
    # What nothing points at needs no id; the others get the plot's name, so that several stand in one page.
    pointed = set(re.findall(r'(?:url\(#|xlink:href="#)([^)"]+)', svg))
    svg = re.sub(r' id="([^"]+)"', lambda found: f' id="{name}-{found[1]}"' if found[1] in pointed else "", svg)
    svg = re.sub(r'(url\(#|xlink:href="#)', rf"\g<1>{name}-", svg)
    return svg.replace("xlink:href", "href")

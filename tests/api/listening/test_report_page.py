"""The report's page is one file that loads nothing, runs nothing, and comes out the same byte for byte."""

import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import orjson
import pytest

from services.api.listening.daily import DailyIssue
from services.api.listening.phrases import Phrase
from services.api.listening.report import (
    AnswerTimes,
    BrandVoice,
    Bucket,
    Count,
    DayVolume,
    Quote,
    TopIssue,
    Week,
    WeeklyFigures,
)
from services.api.listening.report_page import data_hash, figures_to_json, render
from tests.api.listening.made_up import NOON, a_week, an_id

ROOT = Path(__file__).parents[3]
EMPTY = WeeklyFigures("Northwind Mobile", Week(2026, 47), "Europe/Amsterdam")
EVIL = "<script>alert(1)</script><img src=//evil.example/x onerror=alert(1)>\"'&$\\frac{a}{b}$]]>--><b>\u202e"


class Page(HTMLParser):
    """Reads a page and remembers its elements, attributes and visible text."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.elements: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(page.decode())
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in {"meta", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, "an element is closed that is not open"

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in {"meta", "br"}:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)


@pytest.fixture(scope="module")
def week() -> WeeklyFigures:
    return a_week()


@pytest.fixture(scope="module")
def page(week: WeeklyFigures) -> bytes:
    return render(week)


def harmless(page: bytes) -> Page:
    """Hold a page to what it may contain; nothing people wrote has become markup."""
    read = Page(page)
    assert not read.open
    forbidden = {
        "script",
        "link",
        "img",
        "iframe",
        "object",
        "embed",
        "base",
        "form",
        "foreignobject",
        "image",
        "audio",
    }
    assert not forbidden & set(read.elements)
    assert read.elements["style"] == 1
    ids = [value for _, name, value in read.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    for tag, name, value in read.attributes:
        assert not name.startswith("on")
        assert name not in {"src", "srcset", "action", "background", "poster"}
        if name == "href":
            assert value.startswith(("https://", "http://")) if tag == "a" else value.removeprefix("#") in ids
        for target in re.findall(r"url\(([^)]*)\)", value):
            assert target.removeprefix("#") in ids
    style = page.decode().split("<style>")[1].split("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style
    return read


def test_the_page_stands_alone_and_says_so(page: bytes) -> None:
    read = harmless(page)
    policy = next(value for tag, name, value in read.attributes if tag == "meta" and name == "content")
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    assert read.elements["svg"] == read.elements["figure"] == read.elements["figcaption"] == 6
    assert read.elements["table"] >= read.elements["figure"], "each plot has its figures in words beside it"
    assert ("html", "lang", "en") in read.attributes


def test_the_page_tells_the_weeks_figures(page: bytes, week: WeeklyFigures) -> None:
    text = Page(page).text
    assert "Week 47 of 2026: 16 Nov to 22 Nov 2026 (Europe/Amsterdam)" in text
    assert "4,079 mentions, 51% more than usual." in text
    assert "The top issue is Internet outage: 60 mentions, 5 times as many as usual" in text
    assert "87% of first answers were in time; half of them took no longer than 28 min." in text
    assert "17 critical conversations need to be looked at." in text
    assert "1 missing" in text
    assert "Wed 18 Nov, 13:00" in text, "moments are told by the workspace's clock"
    assert data_hash(week) in text
    for top in week.issues:
        assert all(phrase.text in text for phrase in top.issue.phrases)
        assert all(" ".join(quote.text.split()) in text for quote in top.quotes)


def test_equal_figures_give_the_same_bytes(page: bytes, week: WeeklyFigures) -> None:
    assert render(a_week()) == page
    assert render(replace(week, critical_count=18)) != page


def test_another_process_with_other_habits_gives_the_same_bytes(page: bytes, tmp_path: Path) -> None:
    (tmp_path / "matplotlibrc").write_text(
        "font.size: 22\naxes.facecolor: red\nsvg.fonttype: path\ntext.usetex: True\n"
    )
    script = (
        "import hashlib; from tests.api.listening.made_up import a_week;"
        "from services.api.listening.report_page import render; print(hashlib.sha256(render(a_week())).hexdigest())"
    )
    habits = {
        "PYTHONHASHSEED": "7",
        "MATPLOTLIBRC": str(tmp_path),
        "TZ": "Pacific/Chatham",
        "LC_ALL": "C",
        "SOURCE_DATE_EPOCH": "1",
    }
    ran = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=os.environ | habits,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert ran.stdout.strip() == sha256(page).hexdigest()


def test_what_people_wrote_stays_text(week: WeeklyFigures) -> None:
    issue = DailyIssue(EVIL, EVIL, 1, 5, 7, 9, 3, 1.3, 9, (Phrase(EVIL, (an_id(1),)),), (), None)
    links = (
        "javascript:alert(1)",
        "javascript://ok.example/%0aalert(1)",
        "data:text/html,x",
        " JaVaScRiPt:alert(1)",
        "//evil.example",
        "http://[bad",
        "https://ok.example/'\"><b>",
    )
    quotes = tuple(Quote(an_id(link), EVIL, EVIL, NOON, EVIL, link, 1) for link in links)
    figures = replace(
        week,
        workspace=EVIL,
        brands=(BrandVoice(EVIL, 3, 4), BrandVoice("$100 club_{x} $5", 0)),
        days=(DayVolume(week.days[0].day, (Count(EVIL, 4), Count("\x00\n", 2)), 3), *week.days[1:]),
        issues=(TopIssue(issue, quotes),),
        critical=tuple(replace(one, subject=EVIL, url=links[0], queue=EVIL, reasons=(EVIL,)) for one in week.critical),
        answer_times=tuple(replace(one, metric=EVIL) for one in week.answer_times),
        sla=tuple(replace(one, metric=EVIL) for one in week.sla),
        dispositions=(Count(EVIL, 1),),
        languages=(Count(EVIL, 0),),
        ledger=tuple(replace(line, channel=EVIL) for line in week.ledger),
        notes=(EVIL,),
    )
    page = render(figures)
    read = harmless(page)
    assert "<script>alert(1)</script>" in read.text
    assert b"$100 club_{x} $5</text>" in page, "plots show names as they are, not as formulas"
    assert [value for tag, name, value in read.attributes if (tag, name) == ("a", "href")] == [
        "https://ok.example/'\"><b>"
    ]


def test_an_empty_week_is_told_in_words() -> None:
    read = harmless(render(EMPTY))
    assert "svg" not in read.elements
    assert "Nothing was heard this week: we know of no mention that was published in it." in read.text
    assert "No mention of this week is about one of the issue types." in read.text
    assert "nan" not in read.text.lower().split()


@pytest.mark.parametrize(
    "changed",
    [
        {"days": (DayVolume(Week(2026, 47).monday, (Count("mail", 1),)),)},
        {"brands": (BrandVoice("A", 0), BrandVoice("B", 0, 0))},
        {"answer_times": (AnswerTimes("first_response", 1, None, None, (Bucket(None, 1),)),)},
        {
            "answer_times": (
                AnswerTimes("first_response", 2, timedelta(0), timedelta(0), (Bucket(timedelta(hours=1), 2),)),
            )
        },
        {"languages": (Count("en", 0),)},
        {"weeks_before": (0, 0)},
    ],
)
def test_sparse_weeks_render(changed: dict[str, object]) -> None:
    harmless(render(replace(EMPTY, **changed)))  # type: ignore[arg-type]


def test_an_unfinished_week_says_up_to_when_it_goes(week: WeeklyFigures) -> None:
    assert "The figures go up to Wed 18 Nov, 13:00" in Page(render(replace(week, as_of=NOON))).text


def test_the_json_says_the_same_in_the_doors_forms(week: WeeklyFigures) -> None:
    told = orjson.loads(orjson.dumps(figures_to_json(week)))
    assert told["week"] == "2026-W47"
    assert told["answer_times"][0]["p90"] == "PT1H52M"
    assert told["sla"][2]["target"] == "P2D"
    assert told["critical"][0]["opened_at"] == "2026-11-18T12:00:00.000Z"
    assert told["issues"][0]["issue"]["phrases"][0]["mention_ids"]
    assert told["data_hash"] == data_hash(week) != data_hash(replace(week, zone="UTC"))
    assert set(told["definitions"]) >= {"Usual", "SLA attainment"}

"""The day's issues, people's own words for one, a sample of what they say, and the weekly listening reports."""

from typing import Any

import orjson
import strawberry

from services.api.auth import Action
from services.api.desk import issues, reports
from services.api.graphql.fields import Argument, Asked, root_field
from services.api.graphql.readings import moment_of
from services.api.graphql.scalars import Date, DateTime, Json, Long
from services.api.graphql.selection import Raw
from shared.kit import clock

ID = strawberry.ID
_TEXT = str | None


@strawberry.type(description="Words in which people express an issue.")
class IssuePhrase:
    """It stands so, letter for letter, in each mention cited."""

    text: str
    count: Long
    mention_ids: list[ID]


@strawberry.type(description="One of a day's top issues.")
class DailyIssue:
    """`change` is against the baseline: 0.5 is half as much again."""

    issue: str
    name: str
    rank: int
    severity: int
    count: Long
    reach: Long
    baseline: float | None
    change: float | None
    score: float
    phrases: list[IssuePhrase]
    samples: list[ID]
    playbook_id: ID | None


@strawberry.type(description="The top three to five issues of a day, by the workspace's clock.")
class DailyIssues:
    """A day and its issues."""

    day: Date
    timezone: str
    from_: DateTime = strawberry.field(name="from")
    to: DateTime
    data: list[DailyIssue]


@strawberry.type(description="The phrases in which people express an issue, in a period.")
class IssueWords:
    """`query` are the phrases as a query, to be saved or pasted elsewhere."""

    issue: str
    name: str
    from_: DateTime = strawberry.field(name="from")
    to: DateTime
    count: Long
    looked_at: Long
    query: str
    data: list[IssuePhrase]


@strawberry.type(description="A mention that stands for others; personal data is masked.")
class IssueQuote:
    """What was said, where and when."""

    mention_id: ID
    text: str
    channel_type: str
    published_at: DateTime
    lang: str | None
    permalink: str | None
    reach: Long


@strawberry.type(description="Mentions that together stand for all of an issue in a period.")
class IssueSample:
    """The most representative first."""

    issue: str
    name: str
    from_: DateTime = strawberry.field(name="from")
    to: DateTime
    count: Long
    data: list[IssueQuote]


@strawberry.type(description="A week's listening report: its figures, and where its page with plots is.")
class WeeklyReport:
    """`id` is set where the report is kept and will not change, `rendered_at` where its page was rendered."""

    id: ID | None
    week: str
    figures: Json
    data_hash: str
    rendered_at: DateTime | None
    url: str


async def _daily(asked: Asked, _: Raw, given: dict[str, Any]) -> Any:
    return _from(await issues.read_daily(asked.desk_for(Action.READ_METRICS), given["day"]))


async def _words(asked: Asked, _: Raw, given: dict[str, Any]) -> Any:
    desk = asked.desk_for(Action.READ_METRICS)
    since, until = moment_of(given, "from"), moment_of(given, "to")
    return _from(await issues.read_words(desk, given["key"], since, until, given["size"]))


async def _sample(asked: Asked, _: Raw, given: dict[str, Any]) -> Any:
    desk = asked.desk_for(Action.READ_METRICS)
    since, until = moment_of(given, "from"), moment_of(given, "to")
    return _from(await issues.read_sample(desk, given["key"], since, until, given["size"]))


async def _report(asked: Asked, _: Raw, given: dict[str, Any]) -> Any:
    desk = asked.desk_for(Action.READ_METRICS)
    report = await reports.read_figures(desk, given["week"], keep=False)  # a page may take longer than this door has
    return {
        "id": None if report.id is None else str(report.id),
        "week": str(report.week),
        "figures": orjson.loads(report.figures),
        "data_hash": report.data_hash,
        "rendered_at": None if report.rendered_at is None else clock.iso(report.rendered_at),
        "url": reports.address_of(desk, report.week),
    }


def _from(told: dict[str, Any]) -> dict[str, Any]:
    return {**told, "from_": told["from"]}


def _period(usual: int, most: int) -> dict[str, Argument]:
    return {
        "key": Argument(str, "The issue type's key."),
        "from": Argument(DateTime | None, "From this moment on; seven days ago unless said otherwise.", None),
        "to": Argument(DateTime | None, "Before this moment; now unless said otherwise.", None),
        "size": Argument(int | None, f"At most so many, 1 to {most}; {usual} unless said otherwise.", None),
    }


def issue_fields() -> dict[str, Any]:
    """The fields of Query that tell what people complain of."""
    made = [
        root_field(
            "dailyIssues", DailyIssues | None, "The day's top 3 to 5 issues, with the very words of the customers.",
            {"day": Argument(Date | None, "A day, as 2026-11-22; today unless said otherwise.", None)}, _daily,
        ),
        root_field(
            "issueWords", IssueWords | None, "The phrases in which people express an issue.",
            _period(issues.USUAL_PHRASES, issues.MOST_PHRASES), _words,
        ),
        root_field(
            "sampleIssue", IssueSample | None, "Mentions that stand for all of an issue, chosen for their diversity.",
            _period(issues.USUAL_SAMPLE, issues.MOST_SAMPLED), _sample,
        ),
        root_field(
            "report", WeeklyReport | None, "A week's listening report: its figures as they are kept, else as they are now.",
            {"week": Argument(str, "The week, as 2026-W47.")}, _report,
        ),
    ]  # fmt: skip
    return {one.graphql_name: one for one in made}

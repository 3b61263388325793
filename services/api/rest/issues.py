"""The day's issues, people's own words for an issue, and a sample of what they say, over REST."""

from fastapi import Response

from services.api.auth import Action
from services.api.desk import issues
from services.api.rest.door import Call, Door, Parameter, answer, shape
from services.api.rest.inputs import ID, TEXT, TIME, Schema, many, maybe, shown
from services.api.rest.params import SINCE_MOMENT, UNTIL_MOMENT

door = Door("issues")

_N: Schema = {"type": "integer", "minimum": 0}
_NUMBER: Schema = {"type": "number"}
_DATE: Schema = {"type": "string", "format": "date"}
_PHRASE = shown(
    text={**TEXT, "description": "Stands so, letter for letter, in each mention cited."}, count=_N, mention_ids=many(ID),
)  # fmt: skip
_ISSUE = shown(
    issue={**TEXT, "description": "The issue type's key."}, name=TEXT, rank=_N, severity=_N,
    count={**_N, "description": "Mentions, reposts once."}, reach={**_N, "description": "Accounts that could have seen it."},
    baseline={**maybe(_NUMBER), "description": "What is usual."},
    change={**maybe(_NUMBER), "description": "Against the baseline: 0.5 is half as much again."},
    score=_NUMBER, phrases=many(_PHRASE), samples=many(ID), playbook_id=maybe(ID),
)  # fmt: skip
_DAILY = shown(day=_DATE, timezone=TEXT, from_=TIME, to=TIME, data=many(_ISSUE))
_WORDS = shown(
    issue=TEXT, name=TEXT, from_=TIME, to=TIME, count=_N, looked_at=_N,
    query={**TEXT, "description": "The phrases as a query, to be saved or pasted elsewhere."}, data=many(_PHRASE),
)  # fmt: skip
_QUOTE = shown(
    mention_id=ID, text={**TEXT, "description": "Personal data is masked."}, channel_type=TEXT, published_at=TIME,
    lang=maybe(TEXT), permalink=maybe(TEXT), reach=_N,
)  # fmt: skip
_SAMPLE = shown(issue=TEXT, name=TEXT, from_=TIME, to=TIME, count=_N, data=many(_QUOTE))
_DAY = Parameter("date", "A day by the workspace's clock; today unless said otherwise.", example="2026-11-22")


def _asked(usual: int, most: int) -> dict[str, Parameter]:
    return {
        "from": SINCE_MOMENT,
        "to": UNTIL_MOMENT,
        "size": Parameter("integer", f"At most so many, 1 to {most}; {usual} unless said otherwise."),
    }


@door.get("/issues/daily", "listDailyIssues", Action.READ_METRICS, shape(_DAILY), query={"day": _DAY})
async def list_daily_issues(call: Call) -> Response:
    """The day's top 3 to 5 issues, with the very words of the customers and a sample that stands for all.

    Ranked by volume, severity and reach; `change` is against what is usual on such a day.
    """
    call.only("day")
    return answer(await issues.read_daily(call.desk, call.query.get("day")))


@door.get(
    "/issues/{key}/words", "findIssueWords", Action.READ_METRICS, shape(_WORDS),
    query=_asked(issues.USUAL_PHRASES, issues.MOST_PHRASES),
)  # fmt: skip
async def find_issue_words(call: Call) -> Response:
    """The phrases in which people express an issue, with the mentions in which they stand; of the last seven days by default."""
    call.only("from", "to", "size")
    return answer(
        await issues.read_words(
            call.desk, call.part("key"), call.moment("from"), call.moment("to"), call.whole_number("size")
        )
    )


@door.get(
    "/issues/{key}/sample", "sampleIssue", Action.READ_METRICS, shape(_SAMPLE),
    query=_asked(issues.USUAL_SAMPLE, issues.MOST_SAMPLED),
)  # fmt: skip
async def sample_issue(call: Call) -> Response:
    """Mentions that stand for all of an issue, chosen for their diversity; of the last seven days by default."""
    call.only("from", "to", "size")
    return answer(
        await issues.read_sample(
            call.desk, call.part("key"), call.moment("from"), call.moment("to"), call.whole_number("size")
        )
    )

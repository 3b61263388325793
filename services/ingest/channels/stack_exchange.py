"""Stack Exchange (Stack Overflow and its sister sites): questions that match, their answers and comments. Read, not answered.

A round asks for matching questions that something happened to, then for answers to and comments on those found so far,
each from its oldest change on; twice a day whether they still stand. When the API asks us to back off, the round stops there and
goes on later.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, SecretStr, model_validator

from services.ingest.channel import (
    Answer,
    Channel,
    ChannelBroken,
    ChannelSecrets,
    ChannelSettings,
    Cursor,
    DisplayRules,
    HttpClient,
    IncomingAuthor,
    IncomingMention,
    Pace,
    Page,
    ReplyRules,
    SkipThis,
    TryLater,
    reading,
)
from services.ingest.networks.items import (
    Drift,
    Items,
    cut,
    engagement,
    from_epoch,
    host_of,
    mention,
    payload_in,
    score_of,
    tombstone,
)
from services.ingest.networks.json_api import Fields, expect_json, said_in
from shared.kit import clock
from shared.models.mention import MentionKind
from shared.rules.plain_text import one_line, plain_text

API = "https://api.stackexchange.com/2.3"
PAGE_SIZE = 100
MOST_FOLLOWED = 100  # ids that one request takes
LAG_S = 900
POLL_AFTER = {True: timedelta(minutes=3), False: timedelta(minutes=20)}
"""With a key 10,000 requests a day, without one 300 (general knowledge); a round takes four."""
LOOK_EVERY_S = 43_200
MOST_BYTES = 8_000_000
_WHAT = "Stack Exchange"
STAGES = ("search", "answers", "on_questions", "on_answers", "gone_questions", "gone_answers")


class StackExchangeSettings(ChannelSettings):
    """Which site, and what to listen for there."""

    site: str = Field(
        default="stackoverflow",
        title="Site",
        description="As the API names it: stackoverflow, superuser, travel …",
        pattern=r"^[a-z0-9.-]+$",
    )
    query: str | None = Field(default=None, title="Words to search for", max_length=240)
    tags: tuple[str, ...] = Field(default=(), title="Tags", description="Questions with one of them.", max_length=5)
    follow: bool = Field(default=True, title="Read answers and comments under what was found")
    days_back: int = Field(default=7, ge=0, le=3_650, title="Days of history to read at the start")
    api_base: str = Field(default=API, title="Address of the API", pattern=r"^https?://\S+[^/\s]$")

    @model_validator(mode="after")
    def _listens_for_something(self) -> Self:
        if not self.query and not self.tags:
            raise ValueError("set query, tags or both")
        return self


class StackExchangeSecrets(ChannelSecrets):
    """Optional: a key raises the daily quota."""

    key: SecretStr | None = Field(default=None, title="Key of a registered app", description="Raises the daily quota.")


class StackExchange:
    """One search at one site."""

    title: ClassVar[str] = "Stack Exchange"
    Settings: ClassVar[type[ChannelSettings]] = StackExchangeSettings
    Secrets: ClassVar[type[ChannelSecrets]] = StackExchangeSecrets
    ids_unique_within: ClassVar[Literal["network", "channel"]] = "channel"
    pace: ClassVar[Pace] = Pace(30, 1)  # from one address
    display_rules: ClassVar[DisplayRules] = DisplayRules(
        attribution="The author's name and a link to the post (CC BY-SA)."
    )
    reply_rules: ReplyRules = ReplyRules()

    def __init__(self, settings: Mapping[str, Any], secrets: Mapping[str, str], http: HttpClient) -> None:
        self._settings = StackExchangeSettings.model_validate(settings)
        self._key = StackExchangeSecrets.model_validate(secrets).key
        self._http = http

    @staticmethod
    def read_payload(body: bytes, at: datetime) -> Page:
        """An answer of the API as mentions."""
        return Page(**_items(payload_in(body), {}).told())

    async def page(self, cursor: Cursor | None) -> Page:
        """The next request of a round."""
        held: dict[str, Any] = dict(cursor or {})
        now = int(clock.now().timestamp())
        if "since" not in held:
            held["since"] = now - self._settings.days_back * 86_400
        stage = next((one for one in STAGES if one == held.get("stage")), STAGES[0])
        if stage == STAGES[0]:
            held.setdefault("began", now)
        floor = held.get("floor", held["since"] - LAG_S)
        questions, answers = list(held.get("questions", [])), list(held.get("answers", []))
        roots = {str(answer): str(question) for answer, question in answers}
        told = await self._get(*self._request(stage, floor, questions, [pair[0] for pair in answers]))
        read = _items(told, roots)
        if stage.startswith("gone_"):
            gone = _missing(told, questions if stage == "gone_questions" else [pair[0] for pair in answers])
            read = Items([tombstone({"post_id": one}, str(one), None, clock.now()) for one in gone])
            questions = [one for one in questions if one not in gone]
            answers = [pair for pair in answers if pair[0] not in gone]
        questions, answers = _followed(told, questions, answers)
        held |= {"stage": stage, "questions": questions, "answers": answers}
        if told.get("has_more") is True and (further := _further(told, floor, stage)) is not None:
            held["floor"] = further
            more = True
        else:
            more = self._next_stage(held, now)
        return self._page(held, read, told, more=more)

    def _next_stage(self, held: dict[str, Any], now: int) -> bool:
        """Puts the next stage that has something to ask into the cursor; False where the round is over."""
        held.pop("floor", None)
        look = now - held.get("looked", 0) >= LOOK_EVERY_S
        can = {
            "answers": bool(held["questions"]),
            "on_questions": bool(held["questions"]),
            "on_answers": bool(held["answers"]),
            "gone_questions": look and bool(held["questions"]),
            "gone_answers": look and bool(held["answers"]),
        }
        for stage in STAGES[STAGES.index(held["stage"]) + 1 :]:
            if self._settings.follow and can[stage]:
                held["stage"] = stage
                return True
        if look:
            held["looked"] = now
        held["since"] = held.pop("began", now)
        del held["stage"]
        return False

    def _page(self, held: Mapping[str, Any], read: Items, told: Mapping[str, Any], *, more: bool) -> Page:
        left = score_of(Fields(told, "page", read.drift), "quota_remaining")
        rest = None if more else POLL_AFTER[self._key is not None]
        backoff = score_of(Fields(told, "page", read.drift), "backoff")
        if backoff is not None and backoff > 0:
            rest, more = max(rest or timedelta(0), timedelta(seconds=min(backoff, 86_400))), False
        if left is not None and left <= 0:
            rest, more = timedelta(seconds=86_400 - int(clock.now().timestamp()) % 86_400), False  # its day is UTC's
        return Page(cursor=held, has_more=more, poll_after=rest, quota_left=left, **read.told())

    def _request(self, stage: str, floor: int, questions: list[int], answers: list[int]) -> tuple[str, dict[str, str]]:
        """The path and the parameters of a stage: what changed at `floor` (seconds) or later, the oldest first."""
        params = {"order": "asc", "sort": "creation", "min": str(floor), "filter": "withbody"}
        on_questions, on_answers = ";".join(map(str, questions)), ";".join(map(str, answers))
        match stage:
            case "answers":
                return f"questions/{on_questions}/answers", {**params, "sort": "activity"}
            case "on_questions":
                return f"posts/{on_questions}/comments", params
            case "on_answers":
                return f"posts/{on_answers}/comments", params
            case "gone_questions":
                return f"posts/{on_questions}", {}
            case "gone_answers":
                return f"posts/{on_answers}", {}
        params["sort"] = "activity"
        if self._settings.query:
            params["q"] = self._settings.query
        if self._settings.tags:
            params["tagged"] = ";".join(self._settings.tags)
        return "search/advanced", params

    async def _get(self, path: str, params: Mapping[str, str]) -> dict[str, Any]:
        key = {"key": self._key.get_secret_value()} if self._key else {}
        with reading(_WHAT):
            answer = await self._http.get(
                f"{self._settings.api_base}/{path}",
                params={**params, "site": self._settings.site, "pagesize": str(PAGE_SIZE), **key},
                max_bytes=MOST_BYTES,
            )
        _refuse(answer)
        return expect_json(answer, _WHAT)


def to_mention(item: Any, drift: Drift, roots: Mapping[str, str]) -> IncomingMention:
    """A question, an answer or a comment. Pure. `roots` tells the questions of answers."""
    told = Fields(item, "items", drift)
    number, post = told.text("comment_id"), told.text("answer_id") or told.text("post_id")
    question = told.text("question_id")
    owner = told.inside("owner")
    host = host_of(owner.link("link") or told.link("link"))
    common: dict[str, Any] = {
        "text": plain_text(told.text("body", needed=True) or ""),
        "published_at": from_epoch(told, "creation_date"),
        "edited_at": from_epoch(told, "last_edit_date"),
        "author": _author(owner),
    }
    score = score_of(told, "score")
    if number:
        root = roots.get(post or "", post)
        at = f"https://{host}/q/{post}#comment{number}_{post}" if host else None
        return mention(
            item, external_id=f"c{number}", kind=MentionKind.COMMENT, in_reply_to=post, thread_id=root, permalink=at,
            engagement=engagement(score=score), **common,
        )  # fmt: skip
    if told.text("answer_id"):
        at = f"https://{host}/a/{post}" if host else None
        return mention(
            item, external_id=post, kind=MentionKind.REPLY, in_reply_to=question, thread_id=question, permalink=at,
            engagement=engagement(score=score), **common,
        )  # fmt: skip
    if question is None:
        raise SkipThis("This is neither a question nor an answer nor a comment.")
    return mention(
        item, external_id=question, title=cut(one_line(told.text("title", needed=True) or ""), 2_000), thread_id=question,
        permalink=told.link("link"), engagement=engagement(
            score=score, replies=told.count("answer_count"), views=told.count("view_count")
        ), **common,
    )  # fmt: skip


def _author(owner: Fields) -> IncomingAuthor | None:
    """Who wrote it; of a user that is gone only the name is left."""
    name = cut(one_line(owner.text("display_name") or ""))
    number = owner.text("user_id")
    return IncomingAuthor(external_id=number, name=name, url=owner.link("link")) if name or number else None


def _items(told: Any, roots: Mapping[str, str]) -> Items:
    read = Items()
    whole = Fields(told, "page", read.drift)
    if "items" not in whole.value:
        read.drift["page.items"] = None
    return read.take(whole.all("items"), lambda item, drift: to_mention(item, drift, roots), "post_id")


def _followed(
    told: Mapping[str, Any], questions: list[int], answers: list[list[int]]
) -> tuple[list[int], list[list[int]]]:
    """The questions and answers whose answers and comments are read: those that something happened to last."""
    for item in Fields(told, "page", {}).each("items"):
        answer, question = item.count("answer_id"), item.count("question_id")
        if question is None or item.count("comment_id") is not None:
            continue
        if answer is None:
            questions = [*(one for one in questions if one != question), question]
        else:
            answers = [*(pair for pair in answers if pair[0] != answer), [answer, question]]
    return questions[-MOST_FOLLOWED:], answers[-MOST_FOLLOWED:]


def _further(told: Mapping[str, Any], floor: int, stage: str) -> int | None:
    """From which second on to ask next; None where the page does not tell."""
    name = "creation_date" if stage.startswith("on_") else "last_activity_date"
    times = [at for one in Fields(told, "page", {}).each("items") if (at := one.count(name)) is not None]
    return max(*times, floor + 1) if times and not stage.startswith("gone_") else None


def _missing(told: Mapping[str, Any], asked: list[int]) -> list[int]:
    if not isinstance(told.get("items"), list):
        return []
    there = {one.count("post_id") for one in Fields(told, "page", {}).each("items")}
    return [one for one in asked if one not in there]


def _refuse(answer: Answer) -> None:
    """Raises TryLater where the API says that we ask too much: with 400, and the seconds in a sentence."""
    said = said_in(answer, "error_message")
    if answer.status < 400 or not said:
        return
    if said_in(answer, "error_name") == "throttle_violation":
        found = re.search(r"(\d{1,6}) seconds", said)
        raise TryLater(f"{_WHAT} asks us to wait.", timedelta(seconds=int(found[1]) if found else 600))
    if answer.status == 400:
        raise ChannelBroken(f"{_WHAT} refuses what it was asked: {said}.")


CHANNEL: type[Channel] = StackExchange

"""Made-up mentions and a made-up week of a made-up company, for the tests of listening and for looking at the page."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid5

from services.api.listening.daily import IssueDay, daily_issues
from services.api.listening.report import (
    AnswerTimes,
    BrandVoice,
    Bucket,
    ConversationFlow,
    Count,
    CriticalConversation,
    DaySentiment,
    DayVolume,
    LedgerLine,
    Quote,
    Sentiment,
    SlaAttainment,
    TopIssue,
    Week,
    WeeklyFigures,
)
from services.api.listening.sample import IssueMention

NOON = datetime(2026, 11, 18, 12, tzinfo=UTC)
_HERE = UUID("0190f000-0000-7000-8000-000000000000")


def an_id(name: object) -> UUID:
    """The same id for the same name."""
    return uuid5(_HERE, str(name))


def a_mention(
    text: str,
    *,
    name: object = None,
    minutes: int = 0,
    author: str | None = None,
    lang: str | None = "en",
    channel_type: str = "mastodon",
    reach: int = 100,
    span: str | None = None,
    hidden: Sequence[str] = (),
    duplicate_of: UUID | None = None,
) -> IssueMention:
    """A mention; `span` and `hidden` are words of its text, found where they first stand."""

    def place(words: str) -> tuple[int, int]:
        start = text.index(words)
        return start, start + len(words)

    return IssueMention(
        id=an_id(name if name is not None else (text, minutes)),
        text=text,
        published_at=NOON + timedelta(minutes=minutes),
        lang=lang,
        author_id=an_id(author) if author else None,
        channel_type=channel_type,
        reach=reach,
        spans=(place(span),) if span else (),
        hidden=tuple(place(words) for words in hidden),
        duplicate_of=duplicate_of,
    )


OUTAGE = (
    ("en", "@northwind no internet since this morning in Leeds, what is going on?"),
    ("en", "Third day with no internet. I work from home and this costs me real money."),
    ("nl", "Al drie uur geen internet in Zwolle, wat is er aan de hand?"),
    ("nl", "Weer geen internet! De storing duurt nu de hele dag en niemand zegt iets."),
    ("en", "Is anyone else having no internet tonight? The status page says all is fine."),
    ("nl", "Mijn modem knippert rood, geen internet en de klantenservice neemt niet op."),
    ("en", "Your status page says all is fine while the whole street has no internet."),
    ("en", "Router light is red again, still waiting for an engineer after the outage."),
    ("nl", "geen internet, geen tv, geen antwoord. Wanneer is de storing voorbij?"),
    ("en", "My mother is 84 and her alarm button does not work without internet. Please hurry."),
)
BILLING = (
    ("en", "I was charged twice for October and the app says my payment failed."),
    ("en", "Charged twice again! Nobody at billing can tell me when I get my money back."),
    ("nl", "Er is twee keer afgeschreven en mijn geld terug krijgen lukt niet."),
    ("en", "Still waiting for a refund after being charged twice last month."),
    ("nl", "twee keer afgeschreven deze maand, hoe krijg ik mijn geld terug?"),
    ("en", "Final bill is wrong, I cancelled in August and want my money back."),
)
WAITING = (
    ("en", "45 minutes on hold and then you hung up on me."),
    ("en", "On hold for an hour, then the line went dead. Again."),
    ("nl", "Al een uur in de wacht, en dan wordt de verbinding verbroken."),
    ("en", "You hung up on me after an hour on hold, unbelievable service."),
    ("nl", "Een uur in de wacht gestaan voor niks."),
)
PRAISE = (
    ("en", "The new app looks great, well done northwind."),
    ("nl", "Netjes geholpen in de winkel in Utrecht, dank!"),
    ("en", "Thanks for the quick engineer visit, all is working fine."),
    ("en", "Which phone do you recommend for my daughter? She likes taking pictures."),
    ("nl", "Hebben jullie ook een bundel voor in het buitenland?"),
    ("en", "Northwind shares rise after the merger was announced."),
)
_VENUES = ("mastodon", "review", "mail", "bluesky", "rss")


def mentions_of(texts: Sequence[tuple[str, str]], times: int = 1) -> list[IssueMention]:
    """Each text as a mention of its own author, on several venues; further rounds begin differently."""
    opening = ("", "Hello, ", "Really? ", "So ", "Well: ", "Honestly, ")
    return [
        a_mention(
            opening[turn % len(opening)] + text,
            name=(text, turn),
            minutes=17 * place + turn,
            author=f"{text} {turn}",
            lang=lang,
            channel_type=_VENUES[(place + turn) % len(_VENUES)],
            reach=50 + 400 * place,
        )
        for turn in range(times)
        for place, (lang, text) in enumerate(texts)
    ]


def a_week() -> WeeklyFigures:
    """A full week with an outage on Wednesday."""
    days = [date(2026, 11, 16) + timedelta(days=day) for day in range(7)]
    levels = (412, 455, 1280, 934, 521, 263, 240)
    volume = tuple(
        DayVolume(
            day,
            (
                Count("mastodon", level * 38 // 100),
                Count("review", level * 21 // 100),
                Count("mail", level * 17 // 100),
                Count("bluesky", level * 12 // 100),
                Count("news_article", level * 7 // 100),
                Count("rss", level * 3 // 100),
                Count("forum", level * 2 // 100),
            ),
            usual,
        )
        for day, level, usual in zip(days, levels, (430, 441, 436, 450, 462, 255, 231), strict=True)
    )
    moods = tuple(
        DaySentiment(
            day.day,
            Sentiment(
                positive=day.count * (22 - 8 * (at in (2, 3))) // 100,
                neutral=day.count * (39 - 12 * (at in (2, 3))) // 100,
                negative=day.count * (36 + 21 * (at in (2, 3))) // 100,
                unknown=day.count // 50,
            ),
        )
        for at, day in enumerate(volume)
    )
    playbook = an_id("playbook")
    issues = [
        IssueDay("outage.internet", "Internet outage", 5, mentions_of(OUTAGE, 6), (14, 9, 11, 18, 12), playbook),
        IssueDay("billing.double_charge", "Charged twice", 4, mentions_of(BILLING, 3), (15, 16, 17, 14, 15)),
        IssueDay("service.waiting_time", "Long waiting times", 2, mentions_of(WAITING, 3), (20, 22, 19), playbook),
        IssueDay("app.praise", "App wishes", 1, mentions_of(PRAISE[:2], 2)),
    ]
    texts = {mention.id: mention for issue in issues for mention in issue.mentions}
    top = daily_issues(issues, mentions_of(PRAISE, 4), names=["northwind"], season=1, sample_size=3)
    return WeeklyFigures(
        workspace="Northwind Mobile",
        week=Week(2026, 47),
        zone="Europe/Amsterdam",
        days=volume,
        weeks_before=(2688, 2702, 2940, 2655, 2731),
        brands=(
            BrandVoice("Northwind Mobile", 3101, 1890),
            BrandVoice("Contoso Telecom", 1420, 1515),
            BrandVoice("Fabrikam Fibre", 616, 640),
        ),
        sentiment=moods,
        sentiment_before=Sentiment(640, 1105, 910, 40),
        issues=tuple(
            TopIssue(
                one,
                tuple(
                    Quote(
                        mention_id=id_,
                        text=texts[id_].text,
                        channel_type=texts[id_].channel_type,
                        published_at=texts[id_].published_at,
                        lang=texts[id_].lang,
                        permalink=f"https://social.example/{id_}",
                        reach=texts[id_].reach,
                    )
                    for id_ in one.samples
                ),
            )
            for one in top
        ),
        critical=(
            CriticalConversation(
                an_id(1), 10482, "Alarm button does not work without internet", ("urgent", "sla_breached"), "urgent",
                "open", "mastodon", NOON, 4210, "Outages", "https://desk.example/conversations/10482",
            ),
            CriticalConversation(
                an_id(2), 10497, "Third day with no internet, going to court", ("urgent", "high_reach"), "urgent",
                "pending", "bluesky", NOON + timedelta(hours=3), 182_300, "Outages", "https://desk.example/c/10497",
            ),
            CriticalConversation(
                an_id(3), 10533, "Charged twice, refund promised three weeks ago", ("sla_breached",), "high",
                "resolved", "mail", NOON + timedelta(days=1, hours=2), 0, "Billing",
            ),
        ),
        critical_count=17,
        sla=(
            SlaAttainment("first_response", 1204, 187, 41, timedelta(hours=1)),
            SlaAttainment("next_response", 688, 52, 20, timedelta(hours=2)),
            SlaAttainment("resolution", 811, 96, 233, timedelta(days=2)),
        ),
        answer_times=(
            AnswerTimes(
                "first_response",
                1391,
                timedelta(minutes=27, seconds=40),
                timedelta(hours=1, minutes=52),
                tuple(
                    Bucket(timedelta(minutes=until) if until else None, count)
                    for until, count in ((5, 96), (15, 301), (30, 388), (60, 419), (120, 61), (240, 58), (0, 68))
                ),
            ),
        ),
        conversations=ConversationFlow(1612, 1391, 1377, 64, 294),
        dispositions=(Count("engage", 1612), Count("watch", 2010), Count("dismissed", 483)),
        languages=(Count("nl", 2204), Count("en", 1711), Count("de", 121), Count("unknown", 69)),
        ledger=(
            LedgerLine("Mastodon northwind", 1720, 1588, 31, 84, 0, 0, 17),
            LedgerLine("Shop reviews", 870, 861, 0, 9),
            LedgerLine("Alerts feed", 940, 287, 12, 630, 9, 1, 0),
        ),
        notes=("Reach is the author's follower count as last seen; venues that do not tell it count as nought.",),
    )  # fmt: skip

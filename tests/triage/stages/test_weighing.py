"""The stages that weigh: spam, urgency, priority."""

import pytest

from services.triage.library import Library
from services.triage.stage import Assessment, AuthorInfo, Background, Briefing, finder
from services.triage.stages import priority, spam
from shared.rules.priority import score as by_the_rule
from tests.triage.building import a_mention, assessed

says = finder("given", "1")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Earn $500 a day from home with crypto trading! Click the link https://bit.ly/abc", "spam"),
        (
            "Congratulations you have been selected to receive a free iPhone, claim your prize https://win.example",
            "spam",
        ),
        ("I recovered my lost bitcoin thanks to this hacker, whatsapp him on +1 555 010 9999", "spam"),
        ("Volg en retweet om kans te maken, winactie! Klik hier https://bit.ly/xyz", "spam"),
        ("Verdien €300 per dag met thuiswerk, crypto winst gegarandeerd, klik op de link https://t.ly/q", "spam"),
        ("We are hiring! Join our team as support engineer, apply now https://jobs.example/1", "job_ad"),
        ("Vacature: wij zoeken een monteur, solliciteer direct via https://werk.example", "job_ad"),
    ],
)
def test_spam(library: Library, text: str, kind: str) -> None:
    outcome = spam.assess([a_mention(text)], Briefing("w", "1").with_models(library))[0]
    finding = outcome.one("spam")
    assert finding is not None
    assert (finding.value, finding.extra.get("kind")) == (True, kind), finding
    assert outcome.dismissed in ("spam", "a job advertisement")


@pytest.mark.parametrize(
    "text",
    [
        "My order has not arrived, see https://shop.example/order/1",
        "Is this promo code still valid? It does not work: https://shop.example/sale",
        "FREE delivery they said!!! I paid $$$ and got nothing!!!",
        "Ik kan niet klikken op de link in jullie mail, help",
        "I applied for the job and never got an answer",
        "No internet, no internet, NO INTERNET",
        "Klik hier staat er, maar er gebeurt niets. Graag hulp",
        "Is this winactie from you? I think it is a scam https://bit.ly/fake",
        "won a ticket via @northwind, thank you!",
    ],
)
def test_customers_are_no_spammers(library: Library, text: str) -> None:
    outcome = spam.assess([a_mention(text)], Briefing("w", "1").with_models(library))[0]
    assert outcome.value("spam") is False, outcome.one("spam")
    assert outcome.dismissed is None


def test_no_single_sign_is_enough() -> None:
    assert max(spam.WEIGHTS.values()) < spam.DISMISS_FROM


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("My router caught fire last night", "safety"),
        ("Er komt rook uit de meterkast en ik ruik gas", "safety"),
        ("I will see you in court, my lawyer is informed", "legal"),
        ("Ik heb een advocaat ingeschakeld en stap naar de geschillencommissie", "legal"),
        ("internet down in the whole street since 8", "outage"),
        ("De hele wijk zit zonder internet sinds vanochtend", "outage"),
        ("I'm switching to another provider today", "churn"),
        ("Ik zeg mijn abonnement op", "churn"),
        ("My elderly mother cannot use her panic button without telephone", "vulnerable"),
        ("Mijn oude moeder kan haar alarmknop niet gebruiken", "vulnerable"),
        ("How do I change my ringtone?", "none"),
        ("Bedankt dat de storing zo snel is opgelost!", "none"),
        ("What is the price of the new phone", "none"),
    ],
)
def test_urgency(telecom: Briefing, text: str, reason: str) -> None:
    outcome = assessed(text, telecom)
    assert outcome.value("urgency") == reason, outcome.one("urgency")
    finding = outcome.one("urgency")
    assert finding is not None
    assert (reason in finding.extra["reasons"]) is (reason != "none")


def points(mention: Assessment, telecom: Briefing) -> dict[str, float]:
    finding = assessed(mention, telecom).one("priority")
    assert finding is not None
    return {part["name"]: part["points"] for part in finding.extra["parts"]}


def test_priority_has_its_parts_from_the_other_stages(telecom: Briefing) -> None:
    background = Background(asked_unanswered=2, thread_per_hour=50.0, contact_tier="vip")
    author = AuthorInfo("a", "a", followers=50_000)
    parts = points(
        a_mention(
            "No internet since monday, terrible, I want to cancel my contract", owned=True, rating=1.0, about=author,
            background=background,
        ),
        telecom,
    )  # fmt: skip
    assert parts.keys() == {
        "expected", "urgency", "severity", "sentiment", "reach", "velocity", "rating", "tier", "asked again",
    }  # fmt: skip


def test_who_says_to_ask_for_the_third_time_is_believed(telecom: Briefing) -> None:
    assert points(a_mention("third time I ask you where my parcel is", owned=True), telecom)["asked again"] == 14
    assert points(a_mention("al drie keer gebeld, waar blijft de monteur", owned=True), telecom)["asked again"] == 14
    assert "asked again" not in points(a_mention("where is my parcel?", owned=True), telecom)


def test_the_workspace_sets_the_limits(library: Library) -> None:
    mention = a_mention("hello").found(
        urgency=says("none", 0.5, "", reasons=[]),
        sentiment=says("neutral", 0.5, "", score=0.0),
        language=says("en", 1, ""),
    )
    for limits, cls in (({"urgent": 20, "high": 10, "normal": 5}, "urgent"), ({}, "normal")):
        briefing = Briefing("w", "1", priority={"limits": limits}).with_models(library)
        assert priority.assess([mention], briefing)[0].value("priority") == cls


def test_an_angry_outage_presses_more_than_a_question(telecom: Briefing) -> None:
    angry = assessed("no internet again, third time I call, this is unacceptable!!", telecom).one("priority")
    asking = assessed("what are your opening hours?", telecom).one("priority")
    assert angry is not None
    assert asking is not None
    assert angry.extra["score"] > asking.extra["score"] + 30
    assert callable(by_the_rule)

"""The order, the runner, what is done about a failing stage, and what becomes of a mention."""

import pickle
from collections.abc import Sequence

import orjson
import pytest

from services.triage import pipeline
from services.triage.library import Library
from services.triage.pipeline import PIPELINE, out_of_order, run
from services.triage.stage import Assessment, Background, Briefing, QueryBrief, Stage, finder
from tests.triage.building import a_briefing, a_mention, assessed

says = finder("made up", "1")


def a_stage(name: str, *, needs: Sequence[str] = (), adds: Sequence[str] = (), fails_on: str | None = None) -> Stage:
    def assess(batch: Sequence[Assessment], briefing: Briefing) -> Sequence[Assessment]:
        if any(fails_on is not None and fails_on in a.text for a in batch):
            raise RuntimeError("the model fell over")
        return [a.found(**{added: says(a.text, 1.0, "because") for added in adds}) for a in batch]

    return Stage(name, "1", tuple(needs), tuple(adds), assess)


def test_the_pipeline_is_in_order() -> None:
    assert out_of_order(PIPELINE) == []
    assert [stage.name for stage in PIPELINE] == [
        "relevance", "language", "wording", "spam", "duplicates", "sentiment", "intent", "entities", "issues", "pii",
        "authenticity", "urgency", "priority",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("stages", "sentence"),
    [
        (
            [a_stage("b", needs=["x"]), a_stage("a", adds=["x"])],
            "b needs x, which a adds only after it; move a before it.",
        ),
        ([a_stage("b", needs=["x"])], "b needs x, which no stage adds; put in one that does."),
        (
            [a_stage("a", adds=["x"]), a_stage("b", adds=["x"])],
            "b adds x, which a has added already; let one of them answer.",
        ),
        ([a_stage("a", adds=["x"]), a_stage("a", adds=["y"])], "a stands twice; take one out."),
        ([a_stage("a", needs=["x"], adds=["x"])], "a needs x, which it adds itself; take one of the two away."),
    ],
)
def test_what_is_wrong_with_an_order_is_said_in_a_sentence(stages: list[Stage], sentence: str) -> None:
    assert out_of_order(stages) == [sentence]


def test_every_order_but_the_right_one_of_two_dependent_stages_is_refused() -> None:
    at = {stage.name: place for place, stage in enumerate(PIPELINE)}
    swapped = list(PIPELINE)
    swapped[at["wording"]], swapped[at["language"]] = swapped[at["language"]], swapped[at["wording"]]
    assert out_of_order(swapped) == [
        "wording needs language, which language adds only after it; move language before it."
    ]


def test_a_failing_stage_costs_only_the_mention_it_fails_on() -> None:
    batch = [a_mention("good"), a_mention("poison"), a_mention("fine")]
    stages = [a_stage("first", adds=["x"], fails_on="poison"), a_stage("second", adds=["y"])]
    good, bad, fine = run(batch, Briefing("w", "1"), stages).assessments
    assert [note.value for note in bad.many("failed")] == ["first"]
    assert bad.many("failed")[0].why == "failed: first: RuntimeError"
    assert bad.one("x") is None
    assert bad.value("y") == "poison"
    assert bad.disposition == "engage"
    assert (good.value("x"), fine.value("x")) == ("good", "fine")
    assert not good.many("failed")


def test_a_stage_that_loses_or_mixes_up_mentions_has_failed() -> None:
    mixing = Stage("mixing", "1", (), ("x",), lambda batch, briefing: list(reversed(batch)))
    losing = Stage("losing", "1", (), ("y",), lambda batch, briefing: batch[:0])
    outcome = run([a_mention("a"), a_mention("b")], Briefing("w", "1"), [mixing, losing]).assessments
    assert [[note.value for note in a.many("failed")] for a in outcome] == [["losing"], ["losing"]]


def test_a_dismissed_mention_skips_the_rest() -> None:
    dismissing = Stage("dismissing", "1", (), (), lambda batch, briefing: [a.dismiss("not ours") for a in batch])
    (outcome,) = run(
        [a_mention("poison")], Briefing("w", "1"), [dismissing, a_stage("never", fails_on="poison")]
    ).assessments
    assert (outcome.disposition, outcome.dismissed) == ("dismissed", "not ours")
    assert not outcome.many("failed")


def test_an_assessment_does_not_change() -> None:
    mention = a_mention("text")
    found = mention.found(x=says(1, 1.0, "because"))
    assert mention.one("x") is None
    assert found.value("x") == 1
    with pytest.raises(AttributeError):
        mention.text = "other"  # type: ignore[misc]


def test_what_travels_to_the_child_is_the_mention_as_it_came() -> None:
    mention = a_mention("text", rating=2.0, background=Background(asked_unanswered=2)).found(x=says(1, 1.0, "because"))
    again = pickle.loads(pickle.dumps(mention))
    assert (again.mention_id, again.text, again.rating, again.background) == (
        mention.mention_id, "text", 2.0, mention.background,
    )  # fmt: skip
    assert again.findings == {}


def test_findings_have_the_public_shape(telecom: Briefing) -> None:
    mention = a_mention("@northwind no internet since yesterday, mail me at ann@example.org or pay me back € 12,50!")
    (one,) = run([mention], telecom).assessed()
    shapes = [shape for found in one.findings.values() for shape in (found if isinstance(found, list) else [found])]
    assert all(shape.keys() >= {"value", "confidence", "why", "decided_by", "version"} for shape in shapes)
    assert all(0 <= shape["confidence"] <= 1 and shape["why"] for shape in shapes)
    assert orjson.loads(orjson.dumps(one.findings)) == one.findings
    text = mention.text
    assert {(e["type"], e["value"], text[e["start"] : e["end"]]) for e in one.findings["entities"]} >= {
        ("BRAND", "Northwind", "@northwind"),
        ("DATE", "2026-11-19", "yesterday"),
        ("MONEY", "EUR 12.50", "€ 12,50"),
    }
    assert [(p["type"], text[p["start"] : p["end"]]) for p in one.findings["pii"]] == [("email", "ann@example.org")]
    assert [text[i["start"] : i["end"]] for i in one.findings["issues"]] == ["no internet"]
    assert -1 <= one.findings["sentiment"]["score"] <= 1
    assert sum(part["points"] for part in one.findings["priority"]["parts"]) == pytest.approx(
        one.findings["priority"]["score"], abs=1
    )


@pytest.mark.parametrize(
    ("text", "language", "issue"),
    [
        (
            "@northwind no internet again since this morning, third time I ask you, this is unacceptable!",
            "en",
            "outage.internet",
        ),
        ("@northwind jullie app doet het niet meer, ik kan niet inloggen en niemand reageert", "nl", "account.login"),
    ],
)
def test_a_customer_in_trouble_is_engaged(telecom: Briefing, text: str, language: str, issue: str) -> None:
    outcome = assessed(a_mention(text), telecom)
    assert outcome.disposition == "engage"
    assert outcome.value("language") == language
    assert outcome.value("sentiment") == "negative"
    assert outcome.value("intent") == "complaint"
    assert issue in [found.value for found in outcome.many("issues")]


@pytest.mark.parametrize(
    ("mention", "disposition"),
    [
        (a_mention("Lovely evening in the garden with tea and a good book."), "dismissed"),
        (
            a_mention(
                "Earn $500 a day trading bitcoin, no experience needed, click the link https://bit.ly/x1 @northwind"
            ),
            "dismissed",
        ),
        (a_mention("New colours for our Northwind phones!", author="northwind"), "dismissed"),
        (a_mention("Northwind opens its tenth store in Utrecht, the company said on Monday.", kind="article"), "watch"),
        (a_mention("Walked past the Northwind store, they have a blue window."), "watch"),
        (a_mention("RT @ann: Northwind is down again, no signal at all"), "watch"),
        (a_mention("@northwind how do I change my PIN?"), "engage"),
        (a_mention("Northwind laat me al drie weken wachten op een monteur, schandalig"), "engage"),
        (a_mention("Ga weg bij Northwind en stap over naar een ander"), "engage"),
        (a_mention("hello", visibility="private"), "engage"),
        (a_mention("meh", kind="review", rating=1.0, owned=True), "engage"),
        (a_mention("My Northwind router caught fire, there is smoke coming out of it", kind="video"), "engage"),
    ],
    ids=lambda value: value.text[:30] if isinstance(value, Assessment) else value,
)
def test_what_becomes_of_a_mention(telecom: Briefing, mention: Assessment, disposition: str) -> None:
    outcome = assessed(mention, telecom)
    assert outcome.disposition == disposition, outcome.findings_json()
    assert outcome.one("disposition") is not None


def test_a_search_makes_relevant_what_no_name_does(library: Library) -> None:
    search = QueryBrief("q", "outage", "(internet OR wifi) AND storing NOT ziggo", brand_id="brand-1")
    briefing = a_briefing(brands=(), queries=(search,)).with_models(library)
    yes = assessed(a_mention("alweer een storing in het internet hier"), briefing)
    no = assessed(a_mention("storing in het internet van ziggo"), briefing)
    assert (yes.disposition, no.disposition) == ("engage", "dismissed")
    relevance = yes.one("relevance")
    assert relevance is not None
    assert (relevance.extra["queries"], relevance.extra["brands"]) == (["q"], ["brand-1"])


def test_the_version_is_that_of_the_stages() -> None:
    assert len(pipeline.VERSION) == 12

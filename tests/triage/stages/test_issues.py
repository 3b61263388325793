"""Which kinds of problem a text tells of: gaps, inflection, negation both ways, narrower before broader, places."""

from typing import Any

import pytest

from services.triage.library import Library
from services.triage.stage import Assessment, Briefing, IssueTypeBrief
from services.triage.stages import issues
from shared.models.phrase import TaxonomyError
from tests.triage.building import a_briefing, a_mention, assessed

TYPES = (
    IssueTypeBrief("app", "App", 3, {
        "en": ("(app|site) .. (crash|crashes|crashed|crashing)", "(app|site) (doesn't|won't|does not) work", "app .. down"),
        "nl": ("(app|site) .. doet het .. niet", "(app|site) .. (vastloopt|crasht)"),
    }),
    IssueTypeBrief("app.login", "Login", 3, {
        "en": ("(can't|cannot|unable to) log in", "app .. login .. fails"),
        "nl": ("(kan|kunnen) .. niet .. inloggen",),
    }),
    IssueTypeBrief("outage", "Outage", 5, {
        "en": ("outage", {"phrase": "signal .. gone", "unless": ["signal .. gone .. up"]}),
        "nl": ("storing", "(valt|viel|vallen) .. uit", "uitgevallen"),
    }, {"en": ("outage .. (over|solved)",), "nl": ("storing .. (voorbij|opgelost)",)}),
)  # fmt: skip


@pytest.fixture(scope="module")
def briefing(library: Library) -> Briefing:
    return Briefing("w", "1", issue_types=TYPES).with_models(library)


def keys(text: str, briefing: Briefing, lang: str = "en", **fields: Any) -> list[str]:
    return sorted(found.value for found in of(text, briefing, lang, **fields).many("issues"))


def of(text: str, briefing: Briefing, lang: str = "en", **fields: Any) -> Assessment:
    return issues.assess([a_mention(text, lang=lang, **fields)], briefing)[0]


@pytest.mark.parametrize(
    ("text", "lang", "expected"),
    [
        ("your app keeps crashing", "en", ["app"]),
        ("The APP just crashed twice.", "en", ["app"]),
        ("The site doesn’t work", "en", ["app"]),
        ("your app works fine, never crashed", "en", []),
        ("app: it crashes", "en", ["app"]),
        ("the app. The plane crashed.", "en", []),  # a gap does not leave its sentence
        ("the app is a very very nice thing that crashed", "en", []),  # five words are too many for a gap
        ("there is no outage here", "en", []),
        ("never had an outage", "en", []),
        ("no wonder, another outage", "en", ["outage"]),
        ("The outage is over, thanks", "en", []),
        ("the outage is not over", "en", ["outage"]),
        ("signal gone", "en", ["outage"]),
        ("signal has gone up", "en", []),
        ("I cannot log in", "en", ["app.login"]),
        ("I can't log in", "en", ["app.login"]),
        ("the app login always fails, app down", "en", ["app", "app.login"]),
        ("jullie app doet het alweer niet", "nl", ["app"]),
        ("de app doet het prima", "nl", []),
        ("Kan sinds vanmorgen niet meer inloggen", "nl", ["app.login"]),
        ("de televisie valt steeds uit", "nl", ["outage"]),
        ("de tv valt niet uit", "nl", []),
        ("hij is uitgevallen", "nl", ["outage"]),
        ("geen storing hier", "nl", []),
        ("alweer een STORING", "nl", ["outage"]),
        ("de storing is voorbij", "nl", []),
        ("de storing is nog niet opgelost", "nl", ["outage"]),
    ],
)
def test_issues(briefing: Briefing, text: str, lang: str, expected: list[str]) -> None:
    assert keys(text, briefing, lang) == expected


def test_the_places_of_one_issue(briefing: Briefing) -> None:
    text = "Storing! En nu valt de tv ook weer uit " + "😡" * 300 + " storing"
    (finding,) = of(text, briefing, "nl").many("issues")
    assert [text[start:end] for start, end in finding.extra["spans"]] == [
        "Storing",
        "valt de tv ook weer uit",
        "storing",
    ]
    assert text[finding.start : finding.end] == "valt de tv ook weer uit"
    assert finding.confidence > 0.8
    assert "'Storing'" in finding.why


def test_of_one_phrase_the_tightest_place_counts(briefing: Briefing) -> None:
    text = "De app, ja die app, doet het alweer niet"
    (finding,) = of(text, briefing, "nl").many("issues")
    assert text[finding.start : finding.end] == "app, doet het alweer niet"


def test_several_issues_each_at_its_own_words(briefing: Briefing) -> None:
    text = "I cannot log in since the outage, and the site doesn't work"
    found = {one.value: text[one.start : one.end] for one in of(text, briefing).many("issues")}
    assert found == {"app.login": "cannot log in", "outage": "outage", "app": "site doesn't work"}


@pytest.mark.parametrize(
    ("text", "lang", "expected"),
    [
        ("if the app crashes I will tell you", "en", []),
        ("what if your site won't work", "en", []),
        ("if I cannot log in what then", "en", ["app.login"]),  # it happened to the author
        ("als de app vastloopt", "nl", []),
        ("mocht de tv weer uitvallen: storing", "nl", ["outage"]),
        ("de storing is nu al drie dagen niet voorbij", "nl", ["outage"]),
    ],
)
def test_what_is_only_supposed_is_no_issue(briefing: Briefing, text: str, lang: str, expected: list[str]) -> None:
    assert keys(text, briefing, lang) == expected


def test_words_that_say_the_narrower_type_do_not_say_the_broader_too(library: Library) -> None:
    types = (
        IssueTypeBrief("net", "Net", 3, {"en": ("internet .. down",)}),
        IssueTypeBrief("home", "At home", 3, {"en": ("internet at home .. down",)}, parent="net"),
    )
    briefing = Briefing("w", "1", issue_types=types).with_models(library)
    assert keys("internet at home is down", briefing) == ["home"]
    assert keys("internet is down", briefing) == ["net"]


def test_a_problem_in_the_title_has_no_place_in_the_text(briefing: Briefing) -> None:
    (finding,) = of("It was terrible.", briefing, title="Outage all day").many("issues")
    assert (finding.value, finding.start, finding.extra["spans"]) == ("outage", None, [])
    assert "start" not in finding.to_json()


def test_a_phrase_that_cannot_be_read_names_its_issue_type(library: Library) -> None:
    broken = Briefing("w", "1", issue_types=(IssueTypeBrief("app", "App", 3, {"en": ("(app",)}),)).with_models(library)
    with pytest.raises(TaxonomyError, match="Issue type app"):
        keys("anything", broken)


def test_matchers_are_made_once_and_taken_over_by_the_next_briefing(briefing: Briefing, library: Library) -> None:
    keys("outage", briefing)
    made = briefing._made["issues.en"][0]
    same = Briefing("w", "2", issue_types=TYPES, exclusions=("x",))
    same.adopt(briefing)
    assert same._made["issues.en"][0] is made
    other = Briefing("w", "3", issue_types=TYPES[:1])
    other.adopt(briefing)
    assert "issues.en" not in other._made


@pytest.mark.parametrize("sector", [None, "telecom", "airline", "retail", "bank", "energy", "software"])
def test_the_shipped_taxonomies_find_their_own_words(library: Library, sector: str | None) -> None:
    try:
        briefing = a_briefing(sector).with_models(library)
    except TaxonomyError as error:
        if "no taxonomy" in str(error):
            pytest.skip(str(error))
        raise
    english = assessed("I can't log in to the app and nobody answers", briefing)
    dutch = assessed("ik kan niet inloggen in de app en niemand reageert", briefing)
    assert "account.login" in [found.value for found in english.many("issues")]
    assert "account.login" in [found.value for found in dutch.many("issues")]

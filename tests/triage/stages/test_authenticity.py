"""How suspicious an account is: signals with stated weights, copies by others as a cluster, and links that pose as the brand."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.triage.links import look_alikes, names_of, posing_as, unsafe
from services.triage.sketching import sketch
from services.triage.stage import Assessment, AuthorInfo, Background, BrandBrief, Briefing, Finding, LookAlike, finder
from services.triage.stages import authenticity
from tests.triage.building import NOON, a_mention

says = finder("given", "1")
BRIEFING = Briefing(
    "w",
    "1",
    brands=(BrandBrief("b", "Northwind", ("Noordenwind Energie",), ("@northwind.example", "@northwind_care")),),
)
BRAND = names_of(("Northwind", "Noordenwind Energie"), ("@northwind.example", "@northwind_care"))
TEXT = "Best phone ever, I would buy ten of them for my whole family"


def of(mention: Assessment, briefing: Briefing = BRIEFING) -> Finding:
    finding = authenticity.assess([mention], briefing)[0].one("authenticity")
    assert finding is not None
    return finding


def signals(mention: Assessment) -> dict[str, Any]:
    return {signal["name"]: signal["weight"] for signal in of(mention).extra["signals"]}


def suspicious(**changes: Any) -> Assessment:
    """A review that every signal speaks against."""
    about = AuthorInfo("y", "n0rthwind", followers=2, following=900, account_created_at=NOON - timedelta(days=1))
    background = Background(
        author_posts_last_hour=40,
        rhythm_deviation=0.01,
        copied_by_authors=6,
        reviews_last_day=60,
        reviews_usual_day=2.0,
    )
    text = "Best phone ever https://192.0.2.7/win https://northw1nd.example/"
    fields = {"kind": "review", "rating": 5.0, "about": about, "background": background, **changes}
    return a_mention(text, **fields).found(
        sentiment=says("positive", 0.9, "", score=0.9, text_score=-0.8), spam=says(False, 0.5, "", points=1.2)
    )


class TestTheScore:
    def test_every_signal_can_be_seen(self) -> None:
        assert list(signals(suspicious())) == [signal.name for signal in authenticity.SIGNALS]
        assert signals(suspicious()) == {signal.name: signal.weight for signal in authenticity.SIGNALS}

    def test_more_than_there_is_to_lose_is_said(self) -> None:
        finding = of(suspicious())
        assert finding.value == 0.0
        assert (
            f"they weigh {sum(one.weight for one in authenticity.SIGNALS):g}, more than there is to lose" in finding.why
        )

    @given(
        days=st.integers(0, 90),
        followers=st.integers(0, 400),
        pace=st.integers(0, 50),
        rhythm=st.floats(0, 1),
        copied=st.integers(0, 9),
        reviews=st.integers(0, 60),
        feeling=st.floats(-1, 1),
        points=st.floats(0, 2),
        left_out=st.sampled_from(authenticity.SIGNALS),
    )
    def test_without_a_signal_the_score_changes_by_its_weight(
        self,
        days: int,
        followers: int,
        pace: int,
        rhythm: float,
        copied: int,
        reviews: int,
        feeling: float,
        points: float,
        left_out: authenticity._Signal,
    ) -> None:
        about = AuthorInfo("y", "y", followers=followers, following=900, account_created_at=NOON - timedelta(days=days))
        background = Background(
            author_posts_last_hour=pace,
            rhythm_deviation=rhythm,
            copied_by_authors=copied,
            reviews_last_day=reviews,
            reviews_usual_day=4.0,
        )
        mention = suspicious(about=about, background=background).found(
            sentiment=says("positive", 0.9, "", text_score=feeling), spam=says(False, 0.5, "", points=points)
        )
        whole = of(mention)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(authenticity, "SIGNALS", tuple(one for one in authenticity.SIGNALS if one is not left_out))
            without = of(mention)
        weights = {signal["name"]: signal["weight"] for signal in whole.extra["signals"]}
        lost, weight = sum(weights.values()), weights.get(left_out.name, 0.0)
        assert whole.value == pytest.approx(max(0.0, 1 - lost), abs=1e-6)
        assert 0 <= weight <= left_out.weight
        if lost <= 1:
            assert without.value - whole.value == pytest.approx(weight, abs=1e-6)
        else:  # more weighs against it than there is to lose: what the score rises to is what the others leave
            assert whole.value == 0.0
            assert without.value == pytest.approx(max(0.0, 1 - (lost - weight)), abs=1e-6)
            assert ("more than there is to lose" in whole.why) is (round(lost, 4) > 1)

    def test_an_ordinary_account_is_above_suspicion_and_an_unknown_one_too(self) -> None:
        old = AuthorInfo("o", "o", followers=200, following=180, account_created_at=NOON - timedelta(days=900))
        for author in (old, None):
            (outcome,) = authenticity.assess([a_mention("No internet again", about=author)], BRIEFING)
            assert outcome.value("authenticity") == 1.0
            assert outcome.dismissed is None

    def test_nothing_is_ever_dismissed(self) -> None:
        (outcome,) = authenticity.assess([suspicious()], BRIEFING)
        assert outcome.value("authenticity") == 0.0
        assert outcome.dismissed is None


class TestCluster:
    @staticmethod
    def like(number: int, text: str = TEXT, author: str = "bob", **fields: Any) -> LookAlike:
        return LookAlike(UUID(int=number), text, author, "push", NOON, sketch=sketch(text), **fields)

    def cluster(self, *likes: LookAlike, **fields: Any) -> list[str] | None:
        background = Background(sketch=sketch(TEXT), look_alikes=likes, copied_by_authors=len(likes))
        found: list[str] | None = of(a_mention(TEXT, background=background, **fields)).extra.get("cluster")
        return found

    def test_copies_by_others_are_named_in_the_order_they_came(self) -> None:
        near = TEXT.replace("ten", "six")
        found = self.cluster(self.like(3), self.like(2, near, "eve"))
        assert found == [str(UUID(int=2)), str(UUID(int=3))]

    def test_what_is_no_copy_by_another_is_not_named(self) -> None:
        other = "My parcel never came and nobody answers the phone, where is it please"
        own = self.like(1, author="ann")
        assert self.cluster(own, self.like(2, other), self.like(3, same_page=True)) is None

    def test_a_repost_is_no_copy(self) -> None:
        background = Background(sketch=sketch(TEXT), look_alikes=(self.like(1),))
        mention = a_mention(TEXT, background=background).found(duplicate=says(str(UUID(int=1)), 1.0, "", kind="repost"))
        assert "cluster" not in of(mention).extra

    def test_the_most_that_are_named(self) -> None:
        found = self.cluster(*(self.like(n, author=f"a{n}") for n in range(1, 40)))
        assert found is not None
        assert len(found) == authenticity.MOST


@pytest.mark.parametrize(
    ("last_day", "usual", "least", "most"),
    [(60, 2.0, 0.2, 0.2), (12, 2.0, 0.05, 0.15), (4, 2.0, 0, 0), (9, None, 0, 0)],
)
def test_a_burst_of_reviews(last_day: int, usual: float | None, least: float, most: float) -> None:
    background = Background(reviews_last_day=last_day, reviews_usual_day=usual)
    weight = signals(a_mention("fine", kind="review", background=background)).get("review_burst", 0.0)
    assert least <= weight <= most
    assert "review_burst" not in signals(a_mention("fine", kind="post", background=background))


@pytest.mark.parametrize(
    ("rating", "told", "holds"), [(5.0, -0.8, True), (1.0, 0.9, True), (5.0, 0.6, False), (3.0, -0.9, False)]
)
def test_a_rating_against_its_text(rating: float, told: float, holds: bool) -> None:
    mention = a_mention("text", kind="review", rating=rating).found(
        sentiment=says("positive", 0.9, "", text_score=told)
    )
    assert ("rating_against_text" in signals(mention)) is holds


POSING = [
    ("https://nоrthwind.example/login", "letters that look"),  # a Cyrillic о
    ("https://xn--nrthwind-nbh.example/login", "letters that look"),
    ("https://n0rthwind.com", "letters that look"),
    ("https://northwlnd.com", "letters that look"),
    ("https://nórthwind.nl", "letters that look"),
    ("http://northvvind.nl/x", "letters that look"),
    ("https://north-w1nd.nl", "letters that look"),
    ("http://northwinds.top", "one letter away"),
    ("http://nortwhind.top", "one letter away"),
    ("http://nothwind.top", "one letter away"),
    ("northw1nd.com/win", "letters that look"),
    ("https://northwind.example.secure-id.ru/x", "in front of another's"),
    ("https://northwind.example@evil.test/x", "in front of an @"),
    ("https://northwind-login.top", "a word of bait"),
    ("https://inloggen-noordenwind-energie.top", "a word of bait"),
    ("https://www.n0ordenwindenergie.nl", "letters that look"),
]
HONEST = [
    "https://northwind.example/login",
    "https://mijn.northwind.example/x?y=https://northwind.example",
    "https://www.northwind.com",
    "https://north-wind.nl",
    "https://northwind.bsky.social",
    "https://northwind-fans.nl",
    "https://westwind.nl",
    "https://login.microsoft.com",
    "https://müller.de/northwind",
    "northwind.example. Northwind, dit is niet ok.De app",
    "ann@northwind.example",
]


class TestLinks:
    @pytest.mark.parametrize(("text", "what"), POSING)
    def test_addresses_that_pose_as_the_brands(self, text: str, what: str) -> None:
        found = look_alikes(f"Look here: {text} ok", BRAND)
        assert [what in one.what for one in found] == [True], found
        assert signals(a_mention(f"Look here: {text} ok"))["look_alike_links"] == 0.25

    @pytest.mark.parametrize("text", HONEST)
    def test_addresses_that_do_not(self, text: str) -> None:
        assert look_alikes(text, BRAND) == []

    @pytest.mark.parametrize(
        ("text", "host"),
        [
            ("http://192.0.2.7/pay", "192.0.2.7"),
            ("http://3232235777/pay", "3232235777"),
            ("http://0x7f.0.0.1/pay", "0x7f.0.0.1"),
            ("http://[2001:db8::1]/pay", "[2001:db8::1]"),
            ("https://bit.ly/3xYz", "bit.ly"),
            ("see tinyurl.com/abc", "tinyurl.com"),
            ("https://pаypal.example", "pаypal.example"),  # a Cyrillic а
            ("[https://bank.example](https://evil.test/x)", "evil.test"),
            ('<a href="https://evil.test/x">www.bank.nl</a>', "evil.test"),
            ("www.bank.nl <https://evil.test/x>", "evil.test"),
        ],
    )
    def test_unsafe_addresses(self, text: str, host: str) -> None:
        assert host in [one.host for one in unsafe(text)]
        assert signals(a_mention(text))["unsafe_links"] in (0.15, 0.09)

    @pytest.mark.parametrize(
        "text",
        [
            "https://shop.example/order/1",
            "https://t.co/abc",
            "https://habbit.ly.example/x, rabbit.lynx",
            "[our shop](https://shop.example)",
            "[shop.example](https://www.shop.example/x)",
            "https://münchen.de",
            "https://пример.example",
            "version 3.11.7 cost 10.50",
            "",
        ],
    )
    def test_safe_addresses(self, text: str) -> None:
        assert unsafe(text) == []

    def test_handles_that_pose(self) -> None:
        assert posing_as("@n0rthwind_care", BRAND) == "northwindcare"
        assert posing_as("nоrthwind", BRAND) == "northwind"  # a Cyrillic о
        assert not posing_as("@northwind_care", BRAND)
        assert not posing_as("northwindfan", BRAND)

    def test_short_names_are_not_compared(self) -> None:
        assert look_alikes("https://kpm.nl https://lng.nl", names_of(("KPN", "ING"), ())) == []

    @given(st.text(max_size=200), st.lists(st.text(max_size=12), max_size=3))
    def test_whatever_is_written_nothing_breaks(self, text: str, names: list[str]) -> None:
        brand = names_of(names, names)
        for one in (*look_alikes(text, brand), *unsafe(text)):
            assert one.host
            assert one.what

    @given(st.from_regex(r"[a-z]{4,12}", fullmatch=True), st.sampled_from(("nl", "com", "co.uk")))
    def test_a_name_as_it_is_never_poses_as_itself(self, name: str, ending: str) -> None:
        assert look_alikes(f"see https://www.{name}.{ending}/login", names_of((name,), ())) == []

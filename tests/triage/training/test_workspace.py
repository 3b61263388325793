"""A workspace's refit: from corrections in the database to a head in force, judged on what it did not learn from."""

from collections.abc import AsyncIterator, Sequence
from itertools import product
from random import Random
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from services.triage import pipeline
from services.triage.briefing import Briefings
from services.triage.library import Library
from services.triage.stage import Assessment
from services.triage.training import workspace as training
from services.triage.training.train_heads import TooFewLabels
from shared.kit import clock, ids
from shared.kit.database import Database
from shared.kit.settings import Settings
from shared.models.brand import Brand, IssueType
from shared.models.channel import Channel
from shared.models.head import Head, Question
from shared.models.mention import Assessment as AssessmentRow
from shared.models.mention import Correction
from tests.builders import a_channel, a_workspace, an_item, taken
from tests.triage.building import a_mention

FRUIT = [
    f"{begin} {thing} {end}"
    for begin, thing, end in product(
        ("squeezed a", "peeled one more", "bought a crate of", "dreaming of a fresh"),
        ("orange for breakfast", "orange with dark chocolate", "sweet orange, so juicy", "orange and two lemons"),
        ("this morning", "with my kids", "at the market", "yum", "and now my hands are sticky"),
    )
]
PHONE = [
    f"{begin} {thing} {end}"
    for begin, thing, end in product(
        ("why is my", "still waiting, my", "three days now and my", "the helpdesk says my"),
        ("orange subscription", "orange sim card", "orange router", "orange invoice"),
        ("not activated", "blocked again", "not working in the office", "twice as expensive", "gone from my account"),
    )
]


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    database = await Database.open(settings, "test")
    yield database
    await database.close()


async def heard(
    database: Database, workspace_id: UUID, channel: Channel, said: Sequence[str], **findings: Any
) -> list[UUID]:
    """Mentions as triage left them, with these findings."""
    items = [an_item(ids.new_id().hex, one) for one in said]
    await taken(database, workspace_id, channel, *items)
    async with database.read(workspace_id) as connection:
        rows = await connection.fetch("SELECT id, external_id FROM mention")
    by_external = {row["external_id"]: row["id"] for row in rows}
    made = [by_external[item["external_id"]] for item in items]
    async with database.write(workspace_id) as session:
        session.add_all(
            AssessmentRow(
                workspace_id=workspace_id, mention_id=one, disposition="engage", lang="en", findings=findings,
                pipeline_version="t", triaged_at=clock.now(),
            )
            for one in made
        )  # fmt: skip
    return made


async def corrected(
    database: Database, workspace_id: UUID, mention_ids: Sequence[UUID], question: str, value: Any
) -> None:
    new = [{"value": key} for key in value] if isinstance(value, list) else {"value": value}
    async with database.write(workspace_id) as session:
        session.add_all(
            Correction(
                workspace_id=workspace_id, mention_id=one, finding=question, old=None, new=new, actor="agent:x",
                corrected_at=clock.now(),
            )
            for one in mention_ids
        )  # fmt: skip


async def a_fruity_workspace(database: Database) -> tuple[UUID, Channel]:
    workspace_id = await a_workspace(database)
    channel = await a_channel(database, workspace_id)
    async with database.write(workspace_id) as session:
        session.add(Brand(workspace_id=workspace_id, name="Orange"))
    return workspace_id, channel


async def refit(database: Database, workspace_id: UUID, question: Question, library: Library) -> training.Refitted:
    async with database.read(workspace_id) as connection:
        return await training.refit(connection, workspace_id, question, library)


async def found(database: Database, workspace_id: UUID, library: Library, *said: str) -> list[Assessment]:
    """What triage finds of new mentions, with the briefing as it stands now."""
    async with database.read(workspace_id) as connection:
        briefing = await Briefings().standing(connection, workspace_id)
    mentions = [a_mention(one, author=f"author {n}") for n, one in enumerate(said)]
    return list(pipeline.run(mentions, briefing.with_models(library)).assessments)


async def test_homonyms_are_learned_from_what_people_said(database: Database, library: Library) -> None:
    workspace_id, channel = await a_fruity_workspace(database)
    Random(3).shuffle(FRUIT)
    Random(4).shuffle(PHONE)
    fruit = await heard(database, workspace_id, channel, FRUIT[:60], relevance={"value": True})
    phone = await heard(database, workspace_id, channel, PHONE[:60], relevance={"value": True})
    await corrected(database, workspace_id, fruit, "relevance", value=False)
    await corrected(database, workspace_id, phone, "relevance", value=True)
    news = (FRUIT[70], "an orange cake with almonds", PHONE[70], "my orange contract ends, what now?")
    assert [a.value("relevance") for a in await found(database, workspace_id, library, *news)] == [True] * 4

    made = await refit(database, workspace_id, Question.RELEVANCE, library)
    assert made.trial.better, made.trial.because
    assert made.trial.right > made.trial.right_before
    assert made.learned_from + made.trial.corrected == 120, "each lesson is learned from or held out"
    assert 10 <= made.trial.corrected <= 40
    async with database.write(workspace_id) as session:
        session.add(
            Head(
                workspace_id=workspace_id, question="relevance", version=1, state="active", learned_from=made.learned_from,
                held_out=made.trial.corrected, because=made.trial.because, actor="t", weights=made.head.to_bytes(),
            )
        )  # fmt: skip
    after = await found(database, workspace_id, library, *news)
    assert [a.value("relevance") for a in after] == [False, False, True, True]
    assert [a.dismissed for a in after] == ["not about the brand"] * 2 + [None] * 2
    finding = after[0].one("relevance")
    assert finding is not None
    assert (finding.decided_by, finding.extra["brands"] != []) == ("relevance.head", True)
    (spoken_to,) = await found(
        database, workspace_id, library, "Hello Orange, do you sell orange juice with dark chocolate too?"
    )
    assert spoken_to.value("relevance") is True, "who speaks to us is never dismissed by what others wrote"

    async with database.write(workspace_id) as session:
        await session.execute(text("UPDATE head SET weights = 'WCH1 of another time'"))
    again = await found(database, workspace_id, library, *news)
    assert [a.value("relevance") for a in again] == [True] * 4, "a head that cannot be read is left out"
    assert not any(a.many("failed") for a in again)


async def test_labels_that_say_nothing_are_not_put_in_force(database: Database, library: Library) -> None:
    workspace_id, channel = await a_fruity_workspace(database)
    mentions = await heard(database, workspace_id, channel, [*FRUIT, *PHONE], relevance={"value": True})
    dice = Random(7)
    for one in mentions:
        await corrected(database, workspace_id, [one], "relevance", value=dice.random() < 0.5)
    made = await refit(database, workspace_id, Question.RELEVANCE, library)
    assert not made.trial.better, made.trial.because
    assert "no better than chance" in made.trial.because


async def test_issue_types_are_learned_and_unlearned(
    database: Database, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace_id, channel = await a_fruity_workspace(database)
    async with database.write(workspace_id) as session:
        session.add(IssueType(workspace_id=workspace_id, key="sim", name="SIM card"))
        session.add(IssueType(workspace_id=workspace_id, key="money", name="Money", phrases={"en": ["expensive"]}))
    told = [one for one in PHONE if "expensive" not in one]
    cards = [one for one in told if "sim card" in one]
    others = [one for one in told if "sim card" not in one]
    with_card = await heard(database, workspace_id, channel, cards, issues=[])
    without = await heard(database, workspace_id, channel, others, issues=[])
    await corrected(database, workspace_id, with_card, "issues", ["sim"])
    await corrected(database, workspace_id, without, "issues", [])
    monkeypatch.setattr(training, "held_out", {*with_card[::3], *without[::3]}.__contains__)
    made = await refit(database, workspace_id, Question.ISSUES, library)
    assert made.head.labels == ("sim",)
    assert made.trial.better, made.trial.because
    async with database.write(workspace_id) as session:
        session.add(
            Head(
                workspace_id=workspace_id, question="issues", version=1, state="active", learned_from=1, held_out=1,
                because="x", actor="t", weights=made.head.to_bytes(),
            )
        )  # fmt: skip
    learned, plain = await found(
        database, workspace_id, library, "hi orange, my sim card is broken", "orange, you are so expensive"
    )
    assert [one.value for one in learned.many("issues")] == ["sim"]
    one = learned.many("issues")[0]
    assert one.decided_by == "issues.head"
    assert one.start is not None
    assert learned.text[one.start : one.end] in ("sim", "card")
    assert [one.value for one in plain.many("issues")] == ["money"], "a type that nobody corrected goes by its phrases"


async def test_too_few_corrections_are_told(database: Database, library: Library) -> None:
    workspace_id, channel = await a_fruity_workspace(database)
    few = await heard(database, workspace_id, channel, FRUIT[:5], intent={"value": "other"})
    await corrected(database, workspace_id, few, "intent", "request")
    with pytest.raises(TooFewLabels, match="There are 5 corrections of intent, and 30 are needed"):
        await refit(database, workspace_id, Question.INTENT, library)


@given(st.integers(0, 40), st.integers(0, 40))
def test_chance_is_that_of_a_coin(gained: int, lost: int) -> None:
    chance = training.by_chance(gained, lost)
    assert 0 < chance <= 1
    if gained + lost <= 12:
        tosses = list(product((0, 1), repeat=gained + lost))
        assert chance == pytest.approx(sum(sum(one) >= gained for one in tosses) / len(tosses))
    assert training.by_chance(gained + 1, lost) < chance or chance == 1


def test_a_fifth_is_held_out_the_same_each_time() -> None:
    some = [ids.new_id() for _ in range(5_000)]
    share = sum(map(training.held_out, some)) / len(some)
    assert 0.17 < share < 0.23
    assert [training.held_out(one) for one in some] == [training.held_out(UUID(str(one))) for one in some]


def test_a_version_that_changes_what_nobody_objected_to_is_refused() -> None:
    trial = training.Trial(40, 38, 20, 18, 0, 0.9, 0.5, let_stand=100, changed=11)
    assert not trial.better
    assert "changes 11 of 100 findings that nobody objected to" in trial.because
    assert training.Trial(40, 38, 20, 18, 0, 0.9, 0.5, let_stand=100, changed=10).better
    assert not training.Trial(40, 21, 20, 2, 1, 0.5, 0.5, let_stand=0, changed=0).better

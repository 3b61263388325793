"""What the pipeline finds in real texts is what the API's document and the GraphQL schema say that it can find: no field more."""

import gzip
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from graphql import GraphQLObjectType
from jsonschema import Draft202012Validator

from services.api.graphql.schema import schema as graphql_schema
from services.api.rest import openapi
from services.triage import pipeline
from services.triage.analyse import analyse, issue_type
from services.triage.library import Library
from services.triage.stage import Assessment, BrandBrief, Briefing, QueryBrief, stage
from shared.models import taxonomy
from shared.models.findings import FINDINGS
from tests.triage.building import a_briefing, a_mention

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
SETS = {"airline_dev": 250, "sentiment_tweets_train": 100, "pii_dev": 100, "spam_sms_dev": 60, "language_dev": 60}
AT = "2026-11-20T09:00:00Z"
ANGRY = "United lost my Clubcard and my suitcase with it, nobody answers the phone and I am done with you, bye"
WRITTEN: tuple[dict[str, Any], ...] = (
    {"text": f"{ANGRY} 1", "author": {"external_id": "a"}, "channel_type": "push"},
    {"text": f"{ANGRY} 2", "author": {"external_id": "b"}, "channel_type": "mastodon"},
    {"text": f"{ANGRY} 1", "author": {"external_id": "c"}, "channel_type": "reddit"},
    {"text": f"RT @ann: {ANGRY} 1", "author": {"external_id": "d"}},
    {"text": "Great crew, thank you!", "title": "Lost luggage", "kind": "review", "rating": 1, "author": {"external_id": "e"}},
    {"text": "United: we are hiring, WORK FROM HOME! Apply: https://jobs.example/1 #jobs #hiring", "author": {"external_id": "f"}},
    {"text": "United: WIN a FREE iPhone!!! Click https://bit.ly/x now, limited offer, dm for crypto", "author": {"external_id": "g"}},
    {"text": "Klopt het dat Jan de Vries, 06 12345678, Dorpsstraat 12 in 1234 AB Utrecht, bij United werkt?"},
    {"text": "🔥"}, {"text": ""}, {"text": "12345"},
)  # fmt: skip


def strict(shape: Any) -> Any:
    """The schema with nothing allowed that it does not name."""
    if isinstance(shape, list):
        return [strict(one) for one in shape]
    if not isinstance(shape, dict):
        return shape
    closed = {name: strict(one) for name, one in shape.items()}
    return {**closed, "additionalProperties": False} if "properties" in closed else closed


@pytest.fixture(scope="module")
def published() -> Draft202012Validator:
    return Draft202012Validator(strict(openapi.document("1")["components"]["schemas"]["Findings"]))


@pytest.fixture(scope="module")
def airline() -> Briefing:
    issue_types = tuple(map(issue_type, taxonomy.load("airline")))
    brand = BrandBrief(
        "b1", "United", ("jetblue",), ("@united", "@jetblue", "@southwestair", "@americanair"), ("Clubcard",)
    )
    return Briefing(
        "w", "1", brands=(brand,), queries=(QueryBrief("q1", "delays", "delayed OR luggage"),), issue_types=issue_types
    )


def lines() -> Iterator[str]:
    for name, count in SETS.items():
        with gzip.open(DATA / f"{name}.jsonl.gz", "rt") as rows:
            for row, _ in zip(rows, range(count), strict=False):
                yield json.dumps({"text": json.loads(row)["text"], "published_at": AT})


def wrong(published: Draft202012Validator, findings: Mapping[str, Any]) -> list[str]:
    return [f"{'/'.join(map(str, error.path))}: {error.message}" for error in published.iter_errors(findings)]


def fields_of(findings: Mapping[str, Any]) -> set[tuple[str, str]]:
    return {
        (name, field)
        for name, found in findings.items()
        for one in (found if isinstance(found, list) else [found] if found else [])
        for field in one
    }


def test_every_finding_of_what_is_written_here_is_published(
    library: Library, published: Draft202012Validator, airline: Briefing
) -> None:
    said = [json.dumps({"published_at": AT, **one}) for one in WRITTEN]
    for row in analyse(said, airline, library):
        assert not wrong(published, row["findings"]), row["text"]


def test_every_finding_of_real_texts_is_published_and_all_that_is_published_is_found(
    library: Library, published: Draft202012Validator, airline: Briefing
) -> None:
    if not DATA.exists():
        pytest.skip(f"the real texts are not at hand: {DATA} is not there")
    found = set[tuple[str, str]]()
    written = [json.dumps({"published_at": AT, **one}) for one in WRITTEN]
    said = [*written, *lines(), *written]
    for row in analyse(said, airline, library):
        assert not wrong(published, row["findings"]), row["text"]
        found |= fields_of(row["findings"])
    declared = {
        (name, field) for name, shape in FINDINGS.items() for field in (*shape.own, "value") if name != "failed"
    }
    never = sorted(declared - found)
    assert not never, "published, and no text has it"


def test_a_stage_that_fails_is_published_too(library: Library, published: Draft202012Validator) -> None:
    @stage(adds=("spam",), version="1")
    def breaks(batch: Any, briefing: Briefing) -> Any:
        raise RuntimeError("broken")

    told: list[Assessment] = [a_mention("no internet", owned=True)]
    (one,) = pipeline.run(told, a_briefing().with_models(library), pipeline=(breaks,)).assessments
    findings = one.findings_json()
    assert findings["failed"]
    assert not wrong(published, findings)


def test_a_field_that_is_not_published_is_seen(published: Draft202012Validator) -> None:
    known = {"value": "en", "confidence": 0.9, "why": "w", "decided_by": "language", "version": "2"}
    assert not wrong(published, {"language": known})
    assert wrong(published, {"language": {**known, "extra": 1}})
    assert wrong(published, {"mood": known})
    assert wrong(published, {"sentiment": {**known, "value": "negative", "score": 3}})


def test_graphql_names_every_finding_and_its_fields() -> None:
    mention = graphql_schema().type_map["Mention"]
    assert isinstance(mention, GraphQLObjectType)
    told = mention.fields["findings"].description or ""
    for name, shape in FINDINGS.items():
        assert name in told
        assert all(field in told for field in shape.own)

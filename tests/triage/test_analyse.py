"""The pipeline without a database: order kept, errors said, copies linked across batches, a workspace from a file."""

import json
from pathlib import Path

import pytest

from services.triage.analyse import BATCH, FEW, WorkspaceFileError, analyse, read_workspace
from services.triage.library import Library

AT = "2026-11-20T09:00:00Z"
COPY = "The internet in our street has been gone since this morning and nobody answers"


def test_order_is_kept_and_bad_lines_are_said(library: Library) -> None:
    lines: list[str | bytes] = [f'{{"external_id": "m{n}", "text": "no internet {n}"}}' for n in range(BATCH + 5)]
    lines[3] = "{not json"
    lines[4] = '{"text": 5}'
    lines[5] = b'{"text": "zonder nummer"}'
    lines[6] = '{"text": "x", "published_at": "2026-11-22T09:00:00"}'
    lines.insert(7, "\n")
    rows = list(analyse(lines, library=library))
    assert [row["id"] for row in rows] == [
        "m0",
        "m1",
        "m2",
        "4",
        "5",
        "6",
        "7",
        *[f"m{n}" for n in range(7, BATCH + 5)],
    ]
    assert "not JSON" in rows[3]["error"]
    assert "`text`" in rows[4]["error"]
    assert "zone" in rows[6]["error"]
    assert rows[0].keys() == {"id", "external_id", "text", "disposition", "dismissed", "findings"}
    assert rows[2]["text"] == "no internet 2"
    assert all(row["findings"]["relevance"] is None for row in rows if "error" not in row)
    assert json.loads(json.dumps(rows)) == rows


def test_a_line_comes_back_as_it_was_with_what_was_found(library: Library) -> None:
    line = {"id": 17, "text": "no internet", "lang": "en", "label": ["anything", {"of": "yours"}]}
    (row,) = analyse([json.dumps(line)], library=library)
    assert {name: row[name] for name in line} == line
    assert row["findings"]["language"]["value"] == "en"


def test_several_processes_give_the_same_in_the_same_order(library: Library) -> None:
    said = [f"no internet since {n} o'clock, said Ann of Acme in Utrecht" for n in range(3)] + ["geen internet"]
    lines = [
        json.dumps({"external_id": f"m{n}", "text": f"{said[n % 4]} ({n})", "published_at": AT})
        for n in range(FEW * BATCH + 3)
    ]
    lines[100] = "{not json"
    lines[-1] = json.dumps(
        {"external_id": "copy", "text": f"{said[0]} (0)!", "author": {"external_id": "b"}, "published_at": AT}
    )
    many = list(analyse(lines, models={}, processes=2))
    assert [row["id"] for row in many[98:103]] == ["m98", "m99", "101", "m101", "m102"]
    assert many[-1]["findings"]["duplicate"]["value"] == "m0"
    one = list(analyse(lines, library=library))
    assert many == one


def test_copies_are_linked_by_the_callers_ids_across_batches(library: Library) -> None:
    others = [json.dumps({"text": f"something else entirely number {n}"}) for n in range(BATCH)]
    lines = [json.dumps({"external_id": "first", "text": COPY, "author": {"external_id": "a"}}), *others]
    lines.append(json.dumps({"external_id": "second", "text": COPY + "!", "author": {"external_id": "b"}}))
    last = list(analyse(lines, library=library))[-1]
    assert last["findings"]["duplicate"]["value"] == "first"
    assert last["findings"]["duplicate"]["kind"] == "exact"


def test_a_workspace_from_a_file(library: Library, tmp_path: Path) -> None:
    file = tmp_path / "workspace.yaml"
    file.write_text(
        """
brand: {name: Northwind, aliases: [nw mobile], handles: ["@northwind"], product_lines: [WindPhone]}
queries: [{name: outage, text: internet AND storing}, roaming]
sector: telecom
issue_types:
  - {key: store, name: {en: Store, nl: Winkel}, severity: 2, phrases: {en: [store .. closed], nl: [winkel .. dicht]}}
languages: [en, nl]
""",
        encoding="utf-8",
    )
    texts = [
        "@northwind your store is closed again",
        "Storing in het internet hier",
        "a walk in the park",
        "nw mobile!",
    ]
    lines = [json.dumps({"text": text, "published_at": "2026-11-22T09:00:00Z"}) for text in texts]
    rows = list(analyse(lines, read_workspace(file), library))
    assert [row["disposition"] for row in rows] == ["engage", "engage", "dismissed", "watch"]
    assert [found["value"] for found in rows[0]["findings"]["issues"]] == ["store"]
    assert rows[1]["findings"]["relevance"]["queries"] == ["1"]
    assert rows[2]["findings"]["relevance"]["value"] is False


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("brnd: X", "unknown parts brnd"),
        ("[1, 2]", "must be a mapping"),
        ("queries: ['(a']", "parenthesis"),
        ("sector: nothing", "no taxonomy"),
        ("brand: {handles: [a]}", "name"),
        (": :", "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(tmp_path: Path, content: str, sentence: str) -> None:
    file = tmp_path / "workspace.yaml"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(WorkspaceFileError, match=sentence):
        read_workspace(file)

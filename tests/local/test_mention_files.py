"""Files of mentions: what people have on their disks is read, and what cannot be read is named by its line."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from services.local import mention_files
from services.local.mention_files import MentionFile, Unreadable
from services.local.trouble import LocalTrouble


def contents(path: Path) -> list[Any]:
    return [item.content for item in MentionFile(path).items()]


def test_json_lines_plain_and_gzipped_are_the_same(tmp_path: Path) -> None:
    lines = [{"external_id": str(n), "text": f"kapot {n} \u2028 ü"} for n in range(3)]
    plain = "\n".join(json.dumps(line, ensure_ascii=False) for line in lines).encode()
    (tmp_path / "a.jsonl").write_bytes(b"\xef\xbb\xbf" + plain + b"\n\n")
    # packed by its content, whatever the name says
    (tmp_path / "b.jsonl").write_bytes(gzip.compress(plain))
    assert contents(tmp_path / "a.jsonl") == contents(tmp_path / "b.jsonl") == lines


def test_a_bad_line_is_named_and_its_neighbours_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "one"}\n{"text": \n[1]\n\n{"text": "two"}\n' + "[" * 100_000 + "\n")
    found = [(item.line, item.content) for item in MentionFile(tmp_path / "a.jsonl").items()]
    assert found == [
        (1, {"text": "one"}),
        (2, Unreadable("is not JSON")),
        (3, Unreadable("is not a JSON object")),
        (5, {"text": "two"}),
        (6, Unreadable("is not JSON")),
    ]


def test_an_endless_line_is_skipped_without_being_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mention_files, "LONGEST_LINE", 1_000)
    (tmp_path / "a.jsonl").write_text('{"text": "' + "x" * 5_000 + '"}\n{"text": "after"}\n')
    first, second = contents(tmp_path / "a.jsonl")
    assert isinstance(first, Unreadable)
    assert second == {"text": "after"}


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_csv_goes_a_level_down_at_a_dot_and_an_empty_cell_says_nothing(tmp_path: Path, delimiter: str) -> None:
    rows = [
        ["external_id", "text", "author.handle", "author.followers", "rating"],
        ["1", f'"two{delimiter}\nlines and ""quotes"""', "jan", "12", ""],
        ["2", "kort", "", "", "4"],
    ]
    (tmp_path / "a.csv").write_text("\ufeff" + "\r\n".join(delimiter.join(row) for row in rows), encoding="utf-8")
    assert contents(tmp_path / "a.csv") == [
        {
            "external_id": "1",
            "text": f'two{delimiter}\nlines and "quotes"',
            "author": {"handle": "jan", "followers": "12"},
        },
        {"external_id": "2", "text": "kort", "rating": "4"},
    ]


def test_a_row_with_too_many_cells_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"external_id,text\n1,a,b\n2,ok\n"))
    assert contents(tmp_path / "a.csv.gz") == [
        Unreadable("has 3 cells, and there are 2 columns"),
        {"external_id": "2", "text": "ok"},
    ]


def test_a_cut_off_gzip_is_a_sentence_after_what_could_be_read(tmp_path: Path) -> None:
    whole = gzip.compress(b"".join(b'{"text": "%d"}\n' % n for n in range(50_000)))
    (tmp_path / "a.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    read: list[object] = []
    with pytest.raises(LocalTrouble, match="damaged gzip file"):
        read.extend(item.content for item in MentionFile(tmp_path / "a.jsonl.gz").items())
    items = MentionFile(tmp_path / "a.jsonl.gz").items()
    assert next(items).content == {"text": "0"}


def test_the_position_runs_to_the_files_size(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "x"}\n' * 5_000)
    file = MentionFile(tmp_path / "a.jsonl")
    positions = [item.position for item in file.items()]
    assert positions == sorted(positions)
    assert positions[-1] == file.size


def test_a_file_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(LocalTrouble, match="cannot be read: No such file"):
        MentionFile(tmp_path / "none.jsonl")

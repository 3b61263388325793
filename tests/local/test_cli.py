"""The `webcare` command: quick to answer, each command explained with an example, troubles in sentences."""

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.main import get_command

from services.local.cli import app

ROOT = Path(__file__).resolve().parents[2]
HELP = """
import sys
from services.local.cli import app
try:
    app(["--help"])
except SystemExit:
    print("loaded:", *sys.modules)
"""
PROMISED = {
    "up", "down", "status", "doctor", "watch", "import", "analyse", "evaluate", "health", "migrate", "report",
    "api", "ingest", "ingest-worker", "triage", "api-worker", "workspace create", "workspace masking", "key create",
    "train refit", "train list", "train back", "train wanted", "train shipped",
    "channel add", "channel list", "channel show", "channel pause", "channel resume",
}  # fmt: skip


def webcare(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("WEBCARE_")}
    return subprocess.run(
        [sys.executable, "-m", "services.local", *arguments],
        capture_output=True, text=True, cwd=ROOT, env={**clean, **environment}, check=False, timeout=120,
    )  # fmt: skip


def commands() -> Iterator[tuple[str, typer.core.TyperCommand]]:
    def walk(name: str, command: object) -> Iterator[tuple[str, typer.core.TyperCommand]]:
        if isinstance(command, typer.core.TyperGroup):
            for part, inner in command.commands.items():
                yield from walk(f"{name} {part}".strip(), inner)
        elif isinstance(command, typer.core.TyperCommand) and not command.hidden:
            yield name, command

    yield from walk("", get_command(app))


def test_every_command_that_was_promised_is_there_and_no_other() -> None:
    assert {name for name, _ in commands()} == PROMISED


@pytest.mark.parametrize(("name", "command"), list(commands()))
def test_each_command_says_what_it_does_and_shows_an_example(name: str, command: typer.core.TyperCommand) -> None:
    words = command.help or ""
    assert words.split("\n")[0].endswith(".")
    assert f"webcare {name}" in words.split("Example:")[1]
    for parameter in command.params:
        assert isinstance(parameter, typer.core.TyperArgument | typer.core.TyperOption)
        assert parameter.help, f"{name}: {parameter.name} is not explained"


def test_help_answers_at_once_because_it_imports_nothing_heavy() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", HELP],
        capture_output=True, text=True, cwd=ROOT, check=True,
    ).stdout  # fmt: skip
    assert "Start all of webcare here" in loaded
    heavy = {"sqlalchemy", "fastapi", "spacy", "numpy", "strawberry", "pydantic", "asyncpg", "uvicorn"}
    assert not heavy & set(loaded.split("loaded:")[1].split())


def test_a_wrong_setting_is_a_sentence_and_no_traceback() -> None:
    answer = webcare("status", WEBCARE_API_PORT="eighty")
    assert answer.returncode == 2
    assert "WEBCARE_API_PORT is not right" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_trouble_is_a_sentence_and_no_traceback(tmp_path: Path) -> None:
    answer = webcare("analyse", str(tmp_path / "none.jsonl"), "-o", str(tmp_path / "out"))
    assert answer.returncode == 1
    assert answer.stderr == f"{tmp_path / 'none.jsonl'} cannot be read: No such file or directory.\n"


def test_where_nothing_runs_status_and_down_say_so(tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    status = webcare("status", WEBCARE_DATA_DIR=data)
    assert (status.returncode, "does not run" in status.stdout) == (3, True)
    down = webcare("down", WEBCARE_DATA_DIR=data)
    assert (down.returncode, "nothing to stop" in down.stdout) == (0, True)
    assert not (tmp_path / "data").exists()


def test_health_knows_its_five_processes(tmp_path: Path) -> None:
    unknown = webcare("health", "mailman")
    assert unknown.returncode == 2
    assert "api, ingest, ingest-worker, triage, api-worker" in unknown.stderr
    silent = webcare("health", "api", WEBCARE_API_PORT="1", WEBCARE_DATA_DIR=str(tmp_path))
    assert silent.returncode == 1
    assert "api does not answer at http://127.0.0.1:1" in silent.stdout


def test_doctor_names_a_database_without_a_secret_and_a_missing_model(tmp_path: Path) -> None:
    answer = webcare(
        "doctor",
        WEBCARE_DATA_DIR=str(tmp_path / "data"),
        WEBCARE_DATABASE_URL="postgresql://u@127.0.0.1:1/x",
        WEBCARE_VALKEY_URL="redis://127.0.0.1:1",
        WEBCARE_SPACY_MODEL_NL="no_such_model",
    )
    assert answer.returncode == 1
    assert "not well WEBCARE_SECRET_KEY is set" in answer.stdout
    assert "not well spaCy model for nl: no_such_model" in answer.stdout
    assert "ok       spaCy model for en" in answer.stdout
    assert "embedded" not in answer.stdout


class TestAnalyse:
    """The pipeline over a file. One run of the command serves all questions, since loading the models takes seconds."""

    @pytest.fixture(scope="class")
    def answer(self, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, Any]], str]:
        folder = tmp_path_factory.mktemp("analyse")
        lines = [
            json.dumps({"external_id": "a", "text": "@northwind no internet again since this morning, unacceptable!"}),
            "{not json",
            json.dumps({"external_id": "c", "text": "Lovely evening in the garden with tea and a good book."}),
        ]
        (folder / "in.jsonl.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
        (folder / "northwind.yaml").write_text('brand: {name: Northwind, handles: ["@northwind"]}\nsector: telecom\n')
        (folder / "out.jsonl").write_text("of an earlier run")
        answer = webcare(
            "analyse", str(folder / "in.jsonl.gz"), "-o", str(folder / "out.jsonl"),
            "--workspace", str(folder / "northwind.yaml"),
        )  # fmt: skip
        assert answer.returncode == 0, answer.stderr
        assert {path.name for path in folder.iterdir()} == {"in.jsonl.gz", "northwind.yaml", "out.jsonl"}
        return [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()], answer.stderr

    def test_a_line_comes_out_for_each_line_in_its_order(self, answer: tuple[list[dict[str, Any]], str]) -> None:
        rows, said = answer
        assert [row["id"] for row in rows] == ["a", "2", "c"]
        assert [row.get("disposition") for row in rows] == ["engage", None, "dismissed"]
        assert "not JSON" in rows[1]["error"]
        assert "2: This line is not JSON" in said
        assert "2 analysed, 1 not." in said

    def test_the_workspace_file_decides_what_is_found(self, answer: tuple[list[dict[str, Any]], str]) -> None:
        findings = answer[0][0]["findings"]
        assert findings["relevance"]["value"] is True
        assert "outage.internet" in {issue["value"] for issue in findings["issues"]}


@pytest.mark.parametrize("content", ["brand: [", "sector: shipping", "colour: blue"])
def test_a_workspace_file_that_is_not_right_is_a_sentence(tmp_path: Path, content: str) -> None:
    (tmp_path / "w.yaml").write_text(content)
    (tmp_path / "in.jsonl").write_text("{}")
    answer = webcare(
        "analyse",
        str(tmp_path / "in.jsonl"),
        "-o",
        str(tmp_path / "out.jsonl"),
        "--workspace",
        str(tmp_path / "w.yaml"),
    )
    assert answer.returncode == 1
    assert answer.stderr.startswith(str(tmp_path / "w.yaml"))
    assert "Traceback" not in answer.stderr
    assert not (tmp_path / "out.jsonl").exists()


def test_an_output_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text("")
    answer = webcare("analyse", str(tmp_path / "in.jsonl"), "-o", str(tmp_path / "none" / "out.jsonl"))
    assert (answer.returncode, "cannot be written" in answer.stderr) == (1, True)

"""What a fresh machine installs: locks that are pinned, hashed and free of addresses; and what `make` can do."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.conftest import LONGEST

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("runtime", "dev")


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def named(file: str) -> set[str]:
    lines = (ROOT / "requirements" / file).read_text(encoding="utf-8").splitlines()
    return {normal(found.group()) for line in lines if (found := re.match(r"[A-Za-z0-9][\w.-]*", line))}


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_pins_and_hashes_all_and_holds_no_address(lock: str) -> None:
    text = (ROOT / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")
    assert not re.search(r"https?://|file:|--(extra-)?index-url|--find-links|^-f ", text, re.MULTILINE)
    pins = re.findall(r"^([^\s#][^\n]*?) \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", text, re.MULTILINE)
    packages = re.findall(r"^[a-z0-9]\S*", text, re.MULTILINE)
    assert len(pins) == len(packages) > 50
    assert all("==" in pin for pin, _ in pins)


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_all_that_its_list_names(lock: str) -> None:
    assert named(f"{lock}.in") <= named(f"{lock}.txt")
    assert named("runtime.txt") <= named("dev.txt")


def test_the_packages_with_borrowed_files_bring_nothing_else_along() -> None:
    assert not {"django", "graphene", "graphene-django"} & named("dev.txt")


def test_the_project_names_its_packages_once() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["tool"]["setuptools"]["dynamic"]["dependencies"] == {"file": ["requirements/runtime.in"]}
    assert project["project"]["scripts"]["webcare"] == "services.local.cli:main"


def test_make_alone_lists_every_command() -> None:
    answer = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    listed = set(re.findall(r"^  ([a-z]+) ", answer, re.MULTILINE))
    assert listed == targets
    assert {"help", "up", "test", "check", "bench", "chaos", "laws", "migration", "docs"} <= listed


def test_without_a_python_or_its_venv_module_make_says_what_to_install(tmp_path: Path) -> None:
    for name in ("Makefile", "pyproject.toml"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / "requirements").symlink_to(ROOT / "requirements")

    def make(python: str) -> str:
        answer = subprocess.run(
            ["make", "up", f"PYTHON={python}"], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert answer.returncode != 0
        return answer.stdout

    assert "No Python 3.11 or newer was found" in make("")
    crippled = tmp_path / "python"
    crippled.write_text("#!/bin/sh\nexit 1\n")
    crippled.chmod(0o755)
    assert "sudo apt install python3-venv" in make(str(crippled))
    assert not (tmp_path / ".venv").exists()


def test_the_files_that_begin_first_are_there() -> None:
    assert [file for file in LONGEST if not (ROOT / "tests" / file).is_file()] == []


def test_ci_runs_what_a_developer_runs() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    stages = dict(re.findall(r'^  "([\w-]+) (\d+)"$', script, re.MULTILINE))
    assert next(iter(stages)) == "test"
    assert {"interop", "interop-bluesky", "chaos", "laws"} <= set(stages)
    assert sum(map(int, stages.values())) <= 90, "the whole of it has an end"
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    assert "bash .ci/run" in workflow

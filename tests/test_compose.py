"""The image and the compose file, as far as they can be checked without an engine: by the specification, and by the code."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from importlib.resources import files
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import typer.core
import typer.main
import yaml

from services.local.cli import app
from services.local.processes import PROCESSES
from shared.kit.settings import Settings, environment_name

ROOT = Path(__file__).resolve().parents[1]
WRITTEN = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
GIVEN = {"POSTGRES_PASSWORD": "pa55word", "WEBCARE_SECRET_KEY": "s" * 40}
SERVERS = ("postgres", "valkey")
OURS = (*PROCESSES, "migrate")

_VARIABLE = re.compile(r"\$\{(?P<name>[A-Z0-9_]+)(?:(?P<sign>:[-?])(?P<rest>[^}]*))?\}")


class Missing(Exception):
    """A variable that must be given was not."""


def interpolated(value: Any, given: Mapping[str, str]) -> Any:
    """The value as compose makes it: `${NAME}`, `${NAME:-default}` and `${NAME:?sentence}` replaced."""
    if isinstance(value, dict):
        return {name: interpolated(inner, given) for name, inner in value.items()}
    if isinstance(value, list):
        return [interpolated(inner, given) for inner in value]
    if not isinstance(value, str):
        return value

    def replace(found: re.Match[str]) -> str:
        known = given.get(found["name"], "")
        if found["sign"] == ":?" and not known:
            raise Missing(found["rest"])
        return known or (found["rest"] if found["sign"] == ":-" else "")

    return _VARIABLE.sub(replace, value)


def composed(**given: str) -> dict[str, Any]:
    found: dict[str, Any] = interpolated(yaml.safe_load(WRITTEN), {**GIVEN, **given})
    return found


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = composed()["services"]
    return found


def test_it_keeps_to_the_compose_specification() -> None:
    schemas = files("check_jsonschema") / "builtin_schemas" / "vendor"
    schema = json.loads((schemas / "compose-spec.json").read_text(encoding="utf-8"))
    for given in ({}, {"API_PORT": "9000", "IMAGE_TAG": "1.2.3", "WEBCARE_TRIAGE_PROCESSES": "4"}):
        jsonschema.Draft202012Validator(schema).validate(composed(**given))
    wrong = composed()
    wrong["services"]["api"]["portz"] = []
    assert not jsonschema.Draft202012Validator(schema).is_valid(wrong)


def test_what_must_be_given_is_asked_for_in_a_sentence() -> None:
    asked = {found["name"]: found["rest"] for found in _VARIABLE.finditer(WRITTEN) if found["sign"] == ":?"}
    assert set(asked) == set(GIVEN)
    for name, sentence in asked.items():
        assert sentence.startswith(f"Set {name} to ")
        with pytest.raises(Missing):
            composed(**{name: ""})
    unasked = {found["name"] for found in _VARIABLE.finditer(WRITTEN) if found["sign"] is None}
    assert not unasked, "a variable without a default or a sentence would be empty without a word"


def test_there_is_a_service_for_each_process_and_no_other(services: dict[str, Any]) -> None:
    assert set(services) == {*OURS, *SERVERS}


@pytest.mark.parametrize("name", OURS)
def test_a_command_is_one_that_webcare_has(name: str, services: dict[str, Any]) -> None:
    command = services[name]["command"]
    known = typer.main.get_command(app)
    assert isinstance(known, typer.core.TyperGroup)
    assert command == [name]
    known.commands[command[0]].make_context(command[0], command[1:])


@pytest.mark.parametrize("name", PROCESSES)
def test_a_process_is_asked_after_its_own_health(name: str, services: dict[str, Any]) -> None:
    assert services[name]["healthcheck"]["test"] == ["CMD", "webcare", "health", name]


def test_the_servers_are_the_versions_that_are_needed_and_say_when_they_are_ready(services: dict[str, Any]) -> None:
    assert services["postgres"]["image"] == "postgres:18"
    assert services["valkey"]["image"] == "valkey/valkey:9"
    assert services["postgres"]["healthcheck"]["test"][:2] == ["CMD", "pg_isready"]
    assert services["valkey"]["healthcheck"]["test"] == ["CMD", "valkey-cli", "ping"]
    assert services["postgres"]["volumes"] == ["postgres:/var/lib/postgresql"]


@pytest.mark.parametrize("name", PROCESSES)
def test_a_process_starts_after_its_servers_and_today_s_tables(name: str, services: dict[str, Any]) -> None:
    assert services[name]["depends_on"] == {
        "postgres": {"condition": "service_healthy"},
        "valkey": {"condition": "service_healthy"},
        "migrate": {"condition": "service_completed_successfully"},
    }


def test_migrate_runs_once_and_waits_for_postgres(services: dict[str, Any]) -> None:
    assert services["migrate"]["restart"] == "no"
    assert "migrate" not in services["migrate"]["depends_on"]
    assert services["migrate"]["depends_on"]["postgres"] == {"condition": "service_healthy"}


def test_only_the_two_doors_are_published_and_on_this_machine_only(services: dict[str, Any]) -> None:
    published = {name: service["ports"] for name, service in services.items() if service.get("ports")}
    assert set(published) == {name for name, process in PROCESSES.items() if process.port}
    settings = Settings.model_construct()
    for name, ports in published.items():
        (port,) = ports
        address, outside, inside = port.split(":")
        assert ip_address(address).is_loopback
        assert int(outside) == int(inside) == PROCESSES[name].port_of(settings)
        assert re.search(rf"^EXPOSE\b.*\b{inside}\b", DOCKERFILE, re.MULTILINE)


def test_who_needs_the_world_reaches_it_and_nobody_else(services: dict[str, Any]) -> None:
    assert composed()["networks"]["inside"] == {"internal": True}
    outside = {name for name, service in services.items() if "outside" in service["networks"]}
    assert outside == {"api", "ingest", "ingest-worker", "api-worker"}
    assert all("inside" in service["networks"] for service in services.values())


@pytest.mark.parametrize("name", [*OURS, *SERVERS])
def test_a_container_may_do_as_little_as_it_can(name: str, services: dict[str, Any]) -> None:
    service = services[name]
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert not service.get("privileged")
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True
    assert "/tmp" in service["tmpfs"]
    assert service["init"] is True
    assert service["user"].split(":")[0] not in ("root", "0")
    assert service["deploy"]["resources"]["limits"]["memory"]
    if name != "migrate":
        assert service["restart"] == "unless-stopped"


def test_every_setting_is_one_that_the_code_knows() -> None:
    known = {environment_name(name) for name in Settings.model_fields}
    named = set(re.findall(r"WEBCARE_[A-Z_]+", WRITTEN)) | set(re.findall(r"WEBCARE_[A-Z_]+", DOCKERFILE))
    assert named <= known
    for name in OURS:
        assert set(composed()["services"][name]["environment"]) <= known


def test_the_settings_are_ones_that_a_process_starts_with(
    services: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    in_image = dict(re.findall(r"(WEBCARE_[A-Z_]+)=(\S+)", DOCKERFILE))
    for name, value in {**in_image, **services["triage"]["environment"]}.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.database_url == "postgresql://webcare:pa55word@postgres:5432/webcare"
    assert settings.valkey_url == "redis://valkey:6379/0"
    assert settings.host == "0.0.0.0"
    assert settings.triage_processes == 1
    assert settings.api_url == "http://127.0.0.1:8000", "the health check asks inside the container"


def test_only_migrate_is_given_the_admin_key(services: dict[str, Any]) -> None:
    given = {name for name in OURS if "WEBCARE_ADMIN_KEY" in services[name]["environment"]}
    assert given == {"migrate"}


def test_what_channels_keep_is_shared_by_the_two_that_open_channels(services: dict[str, Any]) -> None:
    folder = re.search(r"WEBCARE_DATA_DIR=(\S+)", DOCKERFILE)
    assert folder
    for name in ("ingest", "ingest-worker"):
        assert services[name]["volumes"] == [f"channels:{folder[1]}"]
    assert folder[1] in services["migrate"]["tmpfs"], "it notes there which tables it made"


def test_no_secret_stands_in_the_files() -> None:
    for name in ("POSTGRES_PASSWORD", "WEBCARE_SECRET_KEY", "WEBCARE_ADMIN_KEY"):
        for found in re.finditer(rf"^\s*{name}:\s*\"?(.+)$", WRITTEN, re.MULTILINE):
            assert found[1].startswith("${"), found[0]
        assert f"{name}=" not in DOCKERFILE


def test_the_image_is_made_from_the_hashed_locks_and_does_not_run_as_root() -> None:
    assert "pip install --require-hashes --no-deps -r requirements/runtime.txt" in DOCKERFILE
    last = DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.search(r"^USER 10001:10001$", last, re.MULTILINE)
    assert re.search(r'^ENTRYPOINT \["webcare"\]$', last, re.MULTILINE)
    tested = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    version = re.search(r"^ARG PYTHON=(\S+)$", DOCKERFILE, re.MULTILINE)
    assert version
    assert f'"{version[1]}"' in tested, "the image has a Python that is tested"


def test_what_the_image_is_made_of_reaches_the_builder() -> None:
    ignore = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    let_in = {line[1:] for line in ignore if line.startswith("!")}
    copied = set[str]()
    for sources in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE):
        copied |= set(sources.split())
    assert copied == let_in
    assert "*" in ignore
    assert all((ROOT / name).exists() for name in copied)


def test_the_installed_image_has_every_file_that_the_code_reads(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    ours = [
        file.relative_to(ROOT)
        for room in ("services", "shared", "migrations")
        for file in (ROOT / room).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    ]
    besides = [Path(name) for name in ("pyproject.toml", "README.md", "LICENSE", "requirements/runtime.in")]
    for name in (*ours, *besides):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((ROOT / name).read_bytes())
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-compile",
         "--target", target, source],
        check=True, capture_output=True, timeout=100,
    )  # fmt: skip
    assert len(ours) > 100
    assert [str(name) for name in ours if not (target / name).exists()] == []

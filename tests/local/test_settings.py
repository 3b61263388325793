"""Settings come from the environment, are checked, and are explained in one place."""

import os
from ipaddress import ip_network

import pytest
from pydantic import ValidationError

from services.local import reference
from shared.kit.settings import Settings, environment_name, explain


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("WEBCARE_"):
            monkeypatch.delenv(name)


def test_without_an_environment_everything_has_a_default() -> None:
    settings = Settings()
    assert (settings.database_url, settings.valkey_url) == ("", "")
    assert (settings.api_url, settings.ingest_url) == ("http://127.0.0.1:8000", "http://127.0.0.1:8001")
    assert settings.allowed_networks == ()


def test_the_environment_sets_and_an_empty_variable_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBCARE_API_PORT", "8010")
    monkeypatch.setenv("WEBCARE_INGEST_PORT", "")
    monkeypatch.setenv("WEBCARE_ADMIN_KEY", "")
    monkeypatch.setenv("WEBCARE_ALLOWED_NETWORKS", "127.0.0.0/8, fd00::/8,")
    monkeypatch.setenv("WEBCARE_CORS_ORIGINS", "https://a.example,https://b.example")
    settings = Settings()
    assert (settings.api_port, settings.ingest_port) == (8010, 8001)
    assert settings.admin_key.get_secret_value() == ""
    assert settings.allowed_networks == (ip_network("127.0.0.0/8"), ip_network("fd00::/8"))
    assert settings.cors_origins == ("https://a.example", "https://b.example")


def test_a_model_for_one_language_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBCARE_SPACY_MODEL_NL", "/models/nl")
    assert Settings().spacy_models == {"en": "webcare", "nl": "/models/nl"}


def test_links_use_the_public_address_and_else_one_that_can_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBCARE_HOST", "0.0.0.0")
    assert Settings().base_url == "http://127.0.0.1:8000"
    monkeypatch.setenv("WEBCARE_PUBLIC_URL", "https://care.example.com/")
    assert Settings().base_url == "https://care.example.com"


def test_hooks_stand_at_the_public_address_of_ingest_else_at_that_of_the_api(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().hooks_url == ""
    monkeypatch.setenv("WEBCARE_PUBLIC_URL", "https://care.example.com")
    assert Settings().hooks_url == "https://care.example.com/v1/hooks/"
    monkeypatch.setenv("WEBCARE_INGEST_PUBLIC_URL", "https://in.example.com/")
    assert Settings().hooks_url == "https://in.example.com/v1/hooks/"


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("WEBCARE_SECRET_KEY", "short-secret", "has 12 characters; give it 32 or more"),
        ("WEBCARE_ALLOWED_NETWORKS", "localhost", "write it as 127.0.0.0/8"),
        ("WEBCARE_API_PORT", "99999", "less than or equal to 65535"),
        ("WEBCARE_PUBLIC_URL", "care.example.com", "starts with http:// or https://"),
        ("WEBCARE_INGEST_PUBLIC_URL", "in.example.com", "starts with http:// or https://"),
        ("WEBCARE_LOG_LEVEL", "chatty", "'debug', 'info', 'warning' or 'error'"),
    ],
)
def test_what_is_wrong_is_said_by_the_variables_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError) as raised:
        Settings()
    words = explain(raised.value)
    assert words.startswith(f"{name} is not right: ")
    assert sentence in words
    if "SECRET" in name:
        assert value not in words


def test_secrets_do_not_show_in_what_is_printed() -> None:
    settings = Settings.model_validate({"secret_key": "very-secret" * 4, "admin_key": "also-secret" * 4})
    assert "very-secret" not in repr(settings)
    assert "also-secret" not in str(settings)


def test_every_setting_is_explained_on_the_page_that_is_committed() -> None:
    page = (reference.ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert page == reference.settings_page(), "run `make docs`"
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert f"`{environment_name(name)}`" in page

"""`make docs`: writes the pages that are made from the code. A test holds what is committed to what this writes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import get_args

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from shared.kit.settings import Settings, environment_name

ROOT = Path(__file__).resolve().parents[2]


def settings_page() -> str:
    """docs/settings.md: every setting with its default and what it does."""
    rows = [
        f"| `{environment_name(name)}` | {_default(field)} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    return "\n".join(
        [
            "# Settings",
            "",
            "Every setting is an environment variable. None is needed by `make up`; servers of your own need the first",
            "two and `WEBCARE_SECRET_KEY`. An empty variable counts as unset.",
            "",
            "Made from `shared/kit/settings.py` by `make docs`.",
            "",
            "| setting | default | what it does |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )


def openapi_document() -> str:
    """docs/api/openapi.json: the REST door."""
    from services.api.app import create_app
    from services.api.rest import openapi

    return openapi.written(create_app(Settings()).version).decode()


def graphql_schema() -> str:
    """docs/api/schema.graphql: the GraphQL door."""
    from services.api.graphql.schema import sdl

    return sdl()


PAGES: Mapping[str, Callable[[], str]] = {
    "docs/settings.md": settings_page,
    "docs/api/openapi.json": openapi_document,
    "docs/api/schema.graphql": graphql_schema,
}
"""Each page by its path from the project's root, with what makes it."""


def main() -> int:
    """Writes the pages that changed and names them."""
    for path, make in PAGES.items():
        file, text = ROOT / path, make()
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
            sys.stdout.write(f"{path} is written\n")
    return 0


def _default(field: FieldInfo) -> str:
    value = field.default
    if isinstance(value, SecretStr) or value in ("", ()):
        return "unset"
    if isinstance(value, dict):
        return ", ".join(f"`{key}`: `{each}`" for key, each in value.items())
    choices = f" of {', '.join(f'`{choice}`' for choice in get_args(field.annotation))}" if _is_choice(field) else ""
    return f"`{value}`{choices}"


def _is_choice(field: FieldInfo) -> bool:
    return bool(get_args(field.annotation)) and all(isinstance(each, str) for each in get_args(field.annotation))


if __name__ == "__main__":
    sys.exit(main())

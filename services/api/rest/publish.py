"""Writes the OpenAPI document to docs/api: `python -m services.api.rest.publish`. A test holds the file to the running code."""

from pathlib import Path

from services.api.app import create_app
from services.api.rest import openapi
from shared.kit.settings import Settings

TARGET = Path(__file__).parents[3] / "docs" / "api" / "openapi.json"


def main() -> None:
    """Writes the file."""
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_bytes(openapi.written(create_app(Settings()).version))


if __name__ == "__main__":
    main()

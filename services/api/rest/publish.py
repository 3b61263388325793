"""Writes the OpenAPI document to docs/api: `python -m services.api.rest.publish`. A test holds the file to the running code."""

from pathlib import Path

from services.api.desk.events import API_VERSION
from services.api.rest import openapi, routes

TARGET = Path(__file__).parents[3] / "docs" / "api" / "openapi.json"


def main() -> None:
    """Writes the file."""
    assert routes.ROUTES  # importing them declared every operation
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_bytes(openapi.written(API_VERSION))


if __name__ == "__main__":
    main()

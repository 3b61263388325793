"""Writes the schema to docs/api: `python -m services.api.graphql.publish`. A test holds the file to the running code."""

from pathlib import Path

from services.api.graphql.schema import sdl

TARGET = Path(__file__).parents[3] / "docs" / "api" / "schema.graphql"


def main() -> None:
    """Writes the file."""
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(sdl(), encoding="utf-8")


if __name__ == "__main__":
    main()

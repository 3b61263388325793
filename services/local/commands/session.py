"""What every command does first: read the settings, or end with a sentence about what is wrong with them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from shared.kit.settings import Settings


def settings_or_exit() -> Settings:
    """The settings of the environment."""
    from pydantic import ValidationError

    from shared.kit.settings import Settings, explain

    try:
        return Settings()
    except ValidationError as error:
        typer.echo(explain(error), err=True)
        raise typer.Exit(2) from None


def tell(words: str) -> None:
    """A line for the person at the terminal, beside whatever goes to standard output."""
    sys.stderr.write(f"{words}\n")
    sys.stderr.flush()

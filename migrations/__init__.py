"""The schema's history. `upgrade(url)` brings a database to the present; `head()` names what that is."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory


def _config(database_url: str = "") -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["database_url"] = database_url
    return config


def upgrade(database_url: str) -> None:
    """Applies what is missing, each migration in its own transaction. `database_url` is one whose role may create roles."""
    with ThreadPoolExecutor(1) as thread:  # alembic runs a loop of its own, which the caller's thread may have already
        thread.submit(command.upgrade, _config(database_url), "head").result()


def head() -> str:
    """The revision that this code needs."""
    return str(ScriptDirectory.from_config(_config()).get_current_head())


def new(message: str, database_url: str) -> None:
    """Writes a new migration from the difference between the models and a database at head."""
    command.revision(_config(database_url), message=message, autogenerate=True)

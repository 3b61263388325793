"""A hub of flask-websub, on loopback."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.interop.programs import free_port, listens, python_with, running

SCRIPT = Path(__file__).with_name("websub_hub.py")


def install_hub() -> Path:
    """The interpreter that has the hub's packages. Raises Failed."""
    return python_with("websub")


@contextmanager
def hub_server(folder: Path) -> Iterator[str]:
    """The address of a new hub that knows no subscriber."""
    port = free_port()
    with running([install_hub(), SCRIPT, str(port)], folder / "hub.log", ready=lambda: listens(port), cwd=folder):
        yield f"http://127.0.0.1:{port}"

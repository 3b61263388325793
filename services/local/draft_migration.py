"""`make migration NAME="…"`: drafts a migration from the difference between the models and an up-to-date database.

The database is a fresh one of our own, so no data of anybody's is touched.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import migrations
from services.local.environment import resolved
from services.local.trouble import LocalTrouble
from shared.kit.settings import Settings


def main(message: str) -> int:
    """Drafts the migration; a person reads it before it is committed."""
    if not message.strip():
        sys.stderr.write('Say what it does: make migration NAME="add a colour to tags"\n')
        return 2
    with tempfile.TemporaryDirectory(prefix="webcare-migration-") as folder:
        Path(folder).chmod(0o755)  # an embedded Postgres of root's runs as another account
        with resolved(Settings(data_dir=Path(folder), database_url="", valkey_url="redis://none")) as settings:
            migrations.upgrade(settings.database_url)
            migrations.new(message.strip(), settings.database_url)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(" ".join(sys.argv[1:])))
    except LocalTrouble as trouble:
        sys.exit(str(trouble))

"""WordPress of Debian with MariaDB and PHP's own web server, on loopback, each in a folder of its own."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.interop.programs import CannotInstall, Failed, free_port, from_apt, listens, running, said_by

CODE = Path("/usr/share/wordpress")
CONFIG = Path("/etc/wordpress/config-127.0.0.1.php")
ADMIN = "admin"


@dataclass(frozen=True)
class RunningWordpress:
    """A running site, its administrator's application password, and what a visitor does there."""

    url: str
    password: str
    folder: Path

    def comment(self, text: str, *, parent: int = 0, author: str = "Klant") -> None:
        """Comments as a browser does: by the form below the first article."""
        told = {
            "comment": text,
            "author": author,
            "email": f"{author.lower()}@example.test",
            "url": "",
            "comment_post_ID": "1",
        }
        answer = httpx.post(
            f"{self.url}/wp-comments-post.php", data={**told, "comment_parent": str(parent)}, timeout=30
        )
        assert answer.status_code == 302, answer.text[:500]

    def run(self, php: str) -> str:
        """Runs PHP inside WordPress, as its own screens do."""
        return run_php(self.folder, php)


def run_php(folder: Path, php: str) -> str:
    """What a piece of PHP prints that has WordPress loaded."""
    script = folder / "run.php"
    head = f"<?php $_SERVER['HTTP_HOST']='127.0.0.1'; define('WP_USE_THEMES', false); require '{CODE}/wp-load.php';\n"
    script.write_text(head + php)
    return said_by("php", script, what="PHP").strip()


def install_wordpress() -> None:
    """Raises CannotInstall or Failed."""
    if os.geteuid() != 0:
        raise CannotInstall("WordPress of Debian is configured under /etc/wordpress, which only root may.")
    from_apt("php", "php-cli", "php-mysql", "php-xml", "php-mbstring", "php-curl", "php-gd")
    from_apt("mariadbd", "mariadb-server")
    from_apt("wordpress", "wordpress", has=(CODE / "wp-load.php").exists)


@contextmanager
def wordpress_site(folder: Path) -> Iterator[RunningWordpress]:
    """A new site with one article, that takes comments at once, in a folder that other users may enter."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    before = CONFIG.read_text() if CONFIG.exists() else None
    with _database(folder) as socket:
        CONFIG.write_text(
            "<?php\ndefine('DB_NAME','wordpress'); define('DB_USER','wp'); define('DB_PASSWORD','wp');\n"
            f"define('DB_HOST','localhost:{socket}');\n"
            "define('WP_CONTENT_DIR','/var/lib/wordpress/wp-content');\ndefine('WP_ENVIRONMENT_TYPE','local');\n"
            "define('WP_HTTP_BLOCK_EXTERNAL', true); define('DISABLE_WP_CRON', true); define('AUTOMATIC_UPDATER_DISABLED', true);\n"
            f"define('WP_HOME','{url}'); define('WP_SITEURL','{url}');\n"
        )
        try:
            command: list[str | Path] = ["php", "-d", "sendmail_path=/bin/true", "-S", f"127.0.0.1:{port}", "-t", CODE]
            workers = {"PHP_CLI_SERVER_WORKERS": "4"}
            with running(command, folder / "php.log", ready=lambda: listens(port), env=workers):
                yield RunningWordpress(url, _installed(url, folder), folder)
        finally:
            if before is None:
                CONFIG.unlink(missing_ok=True)
            else:
                CONFIG.write_text(before)


@contextmanager
def _database(folder: Path) -> Iterator[Path]:
    data, socket = folder / "mysql", folder / "mysql.sock"
    data.mkdir()
    shutil.chown(data, "mysql", "mysql")
    said_by(
        "mariadb-install-db", "--no-defaults", "--user=mysql", f"--datadir={data}", "--skip-test-db",
        "--auth-root-authentication-method=normal",
        what="making a database", timeout_s=120,
    )  # fmt: skip
    shutil.chown(folder, "mysql", "mysql")
    command = [
        shutil.which("mariadbd", path="/usr/sbin:/usr/bin") or "mariadbd", "--no-defaults", "--user=mysql", f"--datadir={data}",
        f"--socket={socket}", f"--pid-file={folder}/mysql.pid", "--skip-networking", "--skip-log-bin",
    ]  # fmt: skip
    with running(command, folder / "mysql.log", ready=socket.exists):
        sql = "CREATE DATABASE wordpress; CREATE USER wp@localhost IDENTIFIED BY 'wp'; GRANT ALL ON wordpress.* TO wp@localhost;"
        said_by("mariadb", "--no-defaults", f"--socket={socket}", "-uroot", "-e", sql, what="making a database")
        yield socket


def _installed(url: str, folder: Path) -> str:
    told = {
        "weblog_title": "Loop Blog", "user_name": ADMIN, "admin_password": "adminpass123", "admin_password2": "adminpass123",
        "pw_weak": "on", "admin_email": "a@example.test", "blog_public": "0", "language": "",
    }  # fmt: skip
    answer = httpx.post(f"{url}/wp-admin/install.php?step=2", data=told, timeout=120)
    if answer.status_code != 200:
        raise Failed(f"WordPress is not installed: {answer.status_code} {answer.text[:300]}")
    return run_php(
        folder,
        "list($pw, $item) = WP_Application_Passwords::create_new_application_password(1, ['name' => 'webcare']); echo $pw;\n"
        "update_option('comment_moderation', 0); update_option('comment_previously_approved', 0);\n",
    )

"""Dovecot and Postfix on loopback: two mailboxes at example.test, and nothing that leaves the machine.

Mail for elders.test is taken and handed back to the same server, which notices that and returns it to its sender.
"""

import os
import pwd
import shutil
import smtplib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from pathlib import Path

from tests.interop import processes
from tests.interop.programs import CannotInstall, Failed, free_port, from_apt, listens, running, said_by, until_true

PASSWORD = "carepw"
USER = "webcare-interop"
SERVICES = (
    ("pickup", "unix", "n", "60", "1", "pickup"), ("cleanup", "unix", "n", "-", "0", "cleanup"),
    ("qmgr", "unix", "n", "300", "1", "qmgr"), ("rewrite", "unix", "-", "-", "-", "trivial-rewrite"),
    ("bounce", "unix", "-", "-", "0", "bounce"), ("defer", "unix", "-", "-", "0", "bounce"),
    ("trace", "unix", "-", "-", "0", "bounce"), ("verify", "unix", "-", "-", "1", "verify"),
    ("error", "unix", "-", "-", "-", "error"), ("retry", "unix", "-", "-", "-", "error"),
    ("smtp", "unix", "-", "-", "-", "smtp"),
    ("virtual", "unix", "-", "-", "-", "virtual"), ("anvil", "unix", "-", "-", "1", "anvil"),
    ("proxymap", "unix", "-", "-", "-", "proxymap"), ("flush", "unix", "n", "1000?", "0", "flush"),
    ("postlog", "unix-dgram", "n", "-", "1", "postlogd"), ("tlsmgr", "unix", "-", "1000?", "1", "tlsmgr"),
)  # fmt: skip


@dataclass(frozen=True)
class RunningMail:
    """Running servers, and what a customer does there."""

    imap_port: int
    smtp_port: int
    mails: Path

    def send(self, mail: bytes, sender: str = "klant@example.test", recipient: str = "care@example.test") -> None:
        """Hands a mail over, as a customer's own server does."""
        with smtplib.SMTP("127.0.0.1", self.smtp_port, timeout=20) as smtp:
            smtp.sendmail(sender, [recipient], mail)

    def box(self, name: str) -> list[Message]:
        """What lies in a mailbox."""
        found = [*self.mails.glob(f"{name}/new/*"), *self.mails.glob(f"{name}/cur/*")]
        return [message_from_bytes(one.read_bytes()) for one in sorted(found, key=lambda one: one.stat().st_mtime_ns)]


def install_mail() -> None:
    """Raises CannotInstall or Failed."""
    if os.geteuid() != 0:
        raise CannotInstall("Postfix is started by root only.")
    from_apt("dovecot", "dovecot-imapd")
    from_apt("postfix", "postfix")


@contextmanager
def mail_servers(folder: Path) -> Iterator[RunningMail]:
    """New servers with empty mailboxes, in a folder that other users may enter."""
    user = _user()
    mails = folder / "mail"
    for box in ("care", "klant"):
        (mails / box).mkdir(parents=True)
        os.chown(mails / box, user.pw_uid, user.pw_gid)
    os.chown(mails, user.pw_uid, user.pw_gid)
    imap_port, smtp_port = free_port(), free_port()
    with ExitStack() as stack:
        stack.enter_context(_dovecot(folder, mails, user, imap_port))
        stack.enter_context(_postfix(folder, mails, user, smtp_port))
        yield RunningMail(imap_port, smtp_port, mails)


def _user() -> pwd.struct_passwd:
    with suppress(KeyError):
        return pwd.getpwnam(USER)
    said_by("useradd", "--system", "-M", "-s", "/usr/sbin/nologin", USER, what="making a user for mailboxes")
    return pwd.getpwnam(USER)


@contextmanager
def _dovecot(folder: Path, mails: Path, user: pwd.struct_passwd, port: int) -> Iterator[None]:
    config = folder / "dovecot.conf"
    (folder / "dovecot").mkdir()
    config.write_text(
        f"""base_dir = {folder}/dovecot
log_path = {folder}/dovecot.log
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
mail_location = maildir:{mails}/%n
first_valid_uid = 1
passdb {{
  driver = static
  args = password={PASSWORD}
}}
userdb {{
  driver = static
  args = uid={user.pw_uid} gid={user.pw_gid} home={mails}/%n
}}
service imap-login {{
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
"""
    )
    with running(["dovecot", "-F", "-c", config], folder / "dovecot.out", ready=lambda: listens(port)):
        yield


@contextmanager
def _postfix(folder: Path, mails: Path, user: pwd.struct_passwd, port: int) -> Iterator[None]:
    """Postfix with a configuration, a queue and a log of its own; the machine's stays as it is."""
    config, queue, data = folder / "postfix", folder / "queue", folder / "data"
    for place in (config, queue, data):
        place.mkdir()
    shutil.chown(data, "postfix")
    (config / "boxes").write_text("care@example.test care/\nklant@example.test klant/\n")
    (config / "main.cf").write_text(
        f"""compatibility_level = 3.6
queue_directory = {queue}
data_directory = {data}
maillog_file = {folder}/postfix.log
maillog_file_prefixes = {folder}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.example.test
mydestination =
mynetworks = 127.0.0.0/8
virtual_mailbox_domains = example.test
virtual_mailbox_base = {mails}
virtual_mailbox_maps = texthash:{config}/boxes
virtual_uid_maps = static:{user.pw_uid}
virtual_gid_maps = static:{user.pw_gid}
virtual_minimum_uid = 1
default_transport = error:no outside mail
relay_transport = error:no outside mail
transport_maps = inline:{{ elders.test=smtp:[127.0.0.1]:{port} }}
alias_maps =
"""
    )
    lines = [f"127.0.0.1:{port} inet n - n - - smtpd"]
    for service, kind, private, wakeup, most, program in SERVICES:
        lines.append(f"{service} {kind} {private} {'n' if service == 'virtual' else '-'} n {wakeup} {most} {program}")
    (config / "master.cf").write_text("\n".join(lines) + "\n")
    said_by("postfix", "-c", config, "start", what="starting Postfix")
    try:
        number = queue / "pid" / "master.pid"
        until_true(lambda: listens(port) and number.exists() and bool(number.read_text().strip()), "Postfix", 60)
        processes.watch(int(number.read_text()))
        yield
    finally:
        with suppress(Failed):
            said_by("postfix", "-c", config, "stop", what="stopping Postfix")

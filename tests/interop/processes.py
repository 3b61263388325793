"""What the system says of the servers that we started: where they listen, and whether they are gone."""

import os
import signal
from contextlib import suppress
from ipaddress import IPv6Address, ip_address
from pathlib import Path

_watched: set[int] = set()


def watch(leader: int) -> None:
    """Notes a server by the process that leads its session. Raises AssertionError where others than this machine reach it."""
    _watched.add(leader)
    open_to_all = [address for address in heard_on(leader) if not ip_address(address.rpartition(":")[0]).is_loopback]
    assert not open_to_all, f"process {leader} listens beyond loopback: {', '.join(open_to_all)}"


def left() -> list[int]:
    """The processes of watched servers that still live."""
    return sorted(one for leader in _watched for one in of_session(leader))


def end_those_left() -> list[int]:
    """Ends them, and tells which they were."""
    found = left()
    for one in found:
        with suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)
    return found


def of_session(leader: int) -> list[int]:
    """The living processes of a session, and of those that its processes began."""
    known, parents = {leader}, dict[int, int]()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            # the name, in brackets, may hold blanks
            state, parent, _, session = (folder / "stat").read_text().rpartition(") ")[2].split()[:4]
            if state == "Z":
                continue
            parents[int(folder.name)] = int(parent)
            if int(session) == leader:
                known.add(int(folder.name))
    while more := {one for one, parent in parents.items() if parent in known} - known:
        known |= more
    return sorted(known & set(parents))


def heard_on(leader: int) -> list[str]:
    """The addresses that a session's processes listen on, as `address:port`."""
    sockets = set()
    for one in of_session(leader):
        with suppress(OSError):
            for file in Path(f"/proc/{one}/fd").iterdir():
                with suppress(OSError):
                    sockets.add(str(file.readlink()))
    found = set()
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in Path("/proc/net", table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:  # listening
                    address, _, port = fields[1].partition(":")
                    found.add(f"{_read(address)}:{int(port, 16)}")
    return sorted(found)


def _read(address: str) -> str:
    """An address as the kernel prints it: words of four bytes, each in this machine's own order."""
    words = [bytes.fromhex(address[at : at + 8])[::-1] for at in range(0, len(address), 8)]
    read = ip_address(b"".join(words))
    return str((isinstance(read, IPv6Address) and read.ipv4_mapped) or read)

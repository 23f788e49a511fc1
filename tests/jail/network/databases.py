"""Databases on the loopback, from Debian's packages: as a user without rights, in a directory that goes with them."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tests.system.local_stack import free_port
from tests.until import until

USER, PASSWORD = "nobody", "password-of-the-tests"  # PostgreSQL refuses to run as root
_PATIENCE_SECS = 60


@dataclass(frozen=True, slots=True)
class Database:
    """A kind of server. `commands`, for a directory and a port: the last one is the server, others come before it."""

    name: str
    commands: Callable[[Path, int], list[list[str]]]


def _postgresql_commands(directory: Path, port: int) -> list[list[str]]:
    found = list(Path("/usr/lib/postgresql").glob("*/bin"))
    assert found, "run `make jail`: it installs the databases"
    binaries = max(found, key=lambda path: int(path.parent.name))
    password, data = directory / "password", directory / "data"
    password.write_text(PASSWORD)
    as_set_up = "--no-sync", "--auth=scram-sha-256", f"--username={USER}", f"--pwfile={password}", "--locale=C"
    options = "-h", "127.0.0.1", "-p", str(port), "-k", str(directory), "-c", "fsync=off", "-c", "max_connections=10"
    return [
        [str(binaries / "initdb"), *as_set_up, "-D", str(data)],
        [str(binaries / "postgres"), "-D", str(data), *options],
    ]


def _redis_commands(directory: Path, port: int) -> list[list[str]]:
    options = "--port", str(port), "--dir", str(directory), "--save", "", "--requirepass", PASSWORD
    return [[_REDIS, "--bind", "127.0.0.1", *options]]


# The package redis-server only adds this name, as a link to a program of redis-tools, and a service that would start.
_REDIS = "redis-server"
_EXECUTABLES = {_REDIS: "/usr/bin/redis-check-rdb"}
POSTGRESQL, REDIS = Database("postgresql", _postgresql_commands), Database("redis", _redis_commands)


@contextmanager
def running(database: Database) -> Iterator[int]:
    """Run a server until the block ends. Gives its port."""
    with ExitStack() as stack:
        directory = Path(tempfile.mkdtemp(prefix=f"rustbox-{database.name}-"))
        stack.callback(shutil.rmtree, directory)
        shutil.chown(directory, USER)
        port, log = free_port(), directory / "log"
        output = stack.enter_context(log.open("wb"))
        *before, serve = database.commands(directory, port)
        for command in before:
            assert _start(command, output).wait(_PATIENCE_SECS) == 0, log.read_text()
        server = _start(serve, output)
        stack.callback(_stop, server)
        until(lambda: server.poll() is not None or _answers(port), log.read_text)
        assert server.poll() is None, log.read_text()
        yield port


def _start(command: list[str], output: BinaryIO) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        executable=_EXECUTABLES.get(command[0]),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        cwd="/",
        env={"PATH": os.defpath, "LC_ALL": "C"},
        user=USER,
        group="nogroup",
        extra_groups=[],
    )


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.send_signal(signal.SIGINT)  # PostgreSQL then waits for no client
    try:
        server.wait(_PATIENCE_SECS)
    finally:
        server.kill()
        server.wait()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0

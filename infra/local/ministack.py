"""Life of the ministack process, which holds queues, tables and objects.

It outlives a SIGKILL of the launcher, so that nothing accepted is lost with it, and the next launcher
adopts it by `ministack.json` in the state folder. On a clean stop it writes its state there itself.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from infra.local.errors import StartError
from infra.local.processes import ProcessIdentity, identify, is_alive, stop, write_record
from infra.local.settings import ROOT

if TYPE_CHECKING:
    from pathlib import Path

_START_SECS = 20
_STOP_SECS = 20
_SAVED = ("dynamodb", "sqs")
"""The services whose state holds what the stack has accepted. Each is written as a whole or not at all."""


@dataclass(frozen=True, slots=True)
class Ministack:
    """A running server; `adopted` tells whether it was already there."""

    process: ProcessIdentity
    port: int
    adopted: bool

    @property
    def url(self) -> str:
        """The AWS endpoint."""
        return f"http://127.0.0.1:{self.port}"


def start_or_adopt(state_dir: Path) -> Ministack:
    """Return a healthy server on this state folder; StartError if none comes up."""
    port, process = _recall(state_dir)
    if process is not None and is_alive(process):
        if _is_healthy(port):
            return Ministack(process, port, adopted=True)
        stop(process, _STOP_SECS)
    if not _is_free(port):
        port = _free_port()
    server = Ministack(_spawn(state_dir, port), port, adopted=False)
    _remember(state_dir, port, server.process)
    deadline = time.monotonic() + _START_SECS
    while not _is_healthy(port):
        if time.monotonic() > deadline or not is_alive(server.process):
            stop(server.process, 1)
            raise StartError(f"ministack did not start: see {state_dir / 'ministack.log'}")
        time.sleep(0.02)
    return server


def stop_and_save(server: Ministack, state_dir: Path) -> str | None:
    """End the server so that it writes its state. Return the problem if it wrote none; the files of before remain."""
    files = [state_dir / "aws" / f"{service}.json" for service in _SAVED]
    before = [_written_at_ns(file) for file in files]
    if not stop(server.process, _STOP_SECS):
        problem = "it did not end in time and was killed"
    elif not all(_written_at_ns(file) > written_at_ns for file, written_at_ns in zip(files, before, strict=True)):
        problem = f"see {state_dir / 'ministack.log'}; free {shutil.disk_usage(state_dir).free >> 20} MiB"
    else:
        problem = None
    # On a full disk the record of before remains. It names a process that has ended, which the next start notices.
    with suppress(OSError):
        _remember(state_dir, server.port, None)
    return problem


def _written_at_ns(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _spawn(state_dir: Path, port: int) -> ProcessIdentity:
    data_dir = state_dir / "aws"
    data_dir.mkdir(parents=True, exist_ok=True)
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "BIND_HOST": "127.0.0.1",  # it binds all interfaces otherwise
        "GATEWAY_PORT": str(port),
        "SERVICES": "dynamodb,events,kms,s3,sqs,ssm",
        "PERSIST_STATE": "1",
        "STATE_DIR": str(data_dir),
        "S3_PERSIST": "1",  # objects are files at once; STATE_DIR holds the bucket's settings only
        "S3_DATA_DIR": str(data_dir / "s3"),
        "TMPDIR": str(data_dir),  # its own pid file
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "LOG_LEVEL": "WARNING",
    }
    log_flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    # A session of its own: neither Ctrl-C on the terminal nor the launcher's death reaches it.
    pid = os.posix_spawn(
        sys.executable,
        [sys.executable, "-m", "infra.local.ministack_server"],
        environment,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(state_dir / "ministack.log"), log_flags, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )
    process = identify(pid)
    if process is None:
        raise StartError(f"ministack ended at once: see {state_dir / 'ministack.log'}")
    return process


def _recall(state_dir: Path) -> tuple[int, ProcessIdentity | None]:
    try:
        record = json.loads((state_dir / "ministack.json").read_text(encoding="utf-8"))
        process = record["process"]
        return int(record["port"]), ProcessIdentity(**process) if process else None
    except FileNotFoundError:
        return _free_port(), None
    except (ValueError, KeyError, TypeError):
        raise StartError(f"{state_dir / 'ministack.json'} is damaged: remove it, or the whole state folder") from None


def _remember(state_dir: Path, port: int, process: ProcessIdentity | None) -> None:
    record = {"port": port, "process": asdict(process) if process else None}
    write_record(state_dir / "ministack.json", record)


def _is_healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/_ministack/health")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

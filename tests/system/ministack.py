"""The emulator as its authors ship it: `python -m ministack`, with a port and a folder of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from tests.emulator import PACKAGES
from tests.system.local_stack import free_port

_START_SECS = 60
_STOP_SECS = 10


@contextmanager
def ministack(folder: Path) -> Iterator[str]:
    """Give the address of a running emulator. Its functions are processes of its group, and end with it."""
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(PACKAGES),
        "BIND_HOST": "127.0.0.1",  # it binds all interfaces otherwise
        "GATEWAY_PORT": str(port),
        "TMPDIR": str(folder),
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "LOG_LEVEL": "INFO",
    }
    with (folder / "ministack.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "ministack"],
            cwd=folder,  # not the repository: the functions must come from the zip
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(process, url)
        yield url
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECS)
        except subprocess.TimeoutExpired:
            pass
        finally:
            with suppress(ProcessLookupError):  # no function was called: the group ended with the emulator
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait(process: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + _START_SECS
    while True:
        try:
            if httpx.get(f"{url}/_ministack/health").status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)

"""An unpatched ministack: the emulator that the engine is compared with, and that `AWS_ENDPOINT_URL` may name."""

import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.system.local_stack import free_port
from tests.until import until

PACKAGES = Path(__file__).parents[1] / ".venv" / "emulator"
"""The folder of its installation. It needs another version of botocore than the project."""


@dataclass(frozen=True, slots=True)
class Emulator:
    """A server that answers."""

    url: str
    pid: int


@contextmanager
def emulator(folder: Path) -> Iterator[Emulator]:
    """Run a server with all state in memory. `folder`: for its working files."""
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "TMPDIR": str(folder),  # its pid file
        "PYTHONPATH": str(PACKAGES),
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "SERVICES": "dynamodb,dynamodbstreams,events,kms,s3,sqs,ssm",
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "LOG_LEVEL": "WARNING",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "ministack"],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        assert process.poll() is None
        try:
            with urllib.request.urlopen(f"{url}/_ministack/health", timeout=5) as answer:  # noqa: S310 - loopback
                return bool(answer.status == 200)
        except OSError:  # it does not listen yet, or answers too slowly
            return False

    try:
        until(answers)
        yield Emulator(url, process.pid)
    finally:
        process.terminate()
        process.wait(60)

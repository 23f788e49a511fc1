"""`python -m infra.local.runners.listener_process`: serves runners of other hosts, until SIGTERM.

RUNNER_LISTENER has its settings in JSON, see `Settings`. It is started by exec, so that it inherits no key.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from infra.embedded.confined.tunnel.server import Told, TunnelServer
from infra.embedded.confined.tunnel.wire import server_context
from infra.local.runners.admission import TableAdmission

VARIABLE: Final = "RUNNER_LISTENER"


@dataclass(frozen=True, slots=True)
class Settings:
    """`descriptor`: of the listening socket. `variables`: of a runner, without its name. `spool`: for large objects."""

    descriptor: int
    certificate_file: str
    key_file: str
    engine_socket: str
    tokens_socket: str
    tokens_table: str
    spool: str
    version: str
    variables: dict[str, str]

    def environment(self) -> dict[str, str]:
        """Return the variable that `main` reads."""
        return {VARIABLE: json.dumps(asdict(self))}


def main() -> None:
    """Serve until SIGTERM."""
    stop = {signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, stop)  # before the threads start
    settings = Settings(**json.loads(os.environ[VARIABLE]))
    server = TunnelServer(
        socket.socket(fileno=settings.descriptor),
        server_context(settings.certificate_file, settings.key_file),
        TableAdmission(Path(settings.tokens_socket), settings.tokens_table),
        Told(settings.version, lambda name: {**settings.variables, "NODE_ID": name}),
        Path(settings.engine_socket),
        settings.spool,
        _log,
    )
    server.start()
    signal.sigwait(stop)


def _log(level: str, message: str, **fields: Any) -> None:
    """Write one line of JSON, as the runner does."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    line = {"timestamp": now, "level": level.upper(), "message": f"runner {message}", "service": "runners", **fields}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()

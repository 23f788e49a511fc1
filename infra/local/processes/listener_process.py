"""`python -m infra.local.processes.listener_process`: serves runners of other hosts, until a signal.

RUNNER_LISTENER has its settings in JSON, see `Settings`. It is started by exec, so that it inherits no key.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import signal
import socket
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from botocore.exceptions import BotoCoreError

from infra.embedded.confined.protocol import SocketCaller
from infra.embedded.confined.tunnel_clients import Known
from infra.embedded.confined.tunnel_server import Told, TunnelServer
from infra.embedded.confined.tunnel_wire import server_context
from infra.embedded.errors import ServiceError

# The tokens of runners, read from their rows through a socket of the engine that allows nothing else.

_TOKEN: Final = re.compile(r"rbrunner_([a-z0-9.-]{1,63})_[0-9a-f]{64}")


class TableAdmission:
    """`path`: of the socket. `table`: of the rows (functions/submissions/runners/store.py)."""

    def __init__(self, path: Path, table: str) -> None:
        self._call = SocketCaller(path)
        self._table = table

    def find(self, token: str) -> Known | None:
        """Return a valid token, else None. Raises OSError while the engine cannot be asked."""
        named = _TOKEN.fullmatch(token)
        if named is None:
            return None
        known = Known(named[1], hashlib.sha256(token.encode()).hexdigest())
        return known if self.is_valid(known) else None

    def is_valid(self, known: Known) -> bool:
        """Tell whether a token is still valid. Raises OSError while the engine cannot be asked."""
        row = self._row(known.name)
        stored = row.get("digest", {}).get("S", "")
        return "revoked_at" not in row and hmac.compare_digest(stored, known.digest)

    def _row(self, name: str) -> dict[str, Any]:
        key = {"pk": {"S": "RUNNER_TOKENS"}, "sk": {"S": f"TOKEN#{name}"}}
        try:
            answer = self._call("dynamodb", "GetItem", {"TableName": self._table, "Key": key, "ConsistentRead": True})
        except (ServiceError, BotoCoreError) as error:
            raise ConnectionError("the engine does not answer") from error
        row: dict[str, Any] = answer.get("Item", {})
        return row


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
    """Serve until a signal."""
    stop = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
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

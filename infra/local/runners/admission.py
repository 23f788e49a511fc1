"""The tokens of runners, read from their rows through a socket of the engine that allows nothing else."""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError

from infra.embedded.confined.protocol import SocketCaller
from infra.embedded.confined.tunnel.clients import Known
from infra.embedded.errors import ServiceError

if TYPE_CHECKING:
    from pathlib import Path

_TOKEN: Final = re.compile(r"rbrunner_([a-z0-9.-]{1,63})_[0-9a-f]{64}")


class TableAdmission:
    """`path`: of the socket. `table`: of the rows (functions/submissions/runners/tokens.py)."""

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

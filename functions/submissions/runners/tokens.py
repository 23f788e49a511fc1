"""Tokens with which runners of other hosts join a stack of one machine. Their rows are beside those of the runners.

RUNNER_TOKENS    TOKEN#<name>    a token, by its name: it has one row, which its listener reads at each connection
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from functions.aws.dynamodb.conditional import ABSENT, EXISTS, ConditionalUpdate
from functions.aws.dynamodb.items import is_condition_failure, key, to_item
from functions.aws.dynamodb.table import Table
from functions.clock import MS_PER_SEC, to_rfc3339

if TYPE_CHECKING:
    from functions.aws.dynamodb.table import Row

PREFIX = "rbrunner"
MAX_TOKENS = 64
REVOKED_KEPT_SECS = 90 * 86_400
_PK = "RUNNER_TOKENS"
_SK = "TOKEN#"
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class RunnerToken:
    """The stored properties of a token; the token itself is not stored. Times are RFC 3339."""

    name: str
    created_at: str
    revoked_at: str | None = None


class RunnerTokenStore(Table):
    """The tokens in the runners table."""

    def create(self, name: str) -> tuple[RunnerToken, str] | None:
        """Create a token, also in place of a revoked one. None if there is one of this name.

        The token is returned only here.
        """
        record = RunnerToken(name, to_rfc3339(self._clock()))
        token = f"{PREFIX}_{name}_{secrets.token_hex(_SECRET_BYTES)}"
        row = {"name": name, "created_at": record.created_at, "digest": hashlib.sha256(token.encode()).hexdigest()}
        try:
            self._client.put_item(
                TableName=self.table_name,
                Item={**key(_PK, _SK + name), **to_item(row)},
                ConditionExpression=f"{ABSENT} OR attribute_exists(revoked_at)",
            )
        except ClientError as error:
            if not is_condition_failure(error):
                raise
            return None
        return record, token

    def list_all(self) -> list[RunnerToken]:
        """Return all tokens by name. A revoked one stays for 90 days, or until a new one has its name."""
        now_secs = self._clock() // MS_PER_SEC
        return [_record(row) for row in self._list(_PK, _SK) if row.get("ttl", now_secs) >= now_secs]

    def revoke(self, name: str) -> RunnerToken | None:
        """Revoke a token for good. Repeating it is safe. None if there is none."""
        now = self._clock()
        update = ConditionalUpdate(
            {},
            EXISTS,
            {"now": to_rfc3339(now), "ttl": now // MS_PER_SEC + REVOKED_KEPT_SECS},
            computed=(
                "#revoked_at = if_not_exists(#revoked_at, :now)",
                "#ttl = if_not_exists(#ttl, :ttl)",
            ),
        )
        row = self._update(update, key(_PK, _SK + name))
        return None if row is None else _record(row)


def _record(row: Row) -> RunnerToken:
    values: dict[str, Any] = {name: row.get(name) for name in ("name", "created_at", "revoked_at")}
    return RunnerToken(**values)

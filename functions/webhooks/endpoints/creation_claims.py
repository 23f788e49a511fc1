"""Idempotency keys of endpoint creation: a claim is written with its endpoint, and kept for a day."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from functions.aws.dynamodb.conditional import ABSENT, put
from functions.aws.dynamodb.items import from_item, key, to_item
from functions.clock import MS_PER_SEC
from functions.webhooks.endpoints.rows import endpoint_pk

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_CLAIM_SECS = 86_400


@dataclass(frozen=True, slots=True)
class CreationClaim:
    """A claimed key: the endpoint that it created, and the hash of the request."""

    key_sha256: str
    body_sha256: str
    endpoint_id: str

    @classmethod
    def of(cls, idempotency_key: str, body: str, endpoint_id: str) -> CreationClaim:
        """Return the claim of a key and a request."""
        return cls(_sha256(idempotency_key), _sha256(body), endpoint_id)

    def action(self, table_name: str, project_id: str, now_ms: int) -> Any:
        """Return the Put of the claim, on condition that nobody holds its key."""
        now = now_ms // MS_PER_SEC
        item = {
            **_key(project_id, self.key_sha256),
            **to_item({"endpoint_id": self.endpoint_id, "body_sha256": self.body_sha256, "ttl": now + _CLAIM_SECS}),
        }
        return put(table_name, item, f"{ABSENT} OR #ttl <= :now", {"now": now})

    def find(self, client: DynamoDBClient, table_name: str, project_id: str, now_ms: int) -> CreationClaim | None:
        """Return the claim that holds the same key; None without one, or if it has expired."""
        at = _key(project_id, self.key_sha256)
        row = from_item(client.get_item(TableName=table_name, Key=at, ConsistentRead=True).get("Item", {}))
        if not row or row["ttl"] <= now_ms // MS_PER_SEC:
            return None
        return CreationClaim(self.key_sha256, row["body_sha256"], row["endpoint_id"])


def _key(project_id: str, key_sha256: str) -> dict[str, Any]:
    return key(endpoint_pk(project_id), f"CREATED#{key_sha256}")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()

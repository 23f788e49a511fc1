"""One small object for each runner: what it must stop, and whose output is watched. It reads no table, and polls this.

`events/runner.py` reads it. Several functions write it, each on condition of what it has read.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from functions.aws.dynamodb.table import tries
from functions.clock import Clock, now_ms
from functions.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_s3 import S3Client

KEPT_MS = 60_000
"""An entry stays for so long. A runner polls each second while a run lasts, so it has read it by then."""
MOST_ENTRIES = 500
WATCHED_MS = 30_000
"""How long a read of an output makes its runner put more of it."""
MOST_WATCHED = 200
_TRIES = 12
_CHANGED = {"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"}
_MISSING = {"NoSuchKey", "AccessDenied"}  # without ListBucket, AWS says the second


def control_key(node_id: str) -> str:
    """Return the key of a runner's object. A node id may have any characters, so the key has its hash."""
    return f"control/{hashlib.sha256(node_id.encode()).hexdigest()[:32]}"


@dataclass(frozen=True, slots=True)
class ControlObjects:
    """The control objects of all runners."""

    bucket: str
    client: Callable[[], S3Client]
    clock: Clock = now_ms
    sleep: Callable[[float], None] = time.sleep

    def cancel(self, node_id: str, submission_id: str) -> None:
        """Let a runner stop a submission. Raises UnavailableError, and ClientError of the bucket."""
        self._add(node_id, "cancelled", submission_id, KEPT_MS, MOST_ENTRIES)

    def watch(self, node_id: str, submission_id: str) -> None:
        """Let a runner put the output of a submission into the bucket for WATCHED_MS. Raises as `cancel` does."""
        self._add(node_id, "watched", submission_id, WATCHED_MS, MOST_WATCHED)

    def _add(self, node_id: str, name: str, submission_id: str, ms: int, most: int) -> None:
        """Add an entry, unless it is there for more than half of its time."""
        for _ in tries(_TRIES, self.sleep):
            etag, lists = self._read(node_id)
            now = self.clock()
            if lists.get(name, {}).get(submission_id, 0) > now + ms // 2:
                return
            document = {
                each: {one: until_ms for one, until_ms in entries.items() if until_ms > now}
                for each, entries in lists.items()
            }
            newest = sorted(document.get(name, {}).items(), key=lambda entry: entry[1])[1 - most :]
            document[name] = dict([*newest, (submission_id, now + ms)])
            if self._write(node_id, etag, json.dumps(document).encode()):
                return
        raise UnavailableError("Other requests keep changing the state of this runner. Repeat the request.", 1)

    def _read(self, node_id: str) -> tuple[str | None, dict[str, dict[str, int]]]:
        try:
            found = self.client().get_object(Bucket=self.bucket, Key=control_key(node_id))
        except ClientError as error:
            if error.response["Error"]["Code"] in _MISSING:
                return None, {}
            raise
        return found["ETag"], json.loads(found["Body"].read())

    def _write(self, node_id: str, etag: str | None, content: bytes) -> bool:
        """Write it unless it has changed since it was read: then False."""
        unchanged: Any = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
        try:
            self.client().put_object(Bucket=self.bucket, Key=control_key(node_id), Body=content, **unchanged)
        except ClientError as error:
            if error.response["Error"]["Code"] in _CHANGED:
                return False
            raise
        return True

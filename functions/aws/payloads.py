"""The payload bucket: content that is too large for a table item or a message (the claim-check pattern).

Keys: `inputs/<submission_id>` (JSON with code, stdin and files), `programs/<submission_id>` (the request of a run whose
client wants it kept; no runner may read it), `judge-inputs/<submission_id>/<random>` (JSON, read by
a runner) and `outputs/<submission_id>/<execution_id>/…` (mostly written by a runner): `stdout` and `stderr` of a run;
`cases` (JSON) and `case-<index>-stdout` of a judge run. `events/<run_id>`: the body of the call that started the run
of a check. `deleted/<submission_id>` is empty: the submission is over (deleted,
cancelled, or final), so a runner does not start it. `live/<submission_id>/stdout` and `stderr`: output of a run that
goes on, put by its runner while a client watches it, and empty after its end.
"""

from __future__ import annotations

import base64
import json
import secrets
from contextlib import closing
from typing import TYPE_CHECKING, Any, Literal, Self

from botocore.exceptions import ClientError

from events.limits import HIGHEST_CEILINGS, OUTPUT_CEILING_KB
from functions.aws.clients import Clients

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef

    from functions.env import Env

OUTPUT_MAX_BYTES = OUTPUT_CEILING_KB * 1024
"""Of a stream in answers and events. An operator may allow more."""
WHOLE_OUTPUT_MAX_BYTES = HIGHEST_CEILINGS["output_kb"] * 1024
RAW_OUTPUT_MAX_BYTES = 4 * 1024 * 1024
"""Lambda answers with at most 6 MB, and bytes in base64 are a third larger. Of more output clients get a link."""
CASES_MAX_BYTES = 16 * 1024 * 1024
"""The results of a judge run: at most 3 MiB of output in base64, 10 MiB of messages, and the rest of 1,000 cases."""


class PayloadMissingError(Exception):
    """The object is gone, or its key belongs to another submission."""


class Payloads:
    """The payload bucket. `client` is called on first use: few submissions need it."""

    def __init__(self, bucket: str, client: Callable[[], S3Client]) -> None:
        self._bucket = bucket
        self._client = client

    @classmethod
    def from_env(cls, env: Env) -> Self:
        return cls(env.settings.payloads_bucket, Clients.s3)

    def put_input(self, submission_id: str, code: bytes, stdin: bytes, files: bytes | None = None) -> str:
        """Store code, stdin and files, in JSON; return the object's key."""
        key = f"inputs/{submission_id}"
        document = {"code": base64.b64encode(code).decode(), "stdin": base64.b64encode(stdin).decode()}
        if files is not None:
            document["files"] = files.decode()
        self._client().put_object(
            Bucket=self._bucket, Key=key, Body=json.dumps(document).encode(), ContentType="application/json"
        )
        return key

    def get_input(self, submission_id: str) -> tuple[bytes, bytes, bytes | None]:
        """Return code, stdin and files, as they were stored. Raises PayloadMissingError."""
        document = json.loads(self._read(f"inputs/{submission_id}"))
        files = document["files"].encode() if "files" in document else None
        return base64.b64decode(document["code"]), base64.b64decode(document["stdin"]), files

    def put_program(self, submission_id: str, text: str) -> str:
        """Store the request of a run, in JSON; return the object's key."""
        key = f"programs/{submission_id}"
        self._client().put_object(Bucket=self._bucket, Key=key, Body=text.encode(), ContentType="application/json")
        return key

    def get_program(self, submission_id: str) -> dict[str, Any]:
        """Return the request of a run. Raises PayloadMissingError."""
        request: dict[str, Any] = json.loads(self._read(f"programs/{submission_id}"))
        return request

    def put_event(self, run_id: str, body: bytes) -> str:
        """Store the body of the call that starts a run of a check; return the object's key."""
        key = f"events/{run_id}"
        self._client().put_object(Bucket=self._bucket, Key=key, Body=body, ContentType="application/octet-stream")
        return key

    def get_event(self, key: str) -> bytes:
        """Return the body of a call. Raises PayloadMissingError."""
        return self._read(key)

    def put_judging(self, submission_id: str, text: str) -> str:
        """Store the cases and checkers of a judge run; return the object's key, which is random."""
        key = f"judge-inputs/{submission_id}/{secrets.token_hex(16)}"
        self._client().put_object(Bucket=self._bucket, Key=key, Body=text.encode(), ContentType="application/json")
        return key

    def mark_over(self, submission_id: str) -> None:
        """Tell runners not to start a submission that needs no run any more: its message may still lie in a queue."""
        self._client().put_object(Bucket=self._bucket, Key=f"deleted/{submission_id}", Body=b"")

    def get_cases(self, submission_id: str, key: str) -> bytes:
        """Return the results of a judge run. Raises PayloadMissingError."""
        return self.get_output(submission_id, key, CASES_MAX_BYTES)

    def put_output(
        self, submission_id: str, execution_id: str, name: Literal["stdout", "stderr", "cases"], content: bytes
    ) -> str:
        """Store one output stream, or the results of a judge run; return the object's key."""
        key = f"outputs/{submission_id}/{execution_id}/{name}"
        self._client().put_object(Bucket=self._bucket, Key=key, Body=content, ContentType="application/octet-stream")
        return key

    def get_output(self, submission_id: str, key: str, max_bytes: int = OUTPUT_MAX_BYTES) -> bytes:
        """Return the beginning of an output. Raises PayloadMissingError."""
        self.confirm_output(submission_id, key)
        return self._read(key, max_bytes)

    def get_live_output(
        self, submission_id: str, stream: Literal["stdout", "stderr"], max_bytes: int
    ) -> tuple[bytes, str]:
        """Return the beginning of an output that grows, and its execution; empty if there is none.

        An object of an older runner names no execution.
        """
        try:
            found = self._get(f"live/{submission_id}/{stream}")
        except PayloadMissingError:
            return b"", ""
        with closing(found["Body"]) as body:
            return body.read(max_bytes), found.get("ContentType", "").partition("; execution=")[2]

    @staticmethod
    def confirm_output(submission_id: str, key: str) -> None:
        """Raise PayloadMissingError if the key is not that of an output of the submission."""
        if not key.startswith(f"outputs/{submission_id}/"):
            raise PayloadMissingError("the key is another submission's")

    def delete_outputs(self, submission_id: str, keys: Iterable[str | None]) -> None:
        """Delete those of these objects that are output of the submission. None stands for no object."""
        self.delete_all(key for key in keys if key is not None and key.startswith(f"outputs/{submission_id}/"))

    def delete_all(self, keys: Iterable[str]) -> None:
        """Delete these objects. A missing object is no error."""
        for key in keys:
            self._client().delete_object(Bucket=self._bucket, Key=key)

    def _read(self, key: str, max_bytes: int | None = None) -> bytes:
        with closing(self._get(key)["Body"]) as body:
            return body.read(max_bytes)

    def _get(self, key: str) -> GetObjectOutputTypeDef:
        try:
            return self._client().get_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] in {"NoSuchKey", "404", "AccessDenied"}:  # no ListBucket: 403 for 404
                raise PayloadMissingError("no such object") from None
            raise

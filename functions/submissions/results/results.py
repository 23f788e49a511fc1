"""Read submissions of a project, answer with their results, streams and artifacts, and delete them."""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal, NamedTuple
from urllib.parse import unquote

from aws_lambda_powertools.event_handler import Response
from botocore.exceptions import BotoCoreError, ClientError

from functions.aws.clients import Clients
from functions.aws.payloads import OUTPUT_MAX_BYTES, RAW_OUTPUT_MAX_BYTES, PayloadMissingError, Payloads
from functions.clock import MS_PER_SEC, from_rfc3339, to_rfc3339
from functions.env import Env
from functions.errors import BadRequestError, ConflictError, NotFoundError
from functions.files.store import ArtifactStore
from functions.http.answers import JSON_TYPE, answer
from functions.http.long_poll import LongPoll
from functions.http.openapi.bodies import Error, GatewayError, RefusedError
from functions.http.openapi.operation import IDEMPOTENCY_HEADER, KEYED, LIMITED, NOT_JSON, Answer, query
from functions.http.parameters import Parameters, result_path
from functions.http.stored_content import download_headers
from functions.projects.quota_store import QuotaStore
from functions.submissions.model import Kind, Status, Submission
from functions.submissions.queues import Queues
from functions.submissions.results.short_views import compact, output_link, serialise_within
from functions.submissions.results.views import (
    WHOLE,
    Shape,
    StreamName,
    artifact_link,
    pending_body,
    program_body,
    result_body,
)
from functions.submissions.store import SubmissionStore, submission_pk
from functions.webhooks.deliveries.store import DeliveryStore

# Answers and parameters that several routes of submissions have.

UNKNOWN: Answer = ("`not_found`: no such submission in this project, or past its retention.", (Error,))
SLOW: Answer = ("The gateway: no answer within 30 s. An accepted submission continues.", (GatewayError,))
ACCEPTING: dict[int, Answer] = {
    403: (
        "`forbidden`: the project may not use this profile, or not reach a host that `network` names.",
        (RefusedError,),
    ),
    409: ("`idempotency_conflict`: the Idempotency-Key was used with another body.", (Error,)),
    415: NOT_JSON,
    504: SLOW,
    **KEYED,
    429: LIMITED,
}
"""Answers of operations that accept a submission, in addition to their own."""
SHAPE = (
    query("encoding", {"enum": ["base64"]}, "Exact output, base64-encoded."),
    query("view", {"enum": ["compact"]}, "A short body without aliases, evidence and empty fields."),
)


def wait_parameter(most_secs: int, *, default: bool = False, until: str = "the run is finished") -> dict[str, Any]:
    """Describe `wait`."""
    number = {"type": "number", "minimum": 0, "maximum": most_secs, "multipleOf": 0.001}
    return query(
        "wait",
        {"anyOf": [{"type": "boolean"}, number], "default": default},
        f"Hold the request until {until}, at most this many seconds. true: {most_secs}.",
    )


IDEMPOTENCY_KEY: dict[str, Any] = IDEMPOTENCY_HEADER | {
    "description": "Kept 24 h. The same key with the same body is the same submission."
}


# Answer with the bytes of an output, or with an object of the bucket that is too large for an answer.

LINK_SECS = 300
BYTES_TYPE = "application/octet-stream"


class RawOutput(NamedTuple):
    """An output of a submission: `content`, or an object of the bucket."""

    submission_id: str
    content: bytes
    key: str | None
    size_bytes: int


def output_answer(env: Env, output: RawOutput) -> Response[Any]:
    """Answer with the exact bytes of an output. Raises PayloadMissingError if its object was deleted."""
    submission_id, content, key, size_bytes = output
    if key is not None and size_bytes > RAW_OUTPUT_MAX_BYTES:
        env[Payloads].confirm_output(submission_id, key)
        return object_answer(env, key, lambda url, expires_at: output_link(size_bytes, url, expires_at))
    if key is not None:
        content = env[Payloads].get_output(submission_id, key, RAW_OUTPUT_MAX_BYTES)
    headers: dict[str, str | list[str]] = {"x-content-type-options": "nosniff"}  # it comes from an untrusted program
    return Response(200, BYTES_TYPE, content, headers=headers)


def object_answer(env: Env, key: str, body_of: Callable[[str, str], Mapping[str, object]]) -> Response[str]:
    """Answer with a link to an object of a program, or on one machine with its bytes.

    `body_of(url, expires_at)` returns the body with the link.
    """
    if env.settings.serves_files:  # the gateway sends objects itself, as that of one machine does
        # As bytes, to be saved: the content is an untrusted program's, and must never show as a page of ours.
        return Response(200, BYTES_TYPE, "", headers=download_headers(key))
    url = Clients.s3_signing().generate_presigned_url(
        "get_object",
        Params={
            "Bucket": env.settings.payloads_bucket,
            "Key": key,
            "ResponseContentDisposition": "attachment",
            "ResponseContentType": BYTES_TYPE,
        },
        ExpiresIn=LINK_SECS,
    )
    return answer(body_of(url, to_rfc3339(env.clock() + LINK_SECS * MS_PER_SEC)))


# Read the output of a final submission: from its row, or from the bucket if it was too large.

type Stream = Literal["stdout", "stderr"]
STREAMS: tuple[Stream, ...] = ("stdout", "stderr")


def raw_output(row: Submission, stream: Stream) -> RawOutput:
    """Describe one stream."""
    if stream == "stdout":
        return RawOutput(row.submission_id, row.stdout or b"", row.stdout_key, row.stdout_size_bytes)
    return RawOutput(row.submission_id, row.stderr or b"", row.stderr_key, row.stderr_size_bytes)


def read_output(payloads: Payloads, row: Submission, stream: Stream, max_bytes: int = OUTPUT_MAX_BYTES) -> bytes:
    """Return the beginning of one stream. Raises PayloadMissingError if its object was deleted."""
    output = raw_output(row, stream)
    if output.key is None:
        return output.content
    return payloads.get_output(row.submission_id, output.key, max_bytes)


def output_if_kept(payloads: Payloads, row: Submission, stream: Stream) -> bytes:
    """Return the first 1 MiB of one stream; nothing if its object was deleted."""
    try:
        return read_output(payloads, row, stream)
    except PayloadMissingError:
        return b""


# Answer with the content of an artifact: a link to the bucket, or on one machine the bytes.

_NOT_FINISHED = "The run is not finished, so its artifacts are not collected yet."
_UNKNOWN = "The run left no such artifact. Its result lists all: artifacts and artifacts_skipped."


def artifact_answer(env: Env, row: Submission, path: str) -> Response[str]:
    """Answer with an artifact. Raises ConflictError before the run is final, NotFoundError."""
    if not row.is_final:
        raise ConflictError(_NOT_FINISHED)
    artifact = _find(row, path)
    return object_answer(env, artifact["key"], lambda url, expires_at: artifact_link(artifact, url, expires_at))


def _find(row: Submission, path: str) -> Mapping[str, Any]:
    """Return the artifact with this path, as the gateway gave it, or with escapes that it left in it."""
    by_path = {artifact["path"]: artifact for artifact in row.stored_artifacts}
    for name in (path, unquote(path)):
        if name in by_path and row.submission_id in by_path[name]["key"]:
            return by_path[name]
    raise NotFoundError(_UNKNOWN)


# Query parameters. All functions raise BadRequestError.

_OFFSET = re.compile(r"[0-9]{1,10}")


def result_shape(parameters: Parameters) -> Shape:
    """Read `encoding` and `view` of a result."""
    encoding, view = parameters.get("encoding"), parameters.get("view")
    if encoding not in {None, "base64"}:
        raise BadRequestError("encoding must be base64, or be left out.")
    if view not in {None, "compact"}:
        raise BadRequestError("view must be compact, or be left out.")
    return Shape(None if encoding is None else "base64", view is not None)


def output_stream(parameters: Parameters) -> StreamName:
    """Read `stream` of a part of the output."""
    stream = parameters.get("stream")
    if stream == "stdout":
        return "stdout"
    if stream == "stderr":
        return "stderr"
    raise BadRequestError("stream must be stdout or stderr.")


def output_offset(parameters: Parameters) -> int:
    """Read `after` of a part of the output."""
    text = parameters.get("after", "0")
    if not _OFFSET.fullmatch(text):
        raise BadRequestError("after must be a whole number of bytes: 0, or `next` of the answer before.")
    return int(text)


NO_SUCH_RESULT = "There is no such submission."
NO_SUCH_PROGRAM = "The program is not kept: its request had no keep_code, or is older than 24 hours."
PROGRAM_KEPT_MS = 24 * 3_600_000


def others_before(env: Env, row: Submission) -> int | None:
    """Return how many others may be before a submission; None if it waits in no queue, or SQS does not say it."""
    if row.status is not Status.PENDING or row.asked_directly or row.cancelled_at is not None:
        return None
    with suppress(ClientError, BotoCoreError):
        return max(0, env[Queues].recent_depth(row.priority) - 1)
    return None


class Results:
    """Reads submissions of one kind, and builds their answers."""

    kind = Kind.RUN

    def __init__(self, env: Env) -> None:
        self._env = env
        self._store = env[SubmissionStore]
        self._payloads = env[Payloads]
        self._clock = env.clock

    def find(self, submission_id: str, project_id: str) -> Submission | None:
        """Return the project's submission of this kind; None if it is unknown, expired or of another project."""
        row = self._store.get(submission_id)
        if (
            row is None
            or row.kind is not self.kind
            or row.project_id != project_id
            or row.ttl * MS_PER_SEC <= self._clock()
        ):
            return None
        return row

    def get(self, submission_id: str, project_id: str) -> Submission:
        """Like `find`. Raises NotFoundError."""
        row = self.find(submission_id, project_id)
        if row is None:
            raise NotFoundError(NO_SUCH_RESULT)
        return row

    def wait(self, row: Submission, secs: float, long_poll: LongPoll) -> Submission:
        """Poll a submission until it is final, for `secs`; return it as it is then. Raises NotFoundError."""
        pk = submission_pk(row.submission_id)
        latest = long_poll.wait(
            row, lambda: self.find(row.submission_id, row.project_id), lambda latest: latest.is_final, secs, pk
        )
        if latest is None:
            raise NotFoundError(NO_SUCH_RESULT)
        return latest

    def show(
        self, row: Submission, prefix: str, shape: Shape = WHOLE, *, warnings: Sequence[str] = ()
    ) -> Response[str]:
        """Answer with the result object in any state. `prefix`: the stage part of our paths."""
        if not row.is_final:
            pending = pending_body(row, others_before(self._env, row))
            return answer(compact(pending) if shape.is_compact else pending)
        stdout, stderr = self.output(row, "stdout"), self.output(row, "stderr")
        body = result_body(row, stdout, stderr, encoding=shape.encoding, warnings=warnings)
        text = serialise_within(
            compact(body) if shape.is_compact else body,
            url=prefix + result_path(row.submission_id),
            is_cut=max(row.stdout_size_bytes, row.stderr_size_bytes) > OUTPUT_MAX_BYTES,
        )
        return Response(status_code=200, content_type=JSON_TYPE, body=text)

    def program(self, row: Submission) -> Response[str]:
        """Answer with the kept request of a run. Raises NotFoundError."""
        return answer(program_body(row, *self.kept_request(row)))

    def kept_request(self, row: Submission) -> tuple[dict[str, Any], int]:
        """Return the kept request of a run, and until when it is kept. Raises NotFoundError."""
        expires_ms = from_rfc3339(row.created_at) + PROGRAM_KEPT_MS
        if row.program_key is None or self._clock() >= expires_ms:
            raise NotFoundError(NO_SUCH_PROGRAM)
        try:
            return self._payloads.get_program(row.submission_id), expires_ms
        except PayloadMissingError:  # its bucket deletes it a day later, or its project deleted the result
            raise NotFoundError(NO_SUCH_PROGRAM) from None

    def raw(self, row: Submission, stream: Stream) -> Response[Any]:
        """Answer with the exact bytes of one stream. Raises ConflictError before the run is final."""
        if not row.is_final:
            raise ConflictError("The run is not finished, so its output is not complete yet.")
        try:
            return output_answer(self._env, raw_output(row, stream))
        except PayloadMissingError:  # deleted since the row was read
            raise NotFoundError(NO_SUCH_RESULT) from None

    def output(self, row: Submission, stream: Stream, max_bytes: int = OUTPUT_MAX_BYTES) -> bytes:
        """Return the beginning of one stream of a final submission. Raises NotFoundError."""
        try:
            return read_output(self._payloads, row, stream, max_bytes)
        except PayloadMissingError:  # deleted since the row was read
            raise NotFoundError(NO_SUCH_RESULT) from None


# Delete a submission: code, input and output are gone before the answer.

_RUNNING = "The run is under way. Delete it when it is finished."


class Deletion:
    """Deletes submissions."""

    def __init__(self, env: Env) -> None:
        self._store = env[SubmissionStore]
        self._deliveries = env[DeliveryStore]
        self._quotas = env[QuotaStore]
        self._payloads = env[Payloads]
        self._artifacts = env[ArtifactStore]

    def delete(self, row: Submission) -> None:
        """Delete a submission with all its data. Raises ConflictError, NotFoundError, UnavailableError."""
        if row.status is Status.RUNNING:
            raise ConflictError(_RUNNING)
        if row.is_final:
            # A final row never changes. We delete it last, so that a repeat after a crash still finds it.
            self._deliveries.cancel_event(row.submission_id)
            hashes = [artifact["sha256"] for artifact in row.stored_artifacts]
            self._artifacts.remove(row.project_id, row.submission_id, hashes)
            self._payloads.delete_all(row.object_keys)
            self._store.delete(row)
            self._quotas.release(row.quota_claim)  # usually the final write has already done this
            return
        # A pending run may start at any time and then needs its input, so we delete the row first.
        if not self._store.delete(row):
            if self._store.get(row.submission_id) is None:
                raise NotFoundError("There is no such submission.")
            raise ConflictError(_RUNNING)
        self._payloads.mark_over(row.submission_id)
        self._quotas.release(row.quota_claim)
        self._payloads.delete_all(row.object_keys)

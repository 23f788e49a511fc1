"""Outputs and artifacts of a submission: from its row, from the bucket, or as a link to the bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from urllib.parse import unquote

from aws_lambda_powertools.event_handler import Response

from functions.aws.clients import Clients
from functions.aws.payloads import OUTPUT_MAX_BYTES, RAW_OUTPUT_MAX_BYTES, PayloadMissingError, Payloads
from functions.clock import MS_PER_SEC, to_rfc3339
from functions.errors import ConflictError, NotFoundError
from functions.http.answers import answer
from functions.http.stored_content import download_headers
from functions.submissions.results.short_views import output_link
from functions.submissions.results.views import artifact_link

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from functions.settings import Settings
    from functions.submissions.model import Submission


# Answer with the bytes of an output, or with an object of the bucket that is too large for an answer.

LINK_SECS = 300
BYTES_TYPE = "application/octet-stream"


class RawOutput(NamedTuple):
    """An output of a submission: `content`, or an object of the bucket."""

    submission_id: str
    content: bytes
    key: str | None
    size_bytes: int


def output_answer(settings: Settings, now_ms: int, payloads: Payloads, output: RawOutput) -> Response[Any]:
    """Answer with the exact bytes of an output. Raises PayloadMissingError if its object was deleted."""
    submission_id, content, key, size_bytes = output
    if key is not None and size_bytes > RAW_OUTPUT_MAX_BYTES:
        payloads.confirm_output(submission_id, key)
        return object_answer(settings, now_ms, key, lambda url, expires_at: output_link(size_bytes, url, expires_at))
    if key is not None:
        content = payloads.get_output(submission_id, key, RAW_OUTPUT_MAX_BYTES)
    headers: dict[str, str | list[str]] = {"x-content-type-options": "nosniff"}  # it comes from an untrusted program
    return Response(200, BYTES_TYPE, content, headers=headers)


def object_answer(
    settings: Settings, now_ms: int, key: str, body_of: Callable[[str, str], Mapping[str, object]]
) -> Response[str]:
    """Answer with a link to an object of a program, or on one machine with its bytes.

    `body_of(url, expires_at)` returns the body with the link.
    """
    if settings.serves_files:  # the gateway sends objects itself, as that of one machine does
        # As bytes, to be saved: the content is an untrusted program's, and must never show as a page of ours.
        return Response(200, BYTES_TYPE, "", headers=download_headers(key))
    url = Clients.s3_signing().generate_presigned_url(
        "get_object",
        Params={
            "Bucket": settings.payloads_bucket,
            "Key": key,
            "ResponseContentDisposition": "attachment",
            "ResponseContentType": BYTES_TYPE,
        },
        ExpiresIn=LINK_SECS,
    )
    return answer(body_of(url, to_rfc3339(now_ms + LINK_SECS * MS_PER_SEC)))


# Read the output of a final submission: from its row, or from the bucket if it was too large.

type Stream = Literal["stdout", "stderr"]


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


def artifact_answer(settings: Settings, now_ms: int, row: Submission, path: str) -> Response[str]:
    """Answer with an artifact. Raises ConflictError before the run is final, NotFoundError."""
    if not row.is_final:
        raise ConflictError(_NOT_FINISHED)
    artifact = _find(row, path)
    return object_answer(
        settings, now_ms, artifact["key"], lambda url, expires_at: artifact_link(artifact, url, expires_at)
    )


def _find(row: Submission, path: str) -> Mapping[str, Any]:
    """Return the artifact with this path, as the gateway gave it, or with escapes that it left in it."""
    by_path = {artifact["path"]: artifact for artifact in row.stored_artifacts}
    for name in (path, unquote(path)):
        if name in by_path and row.submission_id in by_path[name]["key"]:
            return by_path[name]
    raise NotFoundError(_UNKNOWN)

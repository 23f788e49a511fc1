"""Answer with the bytes of an output, or with an object of the bucket that is too large for an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from aws_lambda_powertools.event_handler import Response

from functions.aws.clients import Clients
from functions.aws.payloads import RAW_OUTPUT_MAX_BYTES, Payloads
from functions.clock import MS_PER_SEC, to_rfc3339
from functions.http.answers import answer
from functions.http.stored_content import download_headers
from functions.submissions.results.output_views import output_link

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from functions.settings import Settings

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

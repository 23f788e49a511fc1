"""Answer with the content of an artifact: a link to the bucket, or on one machine the bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from aws_lambda_powertools.event_handler import Response

from functions.aws.clients import Clients
from functions.clock import MS_PER_SEC, to_rfc3339
from functions.errors import ConflictError, NotFoundError
from functions.http.answers import answer
from functions.http.stored_content import download_headers
from functions.submissions.results.views import artifact_link

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.settings import Settings
    from functions.submissions.model import Submission

LINK_SECS = 300
_BYTES = "application/octet-stream"
_NOT_FINISHED = "The run is not finished, so its artifacts are not collected yet."
_UNKNOWN = "The run left no such artifact. Its result lists all: artifacts and artifacts_skipped."


def artifact_answer(settings: Settings, now_ms: int, row: Submission, path: str) -> Response[str]:
    """Answer with an artifact. Raises ConflictError before the run is final, NotFoundError."""
    if not row.is_final:
        raise ConflictError(_NOT_FINISHED)
    artifact = _find(row, path)
    if settings.serves_files:  # the gateway sends objects itself, as that of one machine does
        # As bytes, to be saved: the content is an untrusted program's, and must never show as a page of ours.
        return Response(200, _BYTES, "", headers=download_headers(artifact["key"]))
    url = Clients.s3_signing().generate_presigned_url(
        "get_object",
        Params={
            "Bucket": settings.payloads_bucket,
            "Key": artifact["key"],
            "ResponseContentDisposition": "attachment",
            "ResponseContentType": _BYTES,
        },
        ExpiresIn=LINK_SECS,
    )
    expires_at = to_rfc3339(now_ms + LINK_SECS * MS_PER_SEC)
    return answer(artifact_link(artifact, url, expires_at))


def _find(row: Submission, path: str) -> Mapping[str, Any]:
    """Return the artifact with this path, as the gateway gave it, or with escapes that it left in it."""
    by_path = {artifact["path"]: artifact for artifact in row.stored_artifacts}
    for name in (path, unquote(path)):
        if name in by_path and row.submission_id in by_path[name]["key"]:
            return by_path[name]
    raise NotFoundError(_UNKNOWN)

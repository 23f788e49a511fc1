"""Answer with the content of an artifact: a link to the bucket, or on one machine the bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from functions.errors import ConflictError, NotFoundError
from functions.submissions.results.artifact_views import artifact_link
from functions.submissions.results.stored_object import object_answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_lambda_powertools.event_handler import Response

    from functions.settings import Settings
    from functions.submissions.model import Submission

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

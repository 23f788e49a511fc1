"""Why a request has no completion."""

import logging
from collections.abc import Mapping
from enum import StrEnum

from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.network import NetworkError

_LOG = logging.getLogger(__name__)


NOT_BEGUN = "the run was cancelled before it began"


class NotRun(StrEnum):
    """Why a request has no completion. It must run again, here or on another runner."""

    LANGUAGE_NOT_OFFERED = "language_not_offered"
    NETWORK_NOT_OFFERED = "network_not_offered"
    FILES_NOT_OFFERED = "files_not_offered"
    FILES_NOT_FETCHED = "files_not_fetched"
    DRAINING = "draining"
    SANDBOX_FAILED = "sandbox_failed"
    OUTPUT_NOT_STORED = "output_not_stored"
    CASES_NOT_READ = "cases_not_read"


def log_sandbox_failure(ids: Mapping[str, str | None], error: JailError | NetworkError) -> None:
    """Log why the sandbox of a request failed, or its network."""
    facts: dict[str, object] = {"step": error.step}
    if isinstance(error, NetworkError):
        facts["problem"] = error.problem
    else:
        facts |= {"target": error.target, "errno": error.errno, "problem": error.hint}
    _LOG.error("sandbox failed", extra={**ids, **facts})

"""Build the message that requests one execution of a submission."""

from typing import Any

from events.variables import Environment
from functions.messages.base import RequestedLimits
from functions.messages.files import PlacedFile, read_files
from functions.messages.network import Network
from functions.messages.wire import ExecutionRequested
from functions.submissions.model import Submission


def execution_requested(
    submission: Submission,
    code: bytes,
    stdin: bytes,
    requested_at: str,
    environment: Environment | None = None,
    files: tuple[PlacedFile, ...] = (),
) -> ExecutionRequested:
    """Return the message for the row's `execution_id`. Code, stdin and files may come from the bucket."""
    network = Network.of(submission.network) if submission.network else None
    return ExecutionRequested.of(
        request_values(submission, code, requested_at, files)
        | {
            "network": network,
            "artifacts": submission.artifact_patterns,
            "args": submission.args or None,
            "stdin": stdin,
            "environment": None if environment is None else environment.variables,
            "secret_names": None if environment is None else environment.secret_names or None,
        }
    )


def requested_again(
    submission: Submission,
    code: bytes,
    stdin: bytes,
    requested_at: str,
    environment: Environment | None,
    files: bytes | None,
) -> ExecutionRequested:
    """Return the message for another execution. `files`: as the row or the bucket has them."""
    return execution_requested(submission, code, stdin, requested_at, environment, read_files(files))


def request_values(
    submission: Submission, code: bytes, requested_at: str, files: tuple[PlacedFile, ...] = ()
) -> dict[str, Any]:
    """Return the fields that the messages of both kinds of submissions have."""
    return {
        "submission_id": submission.submission_id,
        "execution_id": submission.execution_id,
        "project_id": submission.project_id,
        "language": submission.language,
        "profile": submission.profile,
        "priority": submission.priority,
        "code": code,
        "limits": RequestedLimits(**submission.limits),  # type: ignore[arg-type]  # checked against their ceilings
        "files": files or None,
        "compile_args": submission.compile_args or None,
        "requested_at": requested_at,
    }

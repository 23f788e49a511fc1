"""Accept the program of a request in another protocol, as POST /api/submit does, and wait for its end."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import Response

from functions.dialects.dialect import without_heading
from functions.errors import TooLargeError
from functions.http.answers import JSON_TYPE
from functions.http.json_body import LIST_MAX_BYTES, body_text, escaped_bytes
from functions.http.long_poll import SHORTEST_WAIT_SECS
from functions.http.problems import Problems
from functions.submissions.accept.acceptance import NewSubmission
from functions.submissions.accept.requests import STDIN_MAX_BYTES, check_submission, size_problems
from functions.submissions.results.output import output_if_kept
from functions.submissions.routes.submit_routes import accept_and_wait, program_rules

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.http.resolver import Resolver
    from functions.projects.model import Project
    from functions.submissions.accept.requests import RunRequest
    from functions.submissions.deployment import SubmissionDeployment
    from functions.submissions.model import Submission


def checked_run(
    deployment: SubmissionDeployment,
    app: Resolver,
    project: Project,
    body: Mapping[str, Any],
    stdin: bytes | None = None,
    problems: Problems | None = None,
) -> RunRequest:
    """Check a translated request, which has the fields of POST /api/submit. Raises ServiceError.

    `stdin`: in place of its text, where it need not be UTF-8. `problems`: those found before.
    A `webhook_url` without a secret is for a callback.
    """
    problems = Problems() if problems is None else problems
    rules, url = program_rules(deployment, app.current_event, project), body.get("webhook_url")
    if url is not None and (refused := rules.addresses.problem(url, "webhook_url")) is not None:
        problems.add([refused])
    problems.add(size_problems("stdin", stdin or b"", STDIN_MAX_BYTES))
    run = check_submission({name: value for name, value in body.items() if name != "webhook_url"}, rules, problems)
    return replace(run, webhook_url=url, stdin=run.stdin if stdin is None else stdin)


def run_program(
    deployment: SubmissionDeployment, app: Resolver, project: Project, run: RunRequest, wait_secs: float
) -> Submission:
    """Accept a run, wait for its end for as long, and return the submission as it is then. Raises ServiceError."""
    begun = deployment.long_poll.monotonic()
    secs = min(wait_secs, max(app.secs_left(), SHORTEST_WAIT_SECS))
    event = app.current_event
    new = NewSubmission(project, run, None, secs, event.correlation_id, event.traceparent)
    return accept_and_wait(deployment, app, new, begun).submission


def outputs(deployment: SubmissionDeployment, row: Submission) -> tuple[bytes, bytes]:
    """Return stdout and stderr of a final submission; of a program that did not compile, the compiler's text."""
    payloads = deployment.payloads
    stdout, stderr = output_if_kept(payloads, row, "stdout"), output_if_kept(payloads, row, "stderr")
    return stdout, without_heading(row.language, stderr)


def json_answer(body: Any, status: int = 200) -> Response[str]:
    """Build an answer. Raises TooLargeError if it is too large for a function's response."""
    text = body_text(body)
    if escaped_bytes(text) > LIST_MAX_BYTES:
        raise TooLargeError(f"The output is too large for one answer, which has at most {LIST_MAX_BYTES:,} bytes.")
    return Response(status_code=status, content_type=JSON_TYPE, body=text)

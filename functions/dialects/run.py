"""Accept the program of a request in another protocol, as POST /api/submit does, and wait for its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.http.long_poll import SHORTEST_WAIT_SECS
from functions.submissions.accept.acceptance import NewSubmission
from functions.submissions.accept.requests import check_submission
from functions.submissions.routes.submit_routes import accept_and_wait, program_rules

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.http.resolver import Resolver
    from functions.projects.model import Project
    from functions.submissions.accept.requests import RunRequest
    from functions.submissions.deployment import SubmissionDeployment
    from functions.submissions.model import Submission


def checked_run(deployment: SubmissionDeployment, app: Resolver, body: Mapping[str, Any]) -> RunRequest:
    """Check a translated request, which has the fields of POST /api/submit. Raises ServiceError."""
    return check_submission(body, **program_rules(deployment, app.current_event))


def run_program(
    deployment: SubmissionDeployment, app: Resolver, project: Project, run: RunRequest, wait_secs: float
) -> Submission:
    """Accept a run, wait for its end for as long, and return the submission as it is then. Raises ServiceError."""
    begun = deployment.long_poll.monotonic()
    secs = min(wait_secs, max(app.secs_left(), SHORTEST_WAIT_SECS))
    event = app.current_event
    new = NewSubmission(project, run, None, secs, event.correlation_id, event.traceparent)
    return accept_and_wait(deployment, app, new, begun).submission

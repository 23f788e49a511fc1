"""What the routes of all dialects have: a project, and the code that accepts programs for POST /api/submit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import Response

from events.vocabulary import Profile
from functions.errors import ServiceError, TooLargeError
from functions.http.answers import JSON_TYPE
from functions.http.http_event import json_body
from functions.http.json_body import LIST_MAX_BYTES, body_text, escaped_bytes
from functions.http.long_poll import SHORTEST_WAIT_SECS
from functions.http.validation import Problems, read_json
from functions.submissions.accept.acceptance import NewSubmission
from functions.submissions.accept.requests import check_submission
from functions.submissions.results.results import output_if_kept
from functions.submissions.submit_api import accept_and_wait, program_rules

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from functions.http.resolver import Resolver
    from functions.judging.deployment import JudgeDeployment
    from functions.projects.model import Project
    from functions.submissions.accept.requests import ValidSubmission
    from functions.submissions.model import Submission


@dataclass(frozen=True, slots=True)
class DialectRoutes:
    """The routes of a dialect, for one request with a valid key. All raise ServiceError."""

    deployment: JudgeDeployment
    app: Resolver
    project: Project

    @property
    def body(self) -> Mapping[str, Any]:
        """The JSON object of the request; empty for any other JSON."""
        body, _ = read_json(json_body(self.app.current_event))
        return body if isinstance(body, dict) else {}

    @property
    def profile(self) -> Profile:
        """The profile of programs whose request cannot name one."""
        return Profile.JUDGE if Profile.JUDGE in self.project.profiles else Profile.AGENT

    def checked(self, body: Mapping[str, Any], problems: Problems | None = None) -> ValidSubmission:
        """Check a translated request, which has the fields of POST /api/submit. `problems`: those found before."""
        rules = program_rules(self.deployment, self.app.current_event, self.project)
        return check_submission(body, rules, Problems() if problems is None else problems)

    def run(self, request: ValidSubmission, wait_secs: float) -> Submission:
        """Accept a run, wait for its end for as long, and return the submission as it is then."""
        begun, event = self.deployment.long_poll.monotonic(), self.app.current_event
        secs = min(wait_secs, max(self.app.secs_left(), SHORTEST_WAIT_SECS))
        new = NewSubmission(self.project, request, None, secs, event.correlation_id, event.traceparent)
        return accept_and_wait(self.deployment, self.app, new, begun).submission

    def outputs(self, row: Submission) -> tuple[bytes, bytes]:
        """Return stdout and stderr of a final submission, nothing for a deleted one."""
        payloads = self.deployment.payloads
        return output_if_kept(payloads, row, "stdout"), output_if_kept(payloads, row, "stderr")


def json_answer(body: Any, status: int = 200) -> Response[str]:
    """Build an answer. Raises TooLargeError if it is too large for a function's response."""
    text = body_text(body)
    if escaped_bytes(text) > LIST_MAX_BYTES:
        raise TooLargeError(f"The output is too large for one answer, which has at most {LIST_MAX_BYTES:,} bytes.")
    return Response(status_code=status, content_type=JSON_TYPE, body=text)


def answering(body: Any) -> Callable[..., Response[str]]:
    """Return a route that always has the same answer."""
    return lambda *_: json_answer(body)


def refusing(error: type[ServiceError], *reason: Any) -> Callable[..., Response[str]]:
    """Return a route that always raises an error."""

    def refuse(*_: object) -> Response[str]:
        raise error(*reason)

    return refuse

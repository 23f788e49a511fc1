"""Submit the program of a run. The idempotency key is that of the run and its attempt."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from events.variables import EVENT_ID_VARIABLE, EVENT_TYPE_VARIABLE, EVENT_VARIABLE
from functions.aws.payloads import PayloadMissingError
from functions.checks.settings.triggers import EventAs, size_problem
from functions.errors import BadRequestError, IdempotencyConflictError, UnavailableError
from functions.submissions.accept.acceptance import NewSubmission
from functions.submissions.model import Claim, idempotency_pk
from functions.submissions.store import ClaimTakenError

if TYPE_CHECKING:
    from functions.aws.payloads import Payloads
    from functions.checks.runs.model import Run
    from functions.checks.settings.check_settings import CheckSettings
    from functions.checks.settings.model import Check
    from functions.checks.settings.secret_settings import CheckVariables
    from functions.projects.model import Project
    from functions.projects.registry import ProjectRegistry
    from functions.submissions.accept.acceptance import Acceptance
    from functions.submissions.model import Submission
    from functions.submissions.store import SubmissionStore

_DISABLED_RETRY_SECS = 300


@dataclass(frozen=True, slots=True)
class RunSubmitter:
    """Submits the programs of runs."""

    projects: ProjectRegistry
    submissions: SubmissionStore
    acceptance: Acceptance
    variables: CheckVariables
    payloads: Payloads

    def submit(self, check: Check, run: Run) -> Submission:
        """Return the submission of a run; a repeat finds the earlier one. Raises ServiceError, UnsealError."""
        project = self._project(run)
        key = f"check:{run.run_id}:{run.attempt}"
        metadata = {"check_id": run.check_id, "check_run_id": run.run_id, "check_run": run.position}
        environment = self.variables.environment(check, event_variables(check.settings, run))
        request = _with_event(check.settings, run.event).run_request(metadata, environment)
        if (body := self._body(run)) is not None:
            request = replace(request, stdin=body)
        try:
            accepted = self.acceptance.accept(NewSubmission(project, request, key, 0, run.run_id))
        except IdempotencyConflictError:
            # The check was changed after this run was accepted, and before we noted its submission.
            claim = Claim(idempotency_pk(run.project_id, key), "")
            try:
                self.submissions.check_claim(claim)
            except ClaimTakenError as taken:
                earlier = self.submissions.get(taken.submission_id)
                if earlier is not None:
                    return earlier
            raise
        return accepted.submission

    def _body(self, run: Run) -> bytes | None:
        """Return the body of the call that started a run. Raises BadRequestError if it is gone."""
        if run.call is None or run.call.body_key is None:
            return None if run.call is None else run.call.body
        try:
            return self.payloads.get_event(run.call.body_key)
        except PayloadMissingError:
            raise BadRequestError("the body of the call is gone: RetentionDays are over") from None

    def _project(self, run: Run) -> Project:
        record = self.projects.get(run.project_id)
        if record is None or record.disabled_at is not None:
            raise UnavailableError("The project is disabled.", _DISABLED_RETRY_SECS)
        return record.project


def event_variables(settings: CheckSettings, run: Run) -> dict[str, str]:
    """Return the variables that tell a program about its event."""
    variables: dict[str, str] = {}
    if run.event is not None and settings.event_as is EventAs.VARIABLE:
        variables[EVENT_VARIABLE] = run.event
    if run.call is not None:
        variables |= {EVENT_ID_VARIABLE: run.call.event_id, EVENT_TYPE_VARIABLE: run.call.event_type}
    return variables


def _with_event(settings: CheckSettings, event: str | None) -> CheckSettings:
    """Return the settings with an event as standard input, if they ask for it. Raises BadRequestError."""
    if event is None:
        return settings
    problem = size_problem(event, settings.event_as)  # `event_as` may have changed since
    if problem is not None:
        raise BadRequestError(problem)
    return settings.model_copy(update={"stdin": event}) if settings.event_as is EventAs.STDIN else settings

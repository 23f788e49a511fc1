"""Submit the program of a run. The idempotency key is that of the run and its attempt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.checks.settings.event_data import EventAs, size_problem
from functions.errors import BadRequestError, IdempotencyConflictError, UnavailableError
from functions.submissions.accept.acceptance import NewSubmission
from functions.submissions.model import Claim, idempotency_pk
from functions.submissions.store import ClaimTakenError

if TYPE_CHECKING:
    from functions.checks.runs.model import Run
    from functions.checks.settings.check_settings import CheckSettings
    from functions.checks.settings.model import Check
    from functions.checks.settings.variables import CheckVariables
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

    def submit(self, check: Check, run: Run) -> Submission:
        """Return the submission of a run; a repeat finds the earlier one. Raises ServiceError, UnsealError."""
        project = self._project(run)
        key = f"check:{run.run_id}:{run.attempt}"
        metadata = {"check_id": run.check_id, "check_run_id": run.run_id, "check_run": run.position}
        environment = self.variables.environment(check, run.event)
        request = _with_event(check.settings, run.event).run_request(metadata, environment)
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

    def _project(self, run: Run) -> Project:
        record = self.projects.get(run.project_id)
        if record is None or record.disabled_at is not None:
            raise UnavailableError("The project is disabled.", _DISABLED_RETRY_SECS)
        return record.project


def _with_event(settings: CheckSettings, event: str | None) -> CheckSettings:
    """Return the settings with an event as standard input, if they ask for it. Raises BadRequestError."""
    if event is None:
        return settings
    problem = size_problem(event, settings.event_as)  # `event_as` may have changed since
    if problem is not None:
        raise BadRequestError(problem)
    return settings.model_copy(update={"stdin": event}) if settings.event_as is EventAs.STDIN else settings

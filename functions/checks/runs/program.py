"""Submit the program of a run, with its event or the body of its call."""

from dataclasses import replace

from functions.aws.payloads import PayloadMissingError, Payloads
from functions.checks.runs.run import Run
from functions.checks.runs.start import event_variables
from functions.checks.settings.changes import environment_of
from functions.checks.settings.check_settings import CheckSettings
from functions.checks.settings.store import Check
from functions.checks.settings.triggers import EventAs, size_problem
from functions.env import Env
from functions.errors import BadRequestError, IdempotencyConflictError, UnavailableError
from functions.projects.store import ProjectStore
from functions.submissions.accept.acceptance import Acceptance, NewSubmission
from functions.submissions.model import Claim, Submission, idempotency_pk
from functions.submissions.store import ClaimTakenError, SubmissionStore

_DISABLED_RETRY_SECS = 300


def submit_program(env: Env, check: Check, run: Run) -> Submission:
    """Return the submission of a run; a repeat finds the earlier one. Raises ServiceError, UnsealError.

    The idempotency key is that of the run and its attempt.
    """
    record = env[ProjectStore].get(run.project_id)
    if record is None or record.disabled_at is not None:
        raise UnavailableError("The project is disabled.", _DISABLED_RETRY_SECS)
    # A header cannot hold the first character, so no client can take the key of a run, whose id it may know.
    key, submissions = f"\0check:{run.run_id}:{run.attempt}", env[SubmissionStore]
    metadata = {"check_id": run.check_id, "check_run_id": run.run_id, "check_run": run.position}
    environment = environment_of(env, check, event_variables(check.settings, run))
    request = _with_event(check.settings, run.event).submission(metadata, environment)
    if (body := _body_of_call(env, run)) is not None:
        request = replace(request, program=replace(request.program, stdin=body))
    try:
        accepted = env[Acceptance].accept(NewSubmission(record.project, request, key, 0, run.run_id, source="check"))
    except IdempotencyConflictError:
        # The check was changed after this run was accepted, and before we noted its submission.
        try:
            submissions.check_claim(Claim(idempotency_pk(run.project_id, key), ""))
        except ClaimTakenError as taken:
            earlier = submissions.get(taken.submission_id)
            if earlier is not None:
                return earlier
        raise
    return accepted.submission


def _body_of_call(env: Env, run: Run) -> bytes | None:
    """Return the body of the call that started a run. Raises BadRequestError if it is gone."""
    if run.call is None or run.call.body_key is None:
        return None if run.call is None else run.call.body
    try:
        return env[Payloads].get_event(run.call.body_key)
    except PayloadMissingError:
        raise BadRequestError("the body of the call is gone: RetentionDays are over") from None


def _with_event(settings: CheckSettings, event: str | None) -> CheckSettings:
    """Return the settings with an event as standard input, if they ask for it. Raises BadRequestError."""
    if event is None:
        return settings
    problem = size_problem(event, settings.event_as)  # `event_as` may have changed since
    if problem is not None:
        raise BadRequestError(problem)
    return settings.model_copy(update={"stdin": event}) if settings.event_as is EventAs.STDIN else settings

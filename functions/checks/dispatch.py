"""Give due rows and messages of the queue to the parts that handle them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.checks.events.start import CheckRequested
from functions.checks.keys import ids_of_check
from functions.checks.runs.hints import CheckHint, SubmissionEnded, read_message

if TYPE_CHECKING:
    from functions.checks.deployment import CheckRunDeployment
    from functions.checks.runs.store import Due


@dataclass(frozen=True, slots=True)
class CheckDispatch:
    """The use cases of checks that no client calls. Repeating a call is safe."""

    deployment: CheckRunDeployment

    def handle(self, message: str) -> None:
        """Handle a message of the queue: the next step of a run, or start checks. Raises MessageInvalidError."""
        body = read_message(message)
        if "detail-type" in body:
            self.deployment.requested_runs.start(CheckRequested.of(body))
            return
        if "check_ids" in body:
            self.deployment.following.after_submission(SubmissionEnded.of(body))
            return
        hint = CheckHint.of(body)
        run = self.deployment.check_runs.get_run(hint.pk, hint.sk)
        if run is not None:
            self.deployment.run_steps.step(run, has_ended=hint.has_ended)

    def serve(self, row: Due) -> None:
        """Start the runs of a due check, or do the next step of a due run."""
        if row.is_check:
            runs = self.deployment.firing.fire(*ids_of_check(row.pk, row.sk))
        else:
            due = self.deployment.check_runs.get_run(row.pk, row.sk)
            runs = [] if due is None else [due]
        for run in runs:
            self.deployment.run_steps.step(run)

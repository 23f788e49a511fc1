"""Start the checks that follow an ended run or submission."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from functions.checks.events.start import Cause
from functions.checks.settings.triggers import CheckTrigger, SubmissionTrigger, event_text, size_problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.checks.events.start import Starter
    from functions.checks.runs.hints import SubmissionEnded
    from functions.checks.runs.model import Run
    from functions.checks.settings.model import Check
    from functions.checks.settings.store import CheckStore
    from functions.checks.settings.trigger_store import TriggerStore


@dataclass(frozen=True, slots=True)
class Following:
    """Starts the checks that a run or a submission triggers. Repeating a call is safe."""

    store: CheckStore
    triggers: TriggerStore
    starter: Starter

    def after_run(self, check: Check, run: Run) -> None:
        """Start the checks that follow a run which has ended."""
        slug = check.settings.slug
        data = {
            "type": "check.run.completed",
            "check_id": check.check_id,
            "check_slug": slug,
            "run_id": run.run_id,
            "status": run.status.value,
            "verdict": run.verdict,
            "submission_id": run.submission_id,
        }
        cause = Cause(f"run:{run.run_id}", f"after the run {run.run_id} of {slug}", data, run.chain + 1)
        checks = [
            self.store.get(run.project_id, follower.check_id)
            for follower in self.triggers.followers(run.project_id)
            if isinstance(trigger := follower.trigger, CheckTrigger)
            and trigger.slug == slug
            and run.status.value in list(trigger.statuses)
        ]
        self.starter.start_all(filter(None, checks), cause)

    def after_submission(self, ended: SubmissionEnded) -> None:
        """Start the checks that a submission triggers. Its metadata is left out where it is too large."""
        for check_id in ended.check_ids:
            check = self.store.get(ended.project_id, check_id)
            trigger = None if check is None else check.settings.trigger
            if check is None or not isinstance(trigger, SubmissionTrigger):
                continue  # it was changed since
            data: Mapping[str, Any] = ended.data
            if size_problem(event_text(data), check.settings.event_as) is not None:
                data = {name: value for name, value in data.items() if name != "metadata"}
            reason = f"after the submission {ended.submission_id}"
            self.starter.start(check, Cause(f"submission:{ended.submission_id}", reason, data))

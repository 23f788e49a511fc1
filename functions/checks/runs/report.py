"""Report the end of a run to the service whose event started it: the status of a commit on GitHub.

https://docs.github.com/en/rest/commits/statuses#create-a-commit-status
"""

from typing import Any, Final

from functions.checks.runs.run import Run, RunStatus, event_id_of
from functions.checks.settings.store import Check
from functions.clock import to_rfc3339
from functions.env import Env
from functions.event_log.model import Event
from functions.webhooks.deliveries.model import Report
from functions.webhooks.deliveries.publication import Outbox, RunTarget
from functions.webhooks.vocabulary import EVENT_REPORT

_STATES: Final = {RunStatus.PASSED: "success", RunStatus.FLAKY: "success", RunStatus.FAILED: "failure"}
_SENTENCES: Final = {
    RunStatus.PASSED: "The check passed.",
    RunStatus.FLAKY: "The check passed when it was repeated.",
    RunStatus.FAILED: "The check failed.",
    RunStatus.ERROR: "The platform could not run the check.",
}
_NOT_STARTED = "The check did not start."


def send_report(env: Env, check: Check, run: Run) -> None:
    """Store the report of a final run with its delivery, if the check has one. Repeating the call is safe."""
    report = check.settings.report
    if report is None or run.commit is None or not check.report_box:
        return
    at = run.completed_at or to_rfc3339(run.scheduled_ms)
    status = status_body(check, run, env.settings.public_base_url)
    body = Report(check.check_id, run.run_id, at, status).event(EVENT_REPORT)
    event = Event(event_id_of(run.run_id, EVENT_REPORT), EVENT_REPORT, run.project_id, body)
    api_url = report.github_status.api_url.rstrip("/")
    url = f"{api_url}/repos/{run.commit.repository}/statuses/{run.commit.sha}"
    env[Outbox].send(event, RunTarget(url, check.report_box))


def is_reported(check: Check, run: Run) -> bool:
    """Whether the end of a run is reported."""
    return check.settings.report is not None and run.commit is not None


def status_body(check: Check, run: Run, public_base_url: str) -> dict[str, Any]:
    """Return the status of the commit. Everybody may see it in a public repository, so it has no output."""
    report = check.settings.report
    context = None if report is None else report.github_status.context
    sentence = _SENTENCES.get(run.status, _NOT_STARTED)
    failed = sum(not result["passed"] for result in run.results)
    if run.status is RunStatus.FAILED and failed:
        sentence = f"{sentence} {failed} of {len(run.results)} assertions do not hold."
    body = {
        "state": _STATES.get(run.status, "error"),
        "description": sentence,
        "context": context or f"rustbox/{check.settings.slug}",
    }
    if public_base_url:
        body["target_url"] = f"{public_base_url}/#/checks/{check.check_id}"
    return body

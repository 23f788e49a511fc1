"""One run for each way to get a result, through the deployed API."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from infra.deploy.errors import DeployError
from infra.local.receiver import receiver

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.deploy.progress import Progress
    from infra.deploy.smoke.api import Api

RUNNER_SECS = 90
_RESULT_SECS = 60
_PROGRAM = {"language": "python", "code": "print(6 * 7)"}
_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - a public test vector


def wait_for_runner(api: Api, secs: float) -> bool:
    """Return whether a runner reported within the time."""
    deadline = time.monotonic() + secs
    while api.status("GET", "/api/health/ready") != 200:  # noqa: PLR2004 - a runner is live
        if time.monotonic() > deadline:
            return False
        time.sleep(0.5)
    return True


def run(api: Api, progress: Progress) -> None:
    """Run the two patterns without a receiver and show their times. Raises DeployError."""
    _show(progress, "wait", lambda: api.call("POST", "/api/submit?wait=true", _PROGRAM))
    _show(progress, "poll", lambda: _poll(api))


def run_webhook_here(api: Api, progress: Progress) -> None:
    """Receive a webhook on loopback, which an emulator on this machine can call. Raises DeployError."""
    _show(progress, "webhook", lambda: _webhook(api))


def run_webhook_on_aws(api: Api, progress: Progress, url: str, secret: str) -> None:
    """Wait until a receiver that checks signatures has accepted a webhook. Raises DeployError."""
    started = time.monotonic()
    submitted = api.call("POST", "/api/submit", {**_PROGRAM, "webhook_url": url, "webhook_secret": secret})
    state = "missing"
    while time.monotonic() - started < _RESULT_SECS:
        found = api.call("GET", f"/api/deliveries?submission_id={submitted['id']}")["items"]
        state = found[0]["state"] if found else "missing"
        if state == "delivered":
            progress.step("webhook", f"delivered, signature valid  {1000 * (time.monotonic() - started):.0f} ms")
            return
        time.sleep(1)
    raise DeployError(
        f"smoke test: the webhook of {submitted['id']} is {state} after {_RESULT_SECS} s: "
        "look at its attempts with `rustbox deliveries list`, and at the log of WebhookFunction"
    )


def _show(progress: Progress, pattern: str, once: Callable[[], dict[str, Any]]) -> None:
    started = time.monotonic()
    result = once()
    if result.get("verdict") != "AC" or result.get("stdout") != "42\n":
        raise DeployError(f"smoke test, {pattern}: expected AC and 42, got {result}")
    progress.step(pattern, f"AC  {1000 * (time.monotonic() - started):.0f} ms")


def _poll(api: Api) -> dict[str, Any]:
    submission_id = api.call("POST", "/api/submit", _PROGRAM)["id"]
    deadline = time.monotonic() + _RESULT_SECS
    while time.monotonic() < deadline:
        result = api.call("GET", f"/api/result/{submission_id}?wait=10")
        if "verdict" in result:
            return result
    raise DeployError(f"smoke test: {submission_id} has no result after {_RESULT_SECS} s: look at the runner's log")


def _webhook(api: Api) -> dict[str, Any]:
    with receiver(_SECRET) as (url, wait):
        submitted = api.call("POST", "/api/submit", {**_PROGRAM, "webhook_url": url, "webhook_secret": _SECRET})
        body = wait(_RESULT_SECS)
    if body is None:
        raise DeployError(
            f"smoke test: no webhook of {submitted['id']} with a valid signature within {_RESULT_SECS} s: "
            "look at the log of WebhookFunction"
        )
    return body

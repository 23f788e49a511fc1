"""The output of a real program can be read while it runs, and its secrets stay masked."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from threading import Thread

import pytest

from sandbox_runtime.executor import execute
from sandbox_runtime.executor.step_runs import RunStop
from sandbox_runtime.jail import Slot
from sandbox_runtime.languages import Language
from sandbox_runtime.worker.control import LiveOutputs
from tests.completions import streams
from tests.jail.guest_requests import request
from tests.until import until

SECRET = "hunter22-of-a-test"
PYTHON = b"""
import os, time
token = os.environ["TOKEN"].encode()
for part in (b"token ", token[:3], token[3:9], token[9:], b" and hunt", b"ing\\n", token[:5]):
    os.write(1, part)
    time.sleep(0.01)
os.write(2, b"all\\n")
time.sleep(600)
"""
C = b"""
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int main() {
    printf("token "); fflush(stdout);
    for (char *at = getenv("TOKEN"); *at; at++) { putchar(*at); fflush(stdout); }
    printf(" and hunting\\n%.5s", getenv("TOKEN")); fflush(stdout);
    fputs("all\\n", stderr);
    sleep(600);
}
"""


@pytest.mark.parametrize(("language", "code"), [("python", PYTHON), ("c", C)])
def test_output_is_read_while_the_program_runs(
    slot: Slot, languages: Mapping[str, Language], language: str, code: bytes
) -> None:
    requested = request(language, code).changed(environment={"TOKEN": SECRET, "OTHER": "1"}, secret_names=("TOKEN",))
    outputs, stop, seen = LiveOutputs(), RunStop(os.eventfd(0)), {"stdout": b"", "stderr": b""}

    def is_complete() -> bool:
        for stream in seen:
            seen[stream] += outputs.read(requested.submission_id, stream, len(seen[stream]), 0)[1]
        assert b"hunte" not in seen["stdout"]
        return seen == {"stdout": b"token **** and hunting\n", "stderr": b"all\n"}

    def watch() -> None:
        try:
            until(is_complete, lambda: seen)
        finally:
            stop.is_cancelled = True
            os.eventfd_write(stop.fd, 1)

    watcher = Thread(target=watch)
    with outputs.open(requested.submission_id, "0" * 16) as output:
        watcher.start()
        completed = execute(
            slot,
            requested,
            languages[language],
            node_id="test",
            started_at=datetime.now(UTC),
            stop=stop,
            live_output=output,
        )
        watcher.join()
    os.close(stop.fd)
    assert completed.result.cause == "cancelled"
    stdout, stderr = streams(completed)
    assert (stdout, stderr) == (seen["stdout"] + b"hunte", seen["stderr"])

"""Each program of docs/verify.md is a receiver: it takes what the dispatcher sends, and nothing that was changed."""

import os
import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from functions.clock import now_ms
from functions.webhooks.signature import parse_secret, sign
from tests.adapters.aws_account import Aws
from tests.adapters.hook_receiver import HookReceiver
from tests.adapters.pipeline import SECRET, Pipeline
from tests.adapters.receiver_process import BUN, ROOT
from tests.submission_factory import FakeTime
from tests.until import until

PAGE = ROOT / "docs" / "verify.md"
PROGRAMS: dict[str, str] = dict(re.findall(r"^```(\w+)\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE))
# `go run` would compile the standard library first, for 40 s: that of the runner is compiled.
_BUILD_GO = """
for tool in compile link; do sed "s#=.*/#=$LIBRARY/#" "$LIBRARY/importcfg.$tool" > $tool.cfg; done
tools=$(go env GOTOOLDIR)
$tools/compile -o main.a -p main -importcfg compile.cfg -pack receiver.go
$tools/link -o receiver -importcfg link.cfg main.a
exec ./receiver
"""
COMMANDS = {
    "python": ("receiver.py", ["/usr/bin/python3", "receiver.py"]),
    "javascript": ("receiver.cjs", [str(BUN), "receiver.cjs"]),
    "go": ("receiver.go", ["/bin/sh", "-ec", _BUILD_GO]),
    "java": ("Receiver.java", ["java", "Receiver.java"]),
    "php": ("receiver.php", ["php", "-S", "127.0.0.1:{port}", "receiver.php"]),
    "ruby": ("receiver.rb", ["ruby", "receiver.rb"]),
}
OTHER_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
BODY = '{"type": "submission.completed", "text": "ünïcode"}'.encode()
_WINDOW_SECS = 300


def test_the_page_has_a_program_for_each_language() -> None:
    assert set(PROGRAMS) == set(COMMANDS)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
    return port


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


@contextmanager
def running(language: str, folder: Path) -> Iterator[tuple[str, Path]]:
    """Run the program of the page; give its address, and the file with its output."""
    name, command = COMMANDS[language]
    (folder / name).write_text(PROGRAMS[language])
    port = free_port()
    told = folder / "told"
    variables = {"PATH": os.environ["PATH"], "HOME": str(folder), "SECRET": SECRET, "PORT": str(port)}
    variables["LIBRARY"] = str(next((ROOT / ".toolchains" / "prepared").glob("go-*/importcfg.link")).parent)
    with (
        told.open("wb") as output,
        subprocess.Popen(
            [part.replace("{port}", str(port)) for part in command],
            cwd=folder,
            env=variables,
            stdout=output,
            stderr=subprocess.DEVNULL,
        ) as process,
    ):
        try:
            until(lambda: answers(port))
            yield f"http://127.0.0.1:{port}/", told
        finally:
            process.kill()


def signed(secret: str, at_secs: int, body: bytes = BODY) -> dict[str, str]:
    signature = sign(parse_secret(secret), "evt_1", at_secs, body)
    return {"webhook-id": "evt_1", "webhook-timestamp": str(at_secs), "webhook-signature": signature}


@pytest.mark.parametrize("language", COMMANDS)
def test_the_program_takes_genuine_webhooks_only(
    aws: Aws, receiver: HookReceiver, language: str, tmp_path: Path
) -> None:
    pipeline = Pipeline(aws, FakeTime(now_ms()), receiver)
    now = now_ms() // 1000
    right, wrong = signed(SECRET, now), signed(OTHER_SECRET, now)
    both = f"{wrong['webhook-signature']} {right['webhook-signature']}"
    with running(language, tmp_path) as (url, told):

        def post(headers: dict[str, str], body: bytes = BODY) -> int:
            return httpx.post(url, headers=headers, content=body, timeout=60).status_code

        assert post(right) == 200
        assert post({**right, "webhook-signature": both}) == 200
        assert post(wrong) == 401
        assert post(right, BODY + b" ") == 401
        assert post({**right, "webhook-id": "evt_2"}) == 401
        assert post({**right, "webhook-timestamp": str(now + 1)}) == 401
        assert post(signed(SECRET, now - _WINDOW_SECS - 60)) == 401
        assert post(signed(SECRET, now + _WINDOW_SECS + 60)) == 401
        assert post({}) == 401
        submission = pipeline.run(webhook_url=url, webhook_secret=SECRET)
        pipeline.webhook(*pipeline.hints())
        assert pipeline.attempts(submission, "run")[-1]["status_code"] == 200
        until(lambda: told.read_text().count("\n") >= 10)
    lines = told.read_text().splitlines()
    assert lines.count("evt_1") == 2
    assert lines.count("refused") == 7

"""Each program of docs/verify.md is a receiver: it takes what the dispatcher sends, and nothing that was changed."""

import base64
import os
import re
import socket
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from functions.clock import now_ms
from functions.webhooks.signature import SigningKey, parse_secret, sign
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
[ -x receiver ] && exec ./receiver
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


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder for all tests: the program in Go is compiled once."""
    return tmp_path_factory.mktemp("receivers")


@contextmanager
def running(language: str, folder: Path, secret: str = SECRET) -> Iterator[tuple[int, subprocess.Popen[bytes], Path]]:
    """Run the program of the page until it answers or ends; give its port, itself, and the file with its output."""
    name, command = COMMANDS[language]
    place = folder / language
    place.mkdir(exist_ok=True)
    (place / name).write_text(PROGRAMS[language])
    port, told = free_port(), place / "told"
    variables = {"PATH": os.environ["PATH"], "HOME": str(place), "SECRET": secret, "PORT": str(port)}
    variables["LIBRARY"] = str(next((ROOT / ".toolchains" / "prepared").glob("go-*/importcfg.link")).parent)
    with (
        told.open("wb") as output,
        subprocess.Popen(
            [part.replace("{port}", str(port)) for part in command],
            cwd=place,
            env=variables,
            stdout=output,
            stderr=subprocess.DEVNULL,
        ) as process,
    ):
        try:
            until(lambda: answers(port) or process.poll() is not None)
            yield port, process, told
        finally:
            process.kill()


def signed(secret: str, at_secs: int, body: bytes = BODY) -> dict[str, str]:
    signature = sign(parse_secret(secret), "evt_1", at_secs, body)
    return {"webhook-id": "evt_1", "webhook-timestamp": str(at_secs), "webhook-signature": signature}


def post(port: int, headers: dict[str, str], body: bytes = BODY) -> int:
    """Return the status of an answer; 0 without one."""
    try:
        return httpx.post(f"http://127.0.0.1:{port}/", headers=headers, content=body, timeout=60).status_code
    except httpx.TransportError:
        return 0


def raw(port: int, headers: dict[str, str], body: Iterable[bytes]) -> int:
    """Return the status of an answer to these very headers, after which the client sends no more; 0 without one."""
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with socket.create_connection(("127.0.0.1", port), 60) as line:
        with suppress(OSError):  # a program may close before all of it is sent
            line.sendall(f"POST / HTTP/1.1\r\nhost: x\r\n{head}\r\n".encode())
            for part in body:
                line.sendall(part)
            line.shutdown(socket.SHUT_WR)
        with suppress(OSError):
            answer = line.makefile("rb").readline()
            return int(answer.split()[1]) if answer else 0
    return 0


@pytest.mark.parametrize("language", COMMANDS)
def test_the_program_takes_genuine_webhooks_only(aws: Aws, receiver: HookReceiver, language: str, folder: Path) -> None:
    pipeline = Pipeline(aws, FakeTime(now_ms()), receiver)
    now = now_ms() // 1000
    right, wrong = signed(SECRET, now), signed(OTHER_SECRET, now)
    both = f"{wrong['webhook-signature']} {right['webhook-signature']}"
    with running(language, folder) as (port, _, told):
        assert post(port, right) == 200
        assert post(port, {**right, "webhook-signature": both}) == 200
        assert post(port, wrong) == 401
        assert post(port, right, BODY + b" ") == 401
        assert post(port, {**right, "webhook-id": "evt_2"}) == 401
        assert post(port, {**right, "webhook-timestamp": str(now + 1)}) == 401
        assert post(port, signed(SECRET, now - _WINDOW_SECS - 60)) == 401
        assert post(port, signed(SECRET, now + _WINDOW_SECS + 60)) == 401
        assert post(port, {}) == 401
        submission = pipeline.run(webhook_url=f"http://127.0.0.1:{port}/", webhook_secret=SECRET)
        pipeline.webhook(*pipeline.hints())
        assert pipeline.attempts(submission, "run")[-1]["status_code"] == 200
        until(lambda: told.read_text().count("\n") >= 3)
    assert told.read_text().splitlines().count("evt_1") == 2


@pytest.mark.parametrize("key", [b"", bytes(23)], ids=["empty", "short"])
@pytest.mark.parametrize("language", COMMANDS)
def test_nobody_can_sign_with_a_secret_that_is_empty_or_short(language: str, key: bytes, folder: Path) -> None:
    now = now_ms() // 1000
    forged = {**signed(SECRET, now), "webhook-signature": sign(SigningKey(key), "evt_1", now, BODY)}
    secret = f"whsec_{base64.b64encode(key).decode()}" if key else ""
    with running(language, folder, secret) as (port, _, told):
        assert post(port, forged) in {0, 401}
    assert told.read_text() == ""


LENGTHS = ["-1", "+1", "0x10", "", "1e3", "99999999999999999999", "9" * 400, str(10**11)]
HUGE_BYTES = 96 << 20
NO_BOUND = {"php"}
"""`php -S` reads a body before the program begins. The page says that it is for trials."""


@pytest.mark.parametrize("language", COMMANDS)
def test_no_length_of_a_body_is_taken_or_stops_the_program(language: str, folder: Path) -> None:
    right = signed(SECRET, now_ms() // 1000)
    chunk = b"10000\r\n" + bytes(0x10000) + b"\r\n"
    with running(language, folder) as (port, process, told):
        assert post(port, right) == 200
        assert raw(port, right, [BODY]) != 200
        for length in LENGTHS:
            if language not in NO_BOUND or len(length) < 10:
                assert raw(port, {**right, "content-length": length}, [BODY]) != 200, length
        assert raw(port, {**right, "content-length": "9" * 9, "transfer-encoding": "chunked"}, [BODY]) != 200
        before = peak_bytes(process.pid)
        parts = (bytes(1 << 20) for _ in range(HUGE_BYTES >> 20))
        assert raw(port, {**right, "content-length": str(HUGE_BYTES)}, parts) != 200
        assert raw(port, {**right, "transfer-encoding": "chunked"}, (chunk for _ in range(HUGE_BYTES >> 16))) != 200
        assert language in NO_BOUND or peak_bytes(process.pid) - before < HUGE_BYTES // 2
        assert post(port, right) == 200
        until(lambda: told.read_text() == "evt_1\nevt_1\n")


def peak_bytes(pid: int) -> int:
    (line,) = re.findall(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(line) * 1024

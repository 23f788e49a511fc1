"""Files over the whole stack: stored once, read by programs, whole after every kill."""

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.system.local_stack import ROOT, LocalStack, run, wait_until

COMMAND = ROOT / ".venv" / "bin" / "rustbox"
MIB = 1024 * 1024
HASH = "import hashlib; print(hashlib.sha256(open('data.bin', 'rb').read()).hexdigest())"


def ask(client: httpx.Client, content: bytes) -> dict[str, Any]:
    sha256 = hashlib.sha256(content).hexdigest()
    answer = client.post("/api/files", json={"sha256": sha256, "size": len(content)})
    assert answer.status_code == httpx.codes.OK, answer.text
    body: dict[str, Any] = answer.json()
    return body


def upload(client: httpx.Client, content: bytes) -> str:
    """Store bytes; return their hash."""
    answer = ask(client, content)
    if not answer["exists"]:
        link = answer["upload"]
        sent = httpx.request(link["method"], link["url"], headers=link["headers"], content=content, timeout=60)
        assert sent.status_code == httpx.codes.OK, sent.text
    assert ask(client, content)["exists"] is True
    return hashlib.sha256(content).hexdigest()


def test_a_file_of_20_mb_is_sent_once_and_read_by_two_runs(client: httpx.Client) -> None:
    content = os.urandom(20_000_000)
    sha256 = upload(client, content)
    assert ask(client, content) == {"id": f"sha256:{sha256}", "exists": True}
    files = [{"path": "data.bin", "sha256": sha256, "read_only": True}]
    for _ in range(2):
        result = run(client, HASH, files=files)
        assert (result["verdict"], result["output"]["stdout"]) == ("AC", f"{sha256}\n"), result


def test_the_bytes_of_a_file_are_fetched_as_they_were_sent(client: httpx.Client) -> None:
    content = os.urandom(7 * MIB + 3)
    sha256 = upload(client, content)
    link = client.get(f"/api/files/{sha256}").json()["download"]
    fetched = httpx.get(link["url"], timeout=60)
    assert (fetched.content, fetched.headers["content-disposition"]) == (content, "attachment")


def test_another_projects_hash_is_unknown(client: httpx.Client, other_client: httpx.Client) -> None:
    sha256 = upload(client, os.urandom(1000))
    refused = other_client.post(
        "/api/submit", json={"language": "python", "code": "1", "files": [{"path": "a", "sha256": sha256}]}
    )
    assert (refused.status_code, refused.json()["missing"]) == (409, [sha256])
    assert other_client.get(f"/api/files/{sha256}").status_code == httpx.codes.NOT_FOUND


@pytest.fixture
def rustbox(stack: LocalStack, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    def call(*arguments: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
        variables = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "RUSTBOX_URL": stack.url}
        given: dict[str, Any] = {"stdin": subprocess.DEVNULL} if "input" not in options else {}
        return subprocess.run(
            [COMMAND, *arguments],
            cwd=tmp_path,
            env=variables,
            capture_output=True,
            timeout=120,
            check=False,
            **given,
            **options,
        )

    return call


def test_the_command_line_sends_files_folders_and_a_pipe(
    rustbox: Callable[..., subprocess.CompletedProcess[bytes]], tmp_path: Path
) -> None:
    large = os.urandom(3 * MIB)
    (tmp_path / "data.bin").write_bytes(large)
    (tmp_path / "small.txt").write_text("small\n")
    (tmp_path / "main.py").write_text(HASH + "\nprint(open('in/s.txt').read(), end='')")
    ran = rustbox("run", "main.py", "--file", "data.bin:ro", "--file", "in/s.txt=small.txt")
    assert (ran.returncode, ran.stdout.decode()) == (0, hashlib.sha256(large).hexdigest() + "\nsmall\n"), ran.stderr
    again = rustbox("files", "put", "data.bin", "--json")
    assert b'"sent": false' in again.stdout, again.stderr
    listed = rustbox("files", "list")
    assert hashlib.sha256(large).hexdigest() in listed.stdout.decode()

    (tmp_path / "project" / "lib").mkdir(parents=True)
    (tmp_path / "project" / ".git").mkdir()
    (tmp_path / "project" / ".git" / "config").write_text("secret")
    (tmp_path / "project" / "lib" / "__init__.py").write_text("ANSWER = 42\n")
    (tmp_path / "project" / "main.py").write_text("import os, lib\nprint(lib.ANSWER, os.path.exists('.git'), input())")
    ran = rustbox("run", "project", "--main", "main.py", input=b"piped\n")
    assert (ran.returncode, ran.stdout) == (0, b"42 False piped\n"), ran.stderr
    assert rustbox("run", "project", input=b"piped\n").stdout == b"42 False piped\n"  # its only main file
    (tmp_path / "project" / "main.c").write_text("int main(void) { return 0; }\n")
    assert rustbox("run", "project").returncode == 2
    deleted = rustbox("files", "delete", f"sha256:{hashlib.sha256(large).hexdigest()}", "--yes")
    assert deleted.returncode == 0, deleted.stderr


@pytest.mark.parametrize("kills", [1, pytest.param(3, marks=pytest.mark.whole)])
def test_no_kill_leaves_half_a_file_or_loses_a_stored_one(
    own_stack: Callable[..., LocalStack], tmp_path: Path, kills: int
) -> None:
    local, stored, stop = own_stack(), dict[str, bytes](), threading.Event()
    local.start()

    def uploads(_number: int) -> None:
        while not stop.is_set():
            content = os.urandom(2 * MIB)
            try:
                with local.client() as client:
                    sha256 = upload(client, content)
                    stored[sha256] = hashlib.sha256(content).digest()
            except (httpx.TransportError, AssertionError, ValueError):
                stop.wait(0.2)  # it starts again

    with ThreadPoolExecutor(3) as pool:
        clients = [pool.submit(uploads, number) for number in range(3)]
        try:
            for turn in range(kills):
                wait_until(lambda turn=turn: len(stored) >= 3 * (turn + 1), 60, "files are stored", local.log)  # type: ignore[misc]
                local.kill()
                local.start()
        finally:
            stop.set()
        for one in clients:
            one.result()
    backup = tmp_path / "backup"
    done = subprocess.run(
        [sys.executable, "-m", "infra.local", "backup", str(backup)],
        cwd=ROOT,
        env={**os.environ, "RUSTBOX_STATE_DIR": str(local.state_dir)},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with local.client() as client:
        for sha256 in stored:
            link = client.get(f"/api/files/{sha256}").json()["download"]
            assert hashlib.sha256(httpx.get(link["url"], timeout=60).content).hexdigest() == sha256
        for item in client.get("/api/files", params={"limit": "100"}).json()["items"]:
            if item["state"] == "stored":
                assert client.get(f"/api/files/{item['id']}").status_code == httpx.codes.OK

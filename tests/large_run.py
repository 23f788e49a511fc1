"""A run whose input, output, file and artifact all go through the bucket, and one that is cancelled."""

import hashlib
import os
from typing import Any

import httpx

from tests.until import until

CODE = """
import hashlib, sys
given, data = sys.stdin.buffer.read(), open("data.bin", "rb").read()
open("kept.bin", "wb").write(data[::-1])
print(hashlib.sha256(given + data).hexdigest())
print("x" * 150_000)
"""
ENDLESS_CODE = """
import time
print("y" * 150_000, flush=True)
while True:
    time.sleep(1)
"""
ENDLESS_OUTPUT = "y" * 150_000 + "\n"
# Above 8 KiB the service keeps input in its bucket.
INPUT_BYTES = (9_500, 200_000)
_PATIENCE_SECS = 100


class LargeRun:
    """Input and file of one run of CODE, and what must come of it. `data` is the file `data.bin`."""

    def __init__(self, input_bytes: int) -> None:
        self.stdin = os.urandom(input_bytes // 2).hex()
        self.data = os.urandom(300_000)
        self.sha256 = hashlib.sha256(self.data).hexdigest()
        self.stdout = f"{hashlib.sha256(self.stdin.encode() + self.data).hexdigest()}\n{'x' * 150_000}\n"
        self.kept = self.data[::-1]


def assert_large_runs(client: httpx.Client) -> None:
    """Do them over HTTP, and delete them."""
    for input_bytes in INPUT_BYTES:
        _assert_large_run(client, LargeRun(input_bytes))
    body = {"language": "python", "code": ENDLESS_CODE, "profile": "agent"}
    path = f"/api/result/{_called(client, 'POST', '/api/submit', json=body)['id']}"
    until(lambda: client.get(f"{path}/output", params={"stream": "stdout", "wait": 5}).json()["output"])
    _called(client, "POST", f"{path}/cancel")
    cancelled = until(lambda: _final(client, path))
    stdout = cancelled["output"]["stdout"]
    assert (cancelled["result"]["cause"], stdout, stdout[:1]) == ("cancelled", ENDLESS_OUTPUT[: len(stdout)], "y")
    _called(client, "DELETE", path)


def _assert_large_run(client: httpx.Client, run: LargeRun) -> None:
    link = _called(client, "POST", "/api/files", json={"sha256": run.sha256, "size": len(run.data)})["upload"]
    sent = httpx.request(link["method"], link["url"], headers=link["headers"], content=run.data, timeout=_PATIENCE_SECS)
    assert sent.status_code == httpx.codes.OK, sent.text
    files = [{"path": "data.bin", "sha256": run.sha256, "read_only": True}]
    body = {"language": "python", "code": CODE, "stdin": run.stdin, "files": files, "artifacts": ["kept.bin"]}
    path = f"/api/result/{_called(client, 'POST', '/api/submit', json=body)['id']}"
    result = until(lambda: _final(client, path))
    assert (result["verdict"], result["output"]) == (
        "AC",
        {"stdout": run.stdout, "stderr": "", "integrity": "complete"},
    ), result
    assert [file["path"] for file in result["artifacts"]] == ["kept.bin"]
    kept = client.get(f"{path}/artifacts/kept.bin")
    if kept.headers["content-type"] == "application/json":  # on AWS a link to the bucket
        kept = httpx.get(kept.json()["url"], timeout=_PATIENCE_SECS)
    assert kept.content == run.kept
    _called(client, "DELETE", path)
    _called(client, "DELETE", f"/api/files/{run.sha256}")


def _called(client: httpx.Client, method: str, path: str, **options: Any) -> dict[str, Any]:
    answer = client.request(method, path, **options)
    assert answer.is_success, answer.text
    body: dict[str, Any] = answer.json()
    return body


def _final(client: httpx.Client, path: str) -> dict[str, Any]:
    """Return the final result, or nothing."""
    result = _called(client, "GET", path, params={"wait": 20})
    return result if result["result"] else {}

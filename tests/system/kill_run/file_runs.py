"""Files in a kill run of their own: they are uploaded, read by runs, and left by runs, while processes are killed.

Each round stores a file, runs a program that turns it around and leaves the result as an artifact, and runs a second
program that gets this artifact by its hash. In every third round the first result is deleted while the second run
waits. At the end each stored file and each object of the bucket must be whole, and the count of stored bytes exact.
"""

import hashlib
import itertools
import json
import os
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx

from infra.embedded.storage.files import OBJECTS_FOLDER
from infra.embedded.storage.store import FILE_NAME
from infra.local.embedded_aws import FOLDER
from tests.system.kill_run.kills_in_turn import KillsInTurn
from tests.system.local_stack import LocalStack

PROJECT_ID = "file-runs"
_CLIENTS = 3
_SIZES = (1_000, 600_000, 2_500_000)
"""The largest is a file of the engine's, the others lie in its rows."""
_AGAIN_SECS = 0.2
_ROUND_SECS = 600
_BUSY = frozenset({408, 429, 500, 502, 503, 504})
_TURN = "raw = open('in.bin', 'rb').read()\nopen('out.bin', 'wb').write(raw[::-1])\n"
_HASH = "import hashlib\nprint(hashlib.sha256(open('in.bin', 'rb').read()).hexdigest(), end='')\n"
_WORDS = "lost, half or wrong"


@dataclass(slots=True)
class FilesReport:
    """The result. `sends`: uploads that began. `given_up`: runs that ended as IE after the deaths of their runners."""

    rounds: int
    sends: int
    given_up: int
    kills: Counter[str]
    objects: int
    secs: float
    problems: list[str] = field(default_factory=list)

    @property
    def summary(self) -> str:
        """One line of counts."""
        kills = ", ".join(f"{victim} {count}" for victim, count in sorted(self.kills.items()))
        return (
            f"files: {self.rounds} rounds in {self.secs:.0f} s, {self.sends} uploads, kills: {kills}; "
            f"given up as IE {self.given_up}; {self.objects} objects whole; {_WORDS} {len(self.problems)}"
        )


def file_runs(stack: LocalStack, rounds: int, kills: int, seed: int) -> FilesReport:
    """Run on a stack that is not started yet. Stop the stack in any case."""
    began = time.monotonic()
    with ExitStack() as opened:
        opened.callback(stack.close)
        stack.start()
        client = opened.enter_context(stack.client(stack.add_project(PROJECT_ID), timeout_secs=35))
        clients = _Clients(client, rounds)
        killer = KillsInTurn(stack, lambda: clients.done / rounds, kills, seed)
        opened.callback(clients.end)
        opened.callback(killer.end)
        clients.start()
        killer.start()
        clients.wait()
        killer.end()
        clients.check_files()
        if (code := stack.stop()) != 0:
            clients.problems.append(f"the stack stopped with {code}")
        objects = list(_broken_objects(stack))
        clients.problems += [problem for problem in objects if problem]
    secs = time.monotonic() - began
    return FilesReport(
        clients.done, clients.sends, clients.given_up, killer.kills, len(objects), secs, clients.problems
    )


class _WrongError(Exception):
    """Something is lost or wrong."""


class _Clients:
    """Clients that do rounds, and repeat each request until it is answered."""

    def __init__(self, client: httpx.Client, rounds: int) -> None:
        self._client = client
        self._numbers = iter(range(rounds))
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(_CLIENTS)]
        self._lock = threading.Lock()
        self.done = self.sends = self.given_up = 0
        self.problems: list[str] = []

    def start(self) -> None:
        """Start the rounds."""
        for thread in self._threads:
            thread.start()

    def wait(self) -> None:
        """Wait for the end of all rounds."""
        for thread in self._threads:
            thread.join()

    def end(self) -> None:
        """Begin no further round."""
        self._over.set()
        self.wait()

    def _work(self) -> None:
        while not self._over.is_set():
            with self._lock:
                number = next(self._numbers, None)
            if number is None:
                return
            try:
                self._round(number)
            except _WrongError as error:
                self.problems.append(f"round {number}: {error}")
            with self._lock:
                self.done += 1

    def _round(self, number: int) -> None:
        raw = os.urandom(_SIZES[number % len(_SIZES)])
        turned = _sha256(raw[::-1])
        self._store(raw)
        file = {"path": "in.bin", "sha256": _sha256(raw), "read_only": bool(number % 2)}
        body = {"code": _TURN, "files": [file], "artifacts": ["out.bin"], "limits": {"file_size_mb": 4}}
        first = self._run(f"{number}-first", body)
        found = [(one["path"], one["sha256"], one["size"]) for one in first["artifacts"]]
        if found != [("out.bin", turned, len(raw))]:
            raise _WrongError(f"the artifacts of {first['id']} are {found}")
        path = f"/api/result/{first['id']}"
        if _sha256(self._call("GET", f"{path}/artifacts/out.bin").content) != turned:
            raise _WrongError(f"the artifact of {first['id']} has other bytes")
        body = {"code": _HASH, "files": [file | {"sha256": turned}]}
        if number % 3 == 0:
            self._submit(f"{number}-second", body)
            self._call("DELETE", path, accepted=frozenset({200, 404}))
        second = self._run(f"{number}-second", body)
        if second["output"]["stdout"] != turned:
            raise _WrongError(f"{second['id']} read other bytes")

    def _store(self, raw: bytes) -> None:
        """Upload until the service says that it has the bytes."""
        while True:
            answer = self._call("POST", "/api/files", json={"sha256": _sha256(raw), "size": len(raw)}).json()
            if answer["exists"]:
                return
            link = answer["upload"]
            with self._lock:
                self.sends += 1
            with suppress(httpx.TransportError):
                httpx.request(link["method"], link["url"], headers=link["headers"], content=raw, timeout=35)

    def _run(self, key: str, body: dict[str, Any]) -> Any:
        """Return the result of a run. One that was given up is repeated."""
        for attempt in itertools.count():
            the_id = self._submit(key if not attempt else f"{key}-{attempt}", body)
            answer: Any = {}
            while not answer.get("result"):
                answer = self._call("GET", f"/api/result/{the_id}", params={"wait": "5"}).json()
            if answer["result"]["verdict"] == "AC":
                return answer
            if answer["result"]["verdict"] != "IE":
                raise _WrongError(f"{the_id} ended as {json.dumps(answer['result'])}")
            with self._lock:
                self.given_up += 1
        raise AssertionError("unreachable")

    def _submit(self, key: str, body: dict[str, Any]) -> str:
        request = {"language": "python", **body}
        accepted = frozenset({200, 202})
        answer = self._call(
            "POST", "/api/submit", accepted, json=request, params={"wait": "false"}, headers={"Idempotency-Key": key}
        )
        return str(answer.json()["id"])

    def _call(
        self, method: str, path: str, accepted: frozenset[int] = frozenset({200}), **parts: Any
    ) -> httpx.Response:
        """Call until there is an answer that is not a passing refusal."""
        deadline = time.monotonic() + _ROUND_SECS
        while time.monotonic() < deadline:
            with suppress(httpx.TransportError):
                answer = self._client.request(method, path, **parts)
                if answer.status_code in accepted:
                    return answer
                if answer.status_code not in _BUSY:
                    raise _WrongError(f"{method} {path} was answered {answer.status_code} {answer.text[:200]}")
            time.sleep(_AGAIN_SECS)
        raise _WrongError(f"{method} {path} has no answer")

    def check_files(self) -> None:
        """Fetch all stored files; compare their hashes, and their sizes with the count of the project."""
        sizes, query = 0, {"limit": "100"}
        while True:
            page = self._call("GET", "/api/files", params=query).json()
            for item in page["items"]:
                sizes += item["size"]
                if item["state"] == "stored":
                    self._check_file(item["id"])
            if page["next_cursor"] is None:
                break
            query["cursor"] = page["next_cursor"]
        if sizes != page["used_bytes"]:
            self.problems.append(f"the files have {sizes} bytes; the project is charged {page['used_bytes']}")

    def _check_file(self, file_id: str) -> None:
        link = self._call("GET", f"/api/files/{file_id}").json()["download"]
        if f"sha256:{_sha256(httpx.get(link['url'], timeout=35).content)}" != file_id:
            self.problems.append(f"{file_id} has other bytes")


def _sha256(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def _broken_objects(stack: LocalStack) -> Iterator[str]:
    """Yield what is wrong with each object of the bucket; "" for a whole one."""
    folder = stack.state_dir / FOLDER
    connection = sqlite3.connect(folder / FILE_NAME)
    try:
        for name, body, file, size, etag in connection.execute("SELECT name, body, file, size, etag FROM object"):
            path = None if file is None else folder / OBJECTS_FOLDER / file
            raw = body if path is None else (path.read_bytes() if path.exists() else b"")
            is_whole = f'"{hashlib.md5(raw, usedforsecurity=False).hexdigest()}"' == etag and size in (None, len(raw))
            yield "" if is_whole else f"the object {name} has {len(raw)} of {size} bytes, or others"
    finally:
        connection.close()

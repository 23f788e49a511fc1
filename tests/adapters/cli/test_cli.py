"""The command line against a real HTTP server that answers by script."""

import base64
import hashlib
import json
import re
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import pytest

from rustbox_cli import VERSION
from rustbox_cli.__main__ import cli
from rustbox_cli.api import read_settings
from rustbox_cli.errors import CommandError, ExitCode
from rustbox_cli.output import plain
from tests.adapters.cli.invocation import Rustbox
from tests.adapters.scripted_service import Asked, Reply, Service, open_service
from tests.submission_factory import SUBMISSION_ID as ID
from tests.submission_factory import golden

UNKNOWN = Reply(404, {"error": "not_found", "message": "There is no such submission."})
DELIVERY = f"{ID}.run"
TIMES = {"created_at": "2026-11-24T12:00:00.000Z", "started_at": None, "completed_at": None}
PROJECT = {
    "id": "dev",
    "name": "Local [bold]\x1b[2J",
    "enabled": True,
    "profiles": ["judge"],
    "quotas": {name: {"per_minute": 1, "per_day": 2, "in_flight": 3} for name in ("judge", "agent")},
    "network": {"access": "listed", "allow": ["a.example:443"], "mb_per_day": 7},
    "created_at": "2026-11-24T12:00:00.000Z",
    "disabled_at": None,
}
KEY = {
    "key_id": ID,
    "project_id": "dev",
    "prefix": "rb_live_abcd",
    "created_at": "2026-11-24T12:00:00.000Z",
    "last_used_at": None,
    "expires_at": None,
    "revoked_at": None,
}
ENDPOINT = {
    "id": ID,
    "url": "https://example.com/hooks",
    "events": [],
    "description": "",
    "enabled": True,
    "headers": {"x-team": "***"},
    "health": "active",
    "stats": {name: {"attempts": 8, "failures": 2, "success_rate": 0.75} for name in ("last_hour", "last_day")},
    "latency": {name: {"p50_ms": 41, "p95_ms": None, "deliveries": 3} for name in ("last_hour", "last_day")},
}
ATTEMPT = {"n": 1, "at": "2026-11-24T12:00:00.000Z", "latency_ms": 3, "status_code": 200, "error_code": None}
SENT = {
    "id": DELIVERY,
    "type": "submission.completed",
    "state": "delivered",
    "attempts_made": 1,
    "next_attempt_at": None,
    "created_at": "2026-11-24T12:00:00.000Z",
    "attempts": [{**ATTEMPT, "address": "192.0.2.1", "head": "\x1b]0;owned\x07"}],
}


def final(verdict: str = "AC", **changes: Any) -> dict[str, Any]:
    """A result object, as far as the command line looks at it."""
    stdout, phase, signal = changes.pop("stdout", "42\n"), changes.pop("phase", "run"), changes.pop("signal", None)
    return {
        "id": ID,
        "status": "completed",
        "language": "python",
        "profile": "judge",
        "timestamps": TIMES,
        "result": {"verdict": verdict, "cause": "some_cause", "phase": phase},
        "output": {"stdout": stdout, "stderr": changes.pop("stderr", "")} | changes.pop("output", {}),
        "metrics": {"cpu_time_secs": 0.01},
        "metadata": {},
        "verdict": verdict,
        "exit_code": changes.pop("exit_code", 0),
        "signal": signal,
        **changes,
    }


@pytest.fixture
def program(tmp_path: Path) -> str:
    path = tmp_path / "solution.py"
    path.write_text("print(42)\n")
    return str(path)


# --- run, submit, result ----------------------------------------------------------------------------------------------


def test_run_prints_only_the_program_output(service: Service, rustbox: Rustbox, program: str) -> None:
    service.will(Reply(200, final(stdout="42\n\x1b[1m", stderr="a warning\n")))
    ended = rustbox("run", program, "--limit", "memory_mb=64", "--limit", "cpu_time_secs=0.5", "--metadata", "a=b=c")
    assert (ended.exit_code, ended.stdout_bytes, ended.stderr_bytes) == (0, b"42\n\x1b[1m", b"a warning\n")
    (asked,) = service.asked
    assert (asked.method, asked.path, asked.query) == ("POST", "/api/submit", {"wait": "0.1"})
    assert asked.body == {
        "language": "python",
        "code": "print(42)\n",
        "limits": {"memory_mb": 64, "cpu_time_secs": 0.5},
        "metadata": {"a": "b=c"},
    }
    assert asked.headers["x-api-key"] == "rb_live_local_development_only"
    assert asked.headers.get("x-admin-key") is None
    assert re.fullmatch(r"[0-9a-f-]{36}", asked.headers["idempotency-key"])


def kept(path: str, content: bytes) -> dict[str, Any]:
    return {
        "path": path,
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "media_type": "text/plain",
    }


def test_run_saves_files_from_the_service_and_from_a_bucket(
    service: Service, rustbox: Rustbox, program: str, tmp_path: Path
) -> None:
    files = [kept("a b.txt", b"one"), kept("out/two.json", b"{}")]
    skipped = [{"path": "\x1b[2J", "reason": "name"}]
    link = Reply(200, {"url": f"{service.url}/bucket?signature=x"}, {"content-type": "application/json"})
    as_bytes = Reply(200, b"one", {"content-type": "application/octet-stream"})
    service.will(Reply(200, final(artifacts=files, artifacts_skipped=skipped)), as_bytes, link, Reply(200, b"{}"))
    ended = rustbox("run", program, "--artifacts", "*.txt", "--artifacts", "out/*", "--save", str(tmp_path / "saved"))
    assert (ended.exit_code, ended.stdout) == (0, "42\n"), ended.stderr
    assert "rustbox: not kept: \\x1b[2J (name)" in ended.stderr
    assert (tmp_path / "saved/a b.txt").read_bytes() == b"one"
    assert (tmp_path / "saved/out/two.json").read_bytes() == b"{}"
    submitted, first, _, bucket = service.asked
    assert submitted.body["artifacts"] == ["*.txt", "out/*"]
    assert first.path == f"/api/result/{ID}/artifacts/a%20b.txt"
    assert (bucket.path, bucket.headers.get("x-api-key")) == ("/bucket", None)


def test_save_alone_keeps_all_that_the_program_makes(
    service: Service, rustbox: Rustbox, program: str, tmp_path: Path
) -> None:
    service.will(Reply(200, final(artifacts=[])))
    assert rustbox("run", program, "--save", str(tmp_path / "saved")).exit_code == 0
    assert service.asked[0].body["artifacts"] == "changed"


@pytest.mark.parametrize("path", ["../up", "/tmp/absolute", "a/../../up", "link/inside", "link/new/inside", ""])
def test_a_hostile_service_writes_nothing_outside(
    service: Service, rustbox: Rustbox, program: str, tmp_path: Path, path: str
) -> None:
    saved, outside = tmp_path / "saved", tmp_path / "outside"
    saved.mkdir()
    outside.mkdir()
    (saved / "link").symlink_to(outside)
    service.will(Reply(200, final(artifacts=[kept(path, b"x")])), Reply(200, b"x"))
    ended = rustbox("run", program, "--save", str(saved))
    assert ended.exit_code not in (0, 1), ended.stderr
    assert not (tmp_path / "up").exists()
    assert list(outside.iterdir()) == []


def test_a_file_with_another_hash_is_not_saved(
    service: Service, rustbox: Rustbox, program: str, tmp_path: Path
) -> None:
    service.will(Reply(200, final(artifacts=[kept("a", b"x")])), Reply(200, b"y"))
    ended = rustbox("run", program, "--save", str(tmp_path / "saved"))
    assert "another SHA-256" in ended.stderr
    assert not (tmp_path / "saved" / "a").exists()


def test_run_names_hosts_and_prints_each_connection_on_standard_error(
    service: Service, rustbox: Rustbox, program: str
) -> None:
    evidence = golden("execution_completed/v1.network")["evidence"]
    evidence["refused"][0]["name"] = "\x1b[2J.example"
    service.will(Reply(200, final(evidence=evidence)), Reply(200, final(evidence=evidence)))
    ended = rustbox("run", program, "--allow", "api.example.com", "--allow", "*.example.org:8443")
    assert (ended.exit_code, ended.stdout) == (0, "42\n")
    assert ended.stderr.splitlines() == [
        "rustbox: api.example.com:443 (203.0.113.7): 3 connections, 1,834 bytes sent, 20,511 received",
        "rustbox: db.example.com:5432 (203.0.113.9): 1 connections, 0 bytes sent, 0 received; connection refused",
        "rustbox: gone.example.org:443 (no address): 1 connections, 0 bytes sent, 0 received; name does not exist",
        "rustbox: refused \\x1b[2J.example, 2 times (not allowed)",
        "rustbox: refused api.example.com:80, 1 times (not allowed)",
        "rustbox: refused 169.254.169.254:80, 1 times (no name has this address)",
    ]
    (asked,) = service.asked
    assert asked.body["profile"] == "agent"
    assert asked.body["network"] == {"allow": ["api.example.com", "*.example.org:8443"]}
    assert "refused 169.254.169.254:80" in rustbox("result", ID).stdout


@pytest.mark.parametrize(
    ("result", "code", "remark"),
    [
        (final(), 0, ""),
        (final("RE", exit_code=3), 3, ""),
        (final("RE", exit_code=1, phase="compile"), 120, ""),
        (final("SIG", exit_code=139, signal=11), 139, "rustbox: SIG (some_cause): signal 11 ended the program\n"),
        (
            final("TLE", exit_code=None, signal=9),
            124,
            "rustbox: TLE (some_cause): the program exceeded its time limit\n",
        ),
        (
            final("MLE", exit_code=None, signal=9),
            125,
            "rustbox: MLE (some_cause): the program exceeded its memory limit\n",
        ),
        (final("PLE"), 122, "rustbox: PLE (some_cause): the program started too many processes\n"),
        (final("FSE"), 123, "rustbox: FSE (some_cause): the program wrote too large a file\n"),
        (final("IE"), 121, "rustbox: IE (some_cause): the platform failed; the program is not the cause\n"),
        (final("NEW"), 70, "rustbox: The verdict 'NEW' is unknown to this client. Update rustbox.\n"),
    ],
)
def test_run_exits_with_the_code_of_the_verdict(
    service: Service, rustbox: Rustbox, program: str, result: dict[str, Any], code: int, remark: str
) -> None:
    service.will(Reply(200, result))
    ended = rustbox("run", program)
    assert (ended.exit_code, ended.stdout, ended.stderr) == (code, "42\n", remark)


@pytest.mark.parametrize("arguments", [("run", "PROGRAM"), ("result", ID)])
def test_a_missing_data_package_is_named_below_the_traceback(
    service: Service, rustbox: Rustbox, program: str, arguments: tuple[str, str]
) -> None:
    failed = final("RE", exit_code=1)
    failed["result"]["error_message"] = "numpy is not installed: make up DATA=1\x1b"
    service.will(Reply(200, failed))
    ended = rustbox(*(program if each == "PROGRAM" else each for each in arguments))
    assert ended.stderr.strip() == "rustbox: numpy is not installed: make up DATA=1\\x1b"


def test_run_as_json_has_the_same_exit_code(service: Service, rustbox: Rustbox, program: str) -> None:
    service.will(Reply(200, final("TLE")))
    ended = rustbox("run", program, "--json")
    assert (ended.exit_code, json.loads(ended.stdout)["verdict"], ended.stderr) == (124, "TLE", "")


@pytest.mark.parametrize("first", [202, 408])
def test_run_polls_after_the_service_stops_waiting(
    service: Service, rustbox: Rustbox, program: str, first: int
) -> None:
    open_result = {"id": ID, "status": "running"}
    service.will(Reply(first, {"id": ID}), Reply(200, open_result), Reply(200, open_result), Reply(200, final()))
    assert rustbox("run", program, "--no-stream").exit_code == 0
    assert service.asked[0].query == {"wait": "true"}
    assert [asked.path for asked in service.asked[1:]] == [f"/api/result/{ID}"] * 3
    assert service.asked[1].query == {"wait": "20"}


def part(output: str, after: int, size: int, *, final: bool = False, **more: str) -> Reply:
    return Reply(200, {"id": ID, "output": output, "next": after + size, "final": final, **more})


def by_stream(service: Service, parts: dict[str, list[Reply]], *others: Reply) -> None:
    """Answer requests for output by their stream: both are asked for at once."""
    service.will(*others)

    def answer(asked: Asked) -> Reply:
        if not asked.path.endswith("/output"):
            return Service.answer(service, asked)
        service.asked.append(asked)
        return parts[asked.query["stream"]].pop(0)

    service.answer = answer  # type: ignore[method-assign]


def test_run_prints_the_output_of_a_program_that_goes_on(service: Service, rustbox: Rustbox, program: str) -> None:
    parts = {
        "stdout": [
            part("one\n", 0, 4),
            part("", 4, 0),
            part(base64.b64encode(b"\xff\x00").decode(), 4, 2, encoding="base64"),
            part("zwölf", 6, 6, final=True),
        ],
        "stderr": [part("a warning\n", 0, 10, final=True)],
    }
    whole = final(stdout="one\n\ufffd\x00zwölf", stderr="a warning\n")
    by_stream(service, parts, Reply(408, {"id": ID, "error": "timeout"}), Reply(200, whole))
    ended = rustbox("run", program)
    assert (ended.exit_code, ended.stdout_bytes) == (0, b"one\n\xff\x00" + "zwölf".encode())
    assert ended.stderr == "a warning\n"
    asked = [one.query for one in service.asked if one.query.get("stream") == "stdout"]
    assert asked == [{"stream": "stdout", "after": after, "wait": "20"} for after in ("0", "4", "4", "6")]


def test_run_prints_the_output_of_an_execution_that_begins_again_from_its_start(
    service: Service, rustbox: Rustbox, program: str
) -> None:
    parts = {
        "stdout": [
            part("one\ntwo\n", 0, 8, execution="a"),
            part("ee\n", 8, 3, execution="b"),  # a mixture
            part("one\nthree\n", 0, 10, execution="b"),
            part("", 10, 0, final=True, execution="b"),
        ],
        "stderr": [part("", 0, 0, final=True, execution="b")],
    }
    by_stream(service, parts, Reply(202, {"id": ID}), Reply(200, final(stdout="one\nthree\n")))
    ended = rustbox("run", program)
    assert ended.stdout == "one\ntwo\none\nthree\n"
    assert ended.stderr == "rustbox: the run began again; its stdout follows from the start\n"
    assert [one.query["after"] for one in service.asked if one.query.get("stream") == "stdout"] == ["0", "8", "0", "10"]


QUEUED = {"waiting": {"reason": "queue", "behind": 12}}


@pytest.mark.parametrize("options", [[], ["--no-stream"]])
def test_run_says_how_many_are_before_it(service: Service, rustbox: Rustbox, program: str, options: list[str]) -> None:
    parts = {"stdout": [part("", 0, 0, final=True)], "stderr": [part("", 0, 0, final=True)]}
    replies = (
        Reply(408, {"id": ID, "error": "timeout", **QUEUED}),
        Reply(200, {"id": ID, **QUEUED}),
        Reply(200, final()),
    )
    by_stream(service, parts, *replies)
    ended = rustbox("run", program, *options)
    assert ended.exit_code == 0
    assert ended.stderr == "rustbox: waiting, at most 12 before it in the queue\n" * 2


def test_result_and_delivery_say_why_they_wait(service: Service, rustbox: Rustbox) -> None:
    pending = {"status": "pending", "language": "python", "profile": "judge", "timestamps": TIMES, "metadata": {}}
    breaker = {"reason": "breaker_open", "until": "2026-11-24T12:01:00.000Z"}
    service.will(
        Reply(200, {"id": ID, **pending, **QUEUED}),
        Reply(200, SENT | {"state": "pending", "waiting": breaker}),
        Reply(200, SENT | {"state": "pending", "waiting": {"reason": "a newer\x1b one"}}),
        Reply(200, SENT | {"waiting": None}),
    )
    assert "at most 12 before it in the queue" in rustbox("result", ID).stdout
    shown = [rustbox("deliveries", "show", DELIVERY).stdout for _ in range(3)]
    assert "circuit breaker open until 2026-11-24T12:01:00.000Z" in shown[0]
    assert "a newer\\x1b one" in shown[1]
    assert re.search(r"^waiting +-$", shown[2], re.MULTILINE)


def test_run_prints_the_rest_of_an_output_that_could_not_be_followed(
    service: Service, rustbox: Rustbox, program: str
) -> None:
    unknown = Reply(404, {"error": "not_found", "message": "An older service has no such path."})
    parts = {"stdout": [part("one\n", 0, 4), unknown], "stderr": [unknown]}
    whole = final("RE", stdout="one\ntwo\n", stderr="a warning\n", exit_code=3)
    by_stream(service, parts, Reply(202, {"id": ID}), Reply(200, {"id": ID}), Reply(200, whole))
    ended = rustbox("run", program)
    assert (ended.exit_code, ended.stdout, ended.stderr) == (3, "one\ntwo\n", "a warning\n")


@pytest.mark.parametrize("output", [{"stdout": "a\ufffd"}, {"truncated_in_response": True}])
def test_run_fetches_output_that_json_cannot_hold(
    service: Service, rustbox: Rustbox, program: str, output: dict[str, Any]
) -> None:
    raw = bytes(range(256)) * 10
    service.will(Reply(200, final(output=output)), Reply(200, raw), Reply(200, raw))
    assert rustbox("run", program).stdout_bytes == raw
    assert service.asked[1].path == f"/api/result/{ID}/stdout"


def test_output_that_the_service_keeps_in_its_bucket_is_fetched_there(
    service: Service, rustbox: Rustbox, program: str
) -> None:
    link = Reply(200, {"url": f"{service.url}/bucket?signature=x"}, {"content-type": "application/json"})
    service.will(Reply(200, final(output={"truncated_in_response": True})), link, Reply(200, b"whole"), link)
    assert rustbox("run", program).stdout_bytes == b"whole"
    assert (service.asked[2].path, "X-API-Key" in service.asked[2].headers) == ("/bucket", False)


def test_program_and_input_come_from_standard_input_or_files(
    service: Service, rustbox: Rustbox, program: str, tmp_path: Path
) -> None:
    service.will(*[Reply(200, final())] * 2)
    given = tmp_path / "input.txt"
    given.write_text("7\n")
    rustbox("run", "-", "-l", "rust", "--stdin", str(given), stdin="fn main() {}")
    rustbox("run", program, "--stdin", "-", stdin="8\n")
    assert [(asked.body["language"], asked.body["code"], asked.body["stdin"]) for asked in service.asked] == [
        ("rust", "fn main() {}", "7\n"),
        ("python", "print(42)\n", "8\n"),
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("run", "{dir}/none.py"), 2, "No such file"),
        (("run", "-"), 2, "Give --language"),
        (("run", "-", "-l", "c", "--stdin", "-"), 2, "cannot be both"),
        (("run", "{dir}/binary.py"), 65, "not UTF-8"),
        (("run", "{dir}/large.py"), 65, "larger than 1,048,576 bytes"),
        (("run", "{dir}/solution.py", "--limit", "memory=1"), 2, "Unknown limit 'memory'"),
        (("run", "{dir}/solution.py", "--limit", "memory_mb=much"), 2, "must be a number"),
        (("projects", "network", "dev"), 2, "Give none, listed or public"),
        (("run", "{dir}/solution.py", "--limit", "memory_mb"), 2, "not NAME=VALUE"),
        (("keys", "issue", "dev", "--expires", "1y", "--json", "--nonsense"), 2, "--nonsense"),
        (("keys", "issue", "dev", "--right", "fly"), 2, "'fly' is not one of 'run'"),
        (("keys", "expire", "dev", ID, "--never", "--at", "1d"), 2, "not both"),
        (("projects", "quota", "dev"), 2, "or --default alone"),
        (("projects", "quota", "dev", "--default", "--per-day", "1"), 2, "or --default alone"),
        (("projects", "quota", "dev", "--default", "--files-mb", "1"), 2, "or --default alone"),
        (("webhooks", "update", ID), 2, "Nothing to change"),
        (("webhooks", "update", ID, "--event", "x", "--all-events"), 2, "--all-events"),
        (("webhooks", "rotate", ID, "--overlap", "soon"), 2, "is not a duration"),
        (("webhooks", "rotate", ID, "--overlap", "999999999w"), 2, "is not a duration"),
        (("webhooks", "delete", ID), 2, "--yes"),
        (("keys", "revoke", "dev", ID), 2, "--yes"),
    ],
)
def test_an_invalid_command_line_sends_no_request(
    service: Service, rustbox: Rustbox, program: str, tmp_path: Path, arguments: tuple[str, ...], code: int, told: str
) -> None:
    (tmp_path / "binary.py").write_bytes(b"\xff")
    (tmp_path / "large.py").write_bytes(b"#" * 1_048_577)
    ended = rustbox(*(argument.format(dir=tmp_path) for argument in arguments))
    assert (ended.exit_code, ended.stdout, service.asked) == (code, "", [])
    assert told in ended.stderr


def test_submit_prints_the_id(service: Service, rustbox: Rustbox, program: str) -> None:
    service.will(Reply(202, {"id": ID, "status": "pending"}), Reply(202, {"id": ID, "status": "pending"}))
    assert rustbox("submit", program, "--idempotency-key", "mine").stdout == f"{ID}\n"
    assert json.loads(rustbox("submit", program, "--json").stdout)["status"] == "pending"
    assert [asked.query for asked in service.asked] == [{}, {}]
    assert service.asked[0].headers["idempotency-key"] == "mine"


def test_result_escapes_control_characters(service: Service, rustbox: Rustbox) -> None:
    service.will(Reply(200, final("RE", exit_code=3, stdout="\x1b[2Jhidden\x07\r\u202e\n")))
    ended = rustbox("result", ID)
    assert ended.exit_code == 0
    assert "verdict" in ended.stdout
    assert "\\x1b[2Jhidden\\x07\\x0d\\x202e\n" in ended.stdout
    assert not {"\x1b", "\x07", "\r", "\u202e"} & set(ended.stdout)


def test_result_can_wait_and_can_give_one_stream(service: Service, rustbox: Rustbox) -> None:
    pending = {"id": ID, "status": "pending", "language": "c", "profile": "judge", "timestamps": TIMES, "metadata": {}}
    service.will(Reply(200, pending))
    assert "pending" in rustbox("result", ID).stdout
    service.will(Reply(200, pending), Reply(200, final()), Reply(200, b"\xff\x00"))
    assert rustbox("result", ID, "--watch", "--stream", "stdout").stdout_bytes == b"\xff\x00"
    service.will(UNKNOWN)
    ended = rustbox("result", ID)
    assert (ended.exit_code, ended.stderr) == (66, "rustbox: There is no such submission. (404 not_found)\n")


# --- failures ---------------------------------------------------------------------------------------------------------


def busy(status: int, retry_after: str | None) -> Reply:
    headers = {} if retry_after is None else {"retry-after": retry_after}
    return Reply(status, {"error": "unavailable", "message": "Busy."}, headers)


@pytest.mark.parametrize("status", [429, 503])
def test_retries_use_retry_after_and_the_same_idempotency_key(
    service: Service, rustbox: Rustbox, pauses: list[float], program: str, status: int
) -> None:
    service.will(busy(status, "7"), busy(status, None), busy(status, "soon"), Reply(200, final()))
    assert rustbox("run", program).exit_code == 0
    assert pauses == [7.0, 1.0, 1.0]
    assert len({asked.headers["idempotency-key"] for asked in service.asked}) == 1


@pytest.mark.parametrize(("retry_after", "calls"), [("1", 5), ("20", 4), ("61", 1), ("86400", 1), ("9" * 400, 1)])
def test_retries_are_limited_in_number_and_time(
    service: Service, rustbox: Rustbox, pauses: list[float], program: str, retry_after: str, calls: int
) -> None:
    service.will(*[busy(429, retry_after)] * 9)
    ended = rustbox("run", program)
    assert (ended.exit_code, len(service.asked)) == (75, calls)
    assert sum(pauses) <= 60
    assert "Busy. (429 unavailable)" in ended.stderr
    assert "Try again in" in ended.stderr


def test_a_post_without_an_idempotency_key_is_not_retried_after_503(service: Service, rustbox: Rustbox) -> None:
    service.will(busy(503, "1"))
    assert rustbox("keys", "issue", "dev").exit_code == 75
    assert len(service.asked) == 1
    service.will(busy(429, "1"), Reply(200, KEY))  # nothing was done
    assert rustbox("keys", "issue", "dev").exit_code == 0


def test_a_broken_connection_is_retried_only_for_idempotent_requests(
    service: Service, rustbox: Rustbox, program: str
) -> None:
    service.will(Reply(body=None), Reply(200, final()))
    assert rustbox("run", program).exit_code == 0
    service.will(Reply(body=None))
    ended = rustbox("projects", "create", "x")
    assert ended.exit_code == 69
    assert "It may have been done all the same" in ended.stderr
    service.will(*[Reply(body=None)] * 5)
    assert rustbox("result", ID).exit_code == 69
    assert len(service.asked) == 2 + 1 + 5


@pytest.mark.parametrize(
    ("reply", "code", "told"),
    [
        (Reply(400, {"error": "bad_request", "message": "No."}), 65, "No. (400 bad_request)"),
        (Reply(401, {"error": "unauthorized", "message": "No."}), 77, "No. (401 unauthorized)"),
        (Reply(403, {"error": "forbidden", "message": "No."}), 77, "No. (403 forbidden)"),
        (Reply(409, {"error": "conflict", "message": "No."}), 65, "No. (409 conflict)"),
        (
            Reply(
                422, {"error": "invalid", "message": "No.", "fields": [{"field": "a.b", "message": "Too \x1b long."}]}
            ),
            65,
            "No. (422 invalid)\n  a.b: Too \\x1b long.\n",
        ),
        (Reply(500, {"error": "internal", "message": "Oh."}, {"x-request-id": "abc"}), 70, "request id: abc"),
        (Reply(504, {"message": "Gateway"}), 70, "Gateway (504 gateway)"),
        (Reply(404, b"<html>nginx</html>"), 70, "not from this API"),
        (Reply(200, b"<html>hello</html>"), 70, "not JSON"),
        (Reply(302, b"", {"location": "http://192.0.2.1/"}), 70, "not from this API"),
    ],
)
def test_every_error_response_has_a_message_and_an_exit_code(
    service: Service, rustbox: Rustbox, reply: Reply, code: int, told: str
) -> None:
    service.will(reply)
    ended = rustbox("result", ID)
    assert (ended.exit_code, ended.stdout) == (code, "")
    assert told in ended.stderr
    assert ended.stderr.startswith("rustbox: ")
    assert len(service.asked) == 1


def test_an_unreachable_service_gives_a_hint(rustbox: Rustbox, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_service() as gone:
        pass
    monkeypatch.setenv("RUSTBOX_URL", gone.url)
    ended = rustbox("projects", "list")
    assert (ended.exit_code, ended.stdout) == (69, "")
    assert f"Nothing answers at {gone.url}." in ended.stderr
    assert "make up" in ended.stderr


# --- keys of the command line -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        *("https://api.example.com", "https://127.0.0.1.example.com", "https://192.0.2.1"),
        *("https://localhost.example.com",),
        *("https://[2001:db8::1]", "https://0.0.0.0", "https://2130706433", "https://0x7f.1", "https://127.1"),
    ],
)
def test_development_keys_are_never_sent_to_other_machines(url: str) -> None:
    settings = read_settings(url, None, None, allow_http=False)
    for header in ("X-API-Key", "X-Admin-Key"):
        with pytest.raises(CommandError) as failed:
            settings.key(header)
        assert failed.value.exit_code == ExitCode.CONFIGURATION


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://127.9.9.9", "http://[::1]:1", "http://localhost/base/"])
def test_development_keys_are_sent_to_this_machine(url: str) -> None:
    settings = read_settings(url, None, "", allow_http=False)
    assert settings.key("X-API-Key") == "rb_live_local_development_only"
    assert settings.key("X-Admin-Key") == "admin_local_development_only"
    assert read_settings(url, "mine", None, allow_http=False).key("X-API-Key") == "mine"
    assert "mine" not in repr(read_settings(url, "mine", "mine", allow_http=False))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "x",
        "ftp://127.0.0.1",
        "http://",
        "http://a b",
        "http://127.0.0.1:x",
        "https://key@example.com",
        "http://[::1",
        "https://example.com/?q=1",
        "https://example.com/#x",
        "http://example.com",
        "http://127.0.0.1@example.com",
    ],
)
def test_invalid_and_unencrypted_addresses_are_refused(url: str) -> None:
    with pytest.raises(CommandError) as failed:
        read_settings(url, "key", None, allow_http=False)
    assert failed.value.exit_code == ExitCode.CONFIGURATION


def test_allow_http_allows_http_to_other_machines() -> None:
    assert read_settings("http://10.0.0.1", "key", None, allow_http=True).key("X-API-Key") == "key"


@pytest.mark.parametrize("key", ["two\r\nlines", "ключ", "\x00"])
def test_a_key_that_no_header_can_hold_is_refused(rustbox: Rustbox, service: Service, key: str) -> None:
    ended = rustbox("--api-key", key, "result", ID)
    assert (ended.exit_code, service.asked) == (78, [])
    assert key not in ended.output


# --- projects and keys ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        ("projects create A --profile judge", ("POST", "/api/projects", {"name": "A", "profiles": ["judge"]})),
        ("projects show dev", ("GET", "/api/projects/dev", None)),
        ("projects show ../keys", ("GET", "/api/projects/..%2Fkeys", None)),
        ("projects rename dev B", ("PATCH", "/api/projects/dev", {"name": "B"})),
        ("projects disable dev", ("PATCH", "/api/projects/dev", {"enabled": False})),
        ("projects enable dev", ("PATCH", "/api/projects/dev", {"enabled": True})),
        (
            "projects quota dev --profile agent --per-day 7 --in-flight 8",
            ("PATCH", "/api/projects/dev", {"quotas": {"agent": {"per_day": 7, "in_flight": 8}}}),
        ),
        ("projects network dev public", ("PATCH", "/api/projects/dev", {"network": {"access": "public"}})),
        (
            "projects network dev listed --allow a.example --allow *.b.example:80 --mb-per-day 7",
            (
                "PATCH",
                "/api/projects/dev",
                {"network": {"access": "listed", "allow": ["a.example", "*.b.example:80"], "mb_per_day": 7}},
            ),
        ),
        (
            "projects network dev --allow a.example",
            ("PATCH", "/api/projects/dev", {"network": {"access": "listed", "allow": ["a.example"]}}),
        ),
        ("projects network dev --mb-per-day 7", ("PATCH", "/api/projects/dev", {"network": {"mb_per_day": 7}})),
        ("projects quota dev --files-mb 0", ("PATCH", "/api/projects/dev", {"files_mb": 0})),
        (
            "projects quota dev --files-mb 9 --per-day 7",
            ("PATCH", "/api/projects/dev", {"files_mb": 9, "quotas": {"judge": {"per_day": 7}}}),
        ),
        ("projects quota dev --default", ("PATCH", "/api/projects/dev", {"quotas": {"judge": None}})),
        ("keys issue dev", ("POST", "/api/projects/dev/keys", {})),
        (
            "keys issue dev --expires 2099-01-01T00:00:00Z",
            ("POST", "/api/projects/dev/keys", {"expires_at": "2099-01-01T00:00:00Z"}),
        ),
        (
            "keys issue dev --name page --right run --right files",
            ("POST", "/api/projects/dev/keys", {"name": "page", "rights": ["run", "files"]}),
        ),
        (f"keys expire dev {ID} --never", ("PATCH", f"/api/projects/dev/keys/{ID}", {"expires_at": None})),
        (f"keys revoke dev {ID} --yes", ("DELETE", f"/api/projects/dev/keys/{ID}", None)),
    ],
)
def test_a_command_about_projects_is_one_call_with_the_administrators_key(
    service: Service, rustbox: Rustbox, arguments: str, asked: tuple[str, str, Any]
) -> None:
    body = KEY if arguments.startswith("keys") else PROJECT
    service.will(Reply(200, body), Reply(200, body))
    shown, as_json = rustbox(*arguments.split()), rustbox(*arguments.split(), "--json")
    assert (shown.exit_code, as_json.exit_code) == (0, 0), shown.output
    assert json.loads(as_json.stdout) == body
    assert "2026-11-24T12:00:00.000Z" in shown.stdout
    assert "\x1b" not in shown.stdout
    for call in service.asked:
        assert (call.method, call.path, call.body) == asked
        assert call.headers["x-admin-key"] == "admin_local_development_only"
        assert call.headers.get("x-api-key") is None


def test_a_key_expires_now_by_default(service: Service, rustbox: Rustbox) -> None:
    service.will(Reply(200, KEY), Reply(200, KEY))
    rustbox("keys", "expire", "dev", ID)
    rustbox("keys", "expire", "dev", ID, "--at", "2h")
    now, later = (datetime.fromisoformat(asked.body["expires_at"]) for asked in service.asked)
    assert abs((datetime.now(UTC) - now).total_seconds()) < 60
    assert 7_100 < (later - now).total_seconds() < 7_300


def test_a_pipe_gets_one_line_per_table_row(service: Service, rustbox: Rustbox) -> None:
    service.will(Reply(200, {"items": [PROJECT, PROJECT], "next_cursor": None}))
    lines = rustbox("projects", "list").stdout.splitlines()
    assert [len(re.split(r"  +", line)) for line in lines] == [8, 8, 8]
    assert re.split(r"  +", lines[1])[:3] == ["dev", "Local [bold]\\x1b[2J", "yes"]
    service.will(Reply(200, {"items": [KEY], "next_cursor": None}))
    assert "rb_live_abcd" in rustbox("keys", "list", "dev").stdout
    limited = KEY | {"name": "page \x1b[2J", "rights": ["run", "files"]}
    service.will(Reply(200, {"items": [limited, KEY], "next_cursor": None}))
    _, first, second = rustbox("keys", "list", "dev").stdout.splitlines()
    assert re.split(r"  +", first)[2:4] == ["page \\x1b[2J", "run, files"]
    assert "all" in re.split(r"  +", second)
    service.will(Reply(200, {"items": [], "next_cursor": None}))
    empty = rustbox("keys", "list", "dev")
    assert (empty.stdout, empty.stderr) == ("", "There are no keys.\n")


@pytest.mark.parametrize(
    ("options", "limits", "shown"),
    [
        ((), ["50"], 50),
        (("--limit", "3"), ["3"], 3),
        (("--limit", "150"), ["100", "50"], 150),
        (("--all",), ["100", "100", "100"], 250),
    ],
)
def test_a_list_is_read_page_by_page(
    service: Service, rustbox: Rustbox, options: tuple[str, ...], limits: list[str], shown: int
) -> None:
    left = 250
    for limit in limits:
        page = min(int(limit), left)
        left -= page
        service.will(Reply(200, {"items": [KEY] * page, "next_cursor": "more" if left else None}))
    ended = rustbox("keys", "list", "dev", "--json", *options)
    assert len(json.loads(ended.stdout)["items"]) == shown
    assert [asked.query["limit"] for asked in service.asked] == limits
    assert [asked.query.get("cursor") for asked in service.asked] == [None, *["more"] * (len(limits) - 1)]


# --- webhooks and deliveries ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        (
            (
                "webhooks create https://x.example --event a --event b --header x-a=1=2 --description D --disabled "
                "--max-concurrency 3 --max-per-second 7 --max-output-bytes 100 --timeout-secs 7 "
                "--format pagerduty --routing-key k --kind run --kind check "
                "--verdict RE --verdict TLE --language c "
                "--metadata course=7 --payload full --ordered --asymmetric"
            ),
            (
                "POST",
                "/api/webhooks",
                {
                    "url": "https://x.example",
                    "events": ["a", "b"],
                    "headers": {"x-a": "1=2"},
                    "description": "D",
                    "max_concurrency": 3,
                    "max_per_second": 7,
                    "max_output_bytes": 100,
                    "timeout_secs": 7,
                    "format": "pagerduty",
                    "routing_key": "k",
                    "kinds": ["run", "check"],
                    "filters": {"verdicts": ["RE", "TLE"], "languages": ["c"], "metadata": {"course": "7"}},
                    "payload": "full",
                    "asymmetric": True,
                    "ordered": True,
                    "enabled": False,
                },
            ),
        ),
        (f"webhooks show {ID}", ("GET", f"/api/webhooks/{ID}", None)),
        (f"webhooks update {ID} --url https://y", ("PATCH", f"/api/webhooks/{ID}", {"url": "https://y"})),
        (f"webhooks update {ID} --format event", ("PATCH", f"/api/webhooks/{ID}", {"format": "event"})),
        (f"webhooks update {ID} --verdict RE", ("PATCH", f"/api/webhooks/{ID}", {"filters": {"verdicts": ["RE"]}})),
        (f"webhooks update {ID} --no-asymmetric", ("PATCH", f"/api/webhooks/{ID}", {"asymmetric": False})),
        (f"webhooks update {ID} --all-runs", ("PATCH", f"/api/webhooks/{ID}", {"filters": {}})),
        (f"webhooks update {ID} --max-per-second 0", ("PATCH", f"/api/webhooks/{ID}", {"max_per_second": 0})),
        (
            f"webhooks update {ID} --all-events --no-headers",
            ("PATCH", f"/api/webhooks/{ID}", {"events": [], "headers": {}}),
        ),
        (f"webhooks enable {ID}", ("PATCH", f"/api/webhooks/{ID}", {"enabled": True})),
        (f"webhooks disable {ID}", ("PATCH", f"/api/webhooks/{ID}", {"enabled": False})),
        (f"webhooks delete {ID} --yes", ("DELETE", f"/api/webhooks/{ID}", None)),
        (f"deliveries show {DELIVERY}", ("GET", f"/api/deliveries/{DELIVERY}", None)),
        (f"deliveries replay {DELIVERY}", ("POST", f"/api/deliveries/{DELIVERY}/replay", None)),
        (
            f"deliveries replay {DELIVERY} --webhook-secret s",
            ("POST", f"/api/deliveries/{DELIVERY}/replay", {"webhook_secret": "s"}),
        ),
        (
            f"deliveries replay {DELIVERY} --transform-again",
            ("POST", f"/api/deliveries/{DELIVERY}/replay", {"transform": "again"}),
        ),
    ],
)
def test_a_command_about_webhooks_is_one_call_with_the_projects_key(
    service: Service, rustbox: Rustbox, arguments: str, asked: tuple[str, str, Any]
) -> None:
    body = SENT if arguments.startswith("deliveries") else ENDPOINT
    service.will(Reply(200, body), Reply(200, body))
    shown, as_json = rustbox(*arguments.split()), rustbox(*arguments.split(), "--json")
    assert (shown.exit_code, as_json.exit_code) == (0, 0), shown.output
    assert json.loads(as_json.stdout) == body
    assert ID in shown.stdout
    assert not {"\x1b", "\x07"} & set(shown.stdout)
    for call in service.asked:
        assert (call.method, call.path, call.body) == asked
        assert call.headers["x-api-key"] == "rb_live_local_development_only"
        assert call.headers.get("x-admin-key") is None


def test_a_rotation_sends_its_secret_so_that_a_retry_is_safe(service: Service, rustbox: Rustbox) -> None:
    for first in (Reply(body=None), busy(503, "1")):
        service.will(first, Reply(200, ENDPOINT))
        assert rustbox("webhooks", "rotate", ID, "--overlap", "2h").exit_code == 0
    bodies = [asked.body for asked in service.asked]
    assert [body["overlap_secs"] for body in bodies] == [7200] * 4
    assert bodies[0] == bodies[1] != bodies[2] == bodies[3]
    assert all(len(base64.b64decode(body["secret"].removeprefix("whsec_"))) == 32 for body in bodies)


@pytest.mark.parametrize("code", [0, 65])
def test_a_test_send_shows_request_and_response(service: Service, rustbox: Rustbox, code: int) -> None:
    delivered = code == 0
    sent = {"method": "POST", "url": "https://x.example", "headers": {"webhook-id": "abc"}, "body": "{}"}
    response = {"status_code": 204, "error_code": None, "latency_ms": 5, "address": "192.0.2.1", "head": "ok\x1b"}
    service.will(
        Reply(200, {"delivered": delivered, "request": sent, "signed_content": "abc.1.{}", "response": response})
    )
    ended = rustbox("webhooks", "test", ID)
    assert ended.exit_code == code
    for text in ("webhook-id: abc", "abc.1.{}", "204", "ok\\x1b"):
        assert text in ended.stdout


def test_a_recovery_goes_on_until_it_is_complete(service: Service, rustbox: Rustbox) -> None:
    service.will(
        Reply(200, {"recovered": 5, "complete": False, "continue_since": "2026-11-24T12:00:00.000Z"}),
        Reply(200, {"recovered": 2, "complete": True, "continue_since": None}),
    )
    ended = rustbox("webhooks", "recover", ID, "--since", "2h", "--json")
    assert json.loads(ended.stdout) == {"recovered": 7, "complete": True}
    assert service.asked[1].body == {"since": "2026-11-24T12:00:00.000Z"}


def test_deliveries_are_listed_with_their_filters(service: Service, rustbox: Rustbox) -> None:
    service.will(Reply(200, {"items": [SENT], "next_cursor": None}))
    ended = rustbox("deliveries", "list", "--submission", ID, "--endpoint", "run", "--state", "failed")
    assert DELIVERY in ended.stdout
    filters = {"submission_id": ID, "endpoint_id": "run", "state": "failed", "limit": "50"}
    assert service.asked[0].query == filters


def test_an_endpoint_is_shown_with_its_rates_and_latencies(service: Service, rustbox: Rustbox) -> None:
    service.will(Reply(200, ENDPOINT))
    lines = [line.split() for line in rustbox("webhooks", "show", ID).stdout.splitlines()]
    assert ["last", "hour", "8", "2", "0.75", "41", "-"] in lines
    assert not [line for line in lines if line[:1] == ["stats"]]


def test_endpoints_are_listed_with_their_filters(service: Service, rustbox: Rustbox) -> None:
    service.will(Reply(200, {"items": [ENDPOINT], "next_cursor": None}))
    since = "2026-11-24T12:00:00Z"
    listed = rustbox("webhooks", "list", "--state", "degraded", "--since", since).stdout
    assert ID in listed
    assert "0.75" in listed
    assert service.asked[0].query == {"state": "degraded", "since": since, "limit": "50"}


# --- help -------------------------------------------------------------------------------------------------------------


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in group.commands.items():
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


@pytest.mark.parametrize(("path", "command"), list(commands(cli)))
def test_every_command_has_help_and_every_one_that_shows_something_has_json(
    rustbox: Rustbox, path: tuple[str, ...], command: click.Command
) -> None:
    shown = rustbox(*path, "--help")
    assert shown.exit_code == 0
    assert (command.help or "").strip()
    if isinstance(command, click.Group) or len(path) == 1:
        assert "Examples:" in shown.stdout
    if not isinstance(command, click.Group) and path not in {
        ("checks", "schema"),
        ("listen",),
        ("mcp",),
    }:  # they print JSON only, or it by --print-only
        assert "--json" in shown.stdout


def test_the_help_lists_all_exit_codes(rustbox: Rustbox) -> None:
    shown = rustbox("--help").stdout
    for code in ExitCode:
        assert re.search(rf"^ +(.* )?{code.value}\b", shown, re.MULTILINE), code


def test_the_version_is_that_of_the_project(rustbox: Rustbox) -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    assert project["version"] == VERSION
    assert VERSION in rustbox("--version").stdout


def test_plain_escapes_control_characters() -> None:
    assert plain("a\tb\nc") == "a\tb\nc"
    assert plain("\x1b[31m\x9b\u202e\u200b") == "\\x1b[31m\\x9b\\x202e\\x200b"


def test_the_help_has_sections_and_tells_the_exit_codes_once(rustbox: Rustbox) -> None:
    text = rustbox("--help").stdout
    assert text.count("Exit codes:") == 1
    assert "\nJudge programs:\n  judge  " in text
    for name in ("run", "judge"):
        of_command = rustbox(name, "--help").stdout
        assert ("Exit codes:" in of_command, "`rustbox --help` lists the exit codes." in of_command) == (False, True)

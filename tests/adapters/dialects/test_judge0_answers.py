"""What clients of Judge0 see of a submission: its attributes, its program, and the files that it left."""

import base64
import io
import zipfile
from typing import Any

import pytest

from functions.aws.clients import Clients
from functions.submissions.results.results import PROGRAM_KEPT_MS
from functions.submissions.store import SubmissionStore
from tests.adapters.aws_account import API_KEY, Aws
from tests.adapters.dialects.judge0_calls import ask, create, encoded, token_of
from tests.adapters.final_rows import write_final
from tests.adapters.http_calls import post
from tests.submission_factory import EXECUTION_ID, completion

pytestmark = pytest.mark.usefixtures("project_key")

COLUMNS = {
    *("source_code", "language_id", "stdin", "expected_output", "stdout", "status_id", "created_at", "finished_at"),
    *("time", "memory", "stderr", "token", "number_of_runs", "cpu_time_limit", "cpu_extra_time", "wall_time_limit"),
    *("memory_limit", "stack_limit", "max_processes_and_or_threads", "enable_per_process_and_thread_time_limit"),
    *("enable_per_process_and_thread_memory_limit", "max_file_size", "compile_output", "exit_code", "exit_signal"),
    *("message", "wall_time", "compiler_options", "command_line_arguments", "redirect_stderr_to_stdout"),
    *("callback_url", "additional_files", "enable_network", "status", "language"),
}
"""The attributes of its serializer in version 1.13.1: all columns but the id, and two more."""
LATER = ["started_at", "queued_at", "updated_at", "queue_host", "execution_host"]
"""Those of later versions. The official client fails if it gets one that it did not name."""


def test_a_submission_has_the_attributes_of_its_serializer() -> None:
    shown = ask("GET", f"/submissions/{token_of(create())}", query={"fields": "*"}).json
    assert shown.keys() == COLUMNS | {"post_execution_filesystem"}
    one_by_one = ask("GET", f"/submissions/{shown['token']}", query={"fields": ",".join([*shown, *LATER])}).json
    assert one_by_one == shown | dict.fromkeys(LATER) | dict.fromkeys(["queued_at", "updated_at"], shown["created_at"])


PROGRAM = "source_code,stdin,additional_files,post_execution_filesystem"


def zipped(files: dict[str, bytes]) -> str:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as made:
        for name, content in files.items():
            made.writestr(name, content)
    return encoded(raw.getvalue())


def unzipped(text: str) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(text))) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def finish(aws: Aws, token: str, left: dict[str, bytes] | None = None, **more: Any) -> None:
    """Let a submission end. `left`: the files that it left."""
    stored = []
    for number, (path, content) in enumerate((left or {}).items()):
        key = f"outputs/{token}/{EXECUTION_ID}/artifact-{number}"
        aws.client("s3").put_object(Bucket=aws.names["PayloadsBucket"], Key=key, Body=content)
        stored.append({"path": path, "size": len(content), "sha256": "0" * 64, "media_type": "x/y", "key": key})
    done = completion(artifacts={"stored": stored, "skipped": []}, **more)
    assert write_final(SubmissionStore(aws.names["SubmissionsTable"], Clients.dynamodb()), token, done)


def shown(token: str, fields: str, **query: str) -> dict[str, Any]:
    answer = ask("GET", f"/submissions/{token}", query={"fields": fields, **query})
    assert answer.status == 200, answer.raw
    found: dict[str, Any] = answer.json
    return found


def test_the_program_is_shown_before_and_after_its_end(aws: Aws) -> None:
    token = token_of(create(stdin="1 2", additional_files=zipped({"data/in.txt": b"x"})))
    for _ in range(2):
        found = shown(token, PROGRAM)
        assert (found["source_code"], found["stdin"]) == ("print(1)", "1 2")
        assert unzipped(found["additional_files"]) == {"data/in.txt": b"x"}
        finish(aws, token) if found["post_execution_filesystem"] is None else None
    assert unzipped(found["post_execution_filesystem"]) == {"solution.py": b"print(1)", "data/in.txt": b"x"}


def test_the_program_is_kept_for_a_day(aws: Aws) -> None:
    token = token_of(create(stdin="1 2"))
    finish(aws, token, {"out.txt": b"y"})
    aws.monkeypatch.setattr("functions.submissions.results.results.PROGRAM_KEPT_MS", 0)
    found = shown(token, PROGRAM)
    assert PROGRAM_KEPT_MS == 86_400_000
    assert (found["source_code"], found["stdin"], found["additional_files"]) == (None, None, None)
    assert unzipped(found["post_execution_filesystem"]) == {"out.txt": b"y"}


def test_the_program_of_a_run_of_the_api_is_shown_too(aws: Aws) -> None:
    contents = [{"path": "a.txt", "content": "1"}, {"path": "b.bin", "content_base64": encoded(b"\xff")}]
    kept = {"language": "python", "code": "print(1)", "keep_code": True, "files": contents}
    token = str(post(API_KEY, kept).json["id"])
    finish(aws, token)
    found = shown(token, PROGRAM)
    assert (found["source_code"], found["stdin"]) == ("print(1)", None)
    assert unzipped(found["additional_files"]) == {"a.txt": b"1", "b.bin": b"\xff"}


def test_the_files_after_the_run_are_those_that_it_changed_and_all_others(aws: Aws) -> None:
    token = token_of(create(additional_files=zipped({"a.txt": b"1", "b.txt": b"2"})))
    finish(aws, token, {"b.txt": b"3", "chart.png": b"\x89PNG"})
    for base64_encoded in ("true", "false"):  # an archive is always base64
        found = shown(token, "post_execution_filesystem", base64_encoded=base64_encoded)
        assert unzipped(found["post_execution_filesystem"]) == {
            "solution.py": b"print(1)",
            "a.txt": b"1",
            "b.txt": b"3",
            "chart.png": b"\x89PNG",
        }


def test_files_that_are_too_large_for_an_answer_are_left_out(aws: Aws) -> None:
    tokens = [token_of(create()), token_of(create())]
    for token in tokens:
        finish(aws, token, {"large.bin": bytes(700_000), "larger.bin": bytes(400_000), "small.txt": b"s"})
    assert unzipped(shown(tokens[0], PROGRAM)["post_execution_filesystem"]).keys() == {
        *("large.bin", "small.txt", "solution.py")
    }
    batch = ask("GET", "/submissions/batch", query={"tokens": ",".join(tokens), "fields": PROGRAM}).json["submissions"]
    assert [unzipped(one["post_execution_filesystem"]).keys() for one in batch] == [
        {"larger.bin", "small.txt", "solution.py"}
    ] * 2


@pytest.mark.parametrize(
    ("sent", "is_merged"), [(True, True), ("true", True), (False, False), ("false", False), (None, False)]
)
@pytest.mark.parametrize("expected", ["42\nwarning", "42"])
def test_a_redirected_stderr_follows_stdout_and_is_compared(
    aws: Aws,
    sent: object,
    is_merged: bool,  # noqa: FBT001 - of the table
    expected: str,
) -> None:
    token = token_of(create(redirect_stderr_to_stdout=sent, expected_output=expected))
    finish(aws, token, stderr=b"warning\n", stderr_size_bytes=8)
    found = shown(token, "stdout,stderr,redirect_stderr_to_stdout,status")
    outputs = ("42\nwarning\n", None) if is_merged else ("42\n", "warning\n")
    assert (found["stdout"], found["stderr"], found["redirect_stderr_to_stdout"]) == (*outputs, is_merged)
    assert found["status"]["id"] == (3 if is_merged == ("warning" in expected) else 4)


def test_a_redirected_stderr_is_not_that_of_the_compiler(aws: Aws) -> None:
    token = token_of(create(redirect_stderr_to_stdout=True))
    result = {**completion().result, "verdict": "RE", "phase": "compile", "cause": "ce_compile_failed"}
    finish(aws, token, stderr=b"error: x\n", stdout=b"", result=result)
    found = shown(token, "stdout,stderr,compile_output,status")
    assert (found["stdout"], found["stderr"], found["compile_output"]) == (None, None, "error: x\n")


def test_a_final_submission_has_the_times_of_its_run(aws: Aws) -> None:
    token = token_of(create())
    finish(aws, token)
    found, done = shown(token, "started_at,finished_at,updated_at"), completion()
    assert (found["started_at"], found["finished_at"]) == (done.started_at, done.completed_at)
    assert found["updated_at"] == done.completed_at

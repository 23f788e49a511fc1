"""What clients of Judge0 send: in the message for a runner, or refused in its shape."""

import base64
import contextlib
import io
import json
import struct
import zipfile
from typing import Any

import pytest

from events.vocabulary import Language
from functions.aws.clients import Clients
from functions.dialects.judge0.requests import read_submission
from functions.dialects.judge0.views import KeptRequest
from functions.errors import InvalidFieldsError
from functions.handlers import dialects
from functions.projects.model import Project
from functions.projects.store import ProjectStore
from tests.adapters.aws_account import API_KEY, Aws
from tests.adapters.dialects.judge0_calls import PRINT, ask, create, encoded, token_of
from tests.adapters.http_calls import call, event
from tests.submission_factory import GENEROUS

pytestmark = pytest.mark.usefixtures("project_key")


def archive(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> str:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", method) as made:
        for name, content in files.items():
            made.writestr(name, content)
    return encoded(raw.getvalue())


def message_of(aws: Aws, queue: str = "BatchQueue") -> dict[str, Any]:
    (message,) = aws.messages(queue)
    return message


def test_a_request_is_an_ordinary_submission(aws: Aws) -> None:
    more = {
        "stdin": "1 2",
        "cpu_time_limit": 1.5,
        "wall_time_limit": "3",
        "memory_limit": 100_000,
        "stack_limit": 64_000,
        "max_processes_and_or_threads": 4,
        "max_file_size": 1500,
        "command_line_arguments": "-n 'a b'",
        "number_of_runs": 1,
        "enable_network": False,
        "additional_files": archive({"data/in.txt": b"x", "folder/": b""}),
    }
    token = token_of(create(**more))
    message = message_of(aws)
    assert [item["summary"]["S"] for item in aws.items("SubmissionsTable")] == ['{"source":"judge0"}']
    assert (message["submission_id"], message["language"], message["profile"]) == (token, "python", "judge")
    assert base64.b64decode(message["code_base64"]) == b"print(1)"
    assert base64.b64decode(message["stdin_base64"]) == b"1 2"
    assert message["args"] == ["-n", "a b"]
    assert message["limits"] == {
        "cpu_time_secs": 1.5,
        "wall_time_secs": 3,
        "memory_mb": 98,
        "stack_mb": 63,
        "max_processes": 4,
        "file_size_mb": 2,
        "output_kb": 1024,
    }
    assert [(file["path"], file["content_base64"]) for file in message["files"]] == [("data/in.txt", encoded("x"))]


def test_base64_may_have_lines_and_stdin_may_be_any_bytes(aws: Aws) -> None:
    sent: dict[str, Any] = {
        "source_code": encoded("print(1)" + "#" * 90),
        "stdin": encoded(b"\0\xff"),
        "language_id": 71,
    }
    sent["source_code"] = "\n".join(sent["source_code"][start : start + 60] for start in range(0, 200, 60)) + "\n"
    token = token_of(ask("POST", "/submissions", sent, query={"base64_encoded": "true"}))
    message = message_of(aws)
    assert base64.b64decode(message["stdin_base64"]) == b"\0\xff"
    shown = ask("GET", f"/submissions/{token}", query={"base64_encoded": "true", "fields": "stdin,source_code"}).json
    assert base64.b64decode(shown["stdin"]) == b"\0\xff"
    assert shown["source_code"].replace("\n", "") == sent["source_code"].replace("\n", "")


def test_compiler_options_are_those_that_the_service_allows(aws: Aws) -> None:
    program = {"source_code": "int main(void){}", "language_id": 50}
    token_of(ask("POST", "/submissions", program | {"compiler_options": "-O3 -DX=1"}))
    assert message_of(aws)["compile_args"] == ["-O3", "-DX=1"]
    refused = ask("POST", "/submissions", program | {"compiler_options": "-fplugin=x"})
    assert (refused.status, list(refused.json)) == (422, ["compiler_options"])
    token_of(create(compiler_options="-fplugin=x"))  # Python is not compiled


def test_the_options_of_its_ide_are_those_of_our_compiler(aws: Aws) -> None:
    options = (
        "-O3 --std=c++17 -Wall -Wextra -Wold-style-cast -Wuseless-cast -Wnull-dereference -Werror -Wfatal-errors "
        "-pedantic -pedantic-errors"
    )
    token_of(create(language_id=105, source_code="int main() {}", compiler_options=options))
    assert message_of(aws)["compile_args"] == options.replace("--std", "-std").split()


@pytest.mark.parametrize(("asked", "given"), [(4, 4), (10, 10), (60, 10), (1024, 10)])
def test_a_program_has_at_most_the_processes_of_its_language(aws: Aws, asked: int, given: int) -> None:
    most = ask("GET", "/config_info").json["max_max_processes_and_or_threads"]
    assert most == 1024
    token = token_of(create(max_processes_and_or_threads=asked))
    assert message_of(aws)["limits"]["max_processes"] == given
    fields = {"fields": "max_processes_and_or_threads"}
    assert ask("GET", f"/submissions/{token}", query=fields).json == {"max_processes_and_or_threads": asked}


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"source_code": None}, "source_code", "can't be blank"),
        ({"source_code": ""}, "source_code", "can't be blank"),
        ({"source_code": 7}, "source_code", "is not a string"),
        ({"language_id": None}, "language_id", "can't be blank"),
        ({"language_id": 999}, "language_id", "language with id 999 doesn't exist"),
        ({"language_id": 89}, "language_id", "language with id 89 doesn't exist"),
        ({"language_id": "\ud800"}, "language_id", "language with id ? doesn't exist"),
        ({"language_id": [71]}, "language_id", "language with id [71] doesn't exist"),
        ({"cpu_time_limit": 0}, "cpu_time_limit", "must be greater than 0"),
        ({"cpu_time_limit": "x"}, "cpu_time_limit", "is not a number"),
        ({"cpu_time_limit": True}, "cpu_time_limit", "is not a number"),
        ({"cpu_time_limit": "nan"}, "cpu_time_limit", "must be greater than 0"),
        ({"memory_limit": 1e400}, "memory_limit", "is not a number"),
        ({"memory_limit": 10**400}, "memory_limit", None),
        ({"cpu_extra_time": 10**400}, "cpu_extra_time", None),
        ({"cpu_extra_time": -1}, "cpu_extra_time", "must be greater than or equal to 0"),
        ({"enable_network": []}, "enable_network", "this option cannot be enabled"),
        ({"cpu_time_limit": 16}, "cpu_time_limit", None),
        ({"wall_time_limit": 26}, "wall_time_limit", None),
        ({"memory_limit": 2_000_000}, "memory_limit", None),
        ({"max_processes_and_or_threads": 1025}, "max_processes_and_or_threads", "must be less than or equal to 1024"),
        ({"max_processes_and_or_threads": 1.5}, "max_processes_and_or_threads", None),
        ({"max_file_size": 200_000}, "max_file_size", None),
        ({"number_of_runs": 2}, "number_of_runs", "must be less than or equal to 1"),
        ({"enable_network": True}, "enable_network", "this option cannot be enabled"),
        ({"redirect_stderr_to_stdout": 7}, "redirect_stderr_to_stdout", None),
        ({"command_line_arguments": "'"}, "command_line_arguments", "No closing quotation"),
        ({"command_line_arguments": "a" * 513}, "command_line_arguments", None),
        ({"command_line_arguments": "a\0b"}, "command_line_arguments", None),
        ({"additional_files": "%"}, "additional_files", "is not base64"),
        ({"additional_files": encoded("no zip")}, "additional_files", None),
        ({"additional_files": archive({"../x": b""})}, "additional_files", None),
        ({"additional_files": archive({"/etc/x": b""})}, "additional_files", None),
        ({"additional_files": archive({"a/../../x": b""})}, "additional_files", None),
        ({"additional_files": archive({"a": b"", "a/b": b""})}, "additional_files", None),
        ({"additional_files": archive({"a": bytes(300_000)})}, "additional_files", None),
        ({"additional_files": archive({str(number): b"" for number in range(65)})}, "additional_files", None),
        ({"callback_url": 7}, "callback_url", "is not a string"),
        ({"source_code": "\ud800"}, "source_code", "is not UTF-8"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_wrong_field_is_refused_with_its_name(
    aws: Aws, changes: dict[str, Any], field: str, message: str | None
) -> None:
    answer = ask("POST", "/submissions", json.dumps(PRINT | changes).replace("Infinity", "1e400"))
    assert (answer.status, list(answer.json)) == (422, [field]), answer.raw
    assert message is None or message in answer.json[field]
    assert aws.messages("BatchQueue") == []


def test_entries_below_the_current_folder_are_its_files(aws: Aws) -> None:
    token_of(
        create(additional_files=archive({"./dir1/./dir2/a.txt": b"a", "./": b"", "b.txt": b"b"}, zipfile.ZIP_STORED))
    )
    assert [file["path"] for file in message_of(aws)["files"]] == ["b.txt", "dir1/dir2/a.txt"]


def test_two_spellings_of_one_path_are_refused(aws: Aws) -> None:
    answer = create(additional_files=archive({"./a": b"1", "a": b"2"}))
    assert (answer.status, list(answer.json)) == (422, ["additional_files"])


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compressions_without_a_bound_are_refused(aws: Aws, method: int) -> None:
    """An entry of LZMA names the size of its dictionary: here 4 GB. Bzip2 makes gigabytes of 4 KiB."""
    raw = bytearray(base64.b64decode(archive({"a": b"x" * 1000}, method)))
    if method == zipfile.ZIP_LZMA:
        place = raw.find(b"\x5d", 31)  # the first byte of the properties; the size follows
        raw[place + 1 : place + 5] = b"\xff" * 4
    answer = create(additional_files=encoded(bytes(raw)))
    assert (answer.status, list(answer.json)) == (422, ["additional_files"])
    assert aws.messages("BatchQueue") == []


def test_an_archive_that_is_broken_at_any_byte_is_no_fault_of_the_service() -> None:
    for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED):
        raw = base64.b64decode(archive({"ab": b"some text of a file " * 3}, method))
        for place in range(len(raw)):
            for value in (raw[place] ^ 0xFF, 0x07):
                sent = encoded(raw[:place] + bytes([value]) + raw[place + 1 :])
                with contextlib.suppress(InvalidFieldsError):
                    read_submission(PRINT | {"additional_files": sent}, ["python"], is_base64=False)
            with pytest.raises(InvalidFieldsError):
                read_submission(PRINT | {"additional_files": encoded(raw[:place])}, ["python"], is_base64=False)


def test_an_archive_that_lies_about_its_sizes_is_refused(aws: Aws) -> None:
    raw = bytearray(base64.b64decode(archive({"a": bytes(250_000)})))
    for place in (raw.find(b"PK\x01\x02") + 24, 22):
        raw[place : place + 4] = (10).to_bytes(4, "little")
    answer = create(additional_files=encoded(bytes(raw)))
    assert (answer.status, list(answer.json)) == (422, ["additional_files"])
    assert aws.messages("BatchQueue") == []


def test_an_archive_whose_entry_lies_beyond_all_files_is_refused(aws: Aws) -> None:
    raw = base64.b64decode(archive({"a": b"1"}))
    start, end = raw.find(b"PK\x01\x02"), raw.find(b"PK\x05\x06")
    offset = struct.pack("<HHQ", 1, 8, 2**63)  # in 64 bits; the field of 32 bits says so
    entry = raw[start : start + 30] + struct.pack("<H", len(offset)) + raw[start + 32 : end - 5] + b"\xff" * 4
    directory = entry + b"a" + offset
    last = raw[end : end + 12] + struct.pack("<L", len(directory)) + raw[end + 16 :]
    answer = create(additional_files=encoded(raw[:start] + directory + last))
    assert (answer.status, list(answer.json)) == (422, ["additional_files"])
    assert aws.messages("BatchQueue") == []


@pytest.mark.parametrize("text", ["%", "QUJD=QUJD", "QUJ", "é"])
def test_wrong_base64_is_refused(text: str) -> None:
    sent = {"source_code": text, "stdin": text, "expected_output": text, "language_id": 71}
    answer = ask("POST", "/submissions", sent, query={"base64_encoded": "true"})
    assert answer.status == 422
    assert answer.json.keys() == {"source_code", "stdin", "expected_output"}


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1/", "https://169.254.169.254/", "https://localhost/", "ftp://x.example/"]
)
def test_a_callback_to_an_inner_address_is_refused(aws: Aws, url: str) -> None:
    aws.monkeypatch.setenv("ALLOW_INSECURE_WEBHOOK_TARGETS", "false")
    dialects.ENV.forget()
    answer = create(callback_url=url)
    assert (answer.status, list(answer.json)) == (422, ["callback_url"])
    assert aws.messages("BatchQueue") == []


@pytest.mark.parametrize(
    ("body", "status"), [("x" * 1_048_577, 413), ("[" * 100_000, 400), ("{", 400), ("[]", 422), ("null", 422)]
)
def test_other_bodies_are_refused(body: str, status: int) -> None:
    answer = ask("POST", "/submissions", body)
    assert answer.status == status
    assert answer.json.keys() == ({"error"} if status != 422 else {"source_code", "language_id"})


def test_a_submission_that_waits_shows_its_fields(aws: Aws) -> None:
    query = {"wait": "true", "fields": "status,token,language_id,language"}
    shown = ask("POST", "/submissions", PRINT, query=query)
    assert shown.status == 201
    assert shown.json == {
        "status": {"id": 1, "description": "In Queue"},
        "token": message_of(aws, "InteractiveQueue")["submission_id"],
        "language_id": 71,
        "language": {"id": 71, "name": "Python"},
    }


@pytest.mark.parametrize(("fields", "message"), [("stdout,nonsense", "[nonsense]"), ("x,y", "[x, y]")])
def test_unknown_fields_are_refused(aws: Aws, fields: str, message: str) -> None:
    answers = [
        ask("POST", "/submissions", PRINT, query={"wait": "true", "fields": fields}),
        ask("GET", "/submissions/batch", query={"tokens": "x", "fields": fields}),
    ]
    assert [(one.status, one.json) for one in answers] == [(400, {"error": f"invalid fields: {message}"})] * 2
    assert aws.messages("InteractiveQueue") == []


def test_a_batch_has_one_to_twenty_submissions_each_with_its_own_answer(aws: Aws) -> None:
    wrong = PRINT | {"language_id": 0}
    answer = ask("POST", "/submissions/batch", {"submissions": [PRINT, wrong, "x", *[PRINT] * 17]})
    assert answer.status == 201
    assert [sorted(one) for one in answer.json[:3]] == [["token"], ["language_id"], ["language_id", "source_code"]]
    assert len(aws.messages("BatchQueue")) == 18
    for count, message in ((21, "less than or equal to 20"), (0, "at least one")):
        refused = ask("POST", "/submissions/batch", {"submissions": [PRINT] * count})
        assert (refused.status, message in refused.json["error"]) == (400, True)
        tokens = ",".join(["x"] * count)
        refused = ask("GET", "/submissions/batch", query={"tokens": tokens})
        assert (refused.status, message in refused.json["error"]) == (400, True)
    nothing = ask("POST", "/submissions/batch", {"submissions": [wrong]})
    assert (nothing.status, list(nothing.json[0])) == (422, ["language_id"])
    assert ask("POST", "/submissions/batch", {"submissions": "x" * 5}).status == 400


def test_the_tokens_of_another_project_do_not_exist(aws: Aws) -> None:
    token = token_of(create())
    store = ProjectStore(aws.names["ProjectsTable"], Clients.dynamodb())
    store.create_project(Project("other", "Other", quotas=GENEROUS))
    other = store.issue_key("other")
    assert ask("GET", f"/submissions/{token}").status == 200
    for path, key in ((token, other), ("0" * 8, API_KEY), ("../result", API_KEY), (token.replace("-", "_"), API_KEY)):
        answer = ask("GET", f"/submissions/{path}", key=key)
        assert (answer.status, list(answer.json)) == (404, ["error"]), path
    batch = ask("GET", "/submissions/batch", key=other, query={"tokens": f"{token},x"})
    assert batch.json == {"submissions": [None, None]}


def test_what_its_server_refuses_by_default_is_refused() -> None:
    token = token_of(create())
    assert (ask("DELETE", f"/submissions/{token}").status, ask("GET", "/submissions").status) == (400, 403)
    assert ask("GET", f"/submissions/{token}").status == 200


def test_a_short_expected_output_and_all_options_are_repeated() -> None:
    more = {"expected_output": "1\n", "cpu_time_limit": 2, "command_line_arguments": "a b"}
    shown = ask("GET", f"/submissions/{token_of(create(**more))}", query={"fields": "*"}).json
    assert (shown["expected_output"], shown["cpu_time_limit"], shown["command_line_arguments"]) == ("1\n", "2.0", "a b")
    assert (shown["wall_time_limit"], shown["memory_limit"], shown["source_code"]) == ("10.0", 262_144, "print(1)")
    assert "stdout" in shown


def test_a_long_expected_output_is_compared_and_not_kept() -> None:
    token = token_of(create(expected_output="x" * 10_000))
    assert "expected_output" not in ask("GET", f"/submissions/{token}", query={"fields": "*"}).json
    named = ask("GET", f"/submissions/{token}", query={"fields": "expected_output"})
    assert (named.status, list(named.json)) == (400, ["error"])


@pytest.mark.parametrize(
    ("stdout", "expected", "is_accepted"),
    [
        (b"1\n", b"1", True),
        (b"1 \n2\t\n\n\n", b"1\n2", True),
        (b"1\r\n", b"1\n", True),
        (b" 1", b"1", False),
        (b"1\n\n2", b"1\n2", False),
        (b"", b"\n", True),
        (b"\xff", b"\xff\n", True),
        (b"x" * 5000, b"x" * 5000, True),
    ],
)
def test_outputs_are_compared_without_blanks_at_the_ends_of_lines(
    stdout: bytes,
    expected: bytes,
    is_accepted: bool,  # noqa: FBT001 - of the table
) -> None:
    kept = KeptRequest.from_metadata(KeptRequest.of({}, expected).metadata)
    assert kept.accepts(stdout) == is_accepted


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "{", "null", "x" * 100, "[" * 2_000),
        *('{"values": 1}', '{"expected": 1}', '{"values": {"wall_time_limit": []}}'),
        *('{"values": {"memory_limit": NaN}}',),
        *('{"values": {"expected_output": 1, "stdout": 1}}', f'{{"values": {{"wall_time_limit": {"9" * 400}}}}}'),
    ],
)
def test_metadata_of_other_clients_is_no_request_of_judge0(text: str) -> None:
    body = {"language": "python", "code": "print(1)", "metadata": {"judge0": text}}
    headers = {"X-API-Key": API_KEY, "Content-Type": "application/json"}
    token = call(event("POST", "/api/submit", headers=headers, body=json.dumps(body))).json["id"]
    shown = ask("GET", f"/submissions/{token}", query={"fields": "*"}).json
    assert (shown["cpu_time_limit"], shown["expected_output"], shown["stdout"]) == ("5.0", None, None)


def test_languages_have_its_ids() -> None:
    listed = ask("GET", "/languages").json
    ids = {"c": 50, "cpp": 52, "go": 60, "java": 62, "javascript": 63, "python": 71, "rust": 73, "typescript": 74}
    ids |= {"bash": 46, "lua": 64}
    assert {ids[language] for language in Language} < {one["id"] for one in listed}
    assert len({one["name"] for one in listed}) == len(listed)
    assert ask("GET", "/languages/71").json == {
        "id": 71,
        "name": "Python",
        "is_archived": False,
        "source_file": "solution.py",
        "compile_cmd": None,
        "run_cmd": None,
    }
    assert ask("GET", "/languages/all").json == [{**one, "is_archived": False} for one in listed]
    assert [ask("GET", f"/languages/{path}").status for path in ("71", "1", "x", "10")] == [200, 404, 404, 404]
    assert [one["id"] for one in ask("GET", "/statuses").json] == list(range(1, 15))


def test_each_id_of_a_language_is_that_language_and_is_shown_again(aws: Aws) -> None:
    named = {1: "c", 2: "cpp", 4: "java", 10: "python", 25: "python", 54: "cpp", 91: "java", 92: "python", 105: "cpp"}
    for number, language in named.items():
        token = token_of(create(language_id=number))
        assert message_of(aws)["language"] == language
        shown = ask("GET", f"/submissions/{token}", query={"fields": "language_id,language"}).json
        assert (shown["language_id"], shown["language"]["id"]) == (number, number)


def test_the_base_of_extra_ce_has_its_version_and_its_ids(aws: Aws) -> None:
    assert ask("GET", "/extra/about").json == {**ask("GET", "/about").json, "version": "1.13.1-extra"}
    assert [one["id"] for one in ask("GET", "/extra/languages").json] == [1, 2, 4, 10, 25, 33]
    assert ask("GET", "/extra/languages/10").json["name"] == "Python"
    assert ask("GET", "/extra/config_info").json == ask("GET", "/config_info").json
    token = token_of(ask("POST", "/extra/submissions", PRINT | {"language_id": 10}))
    assert message_of(aws)["language"] == "python"
    assert ask("GET", f"/extra/submissions/{token}").json == ask("GET", f"/submissions/{token}").json


def test_the_configuration_has_the_fields_that_clients_require() -> None:
    assert len(ask("GET", "/config_info").json) == 39
    assert (ask("POST", "/authenticate").status, ask("POST", "/authorize").status) == (200, 200)
    assert ask("GET", "/about").json["version"] == "1.13.1"

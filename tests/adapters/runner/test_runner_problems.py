"""Judge runs of a stored problem on a worker: each case is read once, checked, and never shown to others."""

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from events.files import StoredFile
from events.message import as_fields
from events.requested import Case, Checker, CheckerProgram, JudgeRequested
from events.vocabulary import CheckerKind, Language, Protocol
from sandbox_runtime.transport import Transport
from tests.adapters.runner_system import Direct
from tests.judge_requests import case, judge_requested, judging
from tests.runner_doubles import RecordedSlot
from tests.until import until

pytestmark = pytest.mark.usefixtures("_no_retry_delay")


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each object was read."""
    counted: Counter[str] = Counter()
    read_file = Transport.read_file

    def read(self: Transport, object_key: str) -> Iterator[bytes]:
        counted[object_key] += 1
        return read_file(self, object_key)

    monkeypatch.setattr(Transport, "read_file", read)
    return counted


def put(system: Direct, content: bytes, **lie: Any) -> StoredFile:
    digest = hashlib.sha256(content).hexdigest()
    key = f"files/{digest[:32]}"
    system.aws.client("s3").put_object(Bucket=system.aws.names["PayloadsBucket"], Key=key, Body=content)
    fields: dict[str, Any] = {"key": key, "size": len(content), "sha256": digest}
    return StoredFile(**(fields | lie))


def stored_case(system: Direct, stdin: bytes, expected: bytes, **fields: Any) -> Case:
    objects = {"stdin_object": put(system, stdin), "expected_object": put(system, expected)}
    return case(None, None, **(objects | fields))


def of_problem(system: Direct, *cases: Case, **parts: Any) -> JudgeRequested:
    text = json.dumps(as_fields(judging(cases, **parts))).encode()
    return judge_requested(judging=None, judging_object=put(system, text))


def started(system: Direct, **changes: Any) -> RecordedSlot:
    system.has_files = True
    system.start(RecordedSlot, **changes)
    slot = system.slots[0]
    assert isinstance(slot, RecordedSlot)
    return slot


def outcomes(completed: dict[str, Any]) -> list[str]:
    return [found["outcome"] for found in completed["cases"]]


def test_judge_runs_of_a_problem_read_each_object_once(direct: Direct, reads: Counter[str]) -> None:
    slot = started(direct)
    cases = [stored_case(direct, b"input %d" % number, b"42\n") for number in range(9)]
    wrong = stored_case(direct, b"\xff\0", b"43\n")
    for _ in range(3):
        completed = direct.completion(direct.judge(of_problem(direct, *cases, wrong, case(b"inline"))))
        assert outcomes(completed) == ["passed"] * 9 + ["wrong_answer", "passed"]
    inputs = [spec.stdin for spec in slot.specs]
    assert inputs == [*(b"input %d" % number for number in range(9)), b"\xff\0", b"inline"] * 3
    assert set(reads.values()) == {1}
    assert len(reads) == 13, "the problem, ten inputs, two expected outputs"


def test_both_paths_judge_a_problem_alike(direct: Direct) -> None:
    started(direct)
    request = of_problem(direct, stored_case(direct, b"1", b"42\n"), stored_case(direct, b"2", b"no"))
    status, answered = direct.ask(request)
    assert (status, outcomes(answered)) == (200, ["passed", "wrong_answer"])


@pytest.mark.parametrize("lie", [{"sha256": "0" * 64}, {"size": 1}, {"size": 1 << 20}], ids=str)
@pytest.mark.parametrize("of", ["problem", "input", "expected"])
def test_a_lie_about_an_object_ends_the_judge_run_with_a_sentence(direct: Direct, lie: dict[str, Any], of: str) -> None:
    started(direct)
    made = stored_case(direct, b"secret input", b"secret answer")
    request = of_problem(direct, made)
    if of == "problem":
        request = judge_requested(judging=None, judging_object=put(direct, b"{}", **lie))
    else:
        stdin = put(direct, b"secret input", **(lie if of == "input" else {}))
        expected = put(direct, b"secret answer", **(lie if of == "expected" else {}))
        request = of_problem(direct, case(None, None, stdin_object=stdin, expected_object=expected))
    completed = direct.completion(direct.judge(request))
    assert completed["failure"]["cause"] == "ie_not_run"
    assert "not the one that it names" in completed["failure"]["error_message"]
    assert completed["cases"] == []
    until(direct.is_empty)


def test_a_problem_whose_object_is_gone_is_tried_again_and_then_fails(direct: Direct) -> None:
    started(direct, MAX_RECEIVES="2")
    gone = StoredFile(key="files/none", size=3, sha256="0" * 64)
    missing_case = of_problem(direct, case(None, b"", stdin_object=gone))
    for request in (judge_requested(judging=None, judging_object=gone), missing_case):
        completed = direct.completion(direct.judge(request))
        assert completed["failure"]["error_message"] == "the cases could not be read"
    until(direct.is_empty)


def test_a_runner_without_a_cache_of_files_leaves_problems_to_another(direct: Direct) -> None:
    direct.start(RecordedSlot, MAX_RECEIVES="1")
    request = of_problem(direct, stored_case(direct, b"1", b"42\n"))
    assert direct.ask(request) == (422, {"error": "files_not_offered"})
    completed = direct.completion(direct.judge(request))
    assert completed["failure"]["error_message"] == "no runner offers files"


def test_a_program_gets_no_folder_with_cases_of_its_problem(direct: Direct) -> None:
    slot = started(direct)
    direct.completion(direct.judge(of_problem(direct, stored_case(direct, b"1", b"the secret answer"))))
    (spec,) = slot.specs
    assert (spec.inputs, spec.inputs_folder) == ((), "")
    assert b"the secret answer" not in repr(spec).encode()


def test_the_log_has_no_part_of_a_case(direct: Direct, caplog: pytest.LogCaptureFixture) -> None:
    started(direct)
    with caplog.at_level(logging.DEBUG):
        lie = put(direct, b"secret input", sha256="0" * 64)
        for made in (stored_case(direct, b"1", b"secret answer"), case(None, b"", stdin_object=lie)):
            direct.completion(direct.judge(of_problem(direct, made)))
    assert "secret" not in caplog.text


def test_a_checker_gets_the_input_and_the_answer_of_its_case(direct: Direct) -> None:
    slot = started(direct)
    checker = Checker(
        CheckerKind.PROGRAM, program=CheckerProgram(Language.PYTHON, Protocol.KATTIS, (), (), b"print(42)")
    )
    made = stored_case(direct, b"the input", b"the answer")
    direct.completion(direct.judge(of_problem(direct, made, checkers=(checker,))))
    program, check = slot.specs
    assert {file.name: file.content for file in check.files if file.name in {"input", "answer"}} == {
        "input": b"the input",
        "answer": b"the answer",
    }
    assert program.stdin == b"the input"

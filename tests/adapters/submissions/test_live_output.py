"""Read the output of a run while it goes on: real handlers, a real worker, and real pipes in place of the jail."""

import base64
import json
import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any

import pytest

from events.runner import execution_tag
from functions.aws.payloads import Payloads
from functions.handlers import record, result
from functions.ids import new_id
from functions.submissions import live_output
from functions.submissions.completion import Completer
from functions.submissions.runners.store import KEPT_MS, MOST_WATCHED, WATCHED_MS, ControlObjects, control_key
from functions.submissions.store import SubmissionStore
from sandbox_runtime.jail.supervisor.run_io import Capture
from sandbox_runtime.worker import control as control_polls
from sandbox_runtime.worker import control as live_outputs
from tests.adapters.aws_account import PROJECT_ID, Aws
from tests.adapters.final_rows import write_final
from tests.adapters.http_calls import Answer, get, post
from tests.adapters.pipeline import call
from tests.adapters.runner_system import Direct
from tests.adapters.submissions.direct_wiring import use
from tests.printing_slot import PrintingSlot
from tests.submission_factory import completion, new_submission
from tests.until import PATIENCE_SECS, until

PROGRAM = {"language": "python", "code": "print(42)"}


class World:
    """A project, the functions, and one worker whose program prints what the test says."""

    def __init__(self, aws: Aws, key: str, system: Direct, clients: ThreadPoolExecutor) -> None:
        self.aws, self.key, self.system, self.clients = aws, key, system, clients
        self.script: SimpleQueue[tuple[int, bytes] | None] = SimpleQueue()

    def start(self) -> None:
        self.system.start(lambda: PrintingSlot(self.script), DRAIN_SECS="0")
        use(self.aws, self.system.port)

    def submit(self) -> str:
        return str(post(self.key, PROGRAM).json["id"])

    def output(self, submission_id: str, stream: str = "stdout", **query: Any) -> Answer:
        texts = {name: str(value) for name, value in query.items()}
        return get(self.key, f"/api/result/{submission_id}/output", query={"stream": stream, **texts})

    def reading(self, submission_id: str, **query: Any) -> Future[Answer]:
        """Begin a read, and return when it waits at the runner."""
        outputs = self.system.worker._runner.parts.live_outputs
        future = self.clients.submit(self.output, submission_id, wait=20, **query)
        until(lambda: future.done() or submission_id in outputs._readers)
        return future

    def print(self, text: bytes, stream: int = 0) -> None:
        self.script.put((stream, text))

    def record(self) -> None:
        messages = self.aws.messages("CompletionsQueue")
        assert not messages or call(record.handler, tuple(map(json.dumps, messages))) == []

    def end(self, submission_id: str) -> None:
        """End the program, and wait until its row is final."""
        self.script.put(None)

        def is_final() -> bool:
            self.record()
            return bool(get(self.key, f"/api/result/{submission_id}").json["status"] == "completed")

        until(is_final)


@pytest.fixture
def world(aws: Aws, project_key: str, system: Direct) -> Iterator[World]:
    with ThreadPoolExecutor(4) as clients:
        made = World(aws, project_key, system, clients)
        yield made
        made.script.put(None)


def test_output_comes_while_the_program_runs_and_its_end_from_the_result(world: World) -> None:
    world.start()
    submission_id = world.submit()
    first = world.reading(submission_id)
    world.print(b"one\n")
    part = first.result(PATIENCE_SECS)
    assert part.status == 200
    assert part.json == {
        "id": submission_id,
        "status": part.json["status"],
        "stream": "stdout",
        "after": 0,
        "output": "one\n",
        "next": 4,
        "final": False,
        "execution": part.json["execution"],
    }
    second = world.reading(submission_id, after=4)
    world.print(b"an error\n", stream=1)
    world.print("zwölf\n".encode())
    assert second.result(PATIENCE_SECS).json["output"] == "zwölf\n"
    assert world.output(submission_id, "stderr").json["output"] == "an error\n"
    last = world.reading(submission_id, after=11)
    world.end(submission_id)
    ended = last.result(PATIENCE_SECS).json
    assert (ended["output"], ended["next"], ended["final"], ended["status"]) == ("", 11, True, "completed")
    assert ended["execution"] == part.json["execution"]
    whole = world.output(submission_id).json
    assert (whole["output"], whole["next"], whole["final"]) == ("one\nzwölf\n", 11, True)


def test_a_read_of_a_queued_run_waits_for_its_first_output(world: World) -> None:
    world.start()
    world.submit()  # it has the only slot
    queued = world.submit()
    read = world.reading(queued)
    world.script.put(None)
    world.print(b"mine\n")
    assert read.result(PATIENCE_SECS).json["output"] == "mine\n"


def test_a_read_without_a_wait_answers_at_once(world: World) -> None:
    world.start()
    submission_id = world.submit()
    part = world.output(submission_id, after=7).json
    assert (part["output"], part["after"], part["next"], part["final"]) == ("", 7, 7, False)


def test_bytes_that_are_no_text_come_in_base64_and_a_character_is_never_cut(world: World) -> None:
    world.start()
    submission_id = world.submit()
    first = world.reading(submission_id)
    world.print("a€".encode()[:-1])
    part = first.result(PATIENCE_SECS).json
    assert (part["output"], part["next"], "encoding" in part) == ("a", 1, False)
    world.print("€".encode()[-1:] + b"b\xff")
    until(lambda: world.output(submission_id, after=1).json["next"] == 6)
    part = world.output(submission_id, after=1).json
    assert (base64.b64decode(part["output"]), part["encoding"]) == ("€b".encode() + b"\xff", "base64")
    exact = world.output(submission_id, encoding="base64").json
    assert (base64.b64decode(exact["output"]), exact["next"]) == ("a€b".encode() + b"\xff", 6)


def test_a_run_that_begins_again_on_another_runner_has_another_execution(world: World) -> None:
    """The first runner dies after its program has printed more than the second one will for a while."""
    world.start()
    submission_id = world.submit()
    read = world.reading(submission_id)
    world.print(b"from the first runner\n")
    first = read.result(PATIENCE_SECS).json
    outputs = world.system.worker._runner.parts.live_outputs
    lost = outputs._outputs.pop(submission_id)  # as if its process were gone
    with outputs.open(submission_id, execution_tag("another node", "2026-11-24T12:00:00.012Z")) as output:
        os.write((pipe := os.pipe())[1], b"again\n")
        capture = Capture(pipe[0], 1_000)
        capture.read()
        output.begin([capture, capture])
        second = world.output(submission_id, after=first["next"]).json
        assert (second["output"], second["final"]) == ("", False)
        assert second["execution"] != first["execution"]
        again = world.output(submission_id).json
        assert (again["output"], again["execution"]) == ("again\n", second["execution"])
        output.begin([])
        capture.close()
        os.close(pipe[1])
    outputs._ended.clear()
    outputs._outputs[submission_id] = lost
    world.end(submission_id)
    ended = world.output(submission_id, after=again["next"]).json
    assert (ended["final"], ended["execution"]) == (True, first["execution"])


@pytest.mark.parametrize("is_known", [True, False])
def test_output_of_an_execution_that_was_lost_before_a_cancel_is_void(world: World, is_known: Any) -> None:
    world.start()
    submission_id = world.submit()
    read = world.reading(submission_id)
    world.print(b"of a runner that dies\n")
    first = read.result(PATIENCE_SECS).json
    submissions = record.ENV[SubmissionStore]
    if is_known:

        def is_running() -> bool:
            world.record()
            return bool(get(world.key, f"/api/result/{submission_id}").json["status"] == "running")

        until(is_running)
    row = submissions.get(submission_id)
    assert row is not None
    record.ENV[Completer].end_cancelled(row)
    last = world.output(submission_id, after=first["next"]).json
    assert (last["output"], last["final"], last["execution"] == first["execution"]) == ("", True, False)
    again = world.output(submission_id).json
    assert (again["output"], again["final"], again["execution"]) == ("", True, last["execution"])


def live_objects(aws: Aws) -> dict[str, bytes]:
    """Return the outputs in the bucket, by submission and stream."""
    s3, bucket = aws.client("s3"), aws.names["PayloadsBucket"]
    found = [each["Key"] for each in s3.list_objects_v2(Bucket=bucket).get("Contents", ())]
    keys = [key for key in found if key.startswith("live/")]
    return {key.removeprefix("live/"): s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}


@pytest.mark.parametrize("is_direct", [True, False])
def test_a_runner_that_cannot_be_asked_puts_watched_output_into_the_bucket(
    world: World, monkeypatch: pytest.MonkeyPatch, *, is_direct: bool
) -> None:
    monkeypatch.setattr(control_polls, "PERIOD_SECS", 0.05)
    if is_direct:  # the load balancer leads to another runner
        monkeypatch.setattr(live_outputs.LiveOutputs, "answer", lambda _self, _: b'{"state": "absent", "base64": ""}')
        world.start()
    else:
        world.system.start(lambda: PrintingSlot(world.script), DRAIN_SECS="0")
    submission_id = world.submit()
    world.print(b"one\n")
    assert world.output(submission_id).json["output"] == ""  # no runner is known to have it

    def is_running() -> bool:
        world.record()
        return bool(get(world.key, f"/api/result/{submission_id}").json["status"] == "running")

    until(is_running)
    assert live_objects(world.aws) == {}  # nobody watches
    first = world.output(submission_id, wait=20).json
    assert (first["output"], first["next"], first["final"]) == ("one\n", 4, False)
    second = world.clients.submit(world.output, submission_id, after=4, wait=20)
    world.print(b"two\n")
    assert second.result(PATIENCE_SECS).json["output"] == "two\n"
    assert live_objects(world.aws) == {f"{submission_id}/stdout": b"one\ntwo\n"}
    older_object = {"Bucket": world.aws.names["PayloadsBucket"], "Key": f"live/{submission_id}/stderr"}
    world.aws.client("s3").put_object(**older_object, Body=b"older", ContentType="x/y")  # of a runner of before
    older = world.output(submission_id, "stderr").json
    assert (older["output"], "execution" in older) == ("older", False)
    world.aws.client("s3").delete_object(**older_object)
    world.end(submission_id)
    until(lambda: live_objects(world.aws) == {f"{submission_id}/stdout": b""})
    ended = world.output(submission_id, after=4).json
    assert (ended["output"], ended["final"]) == ("two\n", True)
    assert first["execution"] == ended["execution"]


@pytest.mark.answered_by("engine", "moto")
def test_a_watch_keeps_cancels_and_is_renewed_after_half_of_its_time(aws: Aws) -> None:
    now = [0]
    control = ControlObjects(aws.names["PayloadsBucket"], lambda: aws.client("s3"), lambda: now[0])

    def document() -> dict[str, dict[str, int]]:
        body = aws.client("s3").get_object(Bucket=control.bucket, Key=control_key("a node"))["Body"].read()
        return dict(json.loads(body))

    control.cancel("a node", "first")
    control.watch("a node", "second")
    assert document() == {"cancelled": {"first": KEPT_MS}, "watched": {"second": WATCHED_MS}}
    now[0] = WATCHED_MS // 2 - 1
    control.watch("a node", "second")
    assert document()["watched"] == {"second": WATCHED_MS}
    now[0] = WATCHED_MS // 2
    control.watch("a node", "second")
    assert document() == {"cancelled": {"first": KEPT_MS}, "watched": {"second": now[0] + WATCHED_MS}}
    for number in range(MOST_WATCHED):
        control.watch("a node", str(number))
    assert len(document()["watched"]) == MOST_WATCHED
    assert document()["cancelled"] == {"first": KEPT_MS}


def test_a_runner_that_gives_no_valid_answer_costs_the_live_output_only(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [
        b'{"state": "running", "base64": "", "execution": ["x"]}',
        b'{"state": "running", "base64": "%"}',
        b'{"state": "running"}',
        b"[]",
        b"[" * 300_000,
    ]
    asked: list[bytes] = []

    def answer(_: live_outputs.LiveOutputs, body: bytes) -> bytes:
        asked.append(body)
        return answers[len(asked) - 1]

    monkeypatch.setattr(live_outputs.LiveOutputs, "answer", answer)
    world.start()
    submission_id = world.submit()
    world.print(b"one\n")
    for _ in answers:
        assert world.output(submission_id).json["output"] == ""
    assert len(asked) == len(answers)
    use(world.aws, world.system.port, token="x" * 40)
    assert world.output(submission_id).json["output"] == ""
    assert len(asked) == len(answers)
    world.end(submission_id)
    part = world.output(submission_id).json
    assert (part["output"], part["final"]) == ("one\n", True)


def test_a_long_final_output_comes_in_parts(aws: Aws, project_key: str) -> None:
    whole = (b"0123456789abcde\n" * 90_000)[: live_output.PART_MAX_BYTES * 9 + 5]
    store = SubmissionStore(aws.names["SubmissionsTable"], aws.client("dynamodb"))
    submission_id = new_id()
    store.create(new_submission(submission_id=submission_id, project_id=PROJECT_ID), None)
    key = result.ENV[Payloads].put_output(submission_id, new_id(), "stdout", whole)
    assert write_final(store, submission_id, completion(stdout=None, stdout_key=key, stdout_size_bytes=len(whole)))
    read, after, finals = "", 0, []
    while True:
        part = get(
            project_key, f"/api/result/{submission_id}/output", query={"stream": "stdout", "after": str(after)}
        ).json
        read, after = read + part["output"], part["next"]
        finals.append(part["final"])
        if part["final"]:
            break
    assert (read.encode(), finals) == (whole, [*[False] * 9, True])
    beyond = get(project_key, f"/api/result/{submission_id}/output", query={"stream": "stdout", "after": "9999999999"})
    assert (beyond.json["output"], beyond.json["next"], beyond.json["final"]) == ("", 9_999_999_999, True)


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ({}, "stream must be stdout or stderr."),
        ({"stream": "stdin"}, "stream must be stdout or stderr."),
        *(({"stream": "stdout", "after": text}, "after must be") for text in ("-1", "1.5", "x", "", "1" * 11, "٣")),
        ({"stream": "stdout", "wait": "21"}, "wait must be"),
        ({"stream": "stdout", "encoding": "hex"}, "encoding must be"),
        ({"stream": "stdout", "afer": "1"}, "There is no query parameter afer. Did you mean after?"),
    ],
)
def test_a_wrong_parameter_is_named(world: World, query: dict[str, str], problem: str) -> None:
    answer = get(world.key, f"/api/result/{world.submit()}/output", query=query)
    assert (answer.status, answer.json["error"]) == (400, "bad_request")
    assert problem in answer.json["message"]


def test_the_output_of_another_project_is_not_found(aws: Aws, world: World) -> None:
    submission_id = new_id()
    store = SubmissionStore(aws.names["SubmissionsTable"], aws.client("dynamodb"))
    store.create(new_submission(submission_id=submission_id, project_id="other"), None)
    for unknown in (submission_id, new_id()):
        assert world.output(unknown).status == 404
    assert world.output("x").status == 400
    assert get(None, f"/api/result/{submission_id}/output", query={"stream": "stdout"}).status == 401


def test_a_run_that_is_deleted_while_its_output_is_read_is_not_found(world: World) -> None:
    world.start()
    world.submit()  # it has the only slot
    queued = world.submit()
    read = world.reading(queued)
    assert get(world.key, f"/api/result/{queued}", method="DELETE").status == 200
    assert read.result(PATIENCE_SECS).status == 404

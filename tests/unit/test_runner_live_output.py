"""What clients see of the output of a run that goes on, and the registry of such outputs."""

import json
import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from events.runner import execution_tag, is_execution_tag, watched_in
from sandbox_runtime.executor.live_output import CHUNK_BYTES, LiveOutput, RunState
from sandbox_runtime.jail.supervisor.run_io import Capture
from sandbox_runtime.transport import TransportError
from sandbox_runtime.worker import control
from sandbox_runtime.worker.control import LiveObjects, LiveOutputs, ReadInvalidError
from tests.until import PATIENCE_SECS, until

RUN = "7d8f0f5e-3b1c-4c59-9a52-0f7f3b2f8a11"
OTHER = "7d8f0f5e-3b1c-4c59-9a52-0f7f3b2f8a12"
TAG = execution_tag("runner-1", "2026-11-24T12:00:00.012Z")
LIMIT = 100_000
LONG_SECS = 20.0


@dataclass
class Program:
    """The two output streams of a program, as the supervisor captures them."""

    captures: tuple[Capture, Capture]
    writers: tuple[int, int]

    def begin(self, output: LiveOutput) -> None:
        output.begin(self.captures)
        for capture in self.captures:
            capture.on_read = output.notify

    def print(self, text: bytes, stream: int = 0) -> None:
        os.write(self.writers[stream], text)
        self.captures[stream].read()


@pytest.fixture
def program() -> Iterator[Program]:
    ends = [os.pipe() for _ in range(2)]
    made = Program((Capture(ends[0][0], LIMIT), Capture(ends[1][0], LIMIT)), (ends[0][1], ends[1][1]))
    yield made
    for capture, writer in zip(made.captures, made.writers, strict=True):
        capture.close()
        os.close(writer)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def reading(
    threads: ThreadPoolExecutor, outputs: LiveOutputs, after: int = 0, stream: str = "stdout"
) -> Future[tuple[RunState, bytes, str]]:
    """Begin a read, and return when it waits."""
    count = outputs._count
    future = threads.submit(outputs.read, RUN, stream, after, LONG_SECS)
    until(lambda: future.done() or outputs._count > count)
    return future


def test_a_read_waits_for_output_of_its_stream(program: Program, threads: ThreadPoolExecutor) -> None:
    outputs = LiveOutputs()
    with outputs.open(RUN, TAG) as output:
        program.begin(output)
        first = reading(threads, outputs)
        program.print(b"to stderr", stream=1)
        program.print(b"one\n")
        assert first.result(PATIENCE_SECS) == (RunState.RUNNING, b"one\n", TAG)
        second = reading(threads, outputs, after=4)
        program.print(b"two\n")
        assert second.result(PATIENCE_SECS) == (RunState.RUNNING, b"two\n", TAG)
        assert outputs.read(RUN, "stderr", 3, 0) == (RunState.RUNNING, b"stderr", TAG)
        assert outputs.read(RUN, "stdout", 99, 0) == (RunState.RUNNING, b"", TAG)


def test_a_reader_may_come_before_its_run(program: Program, threads: ThreadPoolExecutor) -> None:
    outputs = LiveOutputs()
    early = reading(threads, outputs)
    with outputs.open(RUN, TAG) as output:
        program.begin(output)
        program.print(b"one\n")
        answered = early.result(PATIENCE_SECS)
        assert answered in {(RunState.RUNNING, b"one\n", TAG), (RunState.ABSENT, b"", "")}  # the host may be slow
    assert (outputs._outputs, outputs._readers, outputs._count) == ({}, {}, 0)


def test_the_end_of_a_request_ends_its_reads_and_is_remembered(program: Program, threads: ThreadPoolExecutor) -> None:
    outputs = LiveOutputs()
    with outputs.open(RUN, TAG) as output:
        program.begin(output)
        last = reading(threads, outputs)
    assert last.result(PATIENCE_SECS) == (RunState.ENDED, b"", TAG)
    assert outputs.read(RUN, "stdout", 0, LONG_SECS) == (RunState.ENDED, b"", "")
    with outputs.open(RUN, TAG):  # its message came again
        assert outputs.read(RUN, "stdout", 0, 0) == (RunState.RUNNING, b"", TAG)


def test_a_run_that_is_not_here_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "ABSENT_SECS", 0.01)
    outputs = LiveOutputs()
    assert outputs.read(RUN, "stdout", 0, 0) == (RunState.ABSENT, b"", "")
    assert outputs.read(RUN, "stdout", 0, LONG_SECS) == (RunState.ABSENT, b"", "")
    assert outputs._outputs == {}


def test_nobody_waits_for_the_start_of_a_run_that_has_begun_elsewhere() -> None:
    assert LiveOutputs().read(RUN, "stdout", 0, LONG_SECS, absent_secs=0) == (RunState.ABSENT, b"", "")


class Bucket:
    """The objects that were put into the bucket."""

    def __init__(self) -> None:
        self.puts: list[tuple[str, bytes]] = []
        self.fails = False
        self.execution = TAG

    def put_live_output(self, submission_id: str, stream: str, content: bytes, execution: str) -> None:
        assert (submission_id, execution) == (RUN, self.execution)
        if self.fails:
            raise TransportError("put_object", "SlowDown")
        self.puts.append((stream, content))


def test_output_is_put_into_the_bucket_only_while_it_is_watched_and_grows(program: Program) -> None:
    outputs, bucket, now = LiveOutputs(), Bucket(), [0.0]
    objects = LiveObjects(bucket, outputs, lambda: now[0])  # type: ignore[arg-type]
    with outputs.open(RUN, TAG) as output:
        program.begin(output)
        program.print(b"one\n")
        objects.put()
        assert bucket.puts == []
        objects.watch({RUN: 30_000, OTHER: 30_000})
        for _ in range(2):
            objects.put()
        program.print(b"two\n")
        bucket.fails = True
        objects.put()
        bucket.fails = False
        objects.put()
        now[0] = 31
        program.print(b"three\n")
        objects.put()
    assert bucket.puts == [("stdout", b"one\n"), ("stdout", b"one\ntwo\n")]
    for _ in range(2):
        objects.put()
    assert bucket.puts[2:] == [("stdout", b"")]  # its result has all of it


def test_a_run_that_is_watched_for_long_has_its_output_put_less_often(program: Program) -> None:
    outputs, bucket, now = LiveOutputs(), Bucket(), [0.0]
    objects = LiveObjects(bucket, outputs, lambda: now[0])  # type: ignore[arg-type]
    objects.watch({RUN: 60_000})
    at: list[float] = []
    with outputs.open(RUN, TAG) as output:
        program.begin(output)
        for second in range(13):
            now[0] = float(second)
            program.print(b"x\n")
            before = len(bucket.puts)
            objects.put()
            at += [now[0]] * (len(bucket.puts) - before)
    assert at == [0, 1, 2, 3, 4, 5, 7, 9, 11]


@pytest.mark.parametrize(
    ("text", "watched"),
    [
        (f'{{"cancelled": {{}}, "watched": {{"{RUN}": 7}}}}', {RUN: 7}),
        (f'{{"watched": {{"{RUN}": "7", "{OTHER}": true, "../x": 7}}}}', {}),
        *((text, {}) for text in ("", "{", "[]", "7", '{"watched": 7}', '{"watched": []}', "[" * 60_000)),
    ],
)
def test_a_control_object_is_read_with_suspicion(text: str, watched: dict[str, int]) -> None:
    assert watched_in(text.encode()) == watched


def test_a_step_that_is_repeated_begins_another_output(program: Program) -> None:
    outputs, bucket = LiveOutputs(), Bucket()
    objects = LiveObjects(bucket, outputs, lambda: 0.0)  # type: ignore[arg-type]
    objects.watch({RUN: 30_000})
    with outputs.open(RUN, TAG) as output:
        program.begin(output)
        program.print(b"one\n")
        objects.put()
        bucket.execution = f"{TAG}-2"
        program.begin(output)
        assert outputs.read(RUN, "stdout", 0, 0) == (RunState.RUNNING, b"one\n", f"{TAG}-2")
        assert is_execution_tag(f"{TAG}-2")
        objects.put()
    assert bucket.puts == [("stdout", b"one\n")] * 2


def test_too_many_readers_do_not_wait(monkeypatch: pytest.MonkeyPatch, threads: ThreadPoolExecutor) -> None:
    monkeypatch.setattr(control, "MOST_READERS", 2)
    outputs = LiveOutputs()
    with outputs.open(RUN, TAG):
        waiting = [reading(threads, outputs) for _ in range(2)]
        assert outputs.read(RUN, "stdout", 0, LONG_SECS) == (RunState.RUNNING, b"", TAG)
        assert not any(future.done() for future in waiting)


def test_the_memory_of_ended_runs_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "_MOST_ENDED", 10)
    outputs = LiveOutputs()
    for number in range(20):
        with outputs.open(str(number), TAG):
            pass
    assert [*outputs._ended] == [str(number) for number in range(10, 20)]


def test_a_secret_is_masked_across_parts(program: Program) -> None:
    outputs = LiveOutputs()
    with outputs.open(RUN, TAG) as output:
        output.mask(["hunter22"])
        program.begin(output)
        shown = b""
        for part in (b"token ", b"hun", b"ter", b"22", b" and hunt", b"ing\n"):
            program.print(part)
            shown += outputs.read(RUN, "stdout", len(shown), 0)[1]
            assert b"hun" not in shown.replace(b"hunting", b"")
        assert shown == b"token **** and hunting\n"


def test_no_byte_beyond_the_limit_is_shown(program: Program) -> None:
    outputs = LiveOutputs()
    with outputs.open(RUN, TAG) as output:
        program.begin(output)
        program.captures[0].limit_bytes = 4
        program.print(b"123456")
        assert outputs.read(RUN, "stdout", 0, 0) == (RunState.RUNNING, b"1234", TAG)


def test_much_output_is_read_at_once_and_in_bounded_parts(program: Program) -> None:
    outputs = LiveOutputs()
    with outputs.open(RUN, TAG) as output:
        program.begin(output)
        program.print(b"x" * (CHUNK_BYTES + 9))
        assert len(outputs.read(RUN, "stdout", 0, LONG_SECS, most=CHUNK_BYTES + 1)[1]) == CHUNK_BYTES + 1
        assert len(outputs.read(RUN, "stdout", CHUNK_BYTES + 1, 0)[1]) == 8


GOOD = {"submission_id": RUN, "stream": "stdout", "after": 0, "wait_secs": 0}


@pytest.mark.parametrize(
    "changes",
    [
        *({"submission_id": wrong} for wrong in ("", "../x", 7, None, RUN + "\n")),
        *({"stream": stream} for stream in ("stdin", "", None, 0)),
        *({"after": after} for after in (-1, 0.5, True, "0", None)),
        *({"wait_secs": secs} for secs in (-1, 20.5, "x", None, 1e999, float("nan"))),
    ],
)
def test_a_read_with_a_wrong_field_is_refused(changes: dict[str, Any]) -> None:
    outputs = LiveOutputs()
    assert json.loads(outputs.answer(json.dumps(GOOD).encode())) == {"state": "absent", "base64": "", "execution": None}
    for body in (json.dumps(GOOD | changes), "[]", "{", "{}"):
        with pytest.raises(ReadInvalidError):
            outputs.answer(body.encode())

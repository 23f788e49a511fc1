"""A slot whose program prints what the test says, over real pipes."""

import os
from dataclasses import replace
from queue import SimpleQueue

from sandbox_runtime.jail.spec import JailSpec, Outcome
from sandbox_runtime.jail.supervisor.run_io import Capture
from tests.runner_doubles import CLEAN, RecordedSlot


class PrintingSlot(RecordedSlot):
    """`script`: the prints of all programs, in order, as stream (0: stdout) and bytes. None ends a program."""

    def __init__(self, script: SimpleQueue[tuple[int, bytes] | None]) -> None:
        super().__init__()
        self._script = script

    def answer(self, spec: JailSpec, *, cancel_fd: int | None = None) -> Outcome:  # noqa: ARG002 - the jail's signature
        self.specs.append(spec)
        pipes = [os.pipe(), os.pipe()]
        captures = [Capture(read_end, spec.limits.output_bytes) for read_end, _ in pipes]
        assert spec.output_watch is not None
        spec.output_watch.begin(captures)
        for capture in captures:
            capture.on_read = spec.output_watch.notify
        while (printed := self._script.get()) is not None:
            stream, text = printed
            os.write(pipes[stream][1], text)
            captures[stream].read()
        for capture, (_, write_end) in zip(captures, pipes, strict=True):
            os.close(write_end)
            capture.close()
        return replace(CLEAN, stdout=captures[0].take(), stderr=captures[1].take())

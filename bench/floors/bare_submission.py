"""One submission as a floor makes it: its message and its row, its answer and what is right about that."""

import http.client
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.answers import WrongAnswerError, check_completed
from bench.jail_slots import request
from bench.sources import Program, python_program
from events.completed import ExecutionCompleted
from events.requested import ExecutionRequested


@dataclass(frozen=True, slots=True)
class Asked:
    """One submission, made before any clock runs."""

    program: Program
    message: ExecutionRequested
    body: bytes
    row: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answered:
    asked: Asked
    elapsed_ms: float
    status: int
    content: bytes


def new() -> Asked:
    program = python_program()
    message = request(program)
    texts = ("submission_id", "execution_id", "project_id", "language", "profile", "priority", "requested_at")
    row: dict[str, Any] = {name: {"S": getattr(message, name)} for name in texts}
    row |= {"pk": {"S": f"SUBMISSION#{message.submission_id}"}, "sk": {"S": "SUBMISSION"}, "status": {"S": "pending"}}
    row |= {"code": {"B": message.code}, "ttl": {"N": "4000000000"}, "due_at_ms": {"N": "4000000000000"}}
    return Asked(program, message, message.serialise().encode(), row)


def key_of(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"pk": row["pk"], "sk": row["sk"]}


def ms_since(begun_ns: int) -> float:
    return (time.perf_counter_ns() - begun_ns) / 1e6


def checked(done: Answered) -> float:
    """Its milliseconds. Raises WrongAnswerError."""
    if done.status != http.client.OK:
        raise WrongAnswerError(f"the runner answered {done.status}: {done.content[:200]!r}")
    check_completed(ExecutionCompleted.parse(done.content), done.asked.program.expected)
    return done.elapsed_ms

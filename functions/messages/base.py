"""Shared parts of all messages between this package and a runner: types of fields, base classes, limits, results."""

import base64
import binascii
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationError,
    model_validator,
)

from events.vocabulary import Actor, Cause, Language, Phase, Profile, Verdict
from functions.clock import from_rfc3339
from functions.errors import MessageInvalidError
from functions.messages.evidence import Evidence, Metrics, Shape, ShortText


def _decode_base64(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        raise ValueError("not a string")  # noqa: TRY004 - pydantic turns ValueError, not TypeError, into its own error
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error


def _checked_time(text: str) -> str:
    from_rfc3339(text)
    return text


Base64 = Annotated[bytes, PlainValidator(_decode_base64), PlainSerializer(lambda raw: base64.b64encode(raw).decode())]
Uuid = Annotated[str, Field(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")]
Time = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3,6}Z$"), AfterValidator(_checked_time)]
CorrelationId = Annotated[str, Field(pattern=r"^[0-9A-Za-z._~:=+/-]{1,128}$")]
NodeId = Annotated[str, Field(min_length=1, max_length=128)]


def is_none(value: object) -> bool:
    """Whether a message leaves out an optional field."""
    return value is None


class Message(Shape):
    """Base of all messages. Attributes have the names of the JSON; base64 is decoded."""

    version: Literal[1, 2, 3] = 1

    @classmethod
    def version_for(cls, fields: Mapping[str, Any]) -> int:
        """Return the version that fields need. A reader of an older version refuses the message."""
        del fields
        return 1

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Self:
        """Build a message of the version that its fields need. Raises pydantic's ValidationError."""
        return cls.model_validate({**fields, "version": cls.version_for(fields)}, strict=False)

    @model_validator(mode="after")
    def _right_version(self) -> Self:
        if self.version != self.version_for(dict(self)):
            raise ValueError("the version does not fit the fields")
        return self

    @classmethod
    def parse(cls, text: str | bytes) -> Self:
        """Parse a message. Raises MessageInvalidError."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise MessageInvalidError(problem_places(error)) from None

    def serialise(self) -> str:
        """Return the message as one line of JSON, in ASCII: SQS refuses some characters, such as U+FFFF."""
        return self.model_dump_json(by_alias=True, ensure_ascii=True)


class FromExecution(Message):
    """A message of a runner about one execution.

    `correlation_id`: that of the submission's request; a runner of an older revision sends none.
    """

    submission_id: Uuid
    execution_id: Uuid
    node_id: NodeId
    started_at: Time
    correlation_id: CorrelationId | None = Field(default=None, exclude_if=is_none)


class EndOfExecution(FromExecution):
    """The outcome of one execution."""

    language: Language
    completed_at: Time
    metrics: Metrics | None
    evidence: Evidence | None

    def common_values(self) -> dict[str, Any]:
        """Return the values of the final state that runs and judge runs have in common."""
        return {
            "completed_at": self.completed_at,
            "started_at": self.started_at,
            "node_id": self.node_id,
            "execution_id": self.execution_id,
            "metrics": self.metrics.model_dump(mode="json") if self.metrics is not None else None,
            "evidence": self.evidence.model_dump(mode="json") if self.evidence is not None else None,
        }


class RequestedLimits(Shape):
    """Limits that the client set. The runner has its defaults for the others."""

    cpu_time_secs: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = Field(default=None, exclude_if=is_none)
    wall_time_secs: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = Field(default=None, exclude_if=is_none)
    memory_mb: Annotated[int, Field(ge=1)] | None = Field(default=None, exclude_if=is_none)
    max_processes: Annotated[int, Field(ge=1)] | None = Field(default=None, exclude_if=is_none)
    output_kb: Annotated[int, Field(ge=1)] | None = Field(default=None, exclude_if=is_none)
    file_size_mb: Annotated[int, Field(ge=1)] | None = Field(default=None, exclude_if=is_none)
    open_files: Annotated[int, Field(ge=1)] | None = Field(default=None, exclude_if=is_none)
    stack_mb: Annotated[int, Field(ge=1)] | None = Field(default=None, exclude_if=is_none)


class ForExecution(Message):
    """A message that requests one execution of a submission. The sweeper sends it again with a new execution id."""

    submission_id: Uuid
    execution_id: Uuid
    project_id: Annotated[str, Field(min_length=1, max_length=64)]
    language: Language
    profile: Profile
    priority: Literal["interactive", "batch", "network"]
    code: Annotated[Base64, Field(alias="code_base64", repr=False)]
    limits: RequestedLimits
    requested_at: Time


class Result(Shape):
    """The verdict and its reasons."""

    verdict: Verdict
    cause: Cause
    actor: Actor
    phase: Phase
    exit_code: Annotated[int, Field(ge=-(2**31), lt=2**32)] | None
    signal: Annotated[int, Field(ge=1, le=64)] | None
    error_message: ShortText | None


def problem_places(error: ValidationError) -> str:
    """Name the wrong fields and the type of each problem, never the content."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(
        f"{'.'.join(str(part) for part in item['loc']) or 'message'}: {item['type']}" for item in found[:5]
    )

"""Messages between this package and a runner. The schemas and golden files in `events/` are their contract.

`Message.parse(text)` raises MessageInvalidError; `message.serialise()` gives the JSON text of a queue message.
"""

import base64
import binascii
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    SerializerFunctionWrapHandler,
    TypeAdapter,
    ValidationError,
    model_serializer,
    model_validator,
)

from functions.clock import from_rfc3339
from functions.errors import MessageInvalidError
from functions.messages.evidence import (
    CgroupBackend,
    Count,
    Evidence,
    IsolationMode,
    Metrics,
    Names,
    Shape,
    ShortText,
)
from functions.messages.languages import Language, Profile
from functions.messages.verdict import Actor, Cause, Integrity, Phase, Verdict


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


class _Message(Shape):
    """Base of all messages. Attributes have the names of the JSON; base64 is decoded."""

    model_config = ConfigDict(
        strict=True, frozen=True, extra="ignore", populate_by_name=True, hide_input_in_errors=True
    )
    version: Literal[1] = 1

    @classmethod
    def parse(cls, text: str | bytes) -> Self:
        """Parse a message. Raises MessageInvalidError."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise MessageInvalidError(_places(error)) from None

    def serialise(self) -> str:
        """Return the message as one line of JSON."""
        return self.model_dump_json(by_alias=True)


class _Correlated(_Message):
    """A message about one submission. The id is that of its request; a runner of an older revision sends none."""

    correlation_id: CorrelationId | None = None

    @model_serializer(mode="wrap")
    def _only_known(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in handler(self).items() if name != "correlation_id" or value is not None}


class RequestedLimits(Shape):
    """Limits that the client set. The runner has its defaults for the others."""

    cpu_time_secs: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    wall_time_secs: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    memory_mb: Annotated[int, Field(ge=1)] | None = None
    max_processes: Annotated[int, Field(ge=1)] | None = None
    output_kb: Annotated[int, Field(ge=1)] | None = None

    @model_serializer(mode="wrap")
    def _only_set(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in handler(self).items() if value is not None}


class ExecutionRequested(_Message):
    """Request one execution. The sweeper sends it again with a new execution id."""

    type: Literal["execution_requested"] = "execution_requested"
    submission_id: Uuid
    execution_id: Uuid
    project_id: Annotated[str, Field(min_length=1, max_length=64)]
    language: Language
    profile: Profile
    priority: Literal["interactive", "batch"]
    code: Annotated[Base64, Field(alias="code_base64", repr=False)]
    stdin: Annotated[Base64, Field(alias="stdin_base64", repr=False)]
    limits: RequestedLimits
    requested_at: Time
    environment: Annotated[dict[str, str] | None, Field(repr=False)] = None
    secret_names: tuple[str, ...] | None = None

    @model_serializer(mode="wrap")
    def _only_set(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in handler(self).items() if value is not None}


class ExecutionStarted(_Correlated):
    """A runner has started the submission."""

    type: Literal["execution_started"] = "execution_started"
    submission_id: Uuid
    execution_id: Uuid
    node_id: NodeId
    started_at: Time


class Result(Shape):
    """The verdict and its reasons."""

    verdict: Verdict
    cause: Cause
    actor: Actor
    phase: Phase
    exit_code: Annotated[int, Field(ge=-(2**31), lt=2**32)] | None
    signal: Annotated[int, Field(ge=1, le=64)] | None
    error_message: ShortText | None


class Stream(Shape):
    """One output stream: its bytes (`content`), or the key of the object that holds them."""

    model_config = ConfigDict(populate_by_name=True)
    size_bytes: Count
    content: Annotated[Base64 | None, Field(alias="base64", repr=False)] = None
    object_key: str | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.content is None) == (self.object_key is None):
            raise ValueError("needs either base64 or object_key")
        return self

    @model_serializer(mode="wrap")
    def _only_one(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in handler(self).items() if value is not None}


class ExecutionCompleted(_Correlated):
    """The outcome of one execution. Its object keys must be under its own submission and execution."""

    type: Literal["execution_completed"] = "execution_completed"
    submission_id: Uuid
    execution_id: Uuid
    node_id: NodeId
    language: Language
    started_at: Time
    completed_at: Time
    result: Result
    stdout: Stream
    stderr: Stream
    integrity: Integrity
    metrics: Metrics | None
    evidence: Evidence | None

    @model_validator(mode="after")
    def _own_objects_only(self) -> Self:
        prefix = f"outputs/{self.submission_id}/{self.execution_id}/"
        for name, stream in (("stdout", self.stdout), ("stderr", self.stderr)):
            if stream.object_key not in (None, prefix + name):
                raise ValueError("an object key is not this execution's")
        return self


class RunnerHeartbeat(_Message):
    """A runner is alive; its capacity, languages and controls."""

    type: Literal["runner_heartbeat"] = "runner_heartbeat"
    node_id: NodeId
    runner_version: ShortText
    sent_at: Time
    slots: Annotated[int, Field(ge=0, le=100_000)]
    slots_busy: Annotated[int, Field(ge=0, le=100_000)]
    languages: Annotated[tuple[Language, ...], Field(max_length=64)]
    toolchains: Annotated[dict[ShortText, ShortText], Field(max_length=64)]
    isolation_mode: IsolationMode
    cgroup_backend: CgroupBackend | None
    namespace_support: bool
    controls: Names


type CompletionsMessage = ExecutionStarted | ExecutionCompleted | RunnerHeartbeat

_COMPLETIONS: TypeAdapter[CompletionsMessage] = TypeAdapter(
    Annotated[CompletionsMessage, Field(discriminator="type")],
    config=ConfigDict(hide_input_in_errors=True),
)


def parse_completions_message(text: str | bytes) -> CompletionsMessage:
    """Parse a message of the completions queue. Raises MessageInvalidError."""
    try:
        return _COMPLETIONS.validate_json(text)
    except ValidationError as error:
        raise MessageInvalidError(_places(error)) from None


def _places(error: ValidationError) -> str:
    """Name the wrong fields and the type of each problem, never the content."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(
        f"{'.'.join(str(part) for part in item['loc']) or 'message'}: {item['type']}" for item in found[:5]
    )

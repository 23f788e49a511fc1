"""The declarations of the template as typed values: routes, functions, mappings and schedules."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from infra.local.settings import StartError

if TYPE_CHECKING:
    from infra.local.declarations.template import Template


# Resources that change nothing on one machine. Any other type must be known, else the start is refused:
# a skipped resource would be missing here or on AWS, and no test would show it.
_WITHOUT_LOCAL_EFFECT = frozenset(
    {
        "AWS::ApiGatewayV2::Api",
        "AWS::ApiGatewayV2::Stage",
        "AWS::CloudWatch::Alarm",
        "AWS::CloudWatch::Dashboard",
        "AWS::IAM::ManagedPolicy",
        "AWS::IAM::Role",
        "AWS::Lambda::Permission",
        "AWS::Logs::LogGroup",
        "AWS::S3::BucketPolicy",
        "AWS::SQS::QueuePolicy",
    }
)
STORAGE_TYPES = frozenset(
    {
        "AWS::DynamoDB::Table",
        "AWS::Events::EventBus",
        "AWS::Events::Rule",
        "AWS::KMS::Key",
        "AWS::SQS::Queue",
        "AWS::S3::Bucket",
    }
)
_SERVED_TYPES = frozenset(
    {
        "AWS::ApiGatewayV2::Integration",
        "AWS::ApiGatewayV2::Route",
        "AWS::Lambda::EventSourceMapping",
        "AWS::Lambda::Function",
        "AWS::Scheduler::Schedule",
    }
)

# Stream mappings work like this here. Any other setting stops the start.
_STREAM_PROPERTIES = {
    "BisectBatchOnFunctionError": True,
    "FunctionResponseTypes": ["ReportBatchItemFailures"],
    "StartingPosition": "TRIM_HORIZON",
}
_MOST_STREAM_RECORDS = 1000  # of one GetRecords
_STREAM_SETTINGS = frozenset(
    {
        "BatchSize",
        "Enabled",
        "EventSourceArn",
        "FilterCriteria",
        "FunctionName",
        "MaximumBatchingWindowInSeconds",
        "Tags",
    }
)

type _Resources = list[tuple[str, dict[str, Any]]]  # logical id and resolved properties


@dataclass(frozen=True, slots=True)
class Route:
    """`method`: upper case or ANY. `path`: a template such as `/api/result/{id}`; `$default` has no method."""

    method: str
    path: str
    function: str

    @property
    def key(self) -> str:
        """The route key as HTTP APIs write it."""
        return self.path if self.path == "$default" else f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True)
class Function:
    """One Lambda function: `handler` is `module.attribute`."""

    name: str
    handler: str
    timeout_secs: int
    memory_mb: int
    environment: dict[str, str]


@dataclass(frozen=True, slots=True)
class QueueMapping:
    """One SQS event source mapping; `queue` is the queue's logical id."""

    queue: str
    function: str
    batch_size: int
    max_concurrency: int | None
    reports_failures: bool


@dataclass(frozen=True, slots=True)
class StreamMapping:
    """One DynamoDB Streams event source mapping."""

    name: str
    stream_arn: str
    function: str
    batch_size: int
    window_secs: int
    patterns: tuple[Pattern, ...] = ()


@dataclass(frozen=True, slots=True)
class Schedule:
    """One EventBridge Scheduler schedule."""

    name: str
    expression: str
    function: str


@dataclass(frozen=True, slots=True)
class Stack:
    """Everything the launcher serves by itself."""

    functions: dict[str, Function]
    routes: list[Route]
    mappings: list[QueueMapping]
    streams: list[StreamMapping]
    schedules: list[Schedule]


def refuse_unknown_types(template: Template) -> None:
    """Raise StartError if the template declares a type that the local stack does not know."""
    known = _WITHOUT_LOCAL_EFFECT | STORAGE_TYPES | _SERVED_TYPES
    for logical_id, resource in template.resources.items():
        if resource["Type"] not in known:
            problem = f"template.yaml: the local stack does not know {resource['Type']} ({logical_id})"
            raise StartError(f"{problem}: add it to infra/local/declarations/stack.py")


def read_stack(template: Template) -> Stack:
    """Resolve the served resources; the template must know the storage resources' attributes."""
    by_type: dict[str, _Resources] = {name: [] for name in _SERVED_TYPES}
    for logical_id, kind, properties in template.of_types(_SERVED_TYPES):
        by_type[kind].append((logical_id, properties))
    functions = [_function(*item) for item in by_type["AWS::Lambda::Function"]]
    sources = [
        (item, "/stream/" in item[1]["EventSourceArn"])
        for item in by_type["AWS::Lambda::EventSourceMapping"]
        if str(item[1].get("Enabled", True)).lower() == "true"
    ]
    return Stack(
        functions={function.name: function for function in functions},
        routes=_routes(template, by_type["AWS::ApiGatewayV2::Integration"], by_type["AWS::ApiGatewayV2::Route"]),
        mappings=[_mapping(properties) for (_, properties), is_stream in sources if not is_stream],
        streams=[_stream(*item) for item, is_stream in sources if is_stream],
        schedules=[_schedule(*item) for item in by_type["AWS::Scheduler::Schedule"]],
    )


def _function(logical_id: str, properties: dict[str, Any]) -> Function:
    variables = properties.get("Environment", {}).get("Variables", {})
    return Function(
        name=logical_id,
        handler=properties["Handler"],
        timeout_secs=int(properties["Timeout"]),
        memory_mb=int(properties["MemorySize"]),
        environment={name: str(value) for name, value in variables.items()},
    )


def _routes(template: Template, integrations: _Resources, routes: _Resources) -> list[Route]:
    functions = {
        f"integrations/{template.resolve({'Ref': logical_id})}": properties["IntegrationUri"].rpartition(":")[2]
        for logical_id, properties in integrations
    }
    found = []
    for logical_id, properties in routes:
        if properties["Target"] not in functions:
            raise StartError(f"template.yaml: {logical_id} leads to no integration of this template")
        method, _, path = properties["RouteKey"].rpartition(" ")
        found.append(Route(method, path, functions[properties["Target"]]))
    return found


def _mapping(properties: dict[str, Any]) -> QueueMapping:
    return QueueMapping(
        queue=properties["EventSourceArn"].rpartition(":")[2].rpartition("-")[2],
        function=properties["FunctionName"],
        batch_size=int(properties["BatchSize"]),
        max_concurrency=int(most) if (most := properties.get("ScalingConfig", {}).get("MaximumConcurrency")) else None,
        reports_failures="ReportBatchItemFailures" in properties.get("FunctionResponseTypes", []),
    )


def _stream(logical_id: str, properties: dict[str, Any]) -> StreamMapping:
    given = {name: value for name, value in properties.items() if name not in _STREAM_SETTINGS}
    batch_size = int(properties.get("BatchSize", 100))
    if given != _STREAM_PROPERTIES or batch_size > _MOST_STREAM_RECORDS:
        raise StartError(
            f"template.yaml: a stream's mapping must have {_STREAM_PROPERTIES} and a BatchSize of at most "
            f"{_MOST_STREAM_RECORDS} for the local stack; {logical_id} has {given} and {batch_size}"
        )
    return StreamMapping(
        name=logical_id,
        stream_arn=properties["EventSourceArn"],
        function=properties["FunctionName"],
        batch_size=batch_size,
        window_secs=int(properties.get("MaximumBatchingWindowInSeconds", 0)),
        patterns=read_patterns(properties.get("FilterCriteria"), logical_id),
    )


def _schedule(logical_id: str, properties: dict[str, Any]) -> Schedule:
    return Schedule(logical_id, properties["ScheduleExpression"], properties["Target"]["Arn"].rpartition(":")[2])


# FilterCriteria of a stream's mapping: records that match no pattern do not reach the function.
#
# Of Lambda's patterns this knows lists of texts: `{"dynamodb": {"Keys": {"sk": {"S": ["SUBMISSION"]}}}}`.
# https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html

type Pattern = dict[str, Any]


def read_patterns(criteria: dict[str, Any] | None, owner: str) -> tuple[Pattern, ...]:
    """Return the patterns of a mapping's FilterCriteria. Raises StartError for one that is not known here."""
    texts = [found["Pattern"] for found in (criteria or {}).get("Filters", [])]
    return tuple(_read_pattern(text, owner) for text in texts)


def matches(record: dict[str, Any], patterns: tuple[Pattern, ...]) -> bool:
    """Whether a record matches any of the patterns; every record does if there is none."""
    return not patterns or any(_matches(record, pattern) for pattern in patterns)


def _read_pattern(text: str, owner: str) -> Pattern:
    try:
        pattern = json.loads(text)
    except ValueError:
        pattern = None
    if not isinstance(pattern, dict) or not _is_known(pattern):
        problem = "the local stack knows FilterCriteria with lists of texts only"
        raise StartError(f"template.yaml: {problem}; {owner} has {text}")
    return pattern


def _is_known(pattern: Any) -> bool:
    if isinstance(pattern, dict):
        return all(map(_is_known, pattern.values()))
    return isinstance(pattern, list) and all(isinstance(value, str) for value in pattern)


def _matches(value: Any, pattern: Any) -> bool:
    if isinstance(pattern, list):
        return value in pattern
    return isinstance(value, dict) and all(name in value and _matches(value[name], pattern[name]) for name in pattern)

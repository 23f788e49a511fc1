"""The template as CloudFormation resources with their intrinsic functions, and its declarations as typed values."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from infra.local.settings import StartError

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

_PLACEHOLDER = re.compile(r"\$\{([^!}][^}]*)\}")
_NO_VALUE: Final = object()


@dataclass(frozen=True, slots=True)
class Template:
    """Resources by logical id, still with intrinsics, and all that they refer to.

    `parameters`: their values, and those of pseudo parameters such as `AWS::Region`.
    `values`: attributes of resources by logical id; "Ref" is what `!Ref` gives.
    """

    resources: dict[str, dict[str, Any]]
    parameters: dict[str, str]
    conditions: dict[str, Any]
    values: dict[str, dict[str, str]]

    def of_types(self, types: Container[str]) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Yield logical id, type and resolved properties of the resources of some types."""
        for logical_id, resource in self.resources.items():
            if resource["Type"] in types:
                yield logical_id, resource["Type"], self.resolve(resource.get("Properties", {}))

    def resolve(self, node: Any) -> Any:
        """Return the node with every intrinsic replaced; StartError on one that is not known."""
        resolved = self._node(node)
        return None if resolved is _NO_VALUE else resolved

    def _node(self, node: Any) -> Any:
        if isinstance(node, list):
            return [value for value in map(self._node, node) if value is not _NO_VALUE]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            (name, argument) = next(iter(node.items()))
            if name in {"Ref", "Condition"} and isinstance(argument, str):
                return self._ref(argument) if name == "Ref" else self.condition(argument)
            if name.startswith("Fn::"):
                return self._function(name, argument)
        resolved = {key: self._node(value) for key, value in node.items()}
        return {key: value for key, value in resolved.items() if value is not _NO_VALUE}

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return _NO_VALUE
        if name in self.parameters:
            return self.parameters[name]
        return self._attribute(name, "Ref")

    def _attribute(self, logical_id: str, attribute: str) -> str:
        try:
            return self.values[logical_id][attribute]
        except KeyError:
            raise StartError(f"template.yaml: the local stack has no value for {logical_id}.{attribute}") from None

    def condition(self, name: str) -> bool:
        if name not in self.conditions:
            raise StartError(f"template.yaml: no condition {name}")
        return bool(self._node(self.conditions[name]))

    def _function(self, name: str, argument: Any) -> Any:
        match name:
            case "Fn::GetAtt":
                logical_id, _, attribute = (
                    argument.partition(".") if isinstance(argument, str) else (argument[0], "", argument[1])
                )
                return self._attribute(logical_id, attribute)
            case "Fn::Sub":
                return self._substitute(argument)
            case "Fn::Join":
                return argument[0].join(str(part) for part in self._node(argument[1]))
            case "Fn::If":
                return self._node(argument[1] if self.condition(argument[0]) else argument[2])
            case "Fn::Equals":
                left, right = self._node(argument)
                return str(left) == str(right)
            case "Fn::Not" | "Fn::And":
                return all(self._node(argument)) is (name == "Fn::And")  # a negation has one part
            case _:
                raise StartError(
                    f"template.yaml: the local stack does not know {name}: add it to infra/local/template.py"
                )

    def _substitute(self, argument: Any) -> str:
        template, names = (argument, {}) if isinstance(argument, str) else argument

        def replace(match: re.Match[str]) -> str:
            name = match[1]
            if name in names:
                return str(self._node(names[name]))
            if "." in name:
                return self._attribute(*name.split(".", 1))
            return str(self._ref(name))

        return _PLACEHOLDER.sub(replace, template).replace("${!", "${")


# The declarations of the template as typed values: routes, functions, mappings and schedules.

# Resources that change nothing on one machine. Any other type must be known, else the start is refused:
# a skipped resource would be missing here or on AWS, and no test would show it.
_WITHOUT_LOCAL_EFFECT = frozenset({
    "AWS::ApiGatewayV2::Api", "AWS::ApiGatewayV2::Stage", "AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard",
    "AWS::CodeDeploy::Application", "AWS::CodeDeploy::DeploymentGroup", "AWS::Lambda::Alias", "AWS::Lambda::Version",
    "AWS::IAM::ManagedPolicy", "AWS::IAM::Role", "AWS::Lambda::Permission", "AWS::Logs::LogGroup",
    "AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy",
})  # fmt: skip
STORAGE_TYPES = frozenset({
    "AWS::DynamoDB::Table", "AWS::Events::EventBus", "AWS::Events::Rule", "AWS::KMS::Key", "AWS::SQS::Queue",
    "AWS::S3::Bucket",
})  # fmt: skip
_SERVED_TYPES = frozenset({
    "AWS::ApiGatewayV2::Integration", "AWS::ApiGatewayV2::Route", "AWS::Lambda::EventSourceMapping",
    "AWS::Lambda::Function", "AWS::Scheduler::Schedule",
})  # fmt: skip

# Stream mappings work like this here. Any other setting stops the start.
_STREAM_PROPERTIES = {
    "BisectBatchOnFunctionError": True,
    "FunctionResponseTypes": ["ReportBatchItemFailures"],
    "StartingPosition": "TRIM_HORIZON",
}
_MOST_STREAM_RECORDS = 1000  # of one GetRecords
_STREAM_SETTINGS = frozenset({
    "BatchSize", "DestinationConfig", "Enabled", "EventSourceArn", "FilterCriteria", "FunctionName",
    "MaximumBatchingWindowInSeconds", "MaximumRecordAgeInSeconds", "MaximumRetryAttempts", "Tags",
})  # fmt: skip

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
    """One DynamoDB Streams event source mapping.

    `max_age_secs`, `max_retries`: a batch is given up after them, -1 is never. `failed_queue` gets a message of each
    batch that was given up: the name of an SQS queue, or "" for none.
    """

    name: str
    stream_arn: str
    function: str
    batch_size: int
    window_secs: int
    patterns: tuple[Pattern, ...] = ()
    max_age_secs: int = -1
    max_retries: int = -1
    failed_queue: str = ""


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
            raise StartError(f"{problem}: add it to infra/local/template.py")


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
        function=properties["FunctionName"].rpartition(":")[2],
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
        function=properties["FunctionName"].rpartition(":")[2],
        batch_size=batch_size,
        window_secs=int(properties.get("MaximumBatchingWindowInSeconds", 0)),
        patterns=read_patterns(properties.get("FilterCriteria"), logical_id),
        max_age_secs=int(properties.get("MaximumRecordAgeInSeconds", -1)),
        max_retries=int(properties.get("MaximumRetryAttempts", -1)),
        failed_queue=_failed_queue(logical_id, properties.get("DestinationConfig")),
    )


def _failed_queue(logical_id: str, config: dict[str, Any] | None) -> str:
    match config:
        case None:
            return ""
        case {"OnFailure": {"Destination": str(arn)}} if len(config) == 1 and arn.startswith("arn:aws:sqs:"):
            return arn.rpartition(":")[2]
        case _:
            known = "the local stack knows a DestinationConfig with OnFailure to an SQS queue only"
            raise StartError(f"template.yaml: {known}; {logical_id} has {config}")


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

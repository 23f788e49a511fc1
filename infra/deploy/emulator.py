"""Emulators: what their CloudFormation leaves out, and a probe of their abilities. docs/emulators.md lists both."""

import io
import json
import time
import uuid
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
from botocore.exceptions import ClientError

from infra.deploy.building import RUNTIME
from infra.deploy.stack import Stack, delete_bucket
from infra.deploy.target import DeployError, Progress, Target

# Creates the resources that CloudFormation of an emulator leaves out. docs/emulators.md lists them.

_PROBE = "import sys\n\n\ndef handler(event, context):\n    return list(sys.version_info[:2])\n"
_ROLE = "arn:aws:iam::000000000000:role/probe"


def check_python(target: Target) -> None:
    """Raise DeployError if functions run on another minor version of Python than the zip is compiled for.

    Emulators without containers take their own interpreter, whatever the function's runtime is. The zip has bytecode
    without sources, so each function would fail with `bad magic number`. A function that is deleted at once tells.
    """
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("probe.py", _PROBE)
    functions: Any = target.client("lambda")
    name = f"rustbox-probe-{uuid.uuid4().hex[:8]}"
    runtime = f"python{RUNTIME}"
    try:
        functions.create_function(
            FunctionName=name, Runtime=runtime, Role=_ROLE, Handler="probe.handler", Code={"ZipFile": code.getvalue()}
        )
        try:
            functions.get_waiter("function_active_v2").wait(FunctionName=name)
            answer = json.loads(functions.invoke(FunctionName=name)["Payload"].read())
        finally:
            functions.delete_function(FunctionName=name)
    except ClientError as error:
        raise DeployError(f"{target.endpoint} runs no functions ({error}): see docs/emulators.md") from error
    if not isinstance(answer, list):
        raise DeployError(f"{target.endpoint} runs no functions (a probe answered {answer}): see docs/emulators.md")
    version = ".".join(map(str, answer))
    if version != RUNTIME:
        raise DeployError(
            f"{target.endpoint} runs functions on CPython {version}, and the zip is compiled for {RUNTIME}: "
            f"start the emulator with CPython {RUNTIME}"
        )


def with_numbers(template: dict[str, Any], parameters: Mapping[str, str]) -> dict[str, Any]:
    """Return the template with references to number parameters replaced by numbers.

    ministack 1.5 gives such a reference as text, and its SQS mappings then fail at `MaximumConcurrency`.
    """
    numbers = {
        name: int(parameters.get(name, declared["Default"]))
        for name, declared in template["Parameters"].items()
        if declared["Type"] == "Number"
    }

    def replace(node: Any) -> Any:
        if isinstance(node, list):
            return [replace(part) for part in node]
        if not isinstance(node, dict):
            return node
        if len(node) == 1 and node.get("Ref") in numbers:
            return numbers[node["Ref"]]
        # Environment variables are text in any case.
        return {name: part if name == "Environment" else replace(part) for name, part in node.items()}

    return {**template, "Resources": replace(template["Resources"])}


def without_rollout(template: dict[str, Any]) -> dict[str, Any]:
    """Return the template without CodeDeploy, which no emulator has: an alias moves to its new version at once."""
    kept = {n: item for n, item in template["Resources"].items() if not item["Type"].startswith("AWS::CodeDeploy::")}
    resources = {
        name: {part: value for part, value in item.items() if part != "UpdatePolicy"} for name, item in kept.items()
    }
    return {**template, "Resources": resources}


def set_expiry(target: Target, template: Mapping[str, Any], resources: Mapping[str, str]) -> list[str]:
    """Enable the expiry of rows where the stack did not. Return the logical ids of these tables."""
    dynamodb: Any = target.client("dynamodb")
    changed = []
    for name, resource in template["Resources"].items():
        expiry = resource.get("Properties", {}).get("TimeToLiveSpecification")
        if resource["Type"] == "AWS::DynamoDB::Table" and expiry is not None:
            found = dynamodb.describe_time_to_live(TableName=resources[name])["TimeToLiveDescription"]
            if found["TimeToLiveStatus"] not in {"ENABLED", "ENABLING"}:
                dynamodb.update_time_to_live(TableName=resources[name], TimeToLiveSpecification=expiry)
                changed.append(name)
    return changed


# Tries which features of template.yaml an emulator supports: the table of docs/emulators.md.

_BUCKET = "rustbox-probe"
_STREAM_SECS = 20
_KEY = {
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
}
_ROUTES = {"/body": {"get": {"x-amazon-apigateway-integration": {"type": "http_proxy", "uri": "https://example.com"}}}}
_TEMPLATE: dict[str, Any] = {
    "Parameters": {"Stage": {"Type": "String", "Default": "probe"}},
    "Rules": {
        "No": {"Assertions": [{"Assert": {"Fn::Equals": [{"Ref": "Stage"}, "probe"]}, "AssertDescription": "No"}]}
    },
    "Resources": {
        "Kept": {
            "Type": "AWS::DynamoDB::Table",
            "DeletionPolicy": "Retain",
            "Properties": {
                **_KEY,
                "TimeToLiveSpecification": {"AttributeName": "ttl", "Enabled": True},
                "StreamSpecification": {"StreamViewType": "KEYS_ONLY"},
            },
        },
        "Api": {"Type": "AWS::ApiGatewayV2::Api", "Properties": {"Name": {"Ref": "Stage"}, "ProtocolType": "HTTP"}},
        "Route": {
            "Type": "AWS::ApiGatewayV2::Route",
            "Properties": {"ApiId": {"Ref": "Api"}, "RouteKey": "GET /resource"},
        },
        "BodyApi": {
            "Type": "AWS::ApiGatewayV2::Api",
            "Properties": {"Body": {"openapi": "3.0.1", "info": {"title": "probe", "version": "1"}, "paths": _ROUTES}},
        },
    },
}


def probe(target: Target, progress: Progress) -> str:
    """Return the table. Creates a stack `rustbox-probe` and deletes it."""
    if target.endpoint is None:
        raise DeployError("probe is for emulators: set ENDPOINT")
    target = Target("probe", target.region, target.endpoint)
    lines = ["| template.yaml needs | works |", "|---|---|"]
    lines += [f"| {need} | {'yes' if works else 'no'} |" for need, works in _answers(target, progress)]
    return "\n".join([f"{_version(target)}:", "", *lines])


def _version(target: Target) -> str:
    health = httpx.get(f"{target.endpoint}/_localstack/health", timeout=10).json()
    name = "ministack" if httpx.get(f"{target.endpoint}/_ministack/health", timeout=10).is_success else "LocalStack"
    return f"{name} {health['version']}"


def _answers(target: Target, progress: Progress) -> Iterator[tuple[str, bool]]:
    stack = Stack(target, progress)
    target.client("s3").create_bucket(Bucket=_BUCKET)

    def deploy(template: dict[str, Any], **parameters: str) -> str:
        target.client("s3").put_object(Bucket=_BUCKET, Key="template.json", Body=json.dumps(template))
        try:
            changed = stack.deploy(f"{target.endpoint}/{_BUCKET}/template.json", parameters)
        except (DeployError, ClientError):
            return "refused"
        return "changed" if changed else "unchanged"

    try:
        yield "a change set creates a stack", deploy(_TEMPLATE) == "changed"
        yield "a change set without changes is recognised", deploy(_TEMPLATE) == "unchanged"
        resources, api = stack.resources(), target.client("apigatewayv2")
        routes = [api.get_routes(ApiId=resources[name])["Items"] for name in ("Api", "BodyApi")]
        yield "routes as resources", len(routes[0]) == 1
        yield "(not needed) routes in the body of an HTTP API", len(routes[1]) == 1
        table = resources["Kept"]
        expiry = target.client("dynamodb").describe_time_to_live(TableName=table)["TimeToLiveDescription"]
        yield "`TimeToLiveSpecification` of a table", expiry["TimeToLiveStatus"] == "ENABLED"
        yield "a stream of keys", _stream(target, table)
        yield "a broken rule of the template stops an update", deploy(_TEMPLATE, Stage="other") == "refused"
        changed = json.loads(json.dumps(_TEMPLATE))
        changed["Resources"]["More"] = {"Type": "AWS::SQS::Queue"}
        yield (
            "a change set updates a stack",
            deploy(changed, Stage="probe") == "changed" and "More" in stack.resources(),
        )
        stack.delete()
        yield "a stack is deleted", stack.describe() is None
        yield "`DeletionPolicy: Retain`", table in target.client("dynamodb").list_tables()["TableNames"]
    finally:
        if stack.describe() is not None:
            stack.delete()
        delete_bucket(target, _BUCKET)


def _stream(target: Target, table: str) -> bool:
    """Return whether a written key, and no other attribute, arrives in the table's stream."""
    dynamodb, streams = target.client("dynamodb"), target.client("dynamodbstreams")
    arn = dynamodb.describe_table(TableName=table)["Table"].get("LatestStreamArn")
    if arn is None:
        return False
    dynamodb.put_item(TableName=table, Item={"pk": {"S": "a"}, "code": {"S": "secret"}})
    shards = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    iterators = [
        streams.get_shard_iterator(StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")
        for shard in shards
    ]
    deadline = time.monotonic() + _STREAM_SECS
    while time.monotonic() < deadline:
        for iterator in iterators:
            for record in streams.get_records(ShardIterator=iterator["ShardIterator"])["Records"]:
                change = record["dynamodb"]
                return bool(change["Keys"] == {"pk": {"S": "a"}} and "NewImage" not in change)
        time.sleep(0.2)
    return False

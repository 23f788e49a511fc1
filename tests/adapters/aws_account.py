"""An AWS account with exactly the tables, queues and bucket that template.yaml declares."""

import functools
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # it ships no types

from functions.aws import clients
from functions.aws.clients import Clients

TEMPLATE = Path(__file__).parents[2] / "template.yaml"
API_KEY = "rb_live_for_tests_only"
PROJECT_ID = "project-of-tests"
ADMIN_KEY = "admin_key_for_tests_only"
ADMIN_KEY_PARAMETER = "/tests/admin-key"


def forget_clients() -> None:
    """Let the functions make new clients: those of another session would not ask the same engine."""
    clients._session.cache_clear()
    clients._client.cache_clear()


class _Loader(yaml.CSafeLoader):  # type: ignore[misc]  # its types are unknown
    """YAML with CloudFormation's short tags: `!Ref X` becomes {"Ref": "X"}."""


def _tag(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
        return {name: value.split(".", 1) if suffix == "GetAtt" else value}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    assert isinstance(node, yaml.MappingNode)
    return {name: loader.construct_mapping(node, deep=True)}


_Loader.add_multi_constructor("!", _tag)


@functools.cache
def load_template() -> dict[str, Any]:
    document = yaml.load(TEMPLATE.read_text(), Loader=_Loader)  # noqa: S506 - a SafeLoader with more tags
    assert isinstance(document, dict)
    return document


@dataclass
class Aws:
    """The AWS account of a test. `names`: logical id -> value of `!Ref` (table, bucket, queue URL)."""

    template: dict[str, Any]
    names: dict[str, str]
    monkeypatch: pytest.MonkeyPatch = field(repr=False)
    parameters: dict[str, str] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        """The client of `dynamodb`, `sqs`, `events`, `kms` or `s3` that the functions use too."""
        return getattr(Clients, service)()

    def value(self, expression: Any) -> str:
        """Return a template expression as its text."""
        if isinstance(expression, dict) and "Ref" in expression:
            name = expression["Ref"]
            return self.parameters[name] if name in self.parameters else self.names[name]
        if isinstance(expression, dict) and "Fn::Sub" in expression:
            return str(expression["Fn::Sub"].replace("${Stage}", self.parameters["Stage"]))
        if isinstance(expression, dict) and "Fn::If" in expression:
            condition, present, absent = expression["Fn::If"]
            chosen = {"HasEventBus": present, "RunsInNetwork": absent}
            return self.value(chosen[condition]) if condition in chosen else "https://api.example.com"
        return str(expression)

    def environment(self, *functions: str) -> None:
        """Set the environment of `SubmitFunction` or others, as the template does. The last one wins."""
        shared, variables = self.template["Globals"]["Function"]["Environment"]["Variables"], dict[str, Any]()
        for function in functions:
            variables |= shared | self.template["Resources"][function]["Properties"]["Environment"]["Variables"]
        for name, expression in variables.items():
            self.monkeypatch.setenv(name, self.value(expression))

    def messages(self, queue: str) -> list[dict[str, Any]]:
        """Take every message that is visible in a queue now; bodies are parsed."""
        sqs, found = self.client("sqs"), []
        while batch := sqs.receive_message(QueueUrl=self.names[queue], MaxNumberOfMessages=10).get("Messages"):
            found += [json.loads(message["Body"]) for message in batch]
            for message in batch:
                sqs.delete_message(QueueUrl=self.names[queue], ReceiptHandle=message["ReceiptHandle"])
        return found

    def items(self, table: str) -> list[dict[str, Any]]:
        """Every raw item of a table."""
        found: list[dict[str, Any]] = self.client("dynamodb").scan(TableName=self.names[table])["Items"]
        return found


def create_all(account: Aws) -> None:
    """Create the resources that the template has with its default parameters: no e-mail address for alerts."""
    for logical_id, resource in account.template["Resources"].items():
        if resource.get("Condition") != "HasAlertEmail":
            create(account, logical_id, resource)


def _target(account: Aws, target: dict[str, Any]) -> dict[str, str]:
    url = account.names[target["Arn"]["Fn::GetAtt"][0]]
    found = account.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return {"Id": target["Id"], "Arn": found["Attributes"]["QueueArn"]}


_CAPACITY = {"ProvisionedThroughput", "WarmThroughput"}


def with_default_capacity(value: Any) -> Any:
    """Return a part of a table with the default of its capacity."""
    match value:
        case {"Fn::If": ["HasProvisionedCapacity", _, default]}:
            return default
        case dict():
            return {name: with_default_capacity(part) for name, part in value.items() if name not in _CAPACITY}
        case list():
            return [with_default_capacity(part) for part in value]
    return value


def create(account: Aws, logical_id: str, resource: dict[str, Any]) -> None:
    """Create one of the template's tables, queues, buckets, buses, rules or keys; any other is passed over."""
    name, properties = logical_id.lower(), resource.get("Properties", {})
    if resource["Type"] == "AWS::DynamoDB::Table":
        known = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
        arguments = with_default_capacity({key: properties[key] for key in known if key in properties})
        account.client("dynamodb").create_table(TableName=name, **arguments)
    elif resource["Type"] == "AWS::SQS::Queue":
        # A redrive policy would need the other queue's address; what dead letters do is tested by calling the sweeper.
        attributes = {key: str(value) for key, value in properties.items() if isinstance(value, int)}
        # A long poll would only slow the tests down.
        attributes["ReceiveMessageWaitTimeSeconds"] = "0"
        attributes.pop("SqsManagedSseEnabled", None)
        name = account.client("sqs").create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    elif resource["Type"] == "AWS::Events::EventBus":
        account.client("events").create_event_bus(Name=name)
    elif resource["Type"] == "AWS::KMS::Key":
        name = account.client("kms").create_key(Description=properties["Description"])["KeyMetadata"]["KeyId"]
    elif resource["Type"] == "AWS::S3::Bucket":
        account.client("s3").create_bucket(Bucket=name)
    elif resource["Type"] == "AWS::Events::Rule":
        bus, events = account.value(properties["EventBusName"]), account.client("events")
        targets = [_target(account, item) for item in properties["Targets"]]
        events.put_rule(Name=name, EventBusName=bus, EventPattern=json.dumps(properties["EventPattern"]))
        events.put_targets(Rule=name, EventBusName=bus, Targets=targets)
    else:
        return
    account.names[logical_id] = name

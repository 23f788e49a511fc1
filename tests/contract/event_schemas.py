"""The template `infra/events_for_others.json`: `python -m tests.contract.event_schemas` writes it.

It has a schema of each event on the bus, from the catalogue of `GET /api/event-types`, and the policy that lets
another account read the bus. EventBridge takes JSON Schema of draft 4.
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-eventschemas-schema.html
"""

import json
from pathlib import Path
from typing import Any

from functions.feed.catalogue import catalogue
from functions.webhooks.vocabulary import EVENT_CHANGED

PATH = Path(__file__).parents[2] / "infra" / "events_for_others.json"
_ABOUT = "Rustbox Serverless - schemas of the events on the bus of a stage, and another account's right to read it."
_RULES_OF_THE_BUS = "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:rule/${EventBusName}/*"
_DRAFT = "http://json-schema.org/draft-04/schema#"
_RULES = (
    *("events:PutRule", "events:DeleteRule", "events:DescribeRule", "events:DisableRule", "events:EnableRule"),
    *("events:PutTargets", "events:RemoveTargets", "events:ListTargetsByRule"),
)


def template() -> dict[str, Any]:
    """Return the template."""
    schemas = {
        _resource(body["type"]): {
            "Type": "AWS::EventSchemas::Schema",
            "Properties": {
                "RegistryName": {"Fn::GetAtt": ["Registry", "RegistryName"]},
                "SchemaName": f"rustbox@{body['type']}",
                "Description": body["description"],
                "Type": "JSONSchemaDraft4",
                "Content": json.dumps(_on_the_bus(body["type"], body["schema"]), separators=(",", ":")),
            },
        }
        for body in catalogue()
        if body["type"] != EVENT_CHANGED  # it goes to webhooks only
    }
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": _ABOUT,
        "Parameters": {
            "EventBusName": {"Type": "String", "Description": "The output EventBusName of the stage."},
            "SubscriberAccountId": {
                "Type": "String",
                "Default": "",
                "AllowedPattern": "([0-9]{12})?",
                "Description": "Empty, or an account that may make rules on the bus: it reads all projects' events.",
            },
        },
        "Conditions": {"HasSubscriber": {"Fn::Not": [{"Fn::Equals": [{"Ref": "SubscriberAccountId"}, ""]}]}},
        "Resources": {
            "Registry": {
                "Type": "AWS::EventSchemas::Registry",
                "Properties": {"RegistryName": {"Ref": "EventBusName"}, "Description": "Events of Rustbox Serverless."},
            },
            **schemas,
            "Subscriber": {
                "Type": "AWS::Events::EventBusPolicy",
                "Condition": "HasSubscriber",
                "Properties": {
                    "EventBusName": {"Ref": "EventBusName"},
                    "StatementId": "subscriber",
                    "Statement": {
                        "Effect": "Allow",
                        "Principal": {"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${SubscriberAccountId}:root"}},
                        "Action": list(_RULES),
                        "Resource": {"Fn::Sub": _RULES_OF_THE_BUS},
                        # Only rules that it made itself.
                        "Condition": {
                            "StringEqualsIfExists": {"events:creatorAccount": {"Ref": "SubscriberAccountId"}}
                        },
                    },
                },
            },
        },
    }


def text() -> str:
    """Return the text of the file."""
    return json.dumps(template(), indent=1, ensure_ascii=False) + "\n"


def _resource(event_type: str) -> str:
    return "".join(part.capitalize() for part in event_type.replace("_", ".").split(".")) + "Schema"


def _on_the_bus(event_type: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a whole event: the body is its detail, with the project."""
    detail = _draft4(schema)
    definitions = detail.pop("definitions", {})
    detail["properties"]["project_id"] = {"type": "string"}
    detail.setdefault("required", []).append("project_id")
    return {
        "$schema": _DRAFT,
        "title": event_type,
        "type": "object",
        "required": ["source", "detail-type", "detail"],
        "properties": {
            "source": {"enum": ["rustbox"]},
            "detail-type": {"enum": [event_type]},
            "detail": detail,
        },
        "definitions": definitions,
    }


def _draft4(value: Any) -> Any:
    """Return a schema of draft 2020-12 with the words of draft 4."""
    if isinstance(value, list):
        return [_draft4(part) for part in value]
    if not isinstance(value, dict):
        return value
    found = {"definitions" if name == "$defs" else name: _draft4(part) for name, part in value.items()}
    if isinstance(reference := found.get("$ref"), str):
        found["$ref"] = reference.replace("#/$defs/", "#/definitions/")
    if "const" in found:
        found["enum"] = [found.pop("const")]
    for word, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(found.get(word), int | float) and not isinstance(found[word], bool):
            found[bound], found[word] = found[word], True
    return found


if __name__ == "__main__":
    PATH.write_text(text(), encoding="utf-8")

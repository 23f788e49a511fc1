"""Creates the resources that CloudFormation of an emulator leaves out. docs/emulators.md lists them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.deploy.target import Target


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

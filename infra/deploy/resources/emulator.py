"""Creates the resources that CloudFormation of an emulator leaves out. docs/emulators.md lists them."""

from __future__ import annotations

import io
import json
import uuid
import zipfile
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from infra.deploy.building.package import RUNTIME
from infra.deploy.target import DeployError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.deploy.target import Target


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

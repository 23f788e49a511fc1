"""Turns template.yaml into plain CloudFormation resources, with the translator that deployments use.

A program of its own, as the translator would keep 18 MB of the launcher's memory: `template` runs it.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

from infra.local.errors import StartError
from infra.local.settings import ACCOUNT_ID, REGION

# The translator asks for the ARN of each managed policy it attaches; no policy exists on one machine.
_MANAGED_POLICIES = {
    name: f"arn:aws:iam::aws:policy/service-role/{name}"
    for name in ("AWSLambdaBasicExecutionRole", "AWSXrayWriteOnlyAccess", "AWSXRayDaemonWriteAccess")
}
_PSEUDO_PARAMETERS = {
    "AWS::Region": REGION,
    "AWS::AccountId": ACCOUNT_ID,
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::StackName": "rustbox-local",
}


def translated(path: Path, overrides: dict[str, str]) -> dict[str, Any]:
    """Return the arguments of a Template. StartError for an unknown parameter or a bad template."""
    # Through JSON: the YAML anchors become copies, so that the translator cannot change one by the other.
    document = json.loads(json.dumps(yaml_parse(path.read_text(encoding="utf-8"))))
    parameters = _parameters(document, overrides)
    # The translator wants code that is uploaded already; the local stack imports it from the tree.
    document["Globals"]["Function"]["CodeUri"] = "s3://local/code"
    os.environ.setdefault("AWS_DEFAULT_REGION", REGION)
    try:
        result = Translator(_MANAGED_POLICIES, Parser()).translate(document, dict(parameters))
    except InvalidDocumentException as error:
        causes = "; ".join(cause.message for cause in error.causes)
        raise StartError(f"{path.name} does not translate ({causes}): run `make lint`") from error
    return {
        "resources": result["Resources"],
        "parameters": {**_PSEUDO_PARAMETERS, **parameters},
        "conditions": document.get("Conditions", {}),
    }


def _parameters(document: dict[str, Any], overrides: dict[str, str]) -> dict[str, str]:
    declared: dict[str, dict[str, Any]] = document.get("Parameters", {})
    for name in overrides:
        if name not in declared:
            raise StartError(f"template.yaml has no parameter {name}: it has {', '.join(declared)}")
    return {name: str(overrides.get(name, declared[name].get("Default", ""))) for name in declared}


def main() -> None:
    """Read path and overrides from standard input; write `{"template": ...}` or `{"error": ...}`."""
    asked = json.load(sys.stdin)
    try:
        answer: dict[str, Any] = {"template": translated(Path(asked["path"]), asked["overrides"])}
    except StartError as error:
        answer = {"error": str(error)}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()

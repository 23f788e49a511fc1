"""Turns template.yaml into plain CloudFormation resources, with the translator that deployments use."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

from infra.local.errors import StartError
from infra.local.settings import ACCOUNT_ID, REGION

if TYPE_CHECKING:
    from pathlib import Path

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


@dataclass(frozen=True, slots=True)
class Template:
    """Translated resources by logical id, still with intrinsics; parameter values; raw conditions."""

    resources: dict[str, dict[str, Any]]
    parameters: dict[str, str]
    conditions: dict[str, Any]


def translate(path: Path, overrides: dict[str, str]) -> Template:
    """Translate the SAM template at `path`. StartError for an unknown parameter or a bad template."""
    # Through JSON: the YAML anchors become copies, so that the translator cannot change one by the other.
    document = json.loads(json.dumps(yaml_parse(path.read_text(encoding="utf-8"))))
    parameters = _parameters(document, overrides)
    # The translator wants code that is uploaded already; the local stack imports it from the tree.
    document["Globals"]["Function"]["CodeUri"] = "s3://local/code"
    os.environ.setdefault("AWS_DEFAULT_REGION", REGION)
    try:
        translated = Translator(_MANAGED_POLICIES, Parser()).translate(document, dict(parameters))
    except InvalidDocumentException as error:
        causes = "; ".join(cause.message for cause in error.causes)
        raise StartError(f"{path.name} does not translate ({causes}): run `make lint`") from error
    return Template(
        resources=translated["Resources"],
        parameters={**_PSEUDO_PARAMETERS, **parameters},
        conditions=document.get("Conditions", {}),
    )


def _parameters(document: dict[str, Any], overrides: dict[str, str]) -> dict[str, str]:
    declared: dict[str, dict[str, Any]] = document.get("Parameters", {})
    for name in overrides:
        if name not in declared:
            raise StartError(f"template.yaml has no parameter {name}: it has {', '.join(declared)}")
    return {name: str(overrides.get(name, declared[name].get("Default", ""))) for name in declared}

"""Turns template.yaml into plain CloudFormation resources, with the translator that deployments use.

A program of its own, as the translator would keep 18 MB of the launcher's memory: `template` runs it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from infra.local.settings import ACCOUNT_ID, REGION
from infra.sam_template import TemplateInvalidError, parameter_values, read, translate

_PSEUDO_PARAMETERS = {
    "AWS::Region": REGION,
    "AWS::AccountId": ACCOUNT_ID,
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::StackName": "rustbox-local",
}


def translated(path: Path, overrides: dict[str, str]) -> dict[str, Any]:
    """Return the arguments of a Template. Raises TemplateInvalidError."""
    document = read(path)
    parameters = parameter_values(document, overrides)
    conditions = document.get("Conditions", {})
    # The local stack imports the code from the tree.
    resources = translate(document, overrides, "s3://local/code")["Resources"]
    return {"resources": resources, "parameters": {**_PSEUDO_PARAMETERS, **parameters}, "conditions": conditions}


def main() -> None:
    """Read path and overrides from standard input; write `{"template": ...}` or `{"error": ...}`."""
    asked = json.load(sys.stdin)
    try:
        answer: dict[str, Any] = {"template": translated(Path(asked["path"]), asked["overrides"])}
    except TemplateInvalidError as error:
        answer = {"error": str(error)}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()

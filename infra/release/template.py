"""The template of a release: plain CloudFormation, whose functions take the released zip from a bucket of the user."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from functions import VERSION
from infra.deploy.building.package import ROOT
from infra.sam_template import read, translate

if TYPE_CHECKING:
    from pathlib import Path

NAME = f"rustbox-{VERSION}.template.json"
_BUCKET: dict[str, Any] = {
    "Type": "String",
    "MinLength": 3,
    "Description": "Bucket of this region that holds the zips of the release.",
}
_PREFIX: dict[str, Any] = {
    "Type": "String",
    "Default": "",
    "AllowedPattern": "^([A-Za-z0-9._/-]+/)?$",
    "Description": "Start of the zips' keys in CodeBucket, with a slash at its end. Empty - the file names.",
}


def write_template(out: Path) -> Path:
    """Write the template into a folder, and return its path."""
    path = out / NAME
    path.write_text(json.dumps(released_template(), indent=1) + "\n", encoding="utf-8")
    return path


def released_template() -> dict[str, Any]:
    """Return template.yaml without SAM's types, so that neither SAM nor CAPABILITY_AUTO_EXPAND is needed."""
    declared = read(ROOT / "template.yaml")["Parameters"]
    template = translate(read(ROOT / "template.yaml"), None, "s3://code/functions.zip")
    template["Parameters"] = {"CodeBucket": _BUCKET, "CodePrefix": _PREFIX, **declared}
    key = f"${{CodePrefix}}rustbox-functions-{VERSION}-${{Architecture}}.zip"
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Lambda::Function":
            resource["Properties"]["Code"] = {"S3Bucket": {"Ref": "CodeBucket"}, "S3Key": {"Fn::Sub": key}}
    return template

"""template.yaml as the CloudFormation template that AWS makes of it."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_DEFAULT_REGION = "us-east-1"


class TemplateInvalidError(Exception):
    """The template does not translate, or has no parameter of a given name. The text says which."""


def read(path: Path) -> dict[str, Any]:
    from samtranslator.yaml_helper import yaml_parse  # noqa: PLC0415 - takes half a second, and a start may not need it

    # Through JSON: the YAML anchors become copies, so that the translator cannot change one by the other.
    document: dict[str, Any] = json.loads(json.dumps(yaml_parse(path.read_text(encoding="utf-8"))))
    return document


def parameter_values(document: Mapping[str, Any], overrides: Mapping[str, str]) -> dict[str, str]:
    """Return the value of each parameter. Raises TemplateInvalidError for an unknown name."""
    declared: dict[str, dict[str, Any]] = document.get("Parameters", {})
    for name in overrides:
        if name not in declared:
            raise TemplateInvalidError(f"template.yaml has no parameter {name}: it has {', '.join(declared)}")
    return {name: str(overrides.get(name, declared[name].get("Default", ""))) for name in declared}


def translate(document: dict[str, Any], overrides: Mapping[str, str] | None, code_uri: str) -> dict[str, Any]:
    """Return the document without SAM's resource types. `code_uri`: S3 address of the package.

    `overrides`: values of parameters; None leaves each reference to a parameter as it is.
    Changes `document`. Raises TemplateInvalidError.
    """
    from samtranslator.model.exceptions import InvalidDocumentException  # noqa: PLC0415 - as in `read`
    from samtranslator.parser.parser import Parser  # noqa: PLC0415
    from samtranslator.translator.translator import Translator  # noqa: PLC0415

    values = {} if overrides is None else parameter_values(document, overrides)
    if overrides is None:
        for declared in document.get("Parameters", {}).values():
            declared.pop("Default", None)
    document["Globals"]["Function"]["CodeUri"] = code_uri
    # The translator refuses to work without a region.
    os.environ.setdefault("AWS_DEFAULT_REGION", _DEFAULT_REGION)
    try:
        translated = Translator({}, Parser()).translate(document, values)
    except InvalidDocumentException as error:
        causes = "; ".join(cause.message for cause in error.causes)
        raise TemplateInvalidError(f"template.yaml does not translate ({causes}): run `make lint`") from error
    translated.pop("Transform", None)
    result: dict[str, Any] = json.loads(json.dumps(translated))
    return result

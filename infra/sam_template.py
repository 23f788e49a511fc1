"""template.yaml as the CloudFormation template that AWS makes of it."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_DEFAULT_REGION = "us-east-1"


class TemplateInvalidError(Exception):
    """The template does not translate, or it has no such parameter or refuses its value. The text says which."""


def read(path: Path) -> dict[str, Any]:
    from samtranslator.yaml_helper import yaml_parse  # noqa: PLC0415 - takes half a second, and a start may not need it

    # Through JSON: the YAML anchors become copies, so that the translator cannot change one by the other.
    document: dict[str, Any] = json.loads(json.dumps(yaml_parse(path.read_text(encoding="utf-8"))))
    return document


def parameter_values(document: Mapping[str, Any], overrides: Mapping[str, str]) -> dict[str, str]:
    """Return the value of each parameter. Raises TemplateInvalidError for what CloudFormation would refuse."""
    declared: dict[str, dict[str, Any]] = document.get("Parameters", {})
    for name in overrides:
        if name not in declared:
            raise TemplateInvalidError(f"template.yaml has no parameter {name}: it has {', '.join(declared)}")
    values = {name: str(overrides.get(name, declared[name].get("Default", ""))) for name in declared}
    problems = wrong_values(document, overrides) or [*_broken_rules(document.get("Rules", {}), values)]
    if problems:
        raise TemplateInvalidError("; ".join(problems))
    return values


def wrong_values(document: Mapping[str, Any], overrides: Mapping[str, str]) -> list[str]:
    """Describe the values that the declarations of these parameters refuse."""
    declared: dict[str, dict[str, Any]] = document["Parameters"]
    return [
        f"{name} must be {needed}" + ("" if declared[name].get("NoEcho") else f"; got {value!r}")
        for name, value in overrides.items()
        if (needed := _needed(declared[name], value)) is not None
    ]


def _needed(declared: Mapping[str, Any], value: str) -> str | None:
    """Return what a value must be, None where it is.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/parameters-section-structure.html
    """
    if declared["Type"] == "Number":
        if re.fullmatch(r"-?\d+(\.\d+)?", value) is None:
            return "a number"
        least, most = (float(declared.get(name, value)) for name in ("MinValue", "MaxValue"))
        if not least <= float(value) <= most:
            return " and ".join(
                f"{words} {declared[name]}"
                for words, name in (("at least", "MinValue"), ("at most", "MaxValue"))
                if name in declared
            )
    allowed = [str(each) for each in declared.get("AllowedValues", (value,))]
    if value not in allowed:
        return f"one of {', '.join(allowed)}"
    pattern = declared.get("AllowedPattern", "(?s:.*)")
    return None if re.fullmatch(pattern, value) else f"text of the form {pattern}"


def _broken_rules(rules: Mapping[str, Any], values: Mapping[str, str]) -> Iterator[str]:
    for rule in rules.values():
        if _holds(rule["RuleCondition"], values):
            for each in rule["Assertions"]:
                if not _holds(each["Assert"], values):
                    yield each["AssertDescription"]


def _holds(condition: Mapping[str, Any], values: Mapping[str, str]) -> bool:
    match condition:
        case {"Fn::Not": [inner]}:
            return not _holds(inner, values)
        case {"Fn::Equals": [{"Ref": name}, value]}:
            return values[name] == str(value)
    raise TemplateInvalidError(f"infra/sam_template.py does not know {condition} of a rule: add it there")


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

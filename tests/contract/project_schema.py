"""The command line's schema of project.yaml and checks.yaml. `python -m tests.contract.project_schema` writes it.

It is made from the request models of the service: checks as in the schema that the service shows to editors, and the
other parts of a project. The command line validates offline, by it and by the service's own module of schedules.
"""

import json
from copy import deepcopy
from dataclasses import MISSING, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from events.network import NAME_OF_SECRET
from functions.checks.settings.check_settings import TagQuietTimes
from functions.checks.settings.requests import file_schema
from functions.checks.settings.store import MAX_CHECKS
from functions.checks.status_api import StatusPageSettings
from functions.project_secrets.api import SecretRequest
from functions.project_secrets.store import MAX_SECRETS
from functions.projects.bodies import ChangeProjectRequest
from functions.webhooks.endpoints.model import CLIENT_KINDS, MAX_ENDPOINTS, MAX_ORDERED, EndpointSettings
from functions.webhooks.endpoints.requests import CreateEndpointRequest

if TYPE_CHECKING:
    from pydantic import BaseModel

ROOT = Path(__file__).parents[2]
SCHEMA_FILE = ROOT / "rustbox_cli" / "project.schema.json"
FROM_ENVIRONMENT = "$NAME is taken from the environment of `rustbox`; $$ is a dollar sign."
_NO_DEFAULT = {"url", "enabled", "api_version", "routing_key"}
"""Without these settings, a file leaves those of an endpoint alone: people and the service set them."""
_SECRETS = ("url", "headers", "routing_key", "secret")


def project_schema() -> dict[str, Any]:
    """Return the schema: that of checks.yaml, and the other parts of a project."""
    whole = deepcopy(file_schema())
    models = whole["$defs"]
    notify = models["Check"]["properties"]["notify"]
    notify |= {"items": {"type": "string", "minLength": 1}}
    notify["description"] = "Endpoints that get its events, by their descriptions or ids. Default: all of the project."
    for name in ("Check", "Defaults"):
        models[name]["properties"]["notify"] = notify
    parts: dict[str, type[BaseModel]] = {
        "Endpoint": CreateEndpointRequest,
        "Project": ChangeProjectRequest,
        "StatusPage": StatusPageSettings,
        "QuietTimes": TagQuietTimes,
        "Secret": SecretRequest,
    }
    for name, model in parts.items():
        schema = _without_null(model.model_json_schema())
        models |= {each: inner for each, inner in schema.pop("$defs", {}).items() if each not in models}
        models[name] = {**schema, "additionalProperties": False}
    _complete_endpoint(models["Endpoint"])
    models["Secret"]["description"] = "A value that programs use in requests to one host without seeing it."
    models["Secret"]["properties"]["value"] = {
        "type": "string",
        "pattern": r"^\$[A-Za-z_][A-Za-z0-9_]*$",
        "description": "$NAME: a variable of the environment of `rustbox`. No file has the value itself.",
        "examples": ["$GITHUB_TOKEN"],
    }
    project = models["Project"]
    project["description"] = "Settings that the administrator's key changes. Missing ones stay as they are."
    del project["properties"]["enabled"]
    models["NetworkChange"]["dependentRequired"] = {"allow": ["access"]}
    models["StatusPage"]["description"] = "The public page of chosen checks."
    whole["properties"] |= {
        "project": {"$ref": "#/$defs/Project"},
        "quiet_times": _with_named_keys(models.pop("QuietTimes")["properties"]["tags"]),
        "endpoints": {
            "type": "array",
            "maxItems": MAX_ENDPOINTS,
            "x-max-ordered": MAX_ORDERED,
            "items": {"$ref": "#/$defs/Endpoint"},
        },
        "problems": {
            "type": "string",
            "minLength": 1,
            "description": "A folder, relative to this file. Each folder in it is a problem; its name is the id.",
            "examples": ["problems"],
        },
        "status_page": {"anyOf": [{"$ref": "#/$defs/StatusPage"}, {"type": "null"}]},
        "secrets": {
            "type": "object",
            "description": "Secrets by name.",
            "maxProperties": MAX_SECRETS,
            "propertyNames": {"pattern": f"^{NAME_OF_SECRET}$"},
            "additionalProperties": {"$ref": "#/$defs/Secret"},
        },
    }
    whole["properties"]["checks"]["maxItems"] = MAX_CHECKS
    del whole["required"]
    return whole | {"title": "project.yaml", "description": "A Rustbox project, for `rustbox apply`."}


def _without_null(schema: Any) -> Any:
    """Return a schema that takes no null: a file leaves a setting out. pydantic's titles go too."""
    if isinstance(schema, list):
        return [_without_null(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: _without_null(value) for name, value in schema.items() if name != "title" or isinstance(value, dict)}
    if {"type": "null"} in found.get("anyOf", ()):
        (one,) = (each for each in found.pop("anyOf") if each != {"type": "null"})
        found = {**one, **found}
    return {name: value for name, value in found.items() if (name, value) != ("default", None)}


def _with_named_keys(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of an object whose keys have a pattern, so that another key is refused and not ignored."""
    ((pattern, value),) = schema.pop("patternProperties").items()
    return {**schema, "propertyNames": {"pattern": pattern}, "additionalProperties": value}


def _complete_endpoint(schema: dict[str, Any]) -> None:
    """Give settings their defaults, and say where values come from the environment."""
    schema["description"] = "A webhook endpoint. Its description identifies it; without one, its URL does."
    settings = schema["properties"]
    for each in fields(EndpointSettings):
        if each.name not in _NO_DEFAULT:
            value = each.default if each.default_factory is MISSING else each.default_factory()
            settings[each.name]["default"] = list(value) if isinstance(value, tuple) else value
    settings["kinds"]["default"] = list(CLIENT_KINDS)
    settings["filters"]["default"] = settings["transform"]["default"] = {}
    for name in _SECRETS:
        text = settings[name]["description"].partition(" Responses show")[0]
        settings[name]["description"] = f"{text} {FROM_ENVIRONMENT}"


def project_schema_text() -> str:
    return json.dumps(project_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    SCHEMA_FILE.write_text(project_schema_text(), encoding="utf-8")

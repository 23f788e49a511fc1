"""Every path of the API with its methods, and the function that the template's routes lead to."""

import json
from typing import Any

from functions.handlers.api_document import openapi_text
from functions.http.parameters import find_route
from infra.local.http.gateway import Router
from infra.local.template import Route
from tests.template_routes import template_routes

ROUTES: dict[str, tuple[str, ...]] = {
    path: tuple(method.upper() for method in operations)
    for path, operations in json.loads(openapi_text())["paths"].items()
}


_WITH_SLASHES = {path.replace("{path}", "{path+}"): path for path in ROUTES if path.endswith("/{path}")}
"""A variable of this name takes slashes; OpenAPI has no word for that."""


def template_of(path: str) -> str | None:
    """Return the path of the document that matches, for any method."""
    found = find_route(path, ROUTES)
    if found is None and (longer := find_route(path, _WITH_SLASHES)) is not None:
        return _WITH_SLASHES[longer]
    return found


def function_of(template: dict[str, Any], method: str, path: str) -> str:
    """Return the logical id of the function that gets a request."""
    routes = []
    for key, function in template_routes(template).items():
        verb, _, pattern = key.rpartition(" ")
        routes.append(Route(verb, pattern, function))
    found = Router(routes).find(method, path)
    assert found is not None
    return found[0].function

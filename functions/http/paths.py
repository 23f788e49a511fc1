"""Paths of this API."""

import functools
import re
from collections.abc import Iterable

ROUTES: dict[str, tuple[str, ...]] = {
    "/api/submit": ("POST",),
    "/api/judge": ("POST",),
    "/api/judge/{id}": ("GET", "DELETE"),
    "/api/judge/{id}/cases/{index}/stdout": ("GET",),
    "/api/result/{id}": ("GET", "DELETE"),
    "/api/result/{id}/stdout": ("GET",),
    "/api/result/{id}/stderr": ("GET",),
    "/api/results": ("GET",),
    "/api/languages": ("GET",),
    "/api/health": ("GET",),
    "/api/health/ready": ("GET",),
    "/api/openapi.json": ("GET",),
    "/docs": ("GET",),
    "/": ("GET",),
    "/console/{version}/{name}": ("GET",),
}

"""The paths of parts that have no table of `Route` yet, with their methods."""


def find_route(path: str, templates: Iterable[str] = ROUTES) -> str | None:
    """Return the template that matches a path, for any method."""
    return next((template for template in templates if _pattern(template).fullmatch(path)), None)


@functools.cache
def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"{\w+}", "[^/]+", template.replace(".", r"\.")))


def result_path(submission_id: str) -> str:
    """Path of one result, without stage prefix."""
    return f"/api/result/{submission_id}"


def event_path(event_id: str) -> str:
    """Path of one event, without stage prefix."""
    return f"/api/events/{event_id}"


def judge_path(submission_id: str) -> str:
    """Path of one judge run, without stage prefix."""
    return f"/api/judge/{submission_id}"

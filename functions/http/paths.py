"""Paths of this API."""

import functools
import re
from collections.abc import Iterable


def find_route(path: str, templates: Iterable[str]) -> str | None:
    """Return the template that matches a path, for any method."""
    return next((template for template in templates if _pattern(template).fullmatch(path)), None)


@functools.cache
def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"{\w+\+}", ".+", re.sub(r"{\w+}", "[^/]+", template.replace(".", r"\."))))


def result_path(submission_id: str) -> str:
    """Path of one result, without stage prefix."""
    return f"/api/result/{submission_id}"


def event_path(event_id: str) -> str:
    """Path of one event, without stage prefix."""
    return f"/api/events/{event_id}"


def judge_path(submission_id: str) -> str:
    """Path of one judge run, without stage prefix."""
    return f"/api/judge/{submission_id}"

"""FilterCriteria of a stream's mapping: records that match no pattern do not reach the function.

Of Lambda's patterns this knows lists of texts: `{"dynamodb": {"Keys": {"sk": {"S": ["SUBMISSION"]}}}}`.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
"""

from __future__ import annotations

import json
from typing import Any

from infra.local.errors import StartError

type Pattern = dict[str, Any]


def read_patterns(criteria: dict[str, Any] | None, owner: str) -> tuple[Pattern, ...]:
    """Return the patterns of a mapping's FilterCriteria. Raises StartError for one that is not known here."""
    texts = [found["Pattern"] for found in (criteria or {}).get("Filters", [])]
    return tuple(_read_pattern(text, owner) for text in texts)


def matches(record: dict[str, Any], patterns: tuple[Pattern, ...]) -> bool:
    """Whether a record matches any of the patterns; every record does if there is none."""
    return not patterns or any(_matches(record, pattern) for pattern in patterns)


def _read_pattern(text: str, owner: str) -> Pattern:
    try:
        pattern = json.loads(text)
    except ValueError:
        pattern = None
    if not isinstance(pattern, dict) or not _is_known(pattern):
        problem = "the local stack knows FilterCriteria with lists of texts only"
        raise StartError(f"template.yaml: {problem}; {owner} has {text}")
    return pattern


def _is_known(pattern: Any) -> bool:
    if isinstance(pattern, dict):
        return all(map(_is_known, pattern.values()))
    return isinstance(pattern, list) and all(isinstance(value, str) for value in pattern)


def _matches(value: Any, pattern: Any) -> bool:
    if isinstance(pattern, list):
        return value in pattern
    return isinstance(value, dict) and all(name in value and _matches(value[name], pattern[name]) for name in pattern)

"""Check a request of Piston in the order and with the messages of its server, and translate it."""

from __future__ import annotations

import base64
import math
from typing import TYPE_CHECKING, Any

from events.files import path_problem
from events.limits import ceilings
from functions.dialects.piston.runtimes import Runtime, find
from functions.errors import BadRequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from events.limits import Ceilings, RaisedCeilings
    from events.vocabulary import Profile
    from functions.submissions.runners.fleet import Fleet

_MS_PER_SEC, _BYTES_PER_MIB = 1000, 1_048_576
_DEFAULT_RUN_MS = 3000
_COMPILE_MS, _COMPILE_CPU_MS = 30_000, 15_000
"""The limits of our compile steps. A request cannot lower them."""


def chosen_runtime(body: Mapping[str, Any], fleet: Fleet) -> Runtime:
    """Check the shape of a request; return the runtime that it names. Raises BadRequestError."""
    for name in ("language", "version"):
        _require(isinstance(body.get(name), str) and body[name], f"{name} is required as a string")
    _require(isinstance(body.get("files"), list), "files is required as an array")
    for index, file in enumerate(body["files"]):
        is_text = isinstance(file, dict) and isinstance(file.get("content"), str)
        _require(is_text, f"files[{index}].content is required as a string")
    runtime = find(fleet, body["language"], body["version"])
    if runtime is None:
        raise BadRequestError(f"{body['language']}-{body['version']} runtime is unknown")
    return runtime


def translated(body: Mapping[str, Any], runtime: Runtime, profile: Profile, raised: RaisedCeilings) -> dict[str, Any]:
    """Return the body of POST /api/submit for a request whose shape is right. Raises BadRequestError."""
    files = [_file(index, file) for index, file in enumerate(body["files"])]
    program = next((file for file in files if "content" in file), None)
    if program is None:
        raise BadRequestError("files must include at least one utf8 encoded file")
    stdin, args = body.get("stdin") or "", body.get("args") or []
    _require(isinstance(stdin, str), "stdin must be a string")
    are_texts = isinstance(args, list) and all(isinstance(arg, str) for arg in args)
    _require(are_texts, "args must be an array of strings")
    return {
        "language": runtime.language,
        "profile": profile,
        "code": program["content"] or "\n",
        "files": [file for file in files if file is not program],
        "stdin": stdin if stdin.endswith("\n") else stdin + "\n",
        "args": args,
        "limits": _limits(body, ceilings(runtime.language, profile, raised)),
    }


def _file(index: int, file: Mapping[str, Any]) -> dict[str, str]:
    path, content, encoding = file.get("name") or f"file{index}.code", file["content"], file.get("encoding") or "utf8"
    problem = path_problem(path) if isinstance(path, str) else "The name must be a string."
    _require(problem is None, f"files[{index}].name: {problem}")
    if encoding == "utf8":
        return {"path": path, "content": content}
    try:
        if encoding == "base64":
            raw = base64.b64decode(content, validate=True)
        else:  # as there, a file of any other encoding is not a source, and its content is text
            raw = bytes.fromhex(content) if encoding == "hex" else content.encode()
    except ValueError:
        raise BadRequestError(f"files[{index}].content is not {encoding}") from None
    return {"path": path, "content_base64": base64.b64encode(raw).decode()}


def _limits(body: Mapping[str, Any], most: Ceilings) -> dict[str, float]:
    highest = {
        "compile_memory_limit": -1,
        "run_memory_limit": -1,
        "compile_timeout": _COMPILE_MS,
        "run_timeout": most.wall_time_secs * _MS_PER_SEC,
        "compile_cpu_time": _COMPILE_CPU_MS,
        "run_cpu_time": most.cpu_time_secs * _MS_PER_SEC,
    }
    asked = {name: _number(body, name, limit) for name, limit in highest.items()}
    limits: dict[str, float] = {
        "wall_time_secs": (asked["run_timeout"] or _DEFAULT_RUN_MS) / _MS_PER_SEC,
        "cpu_time_secs": (asked["run_cpu_time"] or _DEFAULT_RUN_MS) / _MS_PER_SEC,
    }
    if asked["run_memory_limit"] > 0:
        max_bytes = min(asked["run_memory_limit"], most.memory_mb * _BYTES_PER_MIB)
        limits["memory_mb"] = math.ceil(max_bytes / _BYTES_PER_MIB)
    return limits


def _number(body: Mapping[str, Any], name: str, limit: int) -> float:
    value: float = body.get(name) or 0
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    _require(is_number, f"If specified, {name} must be a number")
    if limit > 0:
        _require(value <= limit, f"{name} cannot exceed the configured limit of {limit}")
        _require(value >= 0, f"{name} must be non-negative")
    return value


def _require(holds: object, message: str) -> None:
    if not holds:
        raise BadRequestError(message)

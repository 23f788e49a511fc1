"""Check a request of Piston in the order and with the messages of its server, and translate it."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from functions.dialects.piston.runtimes import Runtime, find
from functions.errors import BadRequestError
from functions.messages.files import path_problem
from functions.messages.languages import ceilings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.messages.languages import Ceilings, Profile, RaisedCeilings
    from functions.submissions.runners.fleet import Fleet

_MS_PER_SEC = 1000
_BYTES_PER_MIB = 1_048_576
_DEFAULT_RUN_MS = 3000
COMPILE_MS, COMPILE_CPU_MS = 30_000, 15_000
"""The limits of our compile steps. A request cannot lower them."""
_UTF8 = frozenset({None, "", "utf8"})


def chosen_runtime(body: Mapping[str, Any], fleet: Fleet) -> Runtime:
    """Check the shape of a request; return the runtime that it names. Raises BadRequestError."""
    for name in ("language", "version"):
        if not isinstance(body.get(name), str) or not body[name]:
            raise BadRequestError(f"{name} is required as a string")
    files = body.get("files")
    if not isinstance(files, list):
        raise BadRequestError("files is required as an array")
    for index, file in enumerate(files):
        if not isinstance(file, dict) or not isinstance(file.get("content"), str):
            raise BadRequestError(f"files[{index}].content is required as a string")
    runtime = find(fleet, body["language"], body["version"])
    if runtime is None:
        raise BadRequestError(f"{body['language']}-{body['version']} runtime is unknown")
    return runtime


def translated(body: Mapping[str, Any], runtime: Runtime, profile: Profile, raised: RaisedCeilings) -> dict[str, Any]:
    """Return the body of POST /api/submit for a request whose shape is right. Raises BadRequestError."""
    files = [_file(index, file) for index, file in enumerate(body["files"])]
    main = next((index for index, file in enumerate(files) if "content" in file), None)
    if main is None:
        raise BadRequestError("files must include at least one utf8 encoded file")
    program = files.pop(main)
    stdin, args = body.get("stdin") or "", body.get("args") or []
    if not isinstance(stdin, str):
        raise BadRequestError("stdin must be a string")
    if not isinstance(args, list) or not all(isinstance(arg, str) for arg in args):
        raise BadRequestError("args must be an array of strings")
    return {
        "language": runtime.language,
        "profile": profile,
        "code": program["content"] or "\n",
        "files": files,
        "stdin": stdin if stdin.endswith("\n") else stdin + "\n",
        "args": args,
        "limits": _limits(body, ceilings(runtime.language, profile, raised)),
    }


def _file(index: int, file: Mapping[str, Any]) -> dict[str, str]:
    path, content, encoding = file.get("name") or f"file{index}.code", file["content"], file.get("encoding")
    if not isinstance(path, str) or (problem := path_problem(path)) is not None:
        reason = "The name must be a string." if not isinstance(path, str) else problem
        raise BadRequestError(f"files[{index}].name: {reason}")
    if encoding in _UTF8:
        return {"path": path, "content": content}
    try:
        if encoding == "base64":
            raw = base64.b64decode(content, validate=True)
        elif encoding == "hex":
            raw = bytes.fromhex(content)
        else:  # as there: not a source, and its content is text
            raw = content.encode()
    except (binascii.Error, ValueError):
        raise BadRequestError(f"files[{index}].content is not {encoding}") from None
    return {"path": path, "content_base64": base64.b64encode(raw).decode()}


def _limits(body: Mapping[str, Any], most: Ceilings) -> dict[str, float]:
    highest = {
        "compile_memory_limit": -1,
        "run_memory_limit": -1,
        "compile_timeout": COMPILE_MS,
        "run_timeout": most.wall_time_secs * _MS_PER_SEC,
        "compile_cpu_time": COMPILE_CPU_MS,
        "run_cpu_time": most.cpu_time_secs * _MS_PER_SEC,
    }
    asked = {name: _number(body, name, limit) for name, limit in highest.items()}
    limits: dict[str, float] = {
        "wall_time_secs": (asked["run_timeout"] or _DEFAULT_RUN_MS) / _MS_PER_SEC,
        "cpu_time_secs": (asked["run_cpu_time"] or _DEFAULT_RUN_MS) / _MS_PER_SEC,
    }
    if asked["run_memory_limit"] > 0:
        limits["memory_mb"] = min(-(-int(asked["run_memory_limit"]) // _BYTES_PER_MIB), most.memory_mb)
    return limits


def _number(body: Mapping[str, Any], name: str, limit: int) -> float:
    value = body.get(name)
    if not value:
        return 0
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadRequestError(f"If specified, {name} must be a number")
    if limit > 0 and value > limit:
        raise BadRequestError(f"{name} cannot exceed the configured limit of {limit}")
    if limit > 0 and value < 0:
        raise BadRequestError(f"{name} must be non-negative")
    return value

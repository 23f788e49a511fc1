"""The tools, as tools/list describes them: a model knows of the sandbox only what stands here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from functions.dialects.mcp.arguments import CancelRun, ListLanguages, ReadArtifact, ReadOutput, RunCode
from functions.messages.languages import Language, Profile, ceilings, default_wall_secs
from functions.projects.network.access import NetworkAccess

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.dialects.mcp.arguments import Arguments
    from functions.projects.network.access import ProjectNetwork

_MOST_PATTERNS_SHOWN = 8
_TEXT, _COUNT = {"type": "string"}, {"type": "integer"}
_ARTIFACT = {
    "type": "object",
    "properties": {"path": _TEXT, "size": _COUNT, "sha256": _TEXT, "media_type": _TEXT, "uri": _TEXT},
    "required": ["path", "size", "sha256", "media_type", "uri"],
}
RUN_SCHEMA = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "description": "For read_output, read_artifact and cancel_run."},
        "status": {"type": "string", "enum": ["pending", "running", "completed", "error"]},
        "verdict": {"type": "string", "description": "AC: the program ended with exit code 0."},
        "cause": _TEXT,
        "exit_code": _COUNT,
        "signal": _COUNT,
        "error_message": _TEXT,
        "stdout": {"type": "string", "description": "Its middle is left out if it is long: read_output has all."},
        "stderr": _TEXT,
        "stdout_bytes": _COUNT,
        "stderr_bytes": _COUNT,
        "artifacts": {"type": "array", "items": _ARTIFACT},
        "cpu_time_secs": {"type": "number"},
        "wall_time_secs": {"type": "number"},
        "memory_peak_bytes": _COUNT,
    },
    "required": ["id", "status"],
}
_LANGUAGES_SCHEMA = {
    "type": "object",
    "properties": {
        "languages": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"name": _TEXT, "toolchains": {"type": "array", "items": _TEXT}},
                "required": ["name", "toolchains"],
            },
        }
    },
    "required": ["languages"],
}


class Tool(NamedTuple):
    """One tool. `says`: its description. `output`: the schema of its structured content; None: it has none."""

    name: str
    title: str
    says: str
    arguments: type[Arguments]
    output: dict[str, Any] | None
    is_read_only: bool = True


_READ_OUTPUT = (
    "Read more of a run: without stream its result, after a wait of up to 25 s if it goes on; "
    "with stream, bytes of stdout or stderr from an offset, also while it goes on."
)
TOOLS = (
    Tool("run_code", "Run a program", "", RunCode, RUN_SCHEMA, is_read_only=False),
    Tool("read_output", "Read the output of a run", _READ_OUTPUT, ReadOutput, None),
    Tool("read_artifact", "Read a file of a run", "Read a file that a run has left.", ReadArtifact, None),
    Tool(
        "cancel_run",
        "Stop a run",
        "Stop a run that goes on. Its output so far is kept.",
        CancelRun,
        RUN_SCHEMA,
        is_read_only=False,
    ),
    Tool("list_languages", "List languages", "List languages and their versions.", ListLanguages, _LANGUAGES_SCHEMA),
)


class Sandbox(NamedTuple):
    """What the description of run_code says of this deployment and of the project."""

    languages: Sequence[Language]
    network: ProjectNetwork
    packages: Sequence[str]


def tool_list(sandbox: Sandbox) -> list[dict[str, Any]]:
    """Return all tools, always in the same order."""
    return [_described(tool, sandbox) for tool in TOOLS]


def _described(tool: Tool, sandbox: Sandbox) -> dict[str, Any]:
    schema = tool.arguments.model_json_schema()
    body: dict[str, Any] = {
        "name": tool.name,
        "title": tool.title,
        "description": tool.says,
        "inputSchema": schema,
        "annotations": {
            "readOnlyHint": tool.is_read_only,
            "destructiveHint": tool.name == "cancel_run",
            "openWorldHint": tool.name == "run_code" and sandbox.network.access is not NetworkAccess.NONE,
        },
    }
    if tool.name == "run_code":
        schema["properties"]["language"]["enum"] = [str(language) for language in sandbox.languages]
        body["description"] = _run_code_says(sandbox)
        body["execution"] = {"taskSupport": "optional"}
    if tool.output is not None:
        body["outputSchema"] = tool.output
    return body


def _run_code_says(sandbox: Sandbox) -> str:
    sentences = [
        "Run a program in a sandbox of its own, and return its output.",
        f"Languages: {', '.join(sandbox.languages)}.",
        "Each run begins in an empty directory: nothing of an earlier run is there, so pass files that it needs.",
        "Files that it writes into its working directory come back as artifacts; pictures are shown.",
        _limits(sandbox),
        _network(sandbox.network),
        f"Python has these packages besides the standard library: {', '.join(sandbox.packages)}."
        if sandbox.packages
        else "There is the standard library only, and nothing can be installed: send modules as files.",
    ]
    return " ".join(sentences)


def _limits(sandbox: Sandbox) -> str:
    language = sandbox.languages[0] if sandbox.languages else Language.PYTHON
    limits = ceilings(language, Profile.AGENT)
    return (
        f"Limits: {limits.cpu_time_secs} s of CPU time, {default_wall_secs(language, Profile.AGENT)} s in all, "
        f"{limits.memory_mb:,} MiB of memory, {limits.output_kb:,} KiB of stdout and of stderr."
    )


def _network(network: ProjectNetwork) -> str:
    if network.access is NetworkAccess.NONE:
        return "There is no network."
    if network.access is NetworkAccess.PUBLIC:
        return "A program reaches only the public hosts that the argument network names, by name, port 443 by default."
    shown = ", ".join(network.allow[:_MOST_PATTERNS_SHOWN])
    more = f" and {len(network.allow) - _MOST_PATTERNS_SHOWN} more" if len(network.allow) > _MOST_PATTERNS_SHOWN else ""
    return f"A program reaches only the hosts that the argument network names; this project may name {shown}{more}."

"""The tools, as tools/list describes them: a model knows of the sandbox only what stands here."""

import copy
from collections.abc import Sequence
from functools import cache
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from events.limits import ceilings, default_wall_secs
from events.vocabulary import Language, Profile
from functions.dialects.mcp.shown_run import LanguageList, ShownRun
from functions.http.validation import AllowList, Text
from functions.projects.model import NetworkAccess, ProjectNetwork
from functions.submissions.accept.program_fields import ArtifactsRequest
from functions.submissions.results.results import Stream

# The arguments as models. A docstring is what a language model reads of the tool.

WAIT_SECS = 25
"""How long a call waits at most: below the 30 s of the gateway."""
MOST_BYTES_READ = 16_384
_Id = Annotated[Text, Field(description="The id of a run, from run_code.")]


class Arguments(BaseModel):
    """Arguments of a tool. Unknown ones are refused, so that a model sees its mistake."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", hide_input_in_errors=True)


class FileArgument(Arguments):
    """A file for the program. Exactly one of the three has its content."""

    path: Text = Field(description="Below the working directory, such as data/in.csv.")
    content: Text | None = Field(default=None, repr=False, description="As text.")
    content_base64: Text | None = Field(default=None, repr=False, description="As bytes.")
    sha256: Text | None = Field(default=None, description="Hash of a file that the project stores.")


class RunCode(Arguments, title="Run a program"):
    """Run a program in a sandbox of its own, and return its output."""

    language: Text
    code: Text = Field(min_length=1, repr=False, description="The whole program, at most 65,536 bytes.")
    stdin: Text | None = Field(default=None, repr=False, description="Standard input, at most 262,144 bytes.")
    files: list[FileArgument] | None = Field(
        default=None, repr=False, description="At most 64; with content, 256 KiB together."
    )
    network: AllowList | None = Field(
        default=None, description='Hosts that the program may reach, such as ["api.example.com", "*.example.org:8443"].'
    )
    artifacts: ArtifactsRequest | None = Field(
        default=None,
        description='Files to return: patterns such as ["*.png", "out/**"]. Default: all that the program writes.',
    )
    wait_secs: int = Field(
        default=WAIT_SECS,
        ge=0,
        le=WAIT_SECS,
        description="How long to wait for the end. Then the run goes on, and read_output has its result.",
    )


class ReadOutput(Arguments, title="Read the output of a run"):
    """Read more of a run: without stream its result, after a wait of up to 25 s if it goes on.

    With stream: bytes of stdout or stderr from an offset, also while it goes on.
    """

    id: _Id
    stream: Stream | None = Field(default=None, description="Without it: the whole result, once the run has ended.")
    offset: int = Field(default=0, ge=0, description="First byte.")
    length: int = Field(default=4_096, ge=1, le=MOST_BYTES_READ, description="Most bytes.")


class ReadArtifact(Arguments, title="Read a file of a run"):
    """Read a file that a run has left."""

    id: _Id
    path: Text = Field(description="The path of the artifact, as the run lists it.")


class CancelRun(Arguments, title="Stop a run"):
    """Stop a run that goes on. Its output so far is kept."""

    id: _Id


class ListLanguages(Arguments, title="List languages"):
    """List languages and their versions."""


TOOLS: dict[str, type[Arguments]] = {
    "run_code": RunCode,
    "read_output": ReadOutput,
    "read_artifact": ReadArtifact,
    "cancel_run": CancelRun,
    "list_languages": ListLanguages,
}
"""In the order of tools/list."""


_MOST_PATTERNS_SHOWN = 8
_CHANGES = ("run_code", "cancel_run")
_RESULTS = {"run_code": ShownRun, "cancel_run": ShownRun, "list_languages": LanguageList}


def tool_list(languages: Sequence[Language], network: ProjectNetwork, packages: Sequence[str]) -> list[dict[str, Any]]:
    """Return all tools, always in the same order. `packages`: those of Python."""
    run_code, *others = (_described(name) for name in TOOLS)
    run_code = copy.deepcopy(run_code)
    run_code["description"] += f" {_run_code_says(languages, network, packages)}"
    run_code["inputSchema"]["properties"]["language"]["enum"] = [str(language) for language in languages]
    run_code["annotations"]["openWorldHint"] = network.access is not NetworkAccess.NONE
    run_code["execution"] = {"taskSupport": "optional"}
    return [run_code, *others]


@cache
def _described(name: str) -> dict[str, Any]:
    schema = TOOLS[name].model_json_schema()
    texts = {text: " ".join(schema.pop(text).split()) for text in ("title", "description")}
    hints = {"readOnlyHint": name not in _CHANGES, "destructiveHint": name == "cancel_run", "openWorldHint": False}
    result = {"outputSchema": TypeAdapter(_RESULTS[name]).json_schema()} if name in _RESULTS else {}
    return {"name": name, **texts, "inputSchema": schema, "annotations": hints, **result}


def _run_code_says(languages: Sequence[Language], network: ProjectNetwork, packages: Sequence[str]) -> str:
    first = languages[0] if languages else Language.PYTHON
    limits, wall_secs = ceilings(first, Profile.AGENT), default_wall_secs(first, Profile.AGENT)
    sentences = [
        f"Languages: {', '.join(languages)}.",
        "Each run begins in an empty directory: nothing of an earlier run is there, so pass files that it needs.",
        "Files that it writes into its working directory come back as artifacts; pictures are shown.",
        f"Limits: {limits.cpu_time_secs} s of CPU time, {wall_secs} s in all, {limits.memory_mb:,} MiB of memory,",
        f"{limits.output_kb:,} KiB of stdout and of stderr.",
        _network(network),
        f"Python has these packages besides the standard library: {', '.join(packages)}."
        if packages
        else "There is the standard library only, and nothing can be installed: send modules as files.",
    ]
    return " ".join(sentences)


def _network(network: ProjectNetwork) -> str:
    if network.access is NetworkAccess.NONE:
        return "There is no network."
    if network.access is NetworkAccess.PUBLIC:
        return "A program reaches only the public hosts that the argument network names, by name, port 443 by default."
    shown = ", ".join(network.allow[:_MOST_PATTERNS_SHOWN])
    more = f" and {len(network.allow) - _MOST_PATTERNS_SHOWN} more" if len(network.allow) > _MOST_PATTERNS_SHOWN else ""
    return f"A program reaches only the hosts that the argument network names; this project may name {shown}{more}."

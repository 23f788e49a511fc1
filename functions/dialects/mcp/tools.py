"""The tools and their arguments, and a run, as a model reads both."""

import base64
import copy
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import Annotated, Any, Required, TypedDict, cast
from urllib.parse import quote, unquote

from pydantic import Field, TypeAdapter

from events.limits import ceilings, default_wall_secs
from events.vocabulary import CANCELLATIONS, Language, Phase, Profile, Verdict
from functions.aws.payloads import WHOLE_OUTPUT_MAX_BYTES
from functions.http.json_body import LIST_MAX_BYTES, body_text, escaped_bytes
from functions.http.validation import AllowList, StrictModel, Text
from functions.projects.model import NetworkAccess, ProjectNetwork
from functions.submissions.accept.program_fields import ArtifactsRequest
from functions.submissions.accept.requests import SecretNames
from functions.submissions.model import Submission
from functions.submissions.results.results import Stream
from functions.submissions.results.views import ArtifactBody, FinalStatus, OpenStatus, artifact_body, final_status

# A run as a model sees it: a sentence, short output, and the way to read the rest; and the same as data.

# Artifacts of a run as pictures, text or links. An artifact has a URI: `rustbox://results/{id}/artifacts/{path}`.

RESOURCE_MAX_BYTES = 2_097_152
URI_TEMPLATE = "rustbox://results/{id}/artifacts/{+path}"
_PICTURE_MAX_BYTES = 262_144
_PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_URI = re.compile(r"rustbox://results/([0-9a-f-]{36})/artifacts/(.+)", re.DOTALL)


def artifact_uri(submission_id: str, path: str) -> str:
    return f"rustbox://results/{submission_id}/artifacts/{quote(path)}"


def parse_artifact_uri(uri: str) -> tuple[str, str] | None:
    """Return the id of the run and the path; None for another URI."""
    found = _URI.fullmatch(uri)
    return None if found is None else (found[1], unquote(found[2]))


def is_picture(file: Mapping[str, Any]) -> bool:
    """Whether a client may show it as a picture: never SVG, which may have scripts."""
    return file["media_type"] in _PICTURES and file["size"] <= _PICTURE_MAX_BYTES


def picture(file: Mapping[str, Any], content: bytes) -> dict[str, Any]:
    """Return a picture as content of a tool."""
    return {"type": "image", "data": base64.b64encode(content).decode(), "mimeType": file["media_type"]}


def link(submission_id: str, file: Mapping[str, Any]) -> dict[str, Any]:
    """Return a link to an artifact as content of a tool."""
    uri = artifact_uri(submission_id, file["path"])
    about = {"name": file["path"], "mimeType": file["media_type"], "size": file["size"]}
    return {"type": "resource_link", "uri": uri, **about}


def resource(uri: str, file: Mapping[str, Any], content: bytes) -> dict[str, Any]:
    """Return the content of a resource: text if it is UTF-8, and fits into an answer with the escapes of JSON."""
    about = {"uri": uri, "mimeType": file["media_type"]}
    with suppress(UnicodeDecodeError):
        shown = {**about, "text": content.decode()}
        if escaped_bytes(body_text(shown)) <= LIST_MAX_BYTES:
            return shown
    return {**about, "blob": base64.b64encode(content).decode()}


TEXT_MAX_BYTES = 2_048
STRUCTURED_MAX_BYTES = 8_192
"""Of each stream."""
_HEADING_BYTES = 140
"""Of a heading and of the note about what is left out."""
_MOST_ARTIFACTS_NAMED = 6
_PATH_MAX_CHARS = 60
_ERROR_MAX_CHARS = 200
_SENTENCES = {
    Verdict.TLE: "The program was stopped: it took too much time.",
    Verdict.MLE: "The program was stopped: it took too much memory.",
    Verdict.PLE: "The program was stopped: it started too many processes.",
    Verdict.FSE: "The program was stopped: it wrote a file that is too large.",
    Verdict.IE: "The service could not run the program.",
}
_LINES = (
    re.compile(r'File "(?:/box/)?[^"\n/<][^"\n]*", line (\d+)'),
    re.compile(r"^(?:/box/)?[^\s:/][^\s:]*:(\d+):", re.MULTILINE),
)
"""Line numbers in messages of Python, and of compilers and other interpreters: of the program's own files only."""


class ShownArtifact(ArtifactBody):
    """A file that the run left, for read_artifact."""

    uri: str


class ShownRun(TypedDict, total=False):
    """A run. A value that is not known is left out."""

    id: Required[Annotated[str, Field(description="For read_output, read_artifact and cancel_run.")]]
    status: Required[FinalStatus | OpenStatus]
    verdict: Annotated[
        str,
        Field(
            description="AC: exit code 0. RE: another exit code, or a compile error. SIG: ended by a signal, or "
            "cancelled. TLE, MLE, PLE, FSE: a limit on time, memory, processes or file size. IE: the service failed, "
            "or the run was cancelled before its start."
        ),
    ]
    cause: Annotated[
        str, Field(description="The reason of the verdict, such as re_nonzero_exit, ce_compile_failed or cancelled.")
    ]
    exit_code: int
    signal: int
    error_message: str
    stdout: Annotated[str, Field(description="Its middle is left out if it is long: read_output has all.")]
    stderr: str
    stdout_bytes: int
    stderr_bytes: int
    artifacts: list[ShownArtifact]
    cpu_time_secs: float
    wall_time_secs: float
    memory_peak_bytes: int


class ShownLanguage(TypedDict):
    """A language and its versions."""

    name: str
    toolchains: list[str]


class LanguageList(TypedDict):
    """The languages."""

    languages: list[ShownLanguage]


def run_text(row: Submission, stdout: bytes, stderr: bytes) -> str:
    """Return a final run as text of at most TEXT_MAX_BYTES."""
    parts = [_verdict_sentence(row, stderr), *_artifact_lines(row)]
    left = TEXT_MAX_BYTES - len("\n".join(parts).encode())
    streams = [(name, content) for name, content in (("stdout", stdout), ("stderr", stderr)) if content]
    # The shorter one first: the longer one gets what it leaves.
    sizes = dict.fromkeys((name for name, _ in streams), 0)
    for number, (name, content) in enumerate(sorted(streams, key=lambda each: len(each[1]))):
        sizes[name] = min(len(content), max(left // (len(streams) - number) - _HEADING_BYTES, 0))
        left -= sizes[name] + _HEADING_BYTES
    shown = (f"{name}:\n{_middle_out(content, sizes[name], row.submission_id, name)}" for name, content in streams)
    return "\n".join([*parts, *shown])


def run_data(row: Submission, stdout: bytes, stderr: bytes) -> ShownRun:
    """Return a final run as structured content."""
    run_id = row.submission_id
    known = {
        **row.result,
        **(row.metrics or {}),
        "id": run_id,
        "status": final_status(row),
        "verdict": row.verdict,
        "stdout": _middle_out(stdout, STRUCTURED_MAX_BYTES, run_id, "stdout"),
        "stderr": _middle_out(stderr, STRUCTURED_MAX_BYTES, run_id, "stderr"),
        "stdout_bytes": len(stdout),
        "stderr_bytes": len(stderr),
        "artifacts": [
            {**artifact_body(file), "uri": artifact_uri(run_id, file["path"])} for file in row.stored_artifacts
        ],
    }
    return cast("ShownRun", {name: known[name] for name in ShownRun.__annotations__ if known.get(name) is not None})


def _verdict_sentence(row: Submission, stderr: bytes) -> str:
    result, metrics = row.result, row.metrics or {}
    if row.verdict == Verdict.AC:
        secs = metrics.get("wall_time_secs")
        sentence = "The program ended normally" + (f" after {secs:.2f} s." if secs is not None else ".")
        return sentence + (" The cancel came too late." if row.was_cancelled_too_late else "")
    place = _line_of_error(stderr)
    if result.get("cause") in CANCELLATIONS:
        return "The run was cancelled."
    if result.get("phase") == Phase.COMPILE:
        sentence = f"The program does not compile{place}."
    elif row.verdict in _SENTENCES:
        sentence = _SENTENCES[Verdict(row.verdict)]
    elif result.get("signal") is not None:
        sentence = f"The program was ended by signal {result['signal']}{place}."
    else:
        sentence = f"The program failed with exit code {result.get('exit_code')}{place}."
    message = result.get("error_message")
    return f"{sentence} {message[:_ERROR_MAX_CHARS]}" if message else sentence


def _line_of_error(stderr: bytes) -> str:
    """Return ` at line N`, of the last place that Python names, or of the first that a compiler names."""
    text = stderr.decode(errors="replace")
    for pattern, index in zip(_LINES, (-1, 0), strict=True):
        if lines := pattern.findall(text):
            return f" at line {lines[index]}"
    return ""


def _artifact_lines(row: Submission) -> list[str]:
    files = row.stored_artifacts
    if not files:
        return []
    named = [
        f"{file['path'][:_PATH_MAX_CHARS]} ({file['size']:,} bytes, sha256 {file['sha256']})"
        for file in files[:_MOST_ARTIFACTS_NAMED]
    ]
    more = f" and {len(files) - len(named)} more" if len(files) > len(named) else ""
    return [f"Files (read_artifact, id {row.submission_id}): {', '.join(named)}{more}"]


def _middle_out(content: bytes, most: int, submission_id: str, stream: str) -> str:
    """Return a stream as text, with the middle left out if it has more than `most` bytes."""
    if len(content) <= most:
        return _text(content)
    head = most // 2
    tail = most - head
    note = f"\n[{len(content) - most:,} bytes left out: read_output id={submission_id} stream={stream} offset={head}]\n"
    return _text(content[:head]) + note + _text(content[len(content) - tail :])


def _text(content: bytes) -> str:
    """Return text that is not longer than the bytes: U+FFFD would have three for one."""
    return content.decode(errors="replace").replace("\ufffd", "?")


# The tools, as tools/list describes them: a model knows of the sandbox only what stands here.

# The arguments as models. A docstring is what a language model reads of the tool.

WAIT_SECS = 25
"""How long a call waits at most: below the 30 s of the gateway."""
MOST_BYTES_READ = 16_384
_Id = Annotated[Text, Field(description="The id of a run, from run_code.")]


class Arguments(StrictModel):
    """Arguments of a tool. Unknown ones are refused, so that a model sees its mistake."""


class FileArgument(Arguments):
    """A file for the program. Exactly one of the three has its content."""

    path: Text = Field(description="Below the working directory, such as data/in.csv.")
    content: Text | None = Field(default=None, repr=False, description="As text.")
    content_base64: Text | None = Field(default=None, repr=False, description="As bytes.")
    sha256: Text | None = Field(default=None, description="Of a file that the project stores, or of an artifact.")


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
    secrets: SecretNames | None = Field(
        default=None,
        description="Secrets of the project for requests to their hosts. The program calls the address in "
        "RUSTBOX_SECRET_NAME_URL by plain HTTP, and sends no credentials: they are added outside.",
    )
    artifacts: ArtifactsRequest | None = Field(
        default=None,
        description='Files to return: patterns such as ["*.png", "out/**"]. Default: all that the program writes.',
    )
    wait_secs: int = Field(
        default=WAIT_SECS,
        ge=0,
        le=WAIT_SECS,
        description="Seconds to wait for the run to end. If it has not ended by then, it continues: call read_output "
        "with its id.",
    )


class ReadOutput(Arguments, title="Read the output of a run"):
    """Return the result of a run, or part of one output stream.

    Without `stream`: wait up to 25 s for the run to end, then return its result. With `stream`: return bytes from
    `offset`, also during the run. The answer names an execution. If that name changes, the service restarted the
    program: read again from offset 0.
    """

    id: _Id
    stream: Stream | None = Field(default=None, description="Without it: the whole result, once the run has ended.")
    offset: int = Field(default=0, ge=0, le=WHOLE_OUTPUT_MAX_BYTES, description="First byte.")
    length: int = Field(default=4_096, ge=1, le=MOST_BYTES_READ, description="Most bytes.")


class ReadArtifact(Arguments, title="Read a file of a run"):
    """Read a file that a run has left."""

    id: _Id
    path: Text = Field(description="The path of the artifact, as the run lists it.")


class CancelRun(Arguments, title="Stop a run"):
    """Stop a run that has not ended. Its output so far is kept."""

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


def tool_list(
    languages: Sequence[Language], network: ProjectNetwork, packages: Sequence[str], secrets: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Return all tools, always in the same order. `packages`: those of Python. `secrets`: names, with their hosts."""
    run_code, *others = (_described(name) for name in TOOLS)
    run_code = copy.deepcopy(run_code)
    run_code["description"] += f" {_run_code_says(languages, network, packages, secrets)}"
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


def _run_code_says(
    languages: Sequence[Language], network: ProjectNetwork, packages: Sequence[str], secrets: Mapping[str, str]
) -> str:
    first = languages[0] if languages else Language.PYTHON
    limits, wall_secs = ceilings(first, Profile.AGENT), default_wall_secs(first, Profile.AGENT)
    sentences = [
        f"Languages: {', '.join(languages)}.",
        "Each run begins in an empty directory: nothing of an earlier run is there, so pass files that it needs.",
        "Files that it writes into its working directory come back as artifacts; pictures are shown.",
        f"Limits: {limits.cpu_time_secs} s of CPU time, {wall_secs} s in all, {limits.memory_mb:,} MiB of memory,",
        f"{limits.output_kb:,} KiB of stdout and of stderr.",
        _network(network),
        *([f"Secrets: {_listed(secrets)}."] if secrets else []),
        f"Python has these packages besides the standard library: {', '.join(packages)}."
        if packages
        else "There is the standard library only, and nothing can be installed: send modules as files.",
    ]
    return " ".join(sentences)


def _listed(secrets: Mapping[str, str]) -> str:
    return ", ".join(f"{name} for {host}" for name, host in secrets.items())


def _network(network: ProjectNetwork) -> str:
    if network.access is NetworkAccess.NONE:
        return "There is no network."
    if network.access is NetworkAccess.PUBLIC:
        return "A program reaches only the public hosts that the argument network names, by name, port 443 by default."
    shown = ", ".join(network.allow[:_MOST_PATTERNS_SHOWN])
    more = f" and {len(network.allow) - _MOST_PATTERNS_SHOWN} more" if len(network.allow) > _MOST_PATTERNS_SHOWN else ""
    return f"A program reaches only the hosts that the argument network names; this project may name {shown}{more}."

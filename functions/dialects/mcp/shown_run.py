"""A run as a model sees it: a sentence, short output, and the way to read the rest; and the same as data."""

import base64
import re
from collections.abc import Mapping
from typing import Annotated, Any, Required, TypedDict, cast
from urllib.parse import quote, unquote

from pydantic import Field

from events.vocabulary import CANCELLATIONS, Phase, Verdict
from functions.submissions.model import Submission
from functions.submissions.results.views import ArtifactBody, FinalStatus, OpenStatus, artifact_body, final_status

# Artifacts of a run as pictures, text or links. An artifact has a URI: `rustbox://results/{id}/artifacts/{path}`.

RESOURCE_MAX_BYTES = 2_097_152
URI_TEMPLATE = "rustbox://results/{id}/artifacts/{+path}"
_PICTURE_MAX_BYTES = 262_144
_PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_URI = re.compile(r"rustbox://results/([0-9a-f-]{36})/artifacts/(.+)", re.DOTALL)


def artifact_uri(submission_id: str, path: str) -> str:
    """Return the URI of an artifact."""
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
    """Return the content of a resource: text if it is UTF-8."""
    about = {"uri": uri, "mimeType": file["media_type"]}
    try:
        return {**about, "text": content.decode()}
    except UnicodeDecodeError:
        return {**about, "blob": base64.b64encode(content).decode()}


TEXT_MAX_BYTES = 2_048
STRUCTURED_MAX_BYTES = 8_192
"""Of each stream."""
_HEADING_BYTES = 140
"""Of a heading and of the note about what is left out."""
_MOST_ARTIFACTS_NAMED = 8
_PATH_MAX_CHARS = 60
_ERROR_MAX_CHARS = 200
_SENTENCES = {
    Verdict.TLE: "The program was stopped: it took too much time.",
    Verdict.MLE: "The program was stopped: it took too much memory.",
    Verdict.PLE: "The program was stopped: it started too many processes.",
    Verdict.FSE: "The program was stopped: it wrote a file that is too large.",
    Verdict.IE: "The service could not run the program.",
}
_LINES = (re.compile(r'File "[^"\n]*", line (\d+)'), re.compile(r"^[^\s:]+:(\d+):", re.MULTILINE))
"""Line numbers in messages of Python, and of compilers and other interpreters."""


class ShownArtifact(ArtifactBody):
    """A file that the run left, for read_artifact."""

    uri: str


class ShownRun(TypedDict, total=False):
    """A run. A value that is not known is left out."""

    id: Required[Annotated[str, Field(description="For read_output, read_artifact and cancel_run.")]]
    status: Required[FinalStatus | OpenStatus]
    verdict: Annotated[str, Field(description="AC: the program ended with exit code 0.")]
    cause: str
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


def open_text(row: Submission) -> str:
    """Return a run that goes on as text."""
    return (
        f"The run {row.submission_id} goes on. Call read_output with this id for its result, or cancel_run to stop it."
    )


def _verdict_sentence(row: Submission, stderr: bytes) -> str:
    result, metrics = row.result, row.metrics or {}
    if row.verdict == Verdict.AC:
        secs = metrics.get("wall_time_secs")
        return "The program ended normally" + (f" after {secs:.2f} s." if secs is not None else ".")
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
    named = [f"{file['path'][:_PATH_MAX_CHARS]} ({file['size']:,} bytes)" for file in files[:_MOST_ARTIFACTS_NAMED]]
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

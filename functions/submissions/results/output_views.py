"""What a client sees of one output stream: a part of it, or a link to it."""

import base64
from typing import Annotated, Literal, NotRequired, TypedDict

from pydantic import Field

from functions.http.openapi.bodies import Time, Uuid
from functions.messages.evidence import Count
from functions.submissions.model import Status, Submission
from functions.submissions.results.views import Encoding, StreamName


class OutputPart(TypedDict):
    """A part of one output stream, from the offset `after`. Ask again with `after` = `next` until `final`."""

    id: Uuid
    status: Status
    stream: StreamName
    after: Count
    output: Annotated[str, Field(description="Text; base64 with `encoding`. Empty: there was none in time.")]
    encoding: NotRequired[
        Annotated[Literal["base64"], Field(description="If it is not UTF-8, or ?encoding=base64 asks for it.")]
    ]
    next: Annotated[Count, Field(description="The offset of the next byte.")]
    final: Annotated[bool, Field(description="The run is finished, and this is the end of its output.")]


class OutputLink(TypedDict):
    """Where to get an output of more than 4 MiB: send this request as it is, without an API key."""

    size: Annotated[int, Field(description="In bytes.")]
    url: str
    method: Literal["GET"]
    expires_at: Time


def output_part(
    submission: Submission, stream: StreamName, after: int, content: bytes, *, is_end: bool, encoding: Encoding | None
) -> OutputPart:
    """Return a part of the output. `is_end`: of a final submission, with nothing after it."""
    shown, text = content, None
    if encoding is None:
        shown, text = _whole_text(content, is_end=is_end)
    part: OutputPart = {
        "id": submission.submission_id,
        "status": submission.status,
        "stream": stream,
        "after": after,
        "output": base64.b64encode(shown).decode() if text is None else text,
        "next": after + len(shown),
        "final": is_end,
    }
    if text is None:
        part["encoding"] = "base64"
    return part


def _whole_text(content: bytes, *, is_end: bool) -> tuple[bytes, str | None]:
    """Return bytes and their text; None: they are not UTF-8. The beginning of a character waits for its rest."""
    try:
        return content, content.decode()
    except UnicodeDecodeError as error:
        is_unfinished = error.reason == "unexpected end of data" and not is_end
        if is_unfinished and error.start > 0:
            return content[: error.start], content[: error.start].decode()
        return content, None


def output_link(size: int, url: str, expires_at: str) -> OutputLink:
    """Return where to get a large output."""
    return {"size": size, "url": url, "method": "GET", "expires_at": expires_at}

"""A form with files, as RFC 7578 has it. Its size is bounded before it is read, and its parts are not parsed again."""

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote

from functions.errors import BadRequestError, UnsupportedMediaTypeError
from functions.files.model import DEFAULT_MEDIA_TYPE, MEDIA_TYPE_MAX_CHARS, MEDIA_TYPE_PATTERN
from functions.http.http_event import HttpEvent, raw_body

FORM_MAX_BYTES: Final = 4 * 1024 * 1024
"""A function's request has at most 6 MB, in base64."""
PARTS_MAX: Final = 64
_HEAD_MAX_BYTES: Final = 4_096
_BOUNDARY = re.compile(r';\s*boundary=(?:"([^"]{1,70})"|([^\s";]{1,70}))', re.IGNORECASE)
_PARAMETER = re.compile(r';\s*(filename\*?)=(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))', re.IGNORECASE)
_MEDIA_TYPE = re.compile(MEDIA_TYPE_PATTERN, re.ASCII)
_PLAIN: Final = frozenset({"", "7bit", "8bit", "binary"})


@dataclass(frozen=True, slots=True)
class SentFile:
    """One file of a form. `name`: as the client sent it; it may be anything."""

    name: str
    media_type: str
    content: bytes = field(repr=False)


def read_form(event: HttpEvent) -> tuple[SentFile, ...]:
    """Return the files in the form of a request: its other parts say whose they are, which the key does here.

    Raises UnsupportedMediaTypeError, TooLargeError, BadRequestError.
    """
    content_type = event.headers.get("content-type") or ""
    found = _BOUNDARY.search(content_type)
    if found is None or content_type.partition(";")[0].strip().lower() != "multipart/form-data":
        raise UnsupportedMediaTypeError("Send the files as multipart/form-data with a boundary.")
    delimiter = f"\r\n--{found[1] or found[2]}".encode()
    pieces = (b"\r\n" + raw_body(event, FORM_MAX_BYTES)).split(delimiter, PARTS_MAX + 1)
    if len(pieces) < 2 or not pieces[-1].startswith(b"--"):  # noqa: PLR2004 - what is before the first part, and the end
        raise BadRequestError(f"The form is cut, or has over {PARTS_MAX} parts.")
    files = []
    for piece in pieces[1:-1]:
        head, is_whole, content = piece.partition(b"\r\n\r\n")
        if not is_whole or not head.startswith(b"\r\n") or len(head) > _HEAD_MAX_BYTES:
            raise BadRequestError("A part of the form has no head, or a wrong one.")
        headers = _headers(head)
        if name := _filename(headers.get("content-disposition", "")):
            files.append(SentFile(name, _media_type(headers.get("content-type", "")), content))
    return tuple(files)


def _headers(head: bytes) -> dict[str, str]:
    try:
        lines = [line.partition(":") for line in head.decode().split("\r\n") if line]
    except UnicodeDecodeError:
        raise BadRequestError("The head of a part of the form is not UTF-8.") from None
    headers = {name.strip().lower(): value.strip() for name, _, value in lines}
    if headers.get("content-transfer-encoding", "").lower() not in _PLAIN:
        raise BadRequestError("Send the parts of a form as they are, without a transfer encoding.")
    return headers


def _filename(disposition: str) -> str:
    """Return the file name in a Content-Disposition. Browsers write a quote as %22, older clients with a backslash."""
    names = {
        name.lower(): re.sub(r"\\(.)", r"\1", quoted).replace("%22", '"') or bare
        for name, quoted, bare in _PARAMETER.findall(disposition)
    }
    return unquote(names.get("filename*", "").rpartition("'")[2]) or names.get("filename", "")


def _media_type(sent: str) -> str:
    plain = sent.partition(";")[0].strip().lower()
    is_plain = len(plain) <= MEDIA_TYPE_MAX_CHARS and _MEDIA_TYPE.fullmatch(plain)
    return plain if is_plain else DEFAULT_MEDIA_TYPE

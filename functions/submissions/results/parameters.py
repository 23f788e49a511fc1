"""Query parameters of results and their list. All functions raise BadRequestError."""

import re

from events.vocabulary import Verdict, canonical
from functions.errors import BadRequestError
from functions.http.parameters import Parameters
from functions.submissions.model import Kind, Status
from functions.submissions.results.views import Shape, StreamName

_OFFSET = re.compile(r"[0-9]{1,10}")


def result_shape(parameters: Parameters) -> Shape:
    """Read `encoding` and `view` of a result."""
    encoding, view = parameters.get("encoding"), parameters.get("view")
    if encoding not in {None, "base64"}:
        raise BadRequestError("encoding must be base64, or be left out.")
    if view not in {None, "compact"}:
        raise BadRequestError("view must be compact, or be left out.")
    return Shape(None if encoding is None else "base64", view is not None)


def output_stream(parameters: Parameters) -> StreamName:
    """Read `stream` of a part of the output."""
    stream = parameters.get("stream")
    if stream == "stdout":
        return "stdout"
    if stream == "stderr":
        return "stderr"
    raise BadRequestError("stream must be stdout or stderr.")


def output_offset(parameters: Parameters) -> int:
    """Read `after` of a part of the output."""
    text = parameters.get("after", "0")
    if not _OFFSET.fullmatch(text):
        raise BadRequestError("after must be a whole number of bytes: 0, or `next` of the answer before.")
    return int(text)


def list_filters(parameters: Parameters) -> dict[str, str]:
    """Read the filters of the list of results: attribute -> value."""
    filters = {name: parameters[name] for name in ("status", "verdict", "language") if name in parameters}
    if filters.get("status", Status.PENDING) not in list(Status):
        raise BadRequestError(f"status must be one of {', '.join(Status)}.")
    if filters.get("verdict", Verdict.AC) not in list(Verdict):
        raise BadRequestError(f"verdict must be one of {', '.join(Verdict)}.")
    if "language" in filters:
        language = canonical(filters["language"])
        if language is None:
            raise BadRequestError("language must be one that GET /api/languages lists.")
        filters["language"] = language.value
    return filters


def list_kind(parameters: Parameters) -> Kind | None:
    """Read the filter `kind` of the list of results."""
    kind = parameters.get("kind")
    if kind not in {None, *Kind}:
        raise BadRequestError(f"kind must be {' or '.join(Kind)}.")
    return None if kind is None else Kind(kind)

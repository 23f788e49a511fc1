"""Custom headers of an endpoint: allowed names and values.

We refuse headers that frame the message, are hop-by-hop (RFC 9110, section 7.6.1), are set by us, carry cookies, state
the origin of a request, or give access to a cloud's metadata service. `authorization` is allowed over https only: it is
the receiver's own credential. Error messages name headers and never quote a value.
"""

import re
from collections.abc import Mapping

from functions.errors import FieldProblem
from functions.webhooks.endpoints.model import HIDDEN

MAX_HEADERS = 16
MAX_NAME_CHARS = 64
MAX_VALUE_CHARS = 1_024
MAX_TOTAL_CHARS = 4_096

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")  # RFC 9110, section 5.6.2, in lower case
_VALUE = re.compile(r"[!-~]([ !-~]*[!-~])?")
_REFUSED = frozenset(
    {
        *("connection", "keep-alive", "te", "trailer", "trailers", "transfer-encoding", "upgrade", "http2-settings"),
        *("host", "expect", "accept-encoding", "user-agent", "date"),
        *("cookie", "cookie2", "set-cookie", "set-cookie2"),
        *("forwarded", "via", "x-real-ip"),
        *("metadata", "metadata-flavor", "x-google-metadata-request"),
    }
)
_REFUSED_PREFIXES = ("proxy-", "content-", "webhook-", "x-forwarded-", "x-aws-ec2-metadata-")


def normalise_headers(given: Mapping[str, str], *, scheme: str) -> tuple[dict[str, str], list[FieldProblem]]:
    """Return the headers with lower-case names, and their problems. `scheme`: of the endpoint's URL."""
    # The lower case of some non-ASCII letters is ASCII: U+212A becomes k.
    headers = {name.lower() if name.isascii() else name: value for name, value in given.items()}
    problems = []
    if len(given) > MAX_HEADERS:
        problems.append(FieldProblem("headers", f"At most {MAX_HEADERS} headers."))
    if len(headers) != len(given):
        problems.append(FieldProblem("headers", "A name appears twice, in different cases."))
    if sum(len(name) + len(value) for name, value in headers.items()) > MAX_TOTAL_CHARS:
        problems.append(FieldProblem("headers", f"At most {MAX_TOTAL_CHARS:,} characters of names and values."))
    for name, value in list(headers.items())[:MAX_HEADERS]:
        wrong = _wrong_name(name, scheme) or _wrong_value(value)
        if wrong is not None:
            problems.append(FieldProblem(f"headers.{_shown(name)}", wrong))
    return headers, problems


def _wrong_name(name: str, scheme: str) -> str | None:
    if not _TOKEN.fullmatch(name) or len(name) > MAX_NAME_CHARS:
        return f"The name must be an HTTP token of 1 to {MAX_NAME_CHARS} characters."
    if name in _REFUSED or name.startswith(_REFUSED_PREFIXES):
        return "This header cannot be customised."
    if name == "authorization" and scheme != "https":
        return "This header is sent over https only."
    return None


def _wrong_value(value: str) -> str | None:
    if value == HIDDEN:
        return f"{HIDDEN} keeps a stored value, and this header has none. Send the value."
    if not _VALUE.fullmatch(value) or len(value) > MAX_VALUE_CHARS:
        return f"The value must be 1 to {MAX_VALUE_CHARS:,} visible ASCII characters, with spaces only between them."
    return None


def _shown(name: str) -> str:
    """Shorten a name for an error message. It comes from the client: it may be long or hold a lone surrogate."""
    return name.encode(errors="replace").decode()[:MAX_NAME_CHARS]

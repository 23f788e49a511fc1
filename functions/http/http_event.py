"""One HTTP request, and its JSON body."""

import base64
import binascii
import re
from collections.abc import Callable, Collection, Mapping
from functools import cached_property
from typing import Literal, NamedTuple

from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2

from functions.errors import BadRequestError, TooLargeError, UnsupportedMediaTypeError
from functions.http.rights import Right

BODY_MAX_BYTES = 1_048_576
_LENGTH = re.compile(r"[0-9]{1,18}", re.ASCII)
_CORRELATION_ID = re.compile(r"[0-9A-Za-z._~:=+/-]{1,128}", re.ASCII)
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)


class Caller(NamedTuple):
    """Whose key a request has. An API key has a prefix, its first characters, and perhaps a name."""

    by: Literal["key", "administrator"]
    key_prefix: str | None = None
    key_name: str | None = None


class HttpEvent(APIGatewayProxyEventV2):
    """One request. `rate_limit_headers` returns the RateLimit headers; None without a valid key.

    `known_parameters`: the names of the route's query parameters. `rights`: those of a key that open the route.
    `granted`: those of the key of this request.
    """

    rate_limit_headers: Callable[[], Mapping[str, str]] | None = None
    known_parameters: frozenset[str] = frozenset()
    rights: tuple[Right, ...] = ()
    caller: Caller  # once the key is checked
    granted: Collection[str] = ()

    @property
    def path(self) -> str:
        """The path without the stage; `/` for the stage alone, `/prod`."""
        return super().path or "/"

    @cached_property
    def headers(self) -> dict[str, str]:
        """The headers, by names in any case. Powertools would make a new dictionary each time."""
        return super().headers

    @property
    def correlation_id(self) -> str:
        """The id of every log line of this request and of its submission, from request to webhook.

        The client's X-Request-Id, or the gateway's id of the request if there is none or it is malformed.
        """
        given = self.headers.get("x-request-id") or ""
        return given if _CORRELATION_ID.fullmatch(given) else self.request_context.request_id

    @property
    def source(self) -> str:
        """Which client of this project sent it, as that says itself: `console` or `cli`; `api` for all others."""
        if self.headers.get("x-rustbox-client") == "console":
            return "console"
        return "cli" if (self.headers.get("user-agent") or "").startswith("rustbox-cli/") else "api"

    @property
    def traceparent(self) -> str | None:
        """The client's trace, if it is well-formed: https://www.w3.org/TR/trace-context/ ignores any other."""
        given = self.headers.get("traceparent") or ""
        return given if _TRACEPARENT.fullmatch(given) else None


def json_body(event: APIGatewayProxyEventV2, max_bytes: int = BODY_MAX_BYTES) -> bytes:
    """Return the bytes of a JSON body. Raises UnsupportedMediaTypeError, TooLargeError, BadRequestError."""
    media_type = (event.headers.get("content-type") or "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise UnsupportedMediaTypeError("Send the body as JSON, with content-type: application/json.")
    return raw_body(event, max_bytes)


def raw_body(event: APIGatewayProxyEventV2, max_bytes: int) -> bytes:
    """Return the bytes of a body of any type. Raises TooLargeError, also before it is decoded, BadRequestError."""
    text, length = event.body or "", event.headers.get("content-length") or ""
    # The gateway of one machine then has not read it. Base64 makes a body a third longer.
    if len(text) > max_bytes * 2 or (_LENGTH.fullmatch(length) and int(length) > max_bytes):
        raise _too_large(max_bytes)
    try:
        # A lone surrogate from the gateway's own JSON becomes invalid UTF-8, which the JSON parser refuses.
        raw = base64.b64decode(text, validate=True) if event.is_base64_encoded else text.encode(errors="surrogatepass")
    except (binascii.Error, ValueError):
        raise BadRequestError("The body does not match its encoding.") from None
    if len(raw) > max_bytes:
        raise _too_large(max_bytes)
    return raw


def _too_large(max_bytes: int) -> TooLargeError:
    return TooLargeError(f"The body is larger than {max_bytes:,} bytes.")

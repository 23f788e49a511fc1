"""One protocol of another service, as an adapter describes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from functions.http.route import Route

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from functions.http.route import Method


class Dialect(NamedTuple):
    """One protocol. All its paths are `/<name>` or below.

    `key_header`: its own header for the API key, in lower case. X-API-Key and `Authorization: Bearer` work as well.
    `error`: turns our status and error body into those of the protocol.
    """

    name: str
    key_header: str
    error: Callable[[int, Mapping[str, Any]], tuple[int, Any]]


def row[Part](method: Method, path: str, serve: Callable[..., Any]) -> Route[Part]:
    """Return one route of a dialect. Our OpenAPI document leaves it out: the protocol has documents of its own."""
    return Route(method, path, serve, "", "", {})


def without_heading(language: str, stderr: bytes) -> bytes:
    """Return a compiler's text without our heading."""
    return stderr.removeprefix(f"{language} Compilation Error:\n".encode())

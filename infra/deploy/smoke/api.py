"""The deployed HTTP API, as a client sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import httpx

from infra.deploy.errors import DeployError

if TYPE_CHECKING:
    from types import TracebackType

    from infra.deploy.target import Target

_TIMEOUT_SECS = 40
"""More than the 30 s after which an HTTP API gives up."""


def address(target: Target, api_id: str, api_url: str) -> str:
    """Return the base URL that this machine can reach.

    The host names that emulators give (`<id>.execute-api.localhost`) do not resolve everywhere; this path works.
    """
    return api_url if target.endpoint is None else f"{target.endpoint}/_aws/execute-api/{api_id}"


class Api:
    """Calls with one header for authentication. Use as a context manager. Methods raise DeployError."""

    def __init__(self, base_url: str, header: str, key: str) -> None:
        self._base_url = base_url
        self._client = httpx.Client(headers={header: key}, timeout=_TIMEOUT_SECS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def status(self, method: str, path: str) -> int:
        """Return the status of a call without a body; 0 if there was no answer."""
        try:
            return self._client.request(method, self._base_url + path).status_code
        except httpx.HTTPError:
            return 0

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the JSON object of a successful answer."""
        try:
            response = self._client.request(method, self._base_url + path, json=body)
        except httpx.HTTPError as error:
            raise DeployError(f"{method} {path} got no answer ({error}): look at the function's log group") from error
        if not response.is_success:
            raise DeployError(f"{method} {path} answered {response.status_code}: {response.text[:300]}")
        answer: dict[str, Any] = response.json()
        return answer

    def follow(self, link: dict[str, Any], content: bytes | None = None) -> bytes:
        """Send the request that an answer describes, such as a presigned URL. Return the body of its answer.

        `link`: `method`, `url` and perhaps `headers`. The key is not sent: the address may be of another service.
        """
        method, url = link["method"], link["url"]
        where = f"{method} {url.partition('?')[0]}"  # without the signature
        try:
            response = httpx.request(method, url, headers=link.get("headers"), content=content, timeout=_TIMEOUT_SECS)
        except httpx.HTTPError as error:
            raise DeployError(f"{where} got no answer ({error}): repeat the command") from error
        if not response.is_success:
            raise DeployError(f"{where} answered {response.status_code}: {response.text[:300]}")
        return response.content

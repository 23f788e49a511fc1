"""The deployed HTTP API, as a client sees it."""

from types import TracebackType
from typing import Any, Self

import httpx

from infra.deploy.stack import find_secret, write_secret
from infra.deploy.target import DeployError, Target

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


# The projects that a deployment creates: the first one, for its owner, and the one of the smoke test.

FIRST = "first project"
SMOKE_TEST = "smoke test of make deploy"


def create_first_project(admin: Api) -> str | None:
    """Create the first project. Return its key, which the API shows only now; None if there is a project already."""
    if any(project["name"] != SMOKE_TEST for project in _projects(admin)):
        return None
    return _new_key(admin, _create(admin, FIRST))


def smoke_test_key(target: Target, admin: Api, base_url: str) -> str:
    """Return a key for smoke tests. It is kept in SSM: each project has at most 100 keys, revoked ones included."""
    name = f"/rustbox/{target.stage}/smoke-test-key"
    key = find_secret(target, name)
    if key is not None:
        with Api(base_url, "X-API-Key", key) as api:
            if api.status("GET", "/api/results?limit=1") == 200:  # noqa: PLR2004 - the key is valid
                return key
    found = [project["id"] for project in _projects(admin) if project["name"] == SMOKE_TEST]
    key = _new_key(admin, found[0] if found else _create(admin, SMOKE_TEST))
    write_secret(target, name, key)
    return key


def _projects(admin: Api) -> list[dict[str, Any]]:
    """Return the newest projects: one page, which is enough to tell whether there is any."""
    found: list[dict[str, Any]] = admin.call("GET", "/api/projects?limit=100")["items"]
    return found


def _create(admin: Api, name: str) -> str:
    return str(admin.call("POST", "/api/projects", {"name": name})["id"])


def _new_key(admin: Api, project_id: str) -> str:
    return str(admin.call("POST", f"/api/projects/{project_id}/keys")["key"])

"""The projects that a deployment creates: the first one, for its owner, and the one of the smoke test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra.deploy.resources.secrets import find_secret, write_secret
from infra.deploy.smoke.api import Api

if TYPE_CHECKING:
    from infra.deploy.target import Target

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

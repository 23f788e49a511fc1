"""The first steps of an administrator after `make serve`."""

import re

import httpx

from tests.system.local_stack import LocalStack

ADMIN_KEY = re.compile(r"rustbox: the administrator's key, shown only now: (\S+)")


def admin_keys(local: LocalStack) -> list[str]:
    """Return the administrator's keys that the stack has shown."""
    return ADMIN_KEY.findall(local.log_path.read_text(encoding="utf-8"))


def first_project(local: LocalStack, admin_key: str) -> str:
    """Create a project and return its key."""
    headers = {"X-Admin-Key": admin_key}
    with httpx.Client(base_url=local.url, headers=headers, trust_env=False, timeout=40) as admin:
        created = admin.post("/api/projects", json={"name": "first"})
        assert created.status_code == httpx.codes.OK, created.text
        issued = admin.post(f"/api/projects/{created.json()['id']}/keys")
        return str(issued.json()["key"])

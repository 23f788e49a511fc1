"""Through the gateway of one machine, every route refuses every key without a right for it: keys as issued by HTTP."""

import pytest

from functions.handlers import api_document
from functions.http.rights import RIGHTS
from functions.ids import new_id
from tests.system.local_stack import ADMIN_KEY, LocalStack

ROUTES = [route for route in api_document.ROUTES if route.security == "ApiKey"]


@pytest.mark.parametrize("right", RIGHTS)
def test_every_route_refuses_a_key_without_a_right_for_it(stack: LocalStack, right: str) -> None:
    project = f"rights-{right}"
    stack.add_project(project)
    with stack.client(None) as client:
        path, headers = f"/api/projects/{project}/keys", {"X-Admin-Key": ADMIN_KEY}
        issued = client.post(path, json={"rights": [right]}, headers=headers).raise_for_status().json()
    closed = [route for route in ROUTES if right not in route.rights]
    assert len(closed) > len(ROUTES) / 3
    with stack.client(issued["key"]) as client:
        assert client.get("/api/key").json()["rights"] == [right]
        for route in closed:
            path = route.path.replace("{path+}", "a/b")
            for variable in ("id", "name", "sha256", "call", "number", "index"):
                path = path.replace(f"{{{variable}}}", new_id())
            answer = client.request(route.method, path, content=b"{")
            assert answer.status_code == 403, (route.key, answer.text)
            assert route.method == "HEAD" or "lacks the right" in answer.json()["message"], route.key

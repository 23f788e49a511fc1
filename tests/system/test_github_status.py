"""The example of a commit status, as typed: a signed push runs a check, whose end is told to a GitHub of this test."""

import json
from pathlib import Path

import httpx
import pytest

from tests.system.local_stack import LocalStack, wait_until
from tests.system.pages import Shell, blocks, copy_example
from tests.system.webhook_inbox import open_inbox


def test_a_push_sets_the_status_of_its_commit_although_github_fails_at_first(
    stack: LocalStack, client: httpx.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_example("github-status", tmp_path, monkeypatch)
    with open_inbox([502, 201]) as github:
        with (tmp_path / "checks.yaml").open("a") as checks:
            checks.write(f"        api_url: {github.url.rstrip('/')}\n")
        with Shell(tmp_path, stack.url, {"http://127.0.0.1:4096": stack.url}) as bash:
            printed = [bash.run(block) for block in blocks("examples/github-status/README.md")]
            check = bash.variable("CHECK")
        assert json.loads(printed[-1])["status"] == "queued"
        wait_until(lambda: len(github.all()) == 2, 100, "the status is sent again")
    first, second = github.all()
    assert first.body == second.body
    assert second.headers["authorization"] == "Bearer github_pat_example"
    status = json.loads(second.body)
    assert (status["state"], status["context"]) == ("success", "rustbox/commits")
    deliveries = client.get("/api/deliveries").json()["items"]
    (report,) = [one for one in deliveries if one["type"] == "check.report"]
    wait_until(
        lambda: client.get(f"/api/deliveries/{report['id']}").json()["state"] == "delivered", 30, "the second attempt"
    )
    client.delete(f"/api/checks/{check}")

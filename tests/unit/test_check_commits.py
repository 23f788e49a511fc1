"""The commit of a GitHub event: what becomes part of a URL has its strict form, or there is none."""

from typing import Any

import pytest

from functions.checks.runs.run import Commit, commit_of

SHA = "6dcb09b5b57875f334f61aebed695e2e4193db5e"


def push(**changes: Any) -> dict[str, Any]:
    return {"ref": "refs/heads/main", "after": SHA, "repository": {"full_name": "octo-org/Hello.World"}} | changes


def pull_request(sha: Any = SHA) -> dict[str, Any]:
    head = {"sha": sha, "repo": {"full_name": "evil/fork"}}
    return {"pull_request": {"head": head}, "repository": {"full_name": "octo-org/hello"}}


@pytest.mark.parametrize(
    ("event_type", "document", "commit"),
    [
        ("push", push(), Commit("octo-org/Hello.World", SHA)),
        ("push", push(after="a" * 64), Commit("octo-org/Hello.World", "a" * 64)),
        ("push", push(repository={"full_name": "octo_corp/a"}), Commit("octo_corp/a", SHA)),
        ("pull_request.opened", pull_request(), Commit("octo-org/hello", SHA)),
        ("pull_request.synchronize", pull_request(), Commit("octo-org/hello", SHA)),
    ],
)
def test_a_push_and_a_pull_request_name_a_commit_of_their_repository(
    event_type: str, document: Any, commit: Commit
) -> None:
    assert commit_of(event_type, document) == commit


@pytest.mark.parametrize("event_type", ["", "ping", "pushed", "issues.opened", "pull_request_review.submitted"])
def test_other_events_name_no_commit(event_type: str) -> None:
    assert commit_of(event_type, push() | pull_request()) is None


@pytest.mark.parametrize(
    "sha", [None, 1, "", "main", "0" * 40, SHA[:-1], SHA + "0", SHA.upper(), f"{SHA}\n", f"../{SHA[3:]}"]
)
def test_a_hash_of_another_form_is_none(sha: Any) -> None:
    assert commit_of("push", push(after=sha)) is None
    assert commit_of("pull_request.opened", pull_request(sha)) is None


@pytest.mark.parametrize(
    "name",
    [
        *(None, 7, "", "octo", "/hello", "octo/", "octo/..", "octo/.", "../octo", "octo/a/b", "octo/a?x=1", "octo/a#b"),
        *("octo/a b", "octo/é", "octo/a\n", "octo/a%2f", "@octo/a", "octo@evil.example/a", "o" * 101 + "/a"),
        *("octo/" + "a" * 101, ".octo/a", "-octo/a"),
    ],
)
def test_a_repository_of_another_form_is_none(name: Any) -> None:
    assert commit_of("push", push(repository={"full_name": name})) is None


@pytest.mark.parametrize("document", [None, [], "x", {}, {"repository": "octo/a"}, {"repository": [], "after": SHA}])
def test_a_body_of_another_form_names_no_commit(document: Any) -> None:
    assert commit_of("push", document) is None
    assert commit_of("pull_request.opened", document) is None

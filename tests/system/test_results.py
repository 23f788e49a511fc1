"""List, filters, deletion; and what a submission may carry."""

import uuid
from typing import Any

import httpx
import pytest

from tests.system.local_stack import LocalStack, final_result, run


def test_list_pages_through_everything_newest_first(stack: LocalStack) -> None:
    with stack.client(stack.add_project(f"list-{uuid.uuid4()}")) as client:
        ids = [
            client.post("/api/submit", json={"language": "python", "code": f"print({n})"}).json()["id"]
            for n in range(7)
        ]
        seen: list[str] = []
        cursor, pages = None, 0
        while True:
            page = client.get("/api/results", params={"limit": "3", **({"cursor": cursor} if cursor else {})}).json()
            seen += [item["id"] for item in page["items"]]
            pages += 1
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert seen == ids[::-1]
        assert pages == 3


def test_list_shows_only_the_own_project(client: httpx.Client, other_client: httpx.Client) -> None:
    mine = run(client, "print(1)")["id"]
    theirs = run(other_client, "print(2)")["id"]
    listed = {item["id"] for item in other_client.get("/api/results", params={"limit": "100"}).json()["items"]}
    assert theirs in listed
    assert mine not in listed


def test_list_filters_by_status_verdict_and_language(stack: LocalStack) -> None:
    with stack.client(stack.add_project(f"filter-{uuid.uuid4()}")) as client:
        accepted = run(client, "print(1)")["id"]
        failed = run(client, "raise SystemExit(3)")["id"]
        in_c = run(client, "int main(void){return 0;}", "c")["id"]

        def ids(**params: str) -> set[str]:
            return {item["id"] for item in client.get("/api/results", params=params).json()["items"]}

        assert ids(verdict="RE") == {failed}
        assert ids(language="c") == {in_c}
        assert ids(verdict="AC", language="python") == {accepted}
        assert ids(status="completed") == {accepted, failed, in_c}
        assert ids(status="pending") == set()


@pytest.mark.parametrize(
    "params",
    [{"limit": "0"}, {"limit": "101"}, {"limit": "x"}, {"cursor": "garbage"}, {"status": "done"}, {"verdict": "OK"}],
)
def test_list_refuses_bad_parameters(client: httpx.Client, params: dict[str, str]) -> None:
    response = client.get("/api/results", params=params)
    assert (response.status_code, response.json()["error"]) in {(400, "bad_request"), (422, "invalid")}


def test_cursor_of_another_project_reveals_nothing(client: httpx.Client, other_client: httpx.Client) -> None:
    for number in range(2):
        run(client, f"print({number})")
    cursor = client.get("/api/results", params={"limit": "1"}).json()["next_cursor"]
    response = other_client.get("/api/results", params={"cursor": cursor})
    mine = {item["id"] for item in client.get("/api/results", params={"limit": "100"}).json()["items"]}
    assert response.status_code in {200, 400}
    if response.status_code == 200:
        assert not mine & {item["id"] for item in response.json()["items"]}


def test_deleted_submission_is_gone_with_its_output(stack: LocalStack, client: httpx.Client) -> None:
    program = {"language": "python", "code": "import sys; sys.stdout.write('x' * 1000000)", "stdin": "s" * 200_000}
    submission_id = client.post("/api/submit", json=program).json()["id"]
    final_result(client, submission_id, 60)
    s3 = stack.aws("s3")

    def objects() -> list[str]:
        listed = s3.list_objects_v2(Bucket="rustbox-local-payloadsbucket").get("Contents", [])
        return [item["Key"] for item in listed if submission_id in item["Key"]]

    assert len(objects()) >= 2
    response = client.delete(f"/api/result/{submission_id}")
    assert (response.status_code, response.json()) == (200, {"id": submission_id, "deleted": True})
    assert objects() == []
    for path in ("", "/stdout", "/stderr"):
        assert client.get(f"/api/result/{submission_id}{path}").status_code == 404
    assert client.delete(f"/api/result/{submission_id}").status_code == 404


@pytest.mark.parametrize(
    ("alias", "language", "code"),
    [
        ("PY", "python", "print(1)"),
        ("Python", "python", "print(1)"),
        ("js", "javascript", "console.log(1)"),
        ("C", "c", '#include <stdio.h>\nint main(void){puts("1");return 0;}'),
    ],
)
def test_alias_is_answered_with_the_canonical_name(client: httpx.Client, alias: str, language: str, code: str) -> None:
    result = run(client, code, alias)
    assert (result["language"], result["stdout"]) == (language, "1\n")


def test_compile_error_comes_back_as_the_contract_says(client: httpx.Client) -> None:
    result = run(client, "int main(void){ return x; }", "c")
    assert (result["verdict"], result["result"]["cause"], result["result"]["phase"]) == (
        "RE",
        "ce_compile_failed",
        "compile",
    )
    assert (result["stdout"], result["error_message"]) == ("", "compilation failed")
    assert result["stderr"].lower().startswith("c compilation error:\n")


def test_a_source_that_comes_again_is_not_compiled_again_but_for_another_project(
    client: httpx.Client, other_client: httpx.Client
) -> None:
    add = f"""#include <stdio.h>
const char *const nobody_sent_this_before = "{uuid.uuid4()}";
int main(void) {{ int number; return scanf("%d", &number) != 1 || printf("%d", number + 1) < 0; }}
"""
    seen = []
    for sender, stdin in ((client, "1"), (client, "2"), (other_client, "3"), (client, "4")):
        result = run(sender, add, "c", stdin=stdin)
        seen.append((result["verdict"], result["stdout"], result["metrics"]["compile_cached"]))
        assert (result["metrics"]["compile_ms"] > 0, result["evidence"]["controls_missing"]) == (True, [])
    assert seen == [("AC", "2", False), ("AC", "3", True), ("AC", "4", False), ("AC", "5", True)]


def test_limits_and_unknown_fields(client: httpx.Client) -> None:
    job: dict[str, Any] = {"limits": {"wall_time_secs": 1}, "unheard_of": {"x": [1]}}
    result = run(client, "import time; time.sleep(5)", **job)
    assert (result["verdict"], result["result"]["cause"]) == ("TLE", "tle_wall_judge")
    assert result["exit_code"] is None


def test_metadata_at_its_bounds_is_echoed(client: httpx.Client) -> None:
    metadata = {f"key{number:02}": "v" * 100 for number in range(16)}
    submission_id = client.post("/api/submit", json={"language": "python", "code": "1", "metadata": metadata}).json()[
        "id"
    ]
    assert final_result(client, submission_id)["metadata"] == metadata

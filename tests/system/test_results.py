"""Deletion, compile errors, the compile cache and limits, with the real runner."""

import uuid
from typing import Any

import httpx

from tests.system.local_stack import LocalStack, final_result, run, wait_until


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


def test_a_running_program_is_stopped_and_deleted_by_one_request(client: httpx.Client) -> None:
    program = {"language": "python", "code": "import time; time.sleep(60)"}
    submission_id = client.post("/api/submit", json=program).json()["id"]
    address = f"/api/result/{submission_id}"
    wait_until(lambda: client.get(address).json()["status"] == "running", 60, "the program runs")
    response = client.delete(address)
    assert (response.status_code, response.json()) == (200, {"id": submission_id, "deleted": True})


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


def test_a_limit_of_the_request_ends_the_run_and_an_unknown_field_is_ignored(client: httpx.Client) -> None:
    job: dict[str, Any] = {"limits": {"wall_time_secs": 1}, "unheard_of": {"x": [1]}}
    result = run(client, "import time; time.sleep(5)", **job)
    assert (result["verdict"], result["result"]["cause"]) == ("TLE", "tle_wall_judge")
    assert result["exit_code"] is None

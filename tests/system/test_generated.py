"""Requests generated from our own OpenAPI file: no server error, no answer that the file does not document."""

import json
import os
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.commands import run_to_end
from tests.system.local_stack import ADMIN_KEY, API_KEY, ROOT, LocalStack, run

pytestmark = pytest.mark.whole

_ANSWERED = re.compile(r" (\d{3}) \d+ ms$", re.MULTILINE)
"""The end of a line of the launcher's log about an answer."""
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


def _generate(local: LocalStack, document: dict[str, Any], directory: Path, phases: str) -> Counter[int]:
    """Send generated requests and return how often each status came."""
    (directory / "openapi.json").write_text(json.dumps(document), encoding="utf-8")
    before = local.log_path.stat().st_size
    finished = run_to_end(
        [
            *(ROOT / ".venv" / "bin" / "schemathesis", "run", "openapi.json", "--url", local.url),
            *("--header", f"X-API-Key: {API_KEY}", "--header", f"X-Admin-Key: {ADMIN_KEY}"),
            *("--checks", CHECKS, "--max-examples", "10", "--seed", "1"),
            *("--continue-on-failure", "--request-timeout", "40", "--workers", "2", "--no-shrink"),
            *("--phases", phases),
        ],
        cwd=directory,
        timeout=None,
        env={"PATH": os.environ["PATH"], "HOME": str(directory), "NO_PROXY": "127.0.0.1"},
    )
    assert finished.returncode == 0, finished.stdout[-6000:] + finished.stderr[-2000:] + local.log()
    logged = local.log_path.read_bytes()[before:].decode("utf-8", "replace")
    return Counter(map(int, _ANSWERED.findall(logged)))


@pytest.mark.timeout(400)
def test_generated_requests_meet_only_documented_answers(own_stack: Callable[..., LocalStack], tmp_path: Path) -> None:
    local = own_stack(
        WEBHOOK_RETRY_SECS="0", RUSTBOX_PARAM_OfferedLanguages="python,c,javascript", RUSTBOX_PROCESSES="2"
    )
    local.start()
    with local.client() as client:
        document = client.get("/api/openapi.json").json()
        target = {"webhook_url": f"{local.url}/nowhere", "webhook_secret": "secret"}
        finished = [run(client, f"print({number})", **target)["id"] for number in range(8)]
        endpoint = client.post("/api/webhooks", json={"url": target["webhook_url"]}).json()["id"]
        program = {"name": "generated", "language": "python", "code": "print(42)"}
        check = client.post("/api/checks", json=program).json()["id"]
        cases = [{"stdin": str(number)} for number in range(3)]
        judged = client.post("/api/judge", json={"language": "python", "code": "print(input())", "cases": cases}).json()
    project = "changed-at-random"
    local.add_project(project)
    deliveries = [f"{submission_id}.run" for submission_id in finished]
    known = {
        "projects": [project],
        "result": finished,
        "submissions": finished,
        "webhooks": [endpoint],
        "deliveries": deliveries,
        "checks": [check],
        "judge": [judged["id"]],
        "events": finished,
    }
    published = _generate(local, document, tmp_path, "fuzzing")
    # Once more with languages and ids that exist: at random both are never met, and nothing would run.
    document["components"]["schemas"]["SubmitRequest"]["properties"]["language"]["enum"] = ["python", "c", "js"]
    schemas = document["components"]["schemas"]
    schemas["CreateEndpointRequest"]["properties"]["url"] = {"type": "string", "enum": [target["webhook_url"]]}
    for path, operations in document["paths"].items():
        for operation in operations.values():
            for parameter in operation.get("parameters", []):
                if "{id}" in path and parameter["name"] == "id":
                    parameter["schema"] = {"type": "string", "enum": known[path.split("/{id}")[0].split("/")[-1]]}
    # Here also every value at the edge of a schema, and every wrong method, header and type.
    narrowed = _generate(local, document, tmp_path, "coverage,fuzzing")
    assert (published.total() >= 450, narrowed.total() >= 4000) == (True, True), (published, narrowed)
    statuses = published | narrowed
    assert not [status for status in statuses if status >= 500]
    assert {200, 202, 400, 401, 404, 405, 415, 422} <= set(statuses), statuses

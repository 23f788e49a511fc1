"""`make serve`: one machine in production."""

import json
import os
import re
import signal
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.embedded import services
from infra.embedded.engine import open_engine
from infra.local.settings import ADMIN_KEY as DEVELOPMENT_KEY
from infra.local.settings import ADMIN_KEY_PARAMETER
from tests.commands import run_to_end
from tests.system.first_project import ADMIN_KEY, admin_keys, first_project
from tests.system.local_stack import API_KEY, LocalStack, final_result, free_port, run, wait_until


@pytest.fixture
def served(own_stack: Callable[..., LocalStack]) -> LocalStack:
    local = own_stack(
        RUSTBOX_PUBLIC_URL="https://rustbox.example", RUSTBOX_METRICS_PORT=str(free_port()), SLOTS="2", SWEEP_SECS="1"
    )
    local.command = "serve"
    return local


def metrics(local: LocalStack) -> str:
    text = Path(f"/proc/{local.process.pid}/environ").read_text() if local.process else ""
    port = re.findall(r"RUSTBOX_METRICS_PORT=(\d+)", text)[0]
    return httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False, timeout=40).text


def submit(client: httpx.Client, **fields: Any) -> httpx.Response:
    return client.post("/api/submit", json={"language": "python", "code": "print(1)", **fields})


def test_from_the_first_start_to_a_restart_with_another_administrators_key(served: LocalStack) -> None:
    served.start()
    (admin_key,) = admin_keys(served)
    key = first_project(served, admin_key)
    with served.client(key) as client:
        assert run(client, "print('waited')")["stdout"] == "waited\n"
        polled = submit(client, code="print('polled')").json()["id"]
        assert final_result(client, polled)["stdout"] == "polled\n"
        for url in (
            "http://127.0.0.1:9/hook",
            "https://127.0.0.1/hook",
            "https://10.0.0.1/",
            "http://example.com/hook",
        ):
            refused = submit(client, webhook_url=url, webhook_secret="x")
            assert (refused.status_code, "webhook_url" in refused.text) == (422, True), (url, refused.text)
        refused = client.post("/api/webhooks", json={"url": "https://192.168.0.1/"})
        assert (refused.status_code, "url" in refused.text) == (422, True), refused.text
    with served.client(API_KEY) as client:
        assert submit(client).status_code == 401
        proxied = {"Host": "rustbox.example", "Origin": "https://console.example"}
        assert client.get("/api/health", headers=proxied).status_code == 200
    text = metrics(served)
    assert 'rustbox_http_requests_total{function="SubmitFunction",status="2xx"} 2\n' in text
    assert 'rustbox_queue_messages{queue="InteractiveQueue",state="visible"} 0\n' in text
    assert "rustbox_runner_slots 2\n" in text
    with served.client(key) as client, ThreadPoolExecutor(1) as threads:
        answer = threads.submit(run, client, "import time; time.sleep(4); print('done')")
        wait_until(lambda: len(client.get("/api/results").json()["items"]) == 3, 20, "it is accepted", served.log)
        assert served.stop(signal.SIGTERM) == 0  # waits for requests under way
        assert answer.result()["stdout"] == "done\n"
    lines = served.log_path.read_text(encoding="utf-8").splitlines()
    told = [json.loads(line) for line in lines if not line.startswith("rustbox: ")]
    assert all({"time", "level", "part", "message"} <= record.keys() for record in told)
    assert admin_key not in json.dumps(told)

    another_key = new_admin_key(served)
    served.start()  # a running stack takes the new key within a minute
    assert len(admin_keys(served)) == 1  # of the first start: the other one is in no log
    with served.client(key) as client:
        assert client.get(f"/api/result/{polled}").json()["stdout"] == "polled\n"
        assert run(client, "print('again')")["stdout"] == "again\n"
    with served.client(None) as admin:
        listed = admin.get("/api/projects", headers={"X-Admin-Key": another_key}).json()["items"]
        assert [project["name"] for project in listed] == ["first"]
        assert admin.get("/api/projects", headers={"X-Admin-Key": admin_key}).status_code == 401


def test_an_administrators_key_can_be_made_before_the_first_start(served: LocalStack) -> None:
    keys = [new_admin_key(served), new_admin_key(served)]
    assert keys[0] != keys[1]
    parameter = {"Name": ADMIN_KEY_PARAMETER, "WithDecryption": True}
    assert served.aws("ssm").get_parameter(**parameter)["Parameter"]["Value"] == keys[1]


def new_admin_key(local: LocalStack) -> str:
    made = run_to_end(
        [sys.executable, "-m", "infra.local", "admin-key"],
        env={**os.environ, "RUSTBOX_STATE_DIR": str(local.state_dir), "RUSTBOX_PUBLIC_URL": "https://x.example"},
        check=True,
    )
    (key,) = ADMIN_KEY.findall(made.stderr)
    return str(key)


# The others: tests/unit/test_local_production.py.
@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"RUSTBOX_PUBLIC_URL": ""}, "RUSTBOX_PUBLIC_URL must be the https://"),
        ({"RUSTBOX_PARAM_AllowInsecureWebhookTargets": "true"}, "AllowInsecureWebhookTargets"),
    ],
)
def test_an_unsafe_setting_says_so_in_one_line(tmp_path: Path, variables: dict[str, str], words: str) -> None:
    assert words in start_and_fail(tmp_path, **variables)


def test_a_folder_of_the_development_stage_is_refused(tmp_path: Path) -> None:
    engine = open_engine(tmp_path / "engine")
    parameter = {"Name": ADMIN_KEY_PARAMETER, "Value": DEVELOPMENT_KEY, "Type": "SecureString"}
    services.call(engine, "ssm", "PutParameter", parameter)
    engine.close()
    assert "this is a state of `make up`, whose keys are public" in start_and_fail(tmp_path)


def start_and_fail(state_dir: Path, **variables: str) -> str:
    own = {"RUSTBOX_STATE_DIR": str(state_dir), "PORT": str(free_port()), "RUSTBOX_PUBLIC_URL": "https://x.example"}
    finished = run_to_end([sys.executable, "-m", "infra.local", "serve"], env={**os.environ, **own, **variables})
    assert finished.returncode == 1, finished.stdout
    (line,) = finished.stderr.splitlines()
    return line

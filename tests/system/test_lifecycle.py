"""Start, stop and everything that can be in the way of them."""

import itertools
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from infra.embedded.engine import open_engine
from tests.commands import run_to_end
from tests.system.kill_run.killer import kill_tree
from tests.system.local_stack import API_KEY, LocalStack, final_result, free_port, run, traces, wait_until
from tests.system.pages import blocks
from tests.system.webhook_inbox import open_inbox


def _start_and_fail(**variables: str) -> str:
    """Start a launcher that must give up; return its one line."""
    finished = run_to_end([sys.executable, "-m", "infra.local", "up"], env={**os.environ, **variables})
    assert finished.returncode == 1, finished.stdout
    lines = finished.stderr.splitlines()
    assert len(lines) == 1, finished.stderr
    return lines[0]


@pytest.mark.parametrize(
    ("wrapper", "slots", "reason"),
    [
        ((), "0", "SLOTS must be an integer from 1 to"),
        (
            ("/usr/bin/setpriv", "--bounding-set", "-sys_admin", "--inh-caps", "-sys_admin"),
            "1",
            "this host cannot isolate",
        ),
    ],
    ids=["wrong setting", "no capability for namespaces"],
)
def test_runner_that_cannot_work_ends_the_start_with_its_reason(
    tmp_path: Path, wrapper: tuple[str, ...], slots: str, reason: str
) -> None:
    finished = run_to_end(
        [*wrapper, sys.executable, "-m", "infra.local", "up"],
        env={**os.environ, "RUSTBOX_STATE_DIR": str(tmp_path), "PORT": str(free_port()), "SLOTS": slots},
    )
    said = finished.stdout + finished.stderr
    assert finished.returncode == 1, said
    assert reason in said
    assert said.index(reason) < said.index("rb-runner cannot work, for the reason above")
    assert "starting another" not in said


def stop_without_traces(local: LocalStack, number: signal.Signals) -> None:
    """Stop a stack while a program runs: no process, mount or group of it stays."""
    runner = local.runner_pid()
    alive = traces(local.state_dir, {runner})
    assert alive["processes"] >= 2
    assert alive["groups"] >= 1
    with local.client() as client:
        client.post("/api/submit", json={"language": "python", "code": "import time; time.sleep(1)"})
    assert local.stop(number) == 0
    assert traces(local.state_dir, {runner}) == {"processes": 0, "mounts": 0, "groups": 0}


def test_state_survives_a_clean_restart(own_stack: Callable[..., LocalStack]) -> None:
    local = own_stack(SLOTS="1")
    local.start()
    with local.client() as client, open_inbox([500] * 3) as inbox:
        small = run(client, "print('small')")
        large = run(client, "print('l' * 1000000)")
        webhook = {"webhook_url": inbox.url, "webhook_secret": "x"}
        queued = [
            client.post(
                "/api/submit",
                json={"language": "python", "code": f"import time; time.sleep(0.5); print({n})", **webhook},
            ).json()["id"]
            for n in range(6)
        ]
        listed = client.get("/api/results").json()["items"]
        endpoint = client.post("/api/webhooks", json={"url": inbox.url, "enabled": False}).json()
        stop_without_traces(local, signal.SIGTERM)
        local.start()
        assert client.get(f"/api/result/{small['id']}").json()["stdout"] == "small\n"
        assert client.get(f"/api/result/{large['id']}/stdout").content == b"l" * 1_000_000 + b"\n"
        _, *kept = client.get("/api/results").json()["items"]  # the newest is of the stop
        assert [item["id"] for item in kept] == [item["id"] for item in listed]
        for number, submission_id in enumerate(queued):
            assert final_result(client, submission_id, 90)["stdout"] == f"{number}\n"
        wait_until(lambda: inbox.ids() == set(queued), 90, "every webhook", local.log)
        shown = client.post(f"/api/webhooks/{endpoint['id']}/test").json()
        assert shown["delivered"] is True
        (tested,) = inbox.of(shown["request"]["headers"]["webhook-id"])  # retries of the others may come after it
        assert Webhook(endpoint["secret"]).verify(tested.body, tested.headers)["endpoint_id"] == endpoint["id"]


@pytest.mark.whole  # the stage `kills` kills launchers
def test_the_state_survives_a_killed_launcher(own_stack: Callable[..., LocalStack]) -> None:
    local = own_stack()
    local.start()
    runner = local.runner_pid()
    with local.client() as client:
        result = run(client, "print('kept')")
        local.kill()
        local.start()
        assert local.runner_pid() != runner
        assert client.get(f"/api/result/{result['id']}").json()["stdout"] == "kept\n"
        assert run(client, "print('new')")["stdout"] == "new\n"
    stop_without_traces(local, signal.SIGINT)


@pytest.mark.whole  # and everything
def test_nothing_accepted_is_lost_when_everything_is_killed_under_load(own_stack: Callable[..., LocalStack]) -> None:
    local = own_stack(SLOTS="2")
    accepted: dict[str, str] = {}

    def submit(client: int) -> None:
        with local.client() as api:
            for number in itertools.count():
                text = f"{client}-{number}"
                code = f"import time\ntime.sleep(0.1)\nprint({text!r})"
                try:
                    response = api.post("/api/submit", json={"language": "python", "code": code})
                except httpx.TransportError:
                    return
                if response.status_code == 202:
                    accepted[response.json()["id"]] = f"{text}\n"

    for _ in range(2):
        local.start()
        before = len(accepted)
        with ThreadPoolExecutor(4) as clients:
            submits = [clients.submit(submit, client) for client in range(4)]
            wait_until(lambda before=before: len(accepted) > before + 30, 60, "submissions are accepted", local.log)  # type: ignore[misc]
            assert local.process is not None
            kill_tree(local.process)
        assert [submit.exception() for submit in submits] == [None] * 4
    local.start()
    with local.client() as client:
        for submission_id, stdout in accepted.items():
            result = final_result(client, submission_id, 120)
            assert (result["verdict"], result["stdout"]) == ("AC", stdout)


def test_a_server_of_aws_that_is_named_stops_the_start() -> None:
    line = _start_and_fail(AWS_ENDPOINT_URL="http://127.0.0.1:4566")
    assert "unset AWS_ENDPOINT_URL" in line
    assert "make deploy ENDPOINT=http://127.0.0.1:4566" in line


def test_a_damaged_file_says_so_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "engine").mkdir()
    (tmp_path / "engine" / "rustbox.sqlite").write_bytes(b"no database" * 1000)
    line = _start_and_fail(RUSTBOX_STATE_DIR=str(tmp_path), PORT=str(free_port()))
    assert "rustbox.sqlite" in line
    assert "restore a backup, or move the file aside" in line


def test_a_file_of_a_newer_version_says_so_in_one_line(tmp_path: Path) -> None:
    open_engine(tmp_path / "engine").close()
    with closing(sqlite3.connect(tmp_path / "engine" / "rustbox.sqlite")) as file:
        file.execute("PRAGMA user_version = 999")
    line = _start_and_fail(RUSTBOX_STATE_DIR=str(tmp_path), PORT=str(free_port()))
    assert "written by a newer version (schema 999" in line


def test_second_start_on_the_same_state_says_so_in_one_line(stack: LocalStack) -> None:
    line = _start_and_fail(RUSTBOX_STATE_DIR=str(stack.state_dir), PORT=str(stack.port))
    assert "already running" in line
    assert str(stack.state_dir) in line


def test_busy_port_says_so_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = _start_and_fail(RUSTBOX_STATE_DIR=str(tmp_path), PORT=str(port))
    assert f"port {port} is not free" in line
    assert "PORT=" in line


# The others: tests/unit/test_local_template.py.
@pytest.mark.parametrize(
    ("variables", "words"),
    [({"PORT": "banana"}, "PORT"), ({"RUSTBOX_STATE_DIR": "/proc/nowhere"}, "RUSTBOX_STATE_DIR")],
)
def test_unusable_setting_says_so_in_one_line(tmp_path: Path, variables: dict[str, str], words: str) -> None:
    assert words in _start_and_fail(**{"RUSTBOX_STATE_DIR": str(tmp_path), "PORT": str(free_port()), **variables})


def test_without_root_one_line_names_the_way_out(tmp_path: Path) -> None:
    finished = run_to_end(
        [sys.executable, "-m", "infra.local", "up"],
        user=65534,
        group=65534,
        extra_groups=[],
        env={**os.environ, "RUSTBOX_STATE_DIR": str(tmp_path)},
    )
    assert finished.returncode == 1
    assert finished.stderr.count("\n") == 1
    assert "root" in finished.stderr


def test_a_start_prints_calm_lines_and_last_the_address_the_keys_and_a_command_that_works(
    own_stack: Callable[..., LocalStack],
) -> None:
    """It also moves the state of an older version aside, and shows each pattern with its time."""
    local = own_stack(RUSTBOX_FIRST_RUN="1", RUSTBOX_LOG="runs", RUSTBOX_PARAM_OfferedLanguages="python,c,javascript")
    (local.state_dir / "aws").mkdir(parents=True)
    (local.state_dir / "aws" / "dynamodb.json").write_text("{}")
    (local.state_dir / "ministack.json").write_text('{"port": 1, "process": null}')
    local.launch()
    wait_until(lambda: "  next  " in local.told(), 60, "the next command", local.log)
    lines = local.told().splitlines()
    (folder,) = local.state_dir.glob("ministack-*")
    assert sorted(path.name for path in folder.iterdir()) == ["aws", "ministack.json"]
    assert (folder / "aws" / "dynamodb.json").read_text() == "{}"
    assert f"the state of an older version is now in {folder}" in local.told()
    first_run = [line for line in lines if "first run" in line]
    for pattern in ("wait", "poll", "webhook"):
        assert [line for line in first_run if f" {pattern} " in line and " AC " in line and " ms " in line], first_run
    (secs,) = re.findall(r"the first answer came ([0-9.]+) s after the start", "\n".join(first_run))
    assert float(secs) > 0
    assert all(re.match(r"[0-9:.]{12} (first run|stack)|  ", line) for line in lines), lines
    (shown,) = [block for block in blocks("README.md", "text") if "first run" in block]
    shown = shown.replace("http://127.0.0.1:4096", local.url)
    printed = lines[-len(shown.splitlines()) :]  # without times of day, which the page leaves out
    for line, there in zip(printed, shown.splitlines(), strict=True):
        assert re.fullmatch(rf"([0-9:.]{{12}} )?{'.*'.join(map(re.escape, there.split('…')))}", line), (line, there)
    facts = dict(re.findall(r"^  (\S.*?)  +(.+)$", "\n".join(lines[-6:]), re.MULTILINE))
    assert list(facts) == ["address", "API key", "admin key", "state", "console", "next"]
    assert (facts["address"], facts["API key"], facts["console"]) == (local.url, API_KEY, f"{local.url}/")

    def is_in_the_log() -> bool:
        done = subprocess.run(["/bin/bash", "-c", facts["next"]], capture_output=True, text=True, check=True)
        answer = json.loads(done.stdout)
        assert answer["output"]["stdout"] == "42\n"
        end = rf"^[0-9:.]{{12}} run +python AC [0-9]+ ms {answer['id']}$"
        return re.search(end, local.told(), re.MULTILINE) is not None

    wait_until(is_in_the_log, 20, "the log has the end of a run", local.log)
    later = local.told().splitlines()[len(lines) :]
    assert [line for line in later if not re.match(r"[0-9:.]{12} run +python AC ", line)] == []

"""`make runner` in an empty clone: it installs what is missing, joins the machine and takes runs."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.commands import run_to_end
from tests.system.first_project import admin_keys, first_project
from tests.system.local_stack import ROOT, LocalStack, final_result, free_port, wait_until

pytestmark = pytest.mark.whole

_INSTALL_SECS = 300


def admin(stack: LocalStack, key: str, *words: str) -> dict[str, Any]:
    done = run_to_end(
        [sys.executable, "-m", "rustbox_cli", "--url", stack.url, "admin", *words, "--json"],
        env={"PATH": os.environ["PATH"], "RUSTBOX_ADMIN_KEY": key},
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.mark.timeout(600)
def test_make_runner_in_an_empty_clone_installs_joins_and_takes_runs(
    own_stack: Callable[..., LocalStack], tmp_path: Path
) -> None:
    port = free_port()
    stack = own_stack(
        RUSTBOX_PUBLIC_URL="https://rustbox.example",
        RUSTBOX_METRICS_PORT=str(free_port()),
        RUSTBOX_RUNNER_LISTEN=f"127.0.0.1:{port}",
        SLOTS="1",
    )
    stack.command = "serve"
    stack.start()
    (key,) = admin_keys(stack)
    token = admin(stack, key, "runner-tokens", "create", "clone")
    (tmp_path / "token").write_text(token["token"])
    clone, log = tmp_path / "clone", tmp_path / "runner.log"
    subprocess.run(["/usr/bin/git", "clone", "--quiet", ROOT, clone], check=True)
    # The toolchains of this tree: `make setup` has built them from nothing, which takes the longest.
    (clone / ".toolchains").symlink_to(ROOT / ".toolchains")
    settings = {
        "RUSTBOX_SERVER": f"127.0.0.1:{port}",
        "RUSTBOX_FINGERPRINT": token["fingerprint"],
        "RUSTBOX_RUNNER_TOKEN_FILE": str(tmp_path / "token"),
    }
    words = [f"{name}={value}" for name, value in settings.items()]
    environment = os.environ | {"SLOTS": "1", "TRIALS_DIR": str(tmp_path), "PORT": str(free_port())}
    with log.open("wb") as out:
        made = subprocess.Popen(
            ["/usr/bin/make", "runner", *words],
            cwd=clone,
            env=environment,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:

        def is_live() -> bool:
            assert made.poll() is None, log.read_text()
            (listed,) = admin(stack, key, "runner-tokens", "list")["items"]
            return bool(listed["runner"] and listed["runner"]["state"] == "live")

        wait_until(is_live, _INSTALL_SECS, "the runner of the clone is live", log.read_text)
        assert "Python environment to run the service (.venv): done" in log.read_text()
        own = stack.runner_pid()
        os.kill(own, signal.SIGSTOP)
        time.sleep(2.5)  # its polls, of a second, are over
        try:
            with stack.client(first_project(stack, key)) as client:
                run = client.post("/api/submit", json={"language": "python", "code": "print(6 * 7)"}).json()["id"]
                assert final_result(client, run, 150)["stdout"] == "42\n"
        finally:
            os.kill(own, signal.SIGCONT)
        assert admin(stack, key, "trace", run)["row"]["node_id"] == "clone"
    finally:
        os.killpg(made.pid, signal.SIGINT)  # as Ctrl-C does
        made.wait(90)

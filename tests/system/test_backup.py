"""A backup of a busy stack, and a restore from it."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from tests.commands import run_to_end
from tests.system.local_stack import LocalStack, final_result, wait_until
from tests.system.webhook_inbox import open_inbox


def _command(local: LocalStack, name: str, file: Path) -> subprocess.CompletedProcess[str]:
    return run_to_end(
        [sys.executable, "-m", "infra.local", name, str(file)],
        env={**os.environ, "RUSTBOX_STATE_DIR": str(local.state_dir)},
    )


def test_a_backup_under_load_restores_everything_accepted_before_it(
    own_stack: Callable[..., LocalStack], tmp_path: Path
) -> None:
    local, file = own_stack(), tmp_path / "rustbox.backup"
    local.start()
    accepted: list[str] = []

    def submit(_number: int) -> None:
        with local.client() as client:
            code = "import time\ntime.sleep(0.1)\nprint('done')"
            accepted.append(client.post("/api/submit", json={"language": "python", "code": code}).json()["id"])

    with open_inbox() as inbox:
        with local.client() as client:
            client.post("/api/webhooks", json={"url": inbox.url}).raise_for_status()
        with ThreadPoolExecutor(4) as clients:
            submitted = clients.map(submit, range(40))
            wait_until(lambda: len(accepted) > 20, 60, "submissions are accepted", local.log)
            before = list(accepted)
            backed_up = _command(local, "backup", file)
            assert len(list(submitted)) == 40
        assert backed_up.returncode == 0, backed_up.stderr
        assert f"Keep a copy of {local.state_dir / 'engine' / 'kms.json'}" in backed_up.stdout
        refused = _command(local, "restore", file)
        assert (refused.returncode, "already running" in refused.stderr) == (1, True)
        assert local.stop() == 0, local.log()
        (local.state_dir / "engine" / "rustbox.sqlite").write_bytes(b"damaged")
        restored = _command(local, "restore", file)
        assert restored.returncode == 0, restored.stderr
        local.start()
        with local.client() as client:
            for submission_id in before:
                assert final_result(client, submission_id)["stdout"] == "done\n"
        # The endpoint's secret opens with the master key that stayed in its place.
        wait_until(lambda: inbox.ids() >= set(before), 90, "every webhook", local.log)
    assert local.stop() == 0, local.log()


def test_an_export_of_a_running_service_has_its_checks_with_their_secrets(
    stack: LocalStack, client: httpx.Client, tmp_path: Path
) -> None:
    asked = client.post("/api/files", json={"sha256": hashlib.sha256(b"data").hexdigest(), "size": 4}).json()
    if not asked["exists"]:
        link = asked["upload"]
        assert httpx.put(link["url"], headers=link["headers"], content=b"data").status_code == httpx.codes.OK
    files = [{"path": "in", "sha256": asked["id"]}]
    body = {
        "name": "exported",
        "language": "python",
        "code": "print(1)",
        "env": {"TOKEN": "t0p-secret"},
        "files": files,
    }
    check = client.post("/api/checks", json=body).json()["id"]
    file = tmp_path / "rustbox.json"
    done = _command(stack, "export", file)
    client.delete(f"/api/checks/{check}")
    assert done.returncode == 0, done.stderr
    assert "of files; with secrets in clear" in done.stdout
    assert b"data" in [path.read_bytes() for path in (tmp_path / "rustbox.json.files").iterdir()]
    (source,) = [row for row in json.loads(file.read_text())["checks"] if row["row"]["sk"]["S"] == f"SOURCE#{check}"]
    assert source["secrets"] == {"env_boxes/TOKEN": "t0p-secret"}

"""A full disk refuses submissions for as long as it is full, and loses nothing."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.system.local_stack import LocalStack, final_result, run, wait_until

SIZE_MB = 32


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["/usr/bin/mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "small-disk", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["/usr/bin/umount", "--lazy", folder], check=True)


def _fill(folder: Path) -> Path:
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        while shutil.disk_usage(folder).free:  # the service may free pages meanwhile
            with suppress(OSError):
                file.write(b"x" * 4096)
    return filler


def _assert_an_upload_is_refused_and_nothing_of_it_is_kept(client: httpx.Client, objects: Path) -> None:
    content = os.urandom((SIZE_MB + 4) << 20)
    asked = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    link = client.post("/api/files", json=asked).json()["upload"]
    refused = httpx.request(link["method"], link["url"], headers=link["headers"], content=content, timeout=60)
    assert refused.status_code == httpx.codes.SERVICE_UNAVAILABLE, refused.text
    assert client.post("/api/files", json=asked).json()["exists"] is False
    assert list(objects.iterdir()) == []


def test_a_full_disk_answers_unavailable_a_stop_on_it_is_clean_and_the_service_recovers(
    small_disk: Path, own_stack: Callable[..., LocalStack]
) -> None:
    local = own_stack(RUSTBOX_STATE_DIR=str(small_disk / "state"))
    local.state_dir = small_disk / "state"
    local.start()
    with local.client() as client:
        accepted = {run(client, "print(1)")["id"]}
        _assert_an_upload_is_refused_and_nothing_of_it_is_kept(client, small_disk / "state" / "engine" / "objects")
        filler = _fill(small_disk)
        for _ in range(200):  # the file's free pages and its log take some submissions
            refused = client.post("/api/submit", json={"language": "python", "code": f"print({'1' * 30_000})"})
            if refused.status_code != 202:
                break
            accepted.add(refused.json()["id"])
        assert (refused.status_code, refused.json()["error"]) == (503, "unavailable"), local.log()
        assert int(refused.headers["retry-after"]) >= 1
        assert "the disk is full" in refused.json()["message"]
        ready = client.get("/api/health/ready")
        assert (ready.status_code, "the disk is full" in ready.json()["error"]) == (503, True)
        for _ in range(150):
            client.post("/api/submit", json={"language": "python", "code": f"print({'1' * 30_000})"})
        health = client.get("/api/health").json()
        assert (health["status"], health["problems"][-1]["problem"]) == ("degraded", "the disk is full")
        # The line of the watch: an error of another part may name the cause before.
        detail = f" {'state':<9} the disk of {small_disk / 'state' / 'engine'} is full: free some space"
        wait_until(lambda: detail in local.told(), 60, "the log names the cause", local.log)
        filler.unlink()
        assert run(client, "print(2)")["stdout"] == "2\n"
        # Heartbeats of the runner were refused too.
        wait_until(lambda: client.get("/api/health").json()["status"] == "ok", 60, "health", local.log)
        wait_until(lambda: "no longer: the disk is full" in local.told(), 60, "the log names the end", local.log)
        assert local.told().count(detail) <= 2  # once a minute
        # 60 a minute: this took one or two of them.
        assert [local.told().count(text) <= 120 for text in ("POST /api/submit 503", "Request refused")] == [True] * 2
        assert local.told().count("in repair_clock") <= 20
        for submission_id in accepted:
            assert final_result(client, submission_id)["verdict"] in {"AC", "RE"}
        filler = _fill(small_disk)
        assert local.stop() == 0, local.log()
        filler.unlink()
        filler = _fill(small_disk)
        refused_start = local.launch()
        assert refused_start.wait(60) == 1
        assert local.told().rstrip().endswith("is full: free some space"), local.log()
        filler.unlink()
        local.start()
        assert {client.get(f"/api/result/{each}").json()["verdict"] for each in accepted} <= {"AC", "RE"}
    assert local.stop() == 0, local.log()

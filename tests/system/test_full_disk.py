"""A stop on a full disk says so and keeps the state of the last clean stop."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.system.local_stack import LocalStack, run

SIZE_MB = 32


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["/usr/bin/mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "rustbox-test", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["/usr/bin/umount", "--lazy", folder], check=True)


def _fill(folder: Path) -> Path:
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    assert shutil.disk_usage(folder).free == 0
    return filler


def _ids(client: httpx.Client) -> list[str]:
    return [item["id"] for item in client.get("/api/results").json()["items"]]


def test_a_stop_on_a_full_disk_ends_with_one_line_and_the_state_of_before(
    small_disk: Path, own_stack: Callable[..., LocalStack]
) -> None:
    local = own_stack(RUSTBOX_STATE_DIR=str(small_disk / "state"))
    local.state_dir = small_disk / "state"
    local.start()
    with local.client() as client:
        kept = run(client, "print(1)")["id"]
    assert local.stop() == 0, local.log()
    local.start()
    with local.client() as client:
        assert _ids(client) == [kept]
        run(client, "print(2)")
    filler = _fill(small_disk)
    assert local.stop() == 1
    log = local.log()
    assert "the state could not be saved" in log
    assert "Traceback" not in log
    filler.unlink()
    local.start()
    with local.client() as client:
        assert kept in _ids(client)
    assert local.stop() == 0, local.log()

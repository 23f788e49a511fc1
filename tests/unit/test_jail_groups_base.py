"""The runner finds its own group on the mount that shows it."""

from pathlib import Path

import pytest

from sandbox_runtime.jail.controls.cgroup import detect


@pytest.mark.parametrize("is_first", [True, False], ids=["the first mount", "the last mount"])
def test_a_mount_that_does_not_show_our_group_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_first: bool
) -> None:
    host, other_root = tmp_path / "host", tmp_path / "other"
    (host / "ours").mkdir(parents=True)
    mounts = [(host, {"rw", "memory"}), (other_root, {"rw", "memory"})]
    monkeypatch.setattr(detect, "_mounts", lambda _kind: mounts if is_first else mounts[::-1])
    monkeypatch.setattr(detect, "_own_paths", lambda: {"memory": "ours", "pids": "ours"})
    assert detect.bases_v1() == {"memory": host / "ours"}

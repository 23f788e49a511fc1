"""The state of a development stack that kept it in ministack is moved aside, after its server has ended."""

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from infra.local.embedded_aws import set_aside_old_state
from infra.local.processes import identify


def test_an_old_server_is_ended_before_its_state_is_moved(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as server:
        process = identify(server.pid)
        assert process is not None
        (tmp_path / "ministack.json").write_text(json.dumps({"port": 1, "process": asdict(process)}))
        folder = set_aside_old_state(tmp_path)
        assert identify(server.pid) is None
    assert folder is not None
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]
    assert [path.name for path in folder.iterdir()] == ["ministack.json"]


def test_a_new_folder_and_the_engines_own_are_left_alone(tmp_path: Path) -> None:
    assert set_aside_old_state(tmp_path) is None
    (tmp_path / "engine").mkdir()
    assert set_aside_old_state(tmp_path) is None
    assert [path.name for path in tmp_path.iterdir()] == ["engine"]

"""The worker's sign of life: only a sent heartbeat gives it, and only a young one counts."""

import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sandbox_runtime.commands import main
from sandbox_runtime.liveness import PERIODS_UNTIL_DEAD, Liveness, NoSignOfLifeError, check


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "alive"


def set_age(path: Path, age_secs: float) -> None:
    moment = time.time() - age_secs
    os.utime(path, (moment, moment))


def test_a_sign_of_life_is_an_empty_young_file(path: Path) -> None:
    Liveness(str(path)).show()
    assert check(str(path), heartbeat_secs=20) < 60
    assert path.read_bytes() == b""


def test_a_liveness_file_of_an_earlier_worker_does_not_count(path: Path) -> None:
    path.touch()
    Liveness(str(path)).begin()
    with pytest.raises(NoSignOfLifeError, match="no heartbeat was sent yet"):
        check(str(path), heartbeat_secs=20)


def test_each_heartbeat_makes_it_young_again(path: Path) -> None:
    liveness = Liveness(str(path))
    liveness.show()
    set_age(path, 1000)
    liveness.show()
    assert check(str(path), heartbeat_secs=20) < 60


def test_three_periods_without_a_heartbeat_are_too_long(path: Path) -> None:
    assert PERIODS_UNTIL_DEAD == 3
    path.touch()
    set_age(path, 40)
    assert 40 <= check(str(path), heartbeat_secs=20) < 60
    for age_secs, problem in ((60, "the limit is 60 s"), (1e6, "the limit is 60 s"), (-50, "lies in the future")):
        set_age(path, age_secs)
        with pytest.raises(NoSignOfLifeError, match=problem):
            check(str(path), heartbeat_secs=20)


def test_links_and_pipes_are_neither_followed_nor_waited_for(
    path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    victim = tmp_path / "victim"
    victim.touch()
    set_age(victim, 1000)
    path.symlink_to(victim)
    Liveness(str(path)).show()
    assert time.time() - victim.stat().st_mtime > 900
    with pytest.raises(NoSignOfLifeError):
        check(str(path), heartbeat_secs=60)
    path.unlink()
    os.mkfifo(path)
    Liveness(str(path)).show()
    with pytest.raises(NoSignOfLifeError):
        check(str(path), heartbeat_secs=60)
    assert [record.getMessage() for record in caplog.records] == ["liveness file cannot be written"] * 2


def test_an_unwritable_liveness_file_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "missing"
    liveness = Liveness(str(folder / "alive"))
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            liveness.show()
        assert len(caplog.records) == 1
        folder.mkdir()
        liveness.show()
        assert check(str(folder / "alive"), heartbeat_secs=20) < 60
        assert len(caplog.records) == 1


def test_healthy_answers_by_exit_code_and_one_line(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LIVENESS_FILE", str(path))
    monkeypatch.setenv("HEARTBEAT_SECS", "10")
    assert main(["healthy"]) == 1
    assert capsys.readouterr().err == "python -m sandbox_runtime: unhealthy: no heartbeat was sent yet\n"
    path.touch()
    set_age(path, 20)
    assert main(["healthy"]) == 0
    assert capsys.readouterr().out.startswith("healthy: the last heartbeat was sent 2")
    set_age(path, 30)
    assert main(["healthy"]) == 1
    assert "s ago, the limit is 30 s\n" in capsys.readouterr().err


@pytest.mark.parametrize(("variable", "value"), [("LIVENESS_FILE", "run/secret"), ("HEARTBEAT_SECS", "secret")])
def test_healthy_with_wrong_settings_is_unhealthy(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(variable, value)
    assert main(["healthy"]) == 1
    line = capsys.readouterr().err
    assert variable in line
    assert line.count("\n") == 1
    assert "secret" not in line


def test_healthy_does_not_load_the_aws_client(path: Path) -> None:
    path.touch()
    code = (
        "import sys; from sandbox_runtime.commands import main; code = main(['healthy']); "
        "sys.exit(code or 10 * any(name in sys.modules for name in ('boto3', 'botocore')))"
    )
    environment = {"LIVENESS_FILE": str(path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")

"""Settings of the listener for runners of other hosts, and of a runner on such a host."""

import os
import stat
from pathlib import Path

import pytest

from infra.embedded.confined import tunnel_wire
from infra.local.processes import remote_runner, runner_process
from infra.local.settings import StartError
from tests.certificates import Authority

TOKEN = f"rbrunner_host-b_{'0' * 64}"


def test_without_an_address_nothing_listens(tmp_path: Path) -> None:
    assert runner_process.choose_listener({}, tmp_path) is None


def test_the_machine_makes_a_certificate_once(tmp_path: Path) -> None:
    first = runner_process.choose_listener({runner_process.LISTEN: "10.0.0.5:7443"}, tmp_path)
    second = runner_process.choose_listener({runner_process.LISTEN: "[::1]:7443"}, tmp_path)
    assert first is not None
    assert second is not None
    assert tunnel_wire.is_pin(first.fingerprint)
    assert first.fingerprint == second.fingerprint
    assert (first.host, first.port, second.host) == ("10.0.0.5", 7443, "::1")
    assert second.template_parameters == {"RunnerListener": "[::1]:7443", "RunnerFingerprint": first.fingerprint}
    assert stat.S_IMODE(Path(first.key_file).stat().st_mode) == 0o600


def test_the_certificate_is_on_the_disk_before_its_fingerprint_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hosts of runners are set up with it: a loss of power must not make the next start make another one."""
    flushed = set[int]()
    monkeypatch.setattr(os, "fsync", lambda descriptor: flushed.add(os.fstat(descriptor).st_ino))
    chosen = runner_process.choose_listener({runner_process.LISTEN: "10.0.0.5:7443"}, tmp_path)
    assert chosen is not None
    certificate, key = Path(chosen.certificate_file), Path(chosen.key_file)
    assert {path.stat().st_ino for path in (certificate, key, certificate.parent, tmp_path)} <= flushed


def test_a_given_certificate_needs_no_fingerprint(tmp_path: Path) -> None:
    files = Authority().issue(tmp_path)
    given = {"RUSTBOX_RUNNER_CERT_FILE": files.certificate, "RUSTBOX_RUNNER_KEY_FILE": files.key}
    chosen = runner_process.choose_listener({runner_process.LISTEN: "10.0.0.5:7443", **given}, tmp_path)
    assert chosen is not None
    assert chosen.fingerprint == ""


@pytest.mark.parametrize(
    ("environ", "problem"),
    [
        ({runner_process.LISTEN: "example.com:7443"}, "IP address"),
        ({runner_process.LISTEN: "10.0.0.5"}, "IP address"),
        ({runner_process.LISTEN: "10.0.0.5:70000"}, "IP address"),
        ({runner_process.LISTEN: "10.0.0.5:1", "RUSTBOX_RUNNER_KEY_FILE": "/x"}, "together"),
        (
            {runner_process.LISTEN: "10.0.0.5:1", "RUSTBOX_RUNNER_KEY_FILE": "/x", "RUSTBOX_RUNNER_CERT_FILE": "/x"},
            "No such file",
        ),
    ],
)
def test_a_wrong_setting_of_the_listener_stops_the_start(tmp_path: Path, environ: dict[str, str], problem: str) -> None:
    with pytest.raises(StartError, match=problem):
        runner_process.choose_listener(environ, tmp_path)


@pytest.mark.parametrize(
    ("environ", "problem"),
    [
        ({}, "RUSTBOX_SERVER must be"),
        ({"RUSTBOX_SERVER": "10.0.0.5"}, "RUSTBOX_SERVER must be"),
        ({"RUSTBOX_SERVER": "10.0.0.5:1", "RUSTBOX_FINGERPRINT": "abc"}, "64 hexadecimal digits"),
        ({"RUSTBOX_SERVER": "10.0.0.5:1", "RUSTBOX_SERVER_CA_FILE": "/missing"}, "names no file"),
    ],
)
def test_a_runner_needs_an_address_and_something_to_trust(environ: dict[str, str], problem: str) -> None:
    with pytest.raises(StartError, match=problem):
        remote_runner.read_server(environ)


def test_a_token_comes_from_a_file_or_a_variable_and_no_error_shows_it(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(TOKEN + "\n")
    assert remote_runner.read_token({"RUSTBOX_RUNNER_TOKEN_FILE": str(path)}) == TOKEN
    assert remote_runner.read_token({"RUSTBOX_RUNNER_TOKEN": TOKEN}) == TOKEN
    path.write_text("short secret")
    with pytest.raises(StartError) as refused:
        remote_runner.read_token({"RUSTBOX_RUNNER_TOKEN_FILE": str(path)})
    assert "short secret" not in str(refused.value)


def test_a_server_sets_no_variable_that_could_run_a_program() -> None:
    told = {"NODE_ID": "host-b", "LD_PRELOAD": "/x.so", "PYTHONPATH": "/x", "LANGUAGES": "python\n", "MAX_RECEIVES": 5}
    environment = remote_runner._environment({"SLOTS": "3", "RUSTBOX_RUNNER_TOKEN": TOKEN}, told)
    assert environment["NODE_ID"] == "host-b"
    assert environment["SLOTS"] == "3"
    assert not {"LD_PRELOAD", "LANGUAGES", "MAX_RECEIVES", "RUSTBOX_RUNNER_TOKEN"} & environment.keys()
    assert environment["PYTHONPATH"] != "/x"

"""TLS between `submit` and a runner: real handshakes, and everything that must not get a program or the token."""

import re
import socket
import ssl
import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from functions.aws import clients
from functions.aws.clients import Clients
from functions.handlers import submit
from functions.submissions import direct
from functions.submissions.direct import DirectRunners
from rustbox_cli.__main__ import cli
from rustbox_cli.errors import ExitCode
from sandbox_runtime import server as server_module
from sandbox_runtime.commands import exit_codes, work
from sandbox_runtime.commands.exit_codes import CommandError
from sandbox_runtime.server import Connection
from tests.adapters.aws_account import Aws
from tests.adapters.http_calls import Answer, post
from tests.adapters.runner_system import TOKEN, Direct
from tests.adapters.submissions.direct_wiring import table_calls, use
from tests.adapters.submissions.waits import waiting
from tests.certificates import EXPIRED, NOT_YET_VALID, Authority, Files
from tests.runner_doubles import RecordedSlot
from tests.until import PATIENCE_SECS, until

CA_PARAMETER = "/rustbox/runner-ca"


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct, "CONNECT_SECS", PATIENCE_SECS)  # however busy this machine is


def start(system: Direct, files: Files) -> None:
    """Start a runner with this certificate, and without plain HTTP."""
    system.start(RecordedSlot, slots=2, ALLOW_HTTP="", TLS_CERT_FILE=files.certificate, TLS_KEY_FILE=files.key)


def trust(aws: Aws, port: int, pem: str, scheme: str = "https") -> None:
    """Tell submit where the runner is and whose certificates it trusts."""
    use(aws, port)
    aws.monkeypatch.setenv("RUNNER_URL", f"{scheme}://127.0.0.1:{port}")
    aws.monkeypatch.setenv("ALLOW_RUNNER_HTTP", "true" if scheme == "http" else "false")
    store(aws, pem)


def store(aws: Aws, pem: str) -> None:
    clients._secrets.drop(CA_PARAMETER)
    if pem:
        Clients.ssm().put_parameter(Name=CA_PARAMETER, Value=pem, Type="String", Overwrite=True)
    aws.monkeypatch.setenv("RUNNER_CA_PARAMETER", CA_PARAMETER if pem else "")


def answer(key: str) -> Answer:
    return post(key, {"language": "python", "code": "print(42)"}, query={"wait": "true"})


@pytest.fixture
def fall_back(
    system: Direct, project_key: str, logged: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> Callable[[], str]:
    """Submit; show that no request reached the runner, and return the reason that was logged."""

    def submitted() -> str:
        received: list[object] = []
        monkeypatch.setattr(Connection, "_check_token", lambda _, request: received.append(request))
        waiting(monkeypatch)
        assert answer(project_key).status == 408
        assert received == []
        until(lambda: system.of_type("execution_completed"))  # from the queue
        (line,) = [line for line in logged if line["message"].startswith("Runner not called directly")]
        assert TOKEN not in str(logged)
        return str(line["problem"])

    return submitted


def test_a_runner_with_a_certificate_of_the_authority_answers_over_one_kept_connection(
    system: Direct, aws: Aws, project_key: str, tmp_path: Path
) -> None:
    authority = Authority()
    start(system, authority.issue(tmp_path))
    trust(aws, system.port, authority.pem)
    assert [answer(project_key).json["verdict"] for _ in range(3)] == ["AC"] * 3
    runner = submit.ENV[DirectRunners].runner
    assert runner is not None
    ((_, kept),) = runner.connections._kept
    assert isinstance(kept.sock, ssl.SSLSocket)
    version = kept.sock.version()
    assert version == "TLSv1.3"
    assert aws.messages("InteractiveQueue") == []


def test_only_the_first_run_of_a_tls_connection_writes_a_pending_row(
    system: Direct, aws: Aws, project_key: str, tmp_path: Path
) -> None:
    # The session tickets of a new connection could be the begin of an answer.
    authority = Authority()
    start(system, authority.issue(tmp_path))
    trust(aws, system.port, authority.pem)
    for row_writes in (["PutItem"], [], []):
        with table_calls(aws) as (submissions, _):
            assert answer(project_key).json["verdict"] == "AC"
        assert submissions == [*row_writes, "TransactWriteItems"]


OURS = Authority("Ours")
OTHER = Authority("Ours")  # the same name, another key


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda folder: OURS.issue(folder, "127.0.0.2"), "IP address mismatch"),
        (lambda folder: OURS.issue(folder, validity=EXPIRED), "certificate has expired"),
        (lambda folder: OURS.issue(folder, validity=NOT_YET_VALID), "certificate is not yet valid"),
        (OTHER.issue, "unable to get local issuer certificate"),
        (lambda folder: Authority("Theirs").issue(folder), "unable to get local issuer certificate"),
    ],
    ids=["other name", "expired", "not yet valid", "same authority name", "other authority"],
)
def test_a_wrong_certificate_gets_neither_program_nor_token(
    system: Direct, aws: Aws, tmp_path: Path, fall_back: Callable[[], str], make: Callable[[Path], Files], reason: str
) -> None:
    start(system, make(tmp_path))
    trust(aws, system.port, OURS.pem)
    problem = fall_back()
    assert problem.startswith("certificate refused: ")
    assert reason in problem


def test_without_an_authority_of_its_own_submit_trusts_the_systems_only(
    system: Direct, aws: Aws, tmp_path: Path, fall_back: Callable[[], str]
) -> None:
    start(system, OURS.issue(tmp_path))
    trust(aws, system.port, "")
    problem = fall_back()
    assert "unable to get local issuer certificate" in problem


@pytest.mark.parametrize("pem", ["no PEM", " ", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_a_parameter_without_a_certificate_trusts_nobody(
    system: Direct, aws: Aws, tmp_path: Path, fall_back: Callable[[], str], pem: str
) -> None:
    start(system, OURS.issue(tmp_path))
    trust(aws, system.port, pem)
    problem = fall_back()
    assert problem == "the certificate authority is no PEM certificate"


def test_an_authority_that_cannot_be_read_trusts_nobody(
    system: Direct, aws: Aws, tmp_path: Path, fall_back: Callable[[], str]
) -> None:
    start(system, OURS.issue(tmp_path))
    trust(aws, system.port, OURS.pem)
    aws.monkeypatch.setenv("RUNNER_CA_PARAMETER", "/rustbox/none")
    assert fall_back() == "the certificate authority of the runners cannot be read"


def test_a_new_authority_is_trusted_without_a_new_process(
    system: Direct, aws: Aws, project_key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(direct, "PAUSE_SECS", 0.0)
    start(system, OURS.issue(tmp_path))
    trust(aws, system.port, OTHER.pem)
    with pytest.MonkeyPatch.context() as patch:
        waiting(patch)
        assert answer(project_key).status == 408
    aws.messages("InteractiveQueue")
    store(aws, OTHER.pem + OURS.pem)  # as while the runners change one after the other
    assert answer(project_key).json["verdict"] == "AC"


def test_a_plain_runner_gets_neither_program_nor_token(system: Direct, aws: Aws, fall_back: Callable[[], str]) -> None:
    system.start(RecordedSlot, slots=2)
    trust(aws, system.port, OURS.pem)
    assert fall_back() == "SSLError"


def test_a_runner_with_a_certificate_answers_no_plain_request(system: Direct, tmp_path: Path) -> None:
    start(system, OURS.issue(tmp_path))
    with socket.create_connection(("127.0.0.1", system.port), PATIENCE_SECS) as stream:
        stream.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        received = b"".join(iter(lambda: _receive(stream), b""))
    assert b"HTTP" not in received


def _receive(stream: socket.socket) -> bytes:
    try:
        return stream.recv(4096)
    except ConnectionResetError:
        return b""


def test_the_commands_of_the_page_make_a_certificate_that_submit_accepts(
    system: Direct, aws: Aws, project_key: str, tmp_path: Path
) -> None:
    page = (Path(__file__).parents[3] / "docs" / "runner.md").read_text()
    (commands,) = re.findall(r"^```sh\n(openssl .*?)^```$", page, re.MULTILINE | re.DOTALL)
    script = commands.replace("10.0.0.7", "127.0.0.1")
    subprocess.run(["/usr/bin/sh", "-ec", script], cwd=tmp_path, capture_output=True, check=True)
    start(system, Files(str(tmp_path / "tls.crt"), str(tmp_path / "tls.key")))
    trust(aws, system.port, (tmp_path / "ca.crt").read_text())
    assert answer(project_key).json["verdict"] == "AC"
    assert aws.messages("InteractiveQueue") == []
    assert (tmp_path / "tls.key").stat().st_mode & 0o077 == 0


def test_a_client_that_does_not_shake_hands_is_cut_off_and_holds_up_nobody(
    system: Direct, aws: Aws, project_key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "HANDSHAKE_SECS", 3.0)
    start(system, OURS.issue(tmp_path))
    trust(aws, system.port, OURS.pem)
    with socket.create_connection(("127.0.0.1", system.port), PATIENCE_SECS) as silent:
        silent.sendall(b"\x16\x03\x01")  # the first bytes of a handshake
        assert answer(project_key).json["verdict"] == "AC"
        assert _receive(silent) == b""


def test_tls_older_than_1_2_is_refused(system: Direct, tmp_path: Path) -> None:
    start(system, OURS.issue(tmp_path))
    old = ssl.create_default_context(cadata=OURS.pem)
    old.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        socket.create_connection(("127.0.0.1", system.port), PATIENCE_SECS) as stream,
        pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"),
    ):
        old.wrap_socket(stream, server_hostname="127.0.0.1")


def test_a_worker_refuses_files_that_are_no_certificate_with_its_key(aws: Aws, tmp_path: Path) -> None:
    for name in ("one", "two", "locked"):
        (tmp_path / name).mkdir()
    one, two = OURS.issue(tmp_path / "one"), OURS.issue(tmp_path / "two")
    locked = OURS.issue(tmp_path / "locked", password=b"secret")
    system = Direct(aws, tmp_path / "alive")
    listens = {"LISTEN_ADDRESS": "127.0.0.1:8080", "RUNNER_TOKEN": TOKEN}
    for certificate, key in ((one.certificate, two.key), ("/none", one.key), (one.key, one.key), locked):
        settings = system.settings(**listens, TLS_CERT_FILE=certificate, TLS_KEY_FILE=key)
        with pytest.raises(CommandError, match="TLS_CERT_FILE and TLS_KEY_FILE cannot be used") as caught:
            work._tls(settings)
        assert caught.value.exit_code == exit_codes.USAGE
    assert work._tls(system.settings(**listens, TLS_CERT_FILE=one.certificate, TLS_KEY_FILE=one.key)) is not None
    assert work._tls(system.settings(**listens, ALLOW_HTTP="true")) is None


def test_a_runner_is_drained_over_tls_by_those_who_trust_its_authority(system: Direct, tmp_path: Path) -> None:
    start(system, OURS.issue(tmp_path))
    token, ca, other = (tmp_path / name for name in ("token", "ca.crt", "other.crt"))
    token.write_text(TOKEN)
    ca.write_text(OURS.pem)
    other.write_text(OTHER.pem)

    def drain(*more: str) -> int:
        url = f"https://127.0.0.1:{system.port}"
        return CliRunner().invoke(cli, ["admin", "drain", url, "--token-file", str(token), *more]).exit_code

    assert drain() == drain("--ca-file", str(other)) == ExitCode.UNREACHABLE
    assert drain("--ca-file", str(token)) == ExitCode.USAGE
    assert not system.worker._is_held
    assert drain("--ca-file", str(ca)) == 0
    assert system.worker._is_held


def test_health_and_metrics_are_served_over_tls(system: Direct, tmp_path: Path) -> None:
    start(system, OURS.issue(tmp_path))
    context = ssl.create_default_context(cadata=OURS.pem)
    with (
        socket.create_connection(("127.0.0.1", system.port), PATIENCE_SECS) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as stream,
    ):
        stream.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        received = b"".join(iter(lambda: stream.recv(4096), b""))
    assert received.startswith(b"HTTP/1.1 200 ")

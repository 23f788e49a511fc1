"""Where `serve` takes runners of other hosts, from RUSTBOX_RUNNER_LISTEN and two files, and the process that does."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from infra.embedded.confined.tunnel import wire
from infra.embedded.storage.group_flush import sync
from infra.local.processes.child_processes import Child, unblock_signals
from infra.local.processes.runner_process import work_variables
from infra.local.settings import ROOT, StartError
from sandbox_runtime import RUNNER_VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from infra.local.processes.launcher import Prepared

# Where `serve` takes runners of other hosts: address and certificate, from RUSTBOX_RUNNER_LISTEN and two files.

LISTEN: Final = "RUSTBOX_RUNNER_LISTEN"
_CERTIFICATE, _KEY = "RUSTBOX_RUNNER_CERT_FILE", "RUSTBOX_RUNNER_KEY_FILE"
_DAYS: Final = 3650
_MAX_PORT: Final = 65_535


@dataclass(frozen=True, slots=True)
class RunnerListener:
    """`fingerprint`: of a certificate that this machine made; empty: an authority issued it."""

    host: str
    port: int
    certificate_file: str
    key_file: str
    fingerprint: str

    @property
    def template_parameters(self) -> dict[str, str]:
        """Parameters of the template by which the administrator's API tells runners where to join."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return {"RunnerListener": f"{host}:{self.port}", "RunnerFingerprint": self.fingerprint}

    def listen(self) -> socket.socket:
        """Listen. Raises StartError."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        try:
            return socket.create_server((self.host, self.port), family=family, backlog=128)
        except OSError as error:
            raise StartError(f"{LISTEN}: {self.host}:{self.port} cannot be used ({error.strerror})") from error


def choose_listener(environ: Mapping[str, str], state_dir: Path) -> RunnerListener | None:
    """Read the settings, and make a certificate where none is given. None: off. Raises StartError."""
    text = environ.get(LISTEN, "")
    if not text:
        return None
    host, port = _address(text)
    files = environ.get(_CERTIFICATE, ""), environ.get(_KEY, "")
    if any(files) and not all(files):
        raise StartError(f"set {_CERTIFICATE} and {_KEY} together, or neither: then this machine makes a certificate")
    fingerprint = ""
    if not all(files):
        files, fingerprint = _own_files(state_dir / "runner-tls")
    try:
        wire.server_context(*files)
    except OSError as error:
        reason = error.reason if isinstance(error, ssl.SSLError) else error.strerror
        raise StartError(
            f"{files[0]} and {files[1]} cannot be used: {reason}. They must be PEM files, the key unencrypted"
        ) from error
    return RunnerListener(host, port, *files, fingerprint)


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    try:
        address = ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        address = None
    if address is None or not port.isdecimal() or not 0 < int(port) <= _MAX_PORT:
        raise StartError(f"{LISTEN} must be an IP address and a port, such as 10.0.0.5:7443; got {text!r}")
    return str(address), int(port)


def _own_files(folder: Path) -> tuple[tuple[str, str], str]:
    """Return certificate and key of this machine with the fingerprint. They are made once, and kept on the disk."""
    certificate, key = folder / "tls.crt", folder / "tls.key"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not certificate.exists():
        new_certificate, new_key = folder / "tls.crt.new", folder / "tls.key.new"
        command = [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc"),
            *("-days", str(_DAYS), "-subj", "/CN=Rustbox", "-keyout", str(new_key), "-out", str(new_certificate)),
        ]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=60, umask=0o077)
        except (OSError, subprocess.SubprocessError) as error:
            raise StartError(f"openssl made no certificate: set {_CERTIFICATE} and {_KEY}") from error
        sync(new_key)
        sync(new_certificate)
        new_key.replace(key)
        new_certificate.replace(certificate)  # Order: the certificate is there last
        sync(folder)
        sync(folder.parent)
    try:
        return (str(certificate), str(key)), wire.fingerprint(certificate.read_text(encoding="ascii"))
    except (OSError, ValueError) as error:
        raise StartError(f"{certificate} is no certificate: delete it, and the next start makes another") from error


def inheritable(listener: socket.socket) -> int:
    """Return the descriptor for a process that is started by exec."""
    os.set_inheritable(listener.fileno(), True)
    return listener.fileno()


# The process that serves runners of other hosts, if RUSTBOX_RUNNER_LISTEN is set.

_STOP_SECS = 10.0


def make_listener_child(prepared: Prepared, chosen: RunnerListener, listener: socket.socket) -> Child:
    """Return the process. `listener` stays open in the launcher: connections wait while it is replaced."""
    from infra.local.processes.listener_process import Settings  # noqa: PLC0415 - botocore, and few stacks have it

    embedded, spool = prepared.embedded, prepared.settings.state_dir / "remote-objects"
    spool.mkdir(mode=0o700, exist_ok=True)

    def run(_drained: int) -> int:
        settings = Settings(
            descriptor=inheritable(listener),
            certificate_file=chosen.certificate_file,
            key_file=chosen.key_file,
            engine_socket=str(embedded.remote_socket_path),
            tokens_socket=str(embedded.tokens_socket_path),
            tokens_table=prepared.template.values["RunnersTable"]["Ref"],
            spool=str(spool),
            version=RUNNER_VERSION,
            variables=work_variables(prepared.template),
        )
        nothing, log = os.open(os.devnull, os.O_RDONLY), prepared.log_writer
        for source, target in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(source, target)
        os.chdir(ROOT)
        unblock_signals()
        command = [sys.executable, "-m", "infra.local.processes.listener_process"]
        environment = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(ROOT), **settings.environment()}
        os.execve(command[0], command, environment)  # noqa: S606 - no shell is wanted

    return Child("rb-runners", run, stop_secs=_STOP_SECS)

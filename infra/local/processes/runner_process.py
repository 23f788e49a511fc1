"""The runner's process, with its environment and the record of its end; and that which serves runners elsewhere."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
import time
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final, NoReturn

from infra.embedded.confined import tunnel_wire
from infra.embedded.storage.files import sync
from infra.local.processes.child_processes import Child, unblock_signals
from infra.local.settings import LOCAL_STAGE, REGION, ROOT, TOOLCHAINS_DIR, StartError
from sandbox_runtime import RUNNER_VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from infra.local.processes.launcher import LocalDirectPath, Prepared
    from infra.local.settings import LocalSettings
    from infra.local.template import Template

# The runner's process: its environment, its log, and the record of its end.

NODE_ID: Final = "local"
# After SIGTERM and its own DRAIN_SECS, a runner kills the remaining runs and removes its groups.
_TEARDOWN_SECS: Final = 10
_DRAIN_SECS: Final = 10
# Exit codes of a runner that says why it cannot work: wrong settings, or a host on which it cannot isolate
# (sandbox_runtime/commands/exit_codes.py).
_CANNOT_WORK_CODES: Final = (2, 121)
_PASSED_ON: Final = (
    "SLOTS", "SETUP_TIMEOUT_SECS", "HEARTBEAT_SECS", "DRAIN_SECS", "RECEIVE_WAIT_SECS", "FILES_DIR", "FILES_CACHE_MB",
    "COMPILE_CACHE_MB", "COMPILE_CACHE_MAX_AGE_SECS", "LOG_LEVEL", "PATH", "HOME", "LANG", "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
)  # fmt: skip


def make_child(prepared: Prepared) -> Child:
    liveness_file = prepared.settings.state_dir / "runner" / "alive"
    command = [sys.executable, "-m", *prepared.embedded.runner_module, "worker"]
    liveness_file.parent.mkdir(parents=True, exist_ok=True)
    liveness_file.unlink(missing_ok=True)
    drain = os.environ.get("DRAIN_SECS", "")

    def run(_drained: int) -> int:
        if child.started:  # it replaces one that died, and receives the messages of that one before later ones
            prepared.embedded.release_messages()
            tell_end(prepared, time.time_ns() // 1_000_000)
        _become(command, _environment(prepared, liveness_file), prepared.log_writer)

    child = Child(
        "rb-runner",
        run,
        # A second start would end in the same way, and every submission would wait in vain.
        is_hopeless=lambda code: code in _CANNOT_WORK_CODES and not liveness_file.exists(),
        stop_secs=(int(drain) if drain.isdecimal() else _DRAIN_SECS) + _TEARDOWN_SECS,
    )
    return child


def _become(command: list[str], environment: dict[str, str], log: int) -> NoReturn:
    """Run a command in place of this process. Both of its outputs go to the log."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.chdir(ROOT)
    unblock_signals()
    os.execve(command[0], command, environment)  # noqa: S606 - no shell is wanted


def tell_end(prepared: Prepared, ended_ms: int) -> None:
    """Record that a runner has ended. Its replacement need not wait for this: its heartbeats are later."""
    try:
        mark_ended(prepared.template.values["RunnersTable"]["Ref"], ended_ms)
    except Exception as error:  # noqa: BLE001 - no error may keep the runner from starting
        # The next heartbeat, or the age of the last one, corrects the record.
        prepared.console.line("runner", f"its end was not recorded: {type(error).__name__}", "warning")


def mark_ended(runners_table: str, ended_ms: int) -> None:
    """Replace the last heartbeat by one without slots. One that was sent after `ended_ms` stays."""
    # Imported late: `functions` may be imported only once the environment is set (see `invoker.load_handlers`).
    from functions.aws.clients import Clients  # noqa: PLC0415
    from functions.clock import to_rfc3339  # noqa: PLC0415
    from functions.submissions.runners.store import RunnerStore  # noqa: PLC0415

    runners = RunnerStore(runners_table, Clients.dynamodb())
    for runner in runners.list_recent():
        if runner.heartbeat.node_id == NODE_ID:
            ended = {"slots": 0, "slots_busy": 0, "sent_at": to_rfc3339(ended_ms)}
            runners.put_heartbeat(runner.heartbeat.changed(**ended))


def mark_gone(runners_table: str, node_id: str, problem: str) -> None:
    """Let the last heartbeat of a runner on another host say that it is gone: it is live no longer than its leases.

    One that has drained has said so itself. The time stays, as it is of the other host's clock.
    """
    from functions.aws.clients import Clients  # noqa: PLC0415 - as above
    from functions.submissions.runners.store import RunnerStore  # noqa: PLC0415

    runners = RunnerStore(runners_table, Clients.dynamodb())
    for runner in runners.list_recent():
        if runner.heartbeat.node_id == node_id and runner.heartbeat.slots:
            runners.put_heartbeat(runner.heartbeat.changed(slots=0, slots_busy=0, problem=problem))


def passed_on(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of our environment that the runner gets too."""
    return {name: environ[name] for name in _PASSED_ON if name in environ}


def _environment(prepared: Prepared, liveness_file: Path) -> dict[str, str]:
    """Return the runner's whole environment. Visibility and receives are those of the template's queues."""
    shared = work_variables(prepared.template)
    return {
        # A drain as long as the visibility would give running submissions to a second runner.
        "DRAIN_SECS": str(min(_DRAIN_SECS, int(shared["VISIBILITY_SECS"]) - 1)),
        "RECEIVE_WAIT_SECS": "1",  # a stop waits for the long poll; here a poll costs nothing
        "FILES_DIR": str(liveness_file.parent),  # /tmp may be memory
        **passed_on(os.environ),
        **shared,
        "NODE_ID": NODE_ID,
        "TRIALS_DIR": str(liveness_file.parent),
        "LIVENESS_FILE": str(liveness_file),
        "TOOLCHAINS_DIR": TOOLCHAINS_DIR,
        "AWS_EC2_METADATA_DISABLED": "true",
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "MALLOC_ARENA_MAX": "2",  # else each thread takes one, and keeps what it freed
        **(prepared.direct.runner_variables if prepared.direct else {}),
        **host_variables(prepared.settings, prepared.direct),
    }


def work_variables(template: Template) -> dict[str, str]:
    """Return the variables by which every runner of this stack, here or on another host, finds its work."""
    values = template.values
    queue: dict[str, Any] = template.resolve(template.resources["InteractiveQueue"]["Properties"])
    return {
        "INTERACTIVE_QUEUE_URL": values["InteractiveQueue"]["Ref"],
        "BATCH_QUEUE_URL": values["BatchQueue"]["Ref"],
        "NETWORK_QUEUE_URL": values["NetworkQueue"]["Ref"],
        "COMPLETIONS_QUEUE_URL": values["CompletionsQueue"]["Ref"],
        "VISIBILITY_SECS": str(queue["VisibilityTimeout"]),
        "MAX_RECEIVES": str(queue["RedrivePolicy"]["maxReceiveCount"]),
        "LANGUAGES": template.parameters["OfferedLanguages"],
        "PAYLOADS_BUCKET": values["PayloadsBucket"]["Ref"],
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
    }


def host_variables(settings: LocalSettings, direct: LocalDirectPath | None) -> dict[str, str]:
    """Let programs reach the loopback by the name host.rustbox.internal, in development. Never our own ports."""
    if settings.parameters["Stage"] != LOCAL_STAGE:
        return {}
    own = [settings.port, settings.metrics_port, direct.address.rpartition(":")[2] if direct else None]
    ports = ",".join(str(port) for port in own if port)
    return {"STAGE": LOCAL_STAGE, "NETWORK_HOST_ALLOWED": "true", "NETWORK_HOST_REFUSED_PORTS": ports}


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
        tunnel_wire.server_context(*files)
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
        return (str(certificate), str(key)), tunnel_wire.fingerprint(certificate.read_text(encoding="ascii"))
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
        command = [sys.executable, "-m", "infra.local.processes.listener_process"]
        environment = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(ROOT), **settings.environment()}
        _become(command, environment, prepared.log_writer)

    return Child("rb-runners", run, stop_secs=_STOP_SECS)

"""`make runner` on another host: a runner that takes its work from the machine at RUSTBOX_SERVER.

This process keeps the token and the connections. The runner is its child, and reaches it by a Unix socket only.
"""

import ctypes
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from infra.embedded.confined.tunnel_wire import (
    FOR_GOOD,
    Greeting,
    RefusedError,
    Server,
    TunnelClient,
    UntrustedError,
    is_pin,
)
from infra.local.processes.child_processes import STOP_SIGNALS
from infra.local.settings import ROOT, TOOLCHAINS_DIR, StartError
from sandbox_runtime import RUNNER_VERSION

TOKEN: Final = "RUSTBOX_RUNNER_TOKEN"  # noqa: S105 - the name of a variable
_SERVER, _PIN, _CA = "RUSTBOX_SERVER", "RUSTBOX_FINGERPRINT", "RUSTBOX_SERVER_CA_FILE"
_FROM_SERVER: Final = frozenset({
    "INTERACTIVE_QUEUE_URL", "BATCH_QUEUE_URL", "NETWORK_QUEUE_URL", "COMPLETIONS_QUEUE_URL", "PAYLOADS_BUCKET",
    "VISIBILITY_SECS", "MAX_RECEIVES", "NODE_ID", "LANGUAGES", "AWS_DEFAULT_REGION", "AWS_REGION",
})  # fmt: skip
"""Variables that the server may set: those of another one could run a program here."""
_PASSED_ON: Final = frozenset({
    "SLOTS", "SETUP_TIMEOUT_SECS", "HEARTBEAT_SECS", "DRAIN_SECS", "COMPILE_CACHE_MB", "COMPILE_CACHE_MAX_AGE_SECS",
    "LANGUAGES", "LIVENESS_FILE", "TRIALS_DIR", "PYTHON_FORK", "WAITING_COMMANDS", "PIN_SET_UP", "NETWORK",
    "NETWORK_RESOLVERS", "FILES_DIR", "FILES_CACHE_MB", "ALLOW_PERMISSIVE", "REQUIRED_CONTROLS", "LOG_LEVEL",
    "PATH", "HOME", "LANG",
})  # fmt: skip
_VALUE: Final = re.compile(r"[ -~]{1,1024}")
_ANSWER_SECS: Final = "600"  # a large object on a slow link
_PAUSES_SECS: Final = (1, 2, 5, 10)
_BUSY_SECS: Final = 60.0
_END_SECS: Final = 20.0
_PR_SET_PDEATHSIG: Final = 1
_REFUSED_CODE: Final = 2


def run_remote_runner() -> int:
    """Run until SIGTERM, the end of the runner, or a refusal. Returns the exit code. Raises StartError."""
    if os.geteuid() != 0:
        raise StartError("the jail needs root (namespaces, cgroups, mounts): run `sudo make runner`")
    server, token = read_server(os.environ), read_token(os.environ)
    os.environ.pop(TOKEN, None)  # before any process could inherit it
    refusals: list[RefusedError] = []
    with tempfile.TemporaryDirectory(prefix="rustbox-runner-") as folder:
        child: list[subprocess.Popen[bytes]] = []

        def on_refused(refused: RefusedError) -> None:
            if refused.code in FOR_GOOD and not refusals:
                refusals.append(refused)
                _end(child)

        greeting = Greeting(RUNNER_VERSION, secrets.token_hex(16), token)
        client = TunnelClient(Path(folder) / "server.sock", server, greeting, on_refused)
        welcome = _greet(client, server)
        _say(f"joined {server.host}:{server.port} (version {welcome['version']}) as {welcome['name']}")
        code = _run_child(client, folder, _environment(os.environ, welcome["variables"]), child)
    if refusals:
        raise StartError(f"the server refuses this runner: {refusals[0]}")
    return code


def read_server(environ: Mapping[str, str]) -> Server:
    """Read address and trust. Raises StartError."""
    text = environ.get(_SERVER, "")
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) <= 65_535:  # noqa: PLR2004 - ports
        raise StartError(f"{_SERVER} must be the server's address and port, such as 10.0.0.5:7443; got {text!r}")
    pin, ca_file = environ.get(_PIN) or None, environ.get(_CA) or None
    if pin is not None and not is_pin(pin):
        raise StartError(f"{_PIN} must be sha256: and 64 hexadecimal digits, as `runner-tokens create` shows it")
    if ca_file is not None and not Path(ca_file).is_file():
        raise StartError(f"{_CA} names no file: {ca_file}")
    return Server(host.removeprefix("[").removesuffix("]"), int(port), pin, ca_file)


def read_token(environ: Mapping[str, str]) -> str:
    """Read the token from its file or variable; no error shows it. Raises StartError."""
    token, path = environ.get(TOKEN, ""), environ.get(f"{TOKEN}_FILE", "")
    if path:
        try:
            token = Path(path).read_text(encoding="ascii").strip()
        except (OSError, ValueError) as error:
            raise StartError(f"{TOKEN}_FILE must name a readable file with the token: {path}") from error
    if not re.fullmatch(r"[!-~]{32,256}", token):
        raise StartError(f"set {TOKEN}_FILE to a file with the token that `rustbox admin runner-tokens create` showed")
    return token


def _greet(client: TunnelClient, server: Server) -> dict[str, Any]:
    """Greet until the server takes us. Raises StartError for a refusal that lasts."""
    began, tries = time.monotonic(), 0
    while True:
        try:
            return client.greet()
        except RefusedError as refused:
            if refused.code in FOR_GOOD or time.monotonic() - began > _BUSY_SECS:
                raise StartError(f"the server refuses this runner: {refused}") from refused
            problem = str(refused)
        except UntrustedError as error:
            raise StartError(f"{server.host}:{server.port} got no token: {error}") from error
        except (OSError, EOFError, ValueError) as error:
            problem = str(error) or type(error).__name__
        pause_secs = _PAUSES_SECS[min(tries, len(_PAUSES_SECS) - 1)]
        tries += 1
        _say(f"{server.host}:{server.port} does not take this runner yet ({problem}): trying again in {pause_secs} s")
        time.sleep(pause_secs)


def _environment(environ: Mapping[str, str], server_variables: Mapping[str, Any]) -> dict[str, str]:
    """Return the runner's whole environment. Variables of this host win over those from the server."""
    from_server = {
        name: value
        for name, value in server_variables.items()
        if name in _FROM_SERVER and isinstance(value, str) and _VALUE.fullmatch(value)
    }
    return {
        **from_server,
        **{name: environ[name] for name in _PASSED_ON if name in environ},
        "TOOLCHAINS_DIR": TOOLCHAINS_DIR,
        "CONFINED_TIMEOUT_SECS": _ANSWER_SECS,
        "AWS_ACCESS_KEY_ID": "unused",
        "AWS_SECRET_ACCESS_KEY": "unused",
        "AWS_EC2_METADATA_DISABLED": "true",
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
    }


def _run_child(
    client: TunnelClient, folder: str, environment: dict[str, str], child: list[subprocess.Popen[bytes]]
) -> int:
    """Run the runner until its end; signals go on to it. Returns its exit code."""
    module = "infra.embedded.confined.process"
    command = [sys.executable, "-m", module, f"{folder}/server.sock", "sandbox_runtime", "worker"]
    libc = ctypes.CDLL(None)
    started = subprocess.Popen(
        command,
        cwd=ROOT,
        env={"LIVENESS_FILE": f"{folder}/alive", **environment},
        start_new_session=True,
        preexec_fn=lambda: libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0),  # noqa: PLW1509 - one call
    )
    child.append(started)
    client.start()  # Order: no thread of ours is there at the fork
    for number in STOP_SIGNALS:
        if number == signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:  # by nohup(1)
            continue
        signal.signal(number, lambda number, _frame: started.send_signal(number))
    return started.wait()


def _end(child: list[subprocess.Popen[bytes]]) -> None:
    """End the runner at once: its results are taken no more. A second SIGTERM ends its drain."""
    for process in child:
        process.terminate()
        threading.Timer(1.0, process.terminate).start()
        threading.Timer(_END_SECS, process.kill).start()


def _say(text: str) -> None:
    sys.stderr.write(f"rustbox runner: {text}\n")
    sys.stderr.flush()

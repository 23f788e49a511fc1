"""Checks the host, prepares what the runner needs, and keeps the processes of the stack alive until a signal."""

import ctypes
import os
import secrets
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from infra.local.console import Console, stdout_console
from infra.local.embedded_aws import EmbeddedAws, lock_state, set_aside_old_state
from infra.local.processes import runner_process
from infra.local.processes.child_processes import Child, ChildProcesses
from infra.local.processes.runner_process import RunnerListener, choose_listener, make_listener_child
from infra.local.settings import ROOT, TOOLCHAINS_DIR, LocalSettings, Shown, StartError, read_settings
from infra.local.template import Template, refuse_unknown_types
from infra.local.translation import translate
from sandbox_runtime.languages import LANGUAGES

# The direct path on this machine: where the runner listens and the token that it shares with `submit`.

_TOKEN_PARAMETER = "/rustbox-local/runner-token"  # noqa: S105 - the name of one


@dataclass(frozen=True, slots=True)
class LocalDirectPath:
    """A free loopback port and a token, both new with each start."""

    address: str
    token: str = field(repr=False)

    @property
    def template_parameters(self) -> dict[str, str]:
        """Parameters of the template that `submit` needs to find the runner."""
        return {
            "RunnerUrl": f"http://{self.address}",
            "NetworkRunnerUrl": f"http://{self.address}",
            "RunnerTokenParameter": _TOKEN_PARAMETER,
            "AllowRunnerHttp": "true",  # it never leaves this machine
        }

    @property
    def runner_variables(self) -> dict[str, str]:
        return {"LISTEN_ADDRESS": self.address, "RUNNER_TOKEN": self.token, "ALLOW_HTTP": "true"}

    def store_token(self, ssm: Any) -> None:
        """Write the token into the parameter that `submit` reads, as on AWS."""
        ssm.put_parameter(Name=_TOKEN_PARAMETER, Value=self.token, Type="SecureString", Overwrite=True)


def choose_direct_path(parameters: Mapping[str, str]) -> LocalDirectPath | None:
    """Choose a port and a token. None if the user has set RunnerUrl: to nothing, or to another runner."""
    if "RunnerUrl" in parameters:
        return None
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return LocalDirectPath(f"127.0.0.1:{probe.getsockname()[1]}", secrets.token_urlsafe(32))


# Checks before anything is started; each failure is one line with its remedy.


def check_host() -> None:
    """Refuse users other than root: the jail needs root."""
    if os.geteuid() != 0:
        raise StartError("the jail needs root (namespaces, cgroups, mounts): run `sudo make up`")


def check_toolchains(offered: str) -> None:
    """Refuse to offer languages without their toolchains. `offered`: the template's OfferedLanguages; empty: all."""
    known = {language.name: language for language in LANGUAGES}
    promised = [name.strip() for name in offered.split(",") if name.strip()] or list(known)
    if unknown := [name for name in promised if name not in known]:
        raise StartError(f"OfferedLanguages: there is no {', '.join(unknown)}: it may hold {','.join(known)}")
    missing = {name: paths for name in promised if (paths := known[name].missing(TOOLCHAINS_DIR))}
    if missing:
        found = "; ".join(f"{name} ({', '.join(paths)})" for name, paths in missing.items())
        rest = ",".join(name for name in promised if name not in missing)
        otherwise = f", or offer less: RUSTBOX_PARAM_OfferedLanguages={rest}" if rest else ""
        raise StartError(f"toolchains are missing, {found}: run `make setup`{otherwise}")


def listen(address: str, port: int) -> socket.socket:
    """Listen on the port. Call it first, so that a busy port stops the start at once."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address, port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise StartError(
            f"port {port} is not free ({error.strerror}): choose another one, PORT={port + 1} make up"
        ) from error
    return listener


# Of mallopt(3). Each thread may otherwise take an arena of its own, which keeps what the largest requests have used: in
# a process with 120 threads 60 MB of 250. A fixed threshold gives large blocks back at once.
_MALLOC: Final = {"M_ARENA_MAX": (-8, 2), "M_MMAP_THRESHOLD": (-3, 131_072), "M_TRIM_THRESHOLD": (-1, 131_072)}


def bound_free_memory() -> None:
    """Let this process, and those forked from it, keep little memory that nothing uses."""
    libc = ctypes.CDLL(None)
    for number, value in _MALLOC.values():
        libc.mallopt(number, value)


# The parts that the runner needs: template, engine and socket. The runner starts slowest, so it starts first.


@dataclass(frozen=True, slots=True)
class Prepared:
    """The shared parts of every process of the stack.

    `log_reader`, `log_writer`: the pipe from the runner to the background process. Both may be replaced, so the
    launcher keeps both ends open. All others close the writer, so that the reader sees the runner's end.
    `began_ms`: heartbeats that are older come from a runner that has ended.
    """

    settings: LocalSettings
    console: Console
    template: Template
    embedded: EmbeddedAws
    direct: LocalDirectPath | None
    runner_listener: RunnerListener | None
    log_reader: int
    log_writer: int
    began_ms: int

    def flush(self) -> None:
        """Return when everything that was written until now is on the disk."""
        self.embedded.engine.store.flush()


def prepare(settings: LocalSettings, console: Console) -> Prepared:
    """Prepare the parts, without threads or open connections: processes are forked later.

    Raises StartError, StoreUnusableError.
    """
    direct = choose_direct_path(settings.parameters)
    runner_listener = choose_listener(os.environ, settings.state_dir) if settings.production else None
    parameters = settings.parameters
    for part in (direct, runner_listener):
        parameters = parameters if part is None else parameters | part.template_parameters
    template = translate(ROOT / "template.yaml", parameters)
    refuse_unknown_types(template)
    check_toolchains(template.parameters["OfferedLanguages"])
    embedded = _start_aws(settings, console)
    embedded.open_runner_socket(template)
    if runner_listener is not None:
        runners_table = template.values["RunnersTable"]["Ref"]
        embedded.open_remote_sockets(template, partial(runner_process.mark_gone, runners_table))
    began_ms = time.time_ns() // 1_000_000
    return Prepared(settings, console, template, embedded, direct, runner_listener, *os.pipe(), began_ms)


def _start_aws(settings: LocalSettings, console: Console) -> EmbeddedAws:
    if (folder := set_aside_old_state(settings.state_dir)) is not None:
        text = f"the state of an older version is now in {folder}; this version does not read it"
        console.line("stack", text, "warning")
    embedded = EmbeddedAws(settings.state_dir, settings.synchronous)
    if dropped := embedded.engine.dropped_frames:
        text = f"{dropped} frames of the database's log were damaged and dropped: the writes in them are lost"
        console.line("stack", f"{text}. A loss of power leaves such frames, and a disk that fails", "warning")
    return embedded


def run(*, production: bool) -> int:
    """Run the stack until Ctrl-C or SIGTERM. Returns the exit code. Raises StartError, StoreUnusableError."""
    bound_free_memory()
    console = stdout_console(as_json=production)
    settings = read_settings(os.environ, production=production)
    os.environ.pop("SMTP_URL", None)  # before any process could inherit it
    console.show(Shown.NONE if settings.first_run else settings.shown)  # until the background process has shown it
    check_host()
    with lock_state(settings.state_dir), listen(settings.listen_address, settings.port) as listener:
        return _run(prepare(settings, console), listener)


def _run(prepared: Prepared, listener: socket.socket) -> int:
    runner = runner_process.make_child(prepared)
    runner.start()
    remote = _remote(prepared)
    from infra.local.processes import background_process, functions_process, loading  # noqa: PLC0415
    from infra.local.triggers import Share  # noqa: PLC0415

    loaded = loading.load(prepared)
    functions = [
        Child(
            "rb-functions",
            partial(functions_process.run, prepared, loaded, listener, Share(number, prepared.settings.processes)),
        )
        for number in range(prepared.settings.processes)
    ]
    background = Child("rb-background", partial(background_process.run, prepared, loaded))

    def release() -> None:
        listener.close()
        os.close(prepared.log_writer)

    code = ChildProcesses(functions, [runner, *remote, background], release, prepared.console).run()
    prepared.embedded.close()
    return code


def _remote(prepared: Prepared) -> list[Child]:
    """Listen for runners of other hosts, if the settings say so."""
    chosen = prepared.runner_listener
    if chosen is None:
        return []
    remote = make_listener_child(prepared, chosen, chosen.listen())
    where = chosen.template_parameters["RunnerListener"]
    pin = f", certificate {chosen.fingerprint}" if chosen.fingerprint else ""
    prepared.console.line("stack", f"runners of other hosts join at {where}{pin}")
    return [remote]

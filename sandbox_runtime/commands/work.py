"""`worker`: check the host, open the slots, then connect and work until SIGTERM."""

import logging
import os
import resource
import signal
import socket
import ssl
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime
from threading import Event

from events.message import format_time
from events.runner import MAX_PROBLEM_CHARS, RunnerHeartbeat
from sandbox_runtime import RUNNER_VERSION, log, settings
from sandbox_runtime.commands import exit_codes
from sandbox_runtime.commands.exit_codes import CommandError, require_root
from sandbox_runtime.commands.worker_slots import open_worker_slots
from sandbox_runtime.executor import NO_CACHE, CompileCache
from sandbox_runtime.jail import (
    CONTROLS,
    STRICT_CONTROLS,
    HostSupport,
    JailError,
    TransientJailError,
    advice,
    confirm_inputs,
    core_pattern_problem,
    not_in_force,
    probe_host,
    read_facts,
    remove_stale_groups,
)
from sandbox_runtime.languages import LANGUAGES, offered, package_versions, toolchain_digest, version
from sandbox_runtime.network import RunNetworks, network_problem
from sandbox_runtime.network.proxy import EgressProxy, proxy_settings
from sandbox_runtime.network.relay.client import Relays
from sandbox_runtime.secret_opener import SecretOpener
from sandbox_runtime.server import bind, server_context
from sandbox_runtime.settings import WorkerSettings
from sandbox_runtime.transport import Clients, Transport, TransportError, connect
from sandbox_runtime.worker import FileCache, FilesUnavailableError, RunnerFacts, Worker

# The controls without which a worker runs nothing, and the check that this host gives them.

_LOG = logging.getLogger(__name__)


def required_floor(found: WorkerSettings) -> tuple[str, ...]:
    """Return the required controls. A floor below strict isolation needs ALLOW_PERMISSIVE. Raises CommandError."""
    floor = STRICT_CONTROLS if found.required_controls is None else found.required_controls
    unknown = sorted(set(floor) - set(CONTROLS))
    if unknown:
        raise CommandError(
            exit_codes.USAGE, f"REQUIRED_CONTROLS must be among {', '.join(CONTROLS)}; got {', '.join(unknown)}"
        )
    if found.allow_permissive or set(floor) >= set(STRICT_CONTROLS):
        return floor
    raise CommandError(
        exit_codes.USAGE, "REQUIRED_CONTROLS leaves controls out, which only ALLOW_PERMISSIVE=true permits"
    )


def check_host(support: HostSupport, floor: tuple[str, ...]) -> None:
    """Refuse to work below the floor, before any message is received. Raises CommandError."""
    if isinstance(support.failure, TransientJailError):
        problem = f"this host was not checked, and may be next time: {support.failure}"
        raise CommandError(exit_codes.TRY_AGAIN, problem)
    facts = read_facts()
    below = not_in_force(dict.fromkeys(support.controls, True), floor)
    if support.failure or below:
        cause = support.failure or "; ".join(f"{name} is not in force" for name in below)
        remedies = advice(facts, support)
        problem = " ".join([f"this host cannot isolate: {cause} (see `doctor`).", *remedies])
        raise CommandError(exit_codes.PLATFORM_FAILURE, problem)
    if support.missing:
        phrase = "control missing" if support.is_strict else "isolation is permissive"
        _LOG.warning(phrase, extra={"problem": "not in force: " + ", ".join(support.missing)})
    if leak := core_pattern_problem(facts.core_pattern):
        _LOG.warning("crashes of programs leave the jail", extra={"problem": leak})


# Tell the service why this runner cannot work, before it ends.


def report_unable(found: WorkerSettings, problem: str) -> None:
    """Send one heartbeat without slots, for health and metrics. A failed send is logged only."""
    heartbeat = RunnerHeartbeat(
        node_id=found.node_id,
        runner_version=RUNNER_VERSION,
        sent_at=format_time(datetime.now(UTC)),
        slots=0,
        slots_busy=0,
        languages=(),
        toolchains={},
        isolation_mode="permissive",
        cgroup_backend=None,
        namespace_support=False,
        controls=(),
        problem=problem[:MAX_PROBLEM_CHARS],
    )
    try:
        transport = Transport(
            connect(slots=1, receive_wait_secs=found.receive_wait_secs),
            completions_queue_url=found.completions_queue_url,
            bucket=found.payloads_bucket,
            visibility_secs=found.visibility_secs,
        )
        (code,) = transport.send([heartbeat.serialise()])
    except TransportError as error:
        code = error.code
    if code is not None:
        _LOG.warning("problem not reported to the service", extra={"code": code})


MIB = 1024 * 1024


def work() -> int:
    """Run a worker until it has drained. Raises CommandError when it cannot start.

    If this host is the reason, the service is told.
    """
    try:
        found = settings.worker_settings()
    except settings.SettingsInvalidError as error:
        raise CommandError(exit_codes.USAGE, str(error)) from error
    finally:
        os.environ.pop("RUNNER_TOKEN", None)  # first of all: no child process may inherit it
    log.configure(found.log_level)
    try:
        return _work(found)
    except CommandError as error:
        if error.exit_code == exit_codes.PLATFORM_FAILURE:
            report_unable(found, str(error))
        raise


def _work(found: settings.WorkerSettings) -> int:
    require_root()
    _allow_descriptors()
    floor = required_floor(found)
    # A signal during the start must not skip the clean-up: the worker has to remove its groups.
    stop = Event()
    _on_stop_signals(stop.set)
    _remove_stale_groups()
    runner_facts = _runner_facts(found, floor)
    with ExitStack() as stack:
        # Slots first: their templates must start before this process holds AWS credentials and the key of TLS.
        managed_slots, interactor_slots = open_worker_slots(found, floor, runner_facts.languages, stack, stop)
        if stop.is_set():
            return 0
        transport = Transport(
            _clients(found),
            completions_queue_url=found.completions_queue_url,
            bucket=found.payloads_bucket,
            visibility_secs=found.visibility_secs,
        )
        worker = Worker(
            found,
            transport,
            managed_slots,
            runner_facts,
            interactor_slots,
            _compile_cache(found, runner_facts),
            _listener(found),
            _tls(found),
            _networks(runner_facts, found.managed_slots, stack),
            _file_cache(found, transport, stack),
        )
        _on_stop_signals(worker.drain)
        if stop.is_set():
            worker.drain()
        worker.run()
    return 0


def _allow_descriptors() -> None:
    """Raise the limit, often 1,024: each connection and each slot has several. Guests get limits of their own."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _on_stop_signals(react: Callable[[], None]) -> None:
    # nohup(1) ignores SIGHUP for its program.
    is_kept = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    for number in (signal.SIGTERM, signal.SIGINT, *(() if is_kept else (signal.SIGHUP,))):
        signal.signal(number, lambda _number, _frame: react())


def _listener(found: settings.WorkerSettings) -> socket.socket | None:
    if found.listen is None:
        return None
    try:
        return bind(*found.listen)
    except OSError as error:
        raise CommandError(
            exit_codes.USAGE, f"LISTEN_ADDRESS needs a free port of this host: {error.strerror}"
        ) from error


def _tls(found: settings.WorkerSettings) -> ssl.SSLContext | None:
    """Read certificate and key, once the processes of the slots have started without them."""
    if not found.tls_cert_file:
        return None
    try:
        return server_context(found.tls_cert_file, found.tls_key_file)
    except OSError as error:
        reason = getattr(error, "reason", None) or error.strerror or type(error).__name__
        problem = (
            f"TLS_CERT_FILE and TLS_KEY_FILE cannot be used: {reason}. They must be PEM files, the key unencrypted"
        )
        raise CommandError(exit_codes.USAGE, problem) from error


def _clients(found: settings.WorkerSettings) -> Clients:
    try:
        return connect(slots=found.slots, receive_wait_secs=found.receive_wait_secs)
    except TransportError as error:
        problem = f"no AWS client can be made ({error.code}): check AWS_REGION and the credentials"
        raise CommandError(exit_codes.USAGE, problem) from error


def _remove_stale_groups() -> None:
    try:
        removed = remove_stale_groups()
    except JailError:
        return  # no groups on this host; the probe decides whether that is enough
    if removed:
        _LOG.info("groups of a dead runner removed", extra={"count": removed})


def _runner_facts(found: settings.WorkerSettings, floor: tuple[str, ...]) -> RunnerFacts:
    toolchains_dir = found.toolchains_dir
    if unknown := sorted(set(found.languages or ()) - {language.name for language in LANGUAGES}):
        known = ", ".join(language.name for language in LANGUAGES)
        raise CommandError(exit_codes.USAGE, f"LANGUAGES must be among {known}; got {', '.join(unknown)}")
    support = probe_host()
    check_host(support, floor)
    languages = offered(toolchains_dir, floor, found.languages, found.trials_dir)
    if not languages:
        raise CommandError(
            exit_codes.PLATFORM_FAILURE, "no toolchain works here: `languages` says why, and LANGUAGES chooses others"
        )
    versions = {name: version(language, toolchains_dir) for name, language in languages.items()}
    packages = package_versions(toolchains_dir) if "python" in languages else {}
    return RunnerFacts(languages, versions, support, _offers_network(found), packages)


def _offers_network(found: settings.WorkerSettings) -> bool:
    if not found.network:
        return False
    problem = network_problem()
    if problem:
        _LOG.warning("no network for runs", extra={"problem": problem})
    return not problem


def _networks(runner_facts: RunnerFacts, slots: int, stack: ExitStack) -> RunNetworks | None:
    """Both processes start with the first run that has a network."""
    if not runner_facts.network_support:
        return None
    try:
        opener = SecretOpener()
        stack.callback(opener.close)
        networks = RunNetworks(EgressProxy(replace(proxy_settings(), runs=slots)), Relays(opener, slots))
    except settings.SettingsInvalidError as error:
        raise CommandError(exit_codes.USAGE, str(error)) from error
    stack.callback(networks.close)
    return networks


def _file_cache(found: settings.WorkerSettings, transport: Transport, stack: ExitStack) -> FileCache | None:
    """Make the cache of stored files, if the jail can show files of its folder."""
    try:
        cache = FileCache(found.files_dir, found.files_cache_mb * MIB, transport.read_file)
        stack.callback(cache.close)
        with closing(cache.open_folder("", (), 0)) as folder:
            confirm_inputs(folder.path)
    except (OSError, FilesUnavailableError, JailError) as error:
        _LOG.warning("no stored files for runs", extra={"directory": found.files_dir, "problem": str(error)})
        return None
    return cache


def _compile_cache(found: settings.WorkerSettings, runner_facts: RunnerFacts) -> CompileCache:
    if found.compile_cache_mb == 0:
        return NO_CACHE
    toolchains = {
        name: toolchain_digest(language, found.toolchains_dir, runner_facts.toolchains[name])
        for name, language in runner_facts.languages.items()
    }
    return CompileCache(
        toolchains, max_bytes=found.compile_cache_mb * MIB, max_age_secs=found.compile_cache_max_age_secs
    )

"""Settings of the runner, read from named environment variables when an entry point asks for them.

An error names the variable and the rule, never the value: the environment holds credentials.
"""

import os
import socket
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

# SQS counts receives; the queues' redrive policy moves a message to its dead-letter queue after this many.
DEFAULT_MAX_RECEIVES = 5
DEFAULT_COMPILE_CACHE_MB = 64
DEFAULT_COMPILE_CACHE_MAX_AGE_SECS = 600
DEFAULT_FILES_CACHE_MB = 2048
LEAST_FILES_CACHE_MB = 1152  # a project may use half of it, and one run may have 576 MB
MAX_SLOTS = 32  # the jail numbers its users by slot, and the `run` command uses the numbers above
MAX_NODE_ID_CHARS = 128
# Cleaning up a slot and pre-warming its next run takes about as long as a short program. More spare slots gain nothing.
SLOTS_PER_SPARE_SLOT = 2
MIN_TOKEN_CHARS = 32
# A busy host opens a slot within a second or two. A longer timeout is for slow CPUs, such as emulated ones.
DEFAULT_SETUP_TIMEOUT_SECS = 10
# /run is a tmpfs: writable even when the root file system is read-only.
DEFAULT_LIVENESS_FILE = "/run/rustbox-worker.alive"


class SettingsInvalidError(Exception):
    """A variable is missing or out of range."""

    def __init__(self, variable: str, problem: str) -> None:
        self.variable = variable
        self.problem = problem
        super().__init__(f"{variable} {problem}")


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """Settings of `worker`. Times in seconds. `compile_cache_mb`: 0 turns the cache off.

    `slots`: programs that run at once. `managed_slots`: jail slots; the spare ones are cleaned up and pre-warmed.
    `python_fork`: fork Python runs from a warm interpreter; false: start each by exec.
    `waiting_commands`: start Java's compiler and JVM in advance; this costs memory.
    `pin_set_up`: set each run up on one CPU, if there is a slot for each CPU.
    `network`: offer network to runs that ask for it, if this host can give it. Only with their queue.
    `allow_permissive`: work although a control is missing. `required_controls`: the floor; below it the worker runs
    nothing even then; None: `STRICT_CONTROLS`.
    `languages`: those to offer, if their toolchains are there; None: all.
    `trials_dir`: where it is noted which languages have passed their trial; only the worker's user may write there.
    `files_dir`, `files_cache_mb`: where the stored files of requests are cached, and how many.
    `listen`: literal address and port of the direct path; None: no direct path. `runner_token`: its bearer token.
    `tls_cert_file` and `tls_key_file`: its certificate chain and key; both empty: plain HTTP.
    """

    interactive_queue_url: str
    batch_queue_url: str
    network_queue_url: str
    completions_queue_url: str
    payloads_bucket: str
    toolchains_dir: str
    trials_dir: str
    node_id: str
    slots: int
    managed_slots: int
    visibility_secs: int
    heartbeat_secs: int
    drain_secs: int
    receive_wait_secs: int
    max_receives: int
    python_fork: bool
    waiting_commands: bool
    pin_set_up: bool
    network: bool
    allow_permissive: bool
    required_controls: tuple[str, ...] | None
    languages: tuple[str, ...] | None
    log_level: str
    liveness_file: str
    files_dir: str
    files_cache_mb: int
    compile_cache_mb: int
    compile_cache_max_age_secs: int
    listen: tuple[str, int] | None
    tls_cert_file: str
    tls_key_file: str
    runner_token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class LivenessSettings:
    """Settings of `healthy`, from the same variables as the worker's."""

    liveness_file: str
    heartbeat_secs: int


def toolchains_dir(environment: Mapping[str, str]) -> str:
    """Directory of toolchains that are no system packages: TOOLCHAINS_DIR, else `.toolchains` beside the code."""
    return environment.get("TOOLCHAINS_DIR") or str(Path(__file__).resolve().parent.parent / ".toolchains")


def worker_settings(environment: Mapping[str, str] | None = None) -> WorkerSettings:
    """Read the settings of `worker`. Raises SettingsInvalidError."""
    env = os.environ if environment is None else environment
    visibility_secs = integer(env, "VISIBILITY_SECS", 60, 10, 43_200)
    node_id = env.get("NODE_ID") or socket.gethostname()
    if len(node_id) > MAX_NODE_ID_CHARS:
        raise SettingsInvalidError("NODE_ID", f"must have at most {MAX_NODE_ID_CHARS} characters")
    liveness = liveness_settings(env)
    listen = _listen_address(env)
    tls_cert_file, tls_key_file = ("", "") if listen is None else _tls_files(env)
    network_queue_url = env.get("NETWORK_QUEUE_URL", "")
    other_queues = env.get("INTERACTIVE_QUEUE_URL", "") + env.get("BATCH_QUEUE_URL", "")
    is_for_network_only = bool(network_queue_url) and not other_queues
    most_slots = MAX_SLOTS - 1  # one for a project without a run, see `worker.fair_share`
    slots = integer(env, "SLOTS", min(os.cpu_count() or 1, most_slots), 1, most_slots)
    return WorkerSettings(
        interactive_queue_url="" if is_for_network_only else _required(env, "INTERACTIVE_QUEUE_URL"),
        batch_queue_url="" if is_for_network_only else _required(env, "BATCH_QUEUE_URL"),
        network_queue_url=network_queue_url,
        completions_queue_url=_required(env, "COMPLETIONS_QUEUE_URL"),
        payloads_bucket=_required(env, "PAYLOADS_BUCKET"),
        toolchains_dir=toolchains_dir(env),
        trials_dir=env.get("TRIALS_DIR") or toolchains_dir(env),
        node_id=node_id,
        slots=slots,
        managed_slots=min(slots + max(1, slots // SLOTS_PER_SPARE_SLOT), MAX_SLOTS),
        visibility_secs=visibility_secs,
        heartbeat_secs=liveness.heartbeat_secs,
        # A drain longer than the visibility timeout would give running submissions to a second runner.
        drain_secs=integer(env, "DRAIN_SECS", min(50, visibility_secs - 1), 0, visibility_secs - 1),
        receive_wait_secs=integer(env, "RECEIVE_WAIT_SECS", 5, 1, 20),
        max_receives=integer(env, "MAX_RECEIVES", DEFAULT_MAX_RECEIVES, 1, 1000),
        python_fork=boolean(env, "PYTHON_FORK", default="true"),
        waiting_commands=boolean(env, "WAITING_COMMANDS", default="true"),
        pin_set_up=boolean(env, "PIN_SET_UP", default="true"),
        network=boolean(env, "NETWORK", default="true") and bool(network_queue_url),
        allow_permissive=boolean(env, "ALLOW_PERMISSIVE"),
        required_controls=_names(env, "REQUIRED_CONTROLS"),
        languages=_names(env, "LANGUAGES"),
        log_level=_log_level(env),
        liveness_file=liveness.liveness_file,
        files_dir=env.get("FILES_DIR") or tempfile.gettempdir(),
        files_cache_mb=integer(env, "FILES_CACHE_MB", DEFAULT_FILES_CACHE_MB, LEAST_FILES_CACHE_MB, 1_048_576),
        compile_cache_mb=integer(env, "COMPILE_CACHE_MB", DEFAULT_COMPILE_CACHE_MB, 0, 4096),
        compile_cache_max_age_secs=integer(
            env, "COMPILE_CACHE_MAX_AGE_SECS", DEFAULT_COMPILE_CACHE_MAX_AGE_SECS, 1, 86_400
        ),
        listen=listen,
        tls_cert_file=tls_cert_file,
        tls_key_file=tls_key_file,
        runner_token="" if listen is None else _token(env),
    )


def liveness_settings(environment: Mapping[str, str]) -> LivenessSettings:
    """Read the settings of `healthy`. Raises SettingsInvalidError."""
    path = environment.get("LIVENESS_FILE") or DEFAULT_LIVENESS_FILE
    if not path.startswith("/") or "\0" in path:
        raise SettingsInvalidError("LIVENESS_FILE", "must be an absolute path")
    return LivenessSettings(path, integer(environment, "HEARTBEAT_SECS", 20, 1, 60))


def setup_timeout_secs(environment: Mapping[str, str] | None = None) -> int:
    """Read how long a step of the jail's own set-up may take. Raises SettingsInvalidError."""
    env = os.environ if environment is None else environment
    return integer(env, "SETUP_TIMEOUT_SECS", DEFAULT_SETUP_TIMEOUT_SECS, DEFAULT_SETUP_TIMEOUT_SECS, 600)


def _required(env: Mapping[str, str], variable: str) -> str:
    value = env.get(variable, "")
    if not value:
        raise SettingsInvalidError(variable, "is not set")
    return value


def integer(env: Mapping[str, str], variable: str, default: int, minimum: int, maximum: int) -> int:
    """Read a whole number from `minimum` to `maximum`. Raises SettingsInvalidError."""
    text = env.get(variable, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and minimum <= int(text) <= maximum):
        raise SettingsInvalidError(variable, f"must be an integer from {minimum} to {maximum}")
    return int(text)


def boolean(env: Mapping[str, str], variable: str, default: str = "false") -> bool:
    """Read `true` or `false`. Raises SettingsInvalidError."""
    text = env.get(variable, "") or default
    if text not in {"true", "false"}:
        raise SettingsInvalidError(variable, "must be true or false")
    return text == "true"


def _listen_address(env: Mapping[str, str]) -> tuple[str, int] | None:
    text = env.get("LISTEN_ADDRESS", "")
    if not text:
        return None
    host, _, port = text.rpartition(":")
    try:
        address = ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        address = None
    # Only a literal address: a name could resolve to any address, and an empty host would mean every interface.
    if address is None or not (port.isascii() and port.isdigit() and 0 < int(port) < 65_536):  # noqa: PLR2004 - ports
        raise SettingsInvalidError("LISTEN_ADDRESS", "must be an IP address and a port, such as 127.0.0.1:8080")
    return str(address), int(port)


def _tls_files(env: Mapping[str, str]) -> tuple[str, str]:
    """Files of certificate chain and key. Plain HTTP only where the operator says so."""
    files = env.get("TLS_CERT_FILE", ""), env.get("TLS_KEY_FILE", "")
    if all(files):
        return files
    if any(files):
        raise SettingsInvalidError("TLS_CERT_FILE", "and TLS_KEY_FILE must be set together")
    if not boolean(env, "ALLOW_HTTP"):
        problem = (
            "and TLS_KEY_FILE must be set with LISTEN_ADDRESS, or ALLOW_HTTP=true: "
            "without TLS anybody on the way reads programs, results and the token"
        )
        raise SettingsInvalidError("TLS_CERT_FILE", problem)
    return "", ""


def _token(env: Mapping[str, str]) -> str:
    token = env.get("RUNNER_TOKEN", "")
    path = env.get("RUNNER_TOKEN_FILE", "")
    if path:
        try:
            token = Path(path).read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            raise SettingsInvalidError("RUNNER_TOKEN_FILE", "must name a readable file with the token") from None
    if len(token) < MIN_TOKEN_CHARS or not (token.isascii() and token.isprintable()) or " " in token:
        problem = f"must have at least {MIN_TOKEN_CHARS} printable ASCII characters when LISTEN_ADDRESS is set"
        raise SettingsInvalidError("RUNNER_TOKEN", problem)
    return token


def _names(env: Mapping[str, str], variable: str) -> tuple[str, ...] | None:
    words = tuple(word.strip() for word in env.get(variable, "").split(","))
    if words == ("",):
        return None
    if not all(words):
        raise SettingsInvalidError(variable, "must be names separated by commas")
    return words


def _log_level(env: Mapping[str, str]) -> str:
    level = env.get("LOG_LEVEL", "") or "INFO"
    if level not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
        raise SettingsInvalidError("LOG_LEVEL", "must be DEBUG, INFO, WARNING or ERROR")
    return level

"""Settings of the local stack, read once from named environment variables."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass, field
from enum import IntEnum
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.embedded.storage.store import Synchronous


class StartError(Exception):
    """One line for the person at the terminal: the problem and its remedy."""


class Shown(IntEnum):
    """Which lines of runner, functions and HTTP a terminal gets while all is well."""

    ALL = 0
    RUNS = 1
    """One for each run."""
    NONE = 2


ROOT = Path(__file__).resolve().parents[2]
TOOLCHAINS_DIR = os.environ.get("TOOLCHAINS_DIR") or str(ROOT / ".toolchains")
LOCAL_STAGE = "local"
"""Of `make up`. No stage in production has this name."""
REGION = "us-east-1"
ACCOUNT_ID = "000000000000"
PROJECT_ID = "dev"
API_KEY = "rb_live_local_development_only"
ADMIN_KEY = "admin_local_development_only"
ADMIN_KEY_PARAMETER = "/rustbox-local/admin-key"
SMTP_URL_PARAMETER = "/rustbox-local/smtp-url"
_PARAMETER_PREFIX = "RUSTBOX_PARAM_"
_MOST_PROCESSES = 64
_WEBHOOK_SENDERS = "64"  # as many as all processes have threads for; see infra.local.triggers
_PENDING_REDRIVE_SECS = "15"  # with two sweeps, at most 30 s; see infra.local.triggers
_MAX_PORT = 65535
_HOST_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?")


@dataclass(frozen=True, slots=True)
class LocalSettings:
    """Times in seconds.

    `synchronous`: of the engine. NORMAL keeps every accepted submission when processes are killed,
    FULL, the default in production, also when the machine loses power. `processes` run the functions.
    `production`: `serve`, not `up`.
    `started_at`: when the user asked for the start, in seconds since the epoch.
    `metrics_port`: of Prometheus' metrics, on loopback. `listen_address`: loopback outside a container.
    `shown`: the lines of `up` on its terminal. `hosts`: names that `up` answers for, beside its own.
    `smtp_url`: the mail server; "" sends no e-mail.
    """

    production: bool
    started_at: float
    metrics_port: int | None

    listen_address: str
    port: int
    hosts: frozenset[str]
    processes: int
    state_dir: Path
    synchronous: Synchronous
    sweep_secs: float | None
    first_run: bool
    shown: Shown
    failpoint: str | None
    parameters: dict[str, str]
    smtp_url: str = field(default="", repr=False)

    @property
    def base_url(self) -> str:
        """The address the API is served at, on this machine."""
        return f"http://127.0.0.1:{self.port}"


def read_settings(environ: Mapping[str, str], *, production: bool = False) -> LocalSettings:
    """Read all settings. Raises StartError for an invalid value."""
    for name, endpoint in environ.items():
        # AWS_ENDPOINT_URL_SQS and the like: boto3 would send the calls of one service there.
        if name.startswith("AWS_ENDPOINT_URL") and endpoint.strip():
            raise StartError(
                f"this stack has an AWS of its own: unset {name}, or deploy to that server with "
                f"`make deploy ENDPOINT={endpoint}`"
            )
    port = int(_number(environ, "PORT", "4096", 1, _MAX_PORT))
    sweep_secs = _number(environ, "SWEEP_SECS", environ["SWEEP_SECS"], 0.1, 86400) if "SWEEP_SECS" in environ else None
    default_metrics = str(port + 1 if port < _MAX_PORT else port - 1) if production else ""
    metrics_port = environ.get("RUSTBOX_METRICS_PORT", default_metrics)
    return LocalSettings(
        production=production,
        started_at=float(environ.get("RUSTBOX_STARTED_AT") or time.time()),
        metrics_port=int(_number(environ, "RUSTBOX_METRICS_PORT", metrics_port, 1, _MAX_PORT))
        if metrics_port
        else None,
        listen_address=_address(environ),
        port=port,
        hosts=_hosts(environ, production=production),
        processes=int(_number(environ, "RUSTBOX_PROCESSES", str(_default_processes()), 1, _MOST_PROCESSES)),
        state_dir=read_state_dir(environ, production=production),
        synchronous=_synchronous(environ, production=production),
        sweep_secs=sweep_secs,
        first_run=not production and environ.get("RUSTBOX_FIRST_RUN", "1") != "0",
        shown=Shown.RUNS if _one_of(environ, "RUSTBOX_LOG", ("runs", "all")) == "runs" else Shown.ALL,
        failpoint=environ.get("RUSTBOX_FAILPOINT") or None,
        parameters=_production_parameters(environ) if production else _parameters(environ, port),
        smtp_url=environ.get("SMTP_URL", ""),
    )


def read_state_dir(environ: Mapping[str, str], *, production: bool) -> Path:
    default = Path("/var/lib/rustbox") if production else ROOT / ".state"
    return Path(environ.get("RUSTBOX_STATE_DIR") or default).absolute()


_OTLP = {"OTEL_EXPORTER_OTLP_ENDPOINT": "OtlpEndpoint", "OTEL_EXPORTER_OTLP_HEADERS": "OtlpHeaders"}


def _default_processes() -> int:
    """One for each core: most threads of a process wait for its interpreter lock while one of them works."""
    return min(_MOST_PROCESSES, len(os.sched_getaffinity(0)))


def _parameters(environ: Mapping[str, str], port: int) -> dict[str, str]:
    parameters = {
        "Stage": LOCAL_STAGE,
        "AdminKeyParameter": ADMIN_KEY_PARAMETER,
        "AllowInsecureWebhookTargets": "true",
        "Dialects": "jobe,judge0,librechat,mcp,piston,sandboxfusion",
        "PendingRedriveSecs": _PENDING_REDRIVE_SECS,
        "PublicBaseUrl": f"http://127.0.0.1:{port}",
        "WebhookSenders": _WEBHOOK_SENDERS,
    }
    if "WEBHOOK_RETRY_SECS" in environ:
        parameters["WebhookRetrySecs"] = environ["WEBHOOK_RETRY_SECS"]
    return parameters | _given_parameters(environ)


def _production_parameters(environ: Mapping[str, str]) -> dict[str, str]:
    url = environ.get("RUSTBOX_PUBLIC_URL", "")
    if not url.startswith("https://"):
        raise StartError(
            f"RUSTBOX_PUBLIC_URL must be the https:// address at which clients reach the reverse proxy; got {url!r}"
        )
    parameters = {
        "Stage": "prod",
        "AdminKeyParameter": ADMIN_KEY_PARAMETER,
        "PendingRedriveSecs": _PENDING_REDRIVE_SECS,
        "PublicBaseUrl": url.rstrip("/"),
        "WebhookSenders": _WEBHOOK_SENDERS,
    } | _given_parameters(environ)
    if parameters["Stage"] == LOCAL_STAGE:
        raise StartError("the stage local is for `make up`: unset RUSTBOX_PARAM_Stage")
    return parameters


def _given_parameters(environ: Mapping[str, str]) -> dict[str, str]:
    # The variables of OpenTelemetry's SDKs: the functions get them as on AWS, from the template.
    given = {parameter: environ[name] for name, parameter in _OTLP.items() if name in environ}
    given |= {
        name.removeprefix(_PARAMETER_PREFIX): value
        for name, value in environ.items()
        if name.startswith(_PARAMETER_PREFIX)
    }
    if not environ.get("SMTP_URL"):
        return given
    if not (given.get("EmailFrom") and given.get("EmailDomains")):
        raise StartError(
            "SMTP_URL needs RUSTBOX_PARAM_EmailFrom (the sender) and RUSTBOX_PARAM_EmailDomains (of recipients)"
        )
    return given | {"SmtpUrlParameter": SMTP_URL_PARAMETER}


def _synchronous(environ: Mapping[str, str], *, production: bool) -> Synchronous:
    match environ.get("RUSTBOX_SYNCHRONOUS", "FULL" if production else "NORMAL"):
        case ("NORMAL" | "FULL") as setting:
            return setting
        case other:
            raise StartError(f"RUSTBOX_SYNCHRONOUS must be NORMAL or FULL; got {other!r}")


def _address(environ: Mapping[str, str]) -> str:
    text = environ.get("RUSTBOX_LISTEN", "127.0.0.1")
    try:
        return str(IPv4Address(text))
    except ValueError as error:
        raise StartError(f"RUSTBOX_LISTEN must be an IPv4 address; got {text!r}") from error


def _hosts(environ: Mapping[str, str], *, production: bool) -> frozenset[str]:
    text = environ.get("RUSTBOX_HOSTS", "")
    names = frozenset(name for part in text.lower().split(",") if (name := part.strip()))
    if names and production:
        raise StartError("RUSTBOX_HOSTS is for `make up`: unset it. The reverse proxy knows the hosts of `make serve`")
    if wrong := [name for name in sorted(names) if _HOST_NAME.fullmatch(name) is None]:
        raise StartError(
            "RUSTBOX_HOSTS must be host names without port, with commas between them, such as box.lan,rustbox; "
            f"got {', '.join(wrong)}"
        )
    return names


def _one_of(environ: Mapping[str, str], name: str, values: tuple[str, ...]) -> str:
    """Return a variable. Default: the first of its values."""
    text = environ.get(name, values[0])
    if text not in values:
        raise StartError(f"{name} must be {' or '.join(values)}; got {text!r}")
    return text


def _number(environ: Mapping[str, str], name: str, default: str, low: float, high: float) -> float:
    text = environ.get(name, default)
    try:
        number = float(text)
    except ValueError:
        number = low - 1
    if not low <= number <= high:
        raise StartError(f"{name}={text!r} is not a number from {low} to {high}: set it to one, or unset it")
    return number

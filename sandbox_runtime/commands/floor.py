"""The controls without which a worker runs nothing, and the check that this host gives them."""

import logging

from sandbox_runtime.commands import exit_codes
from sandbox_runtime.commands.failures import CommandError
from sandbox_runtime.jail import (
    CONTROLS,
    STRICT_CONTROLS,
    HostSupport,
    JailTimeoutError,
    advice,
    core_pattern_problem,
    not_in_force,
    read_facts,
)
from sandbox_runtime.settings import WorkerSettings

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
    if isinstance(support.failure, JailTimeoutError):
        problem = f"this host was not checked within SETUP_TIMEOUT_SECS: {support.failure}"
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

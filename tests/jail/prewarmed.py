"""Python runs that start from a prewarmed process."""

from dataclasses import replace
from typing import Any

from sandbox_runtime.jail import JailSpec, Outcome
from sandbox_runtime.languages import run_spec
from sandbox_runtime.languages.python import PYTHON

LIMITS = PYTHON.run_limits("judge")


MARKER = b"marker-of-a-tenant"


def python(code: str, **changes: Any) -> JailSpec:
    return run_spec(PYTHON, code.encode(), None, limits=replace(LIMITS, **changes), stdin=MARKER)


PREWARMED = python("")


def good(outcome: Outcome) -> bytes:
    assert (outcome.exit_code, outcome.stderr) == (0, b""), outcome
    assert outcome.evidence.controls_missing == ()
    assert outcome.evidence.cleanup_verified
    return outcome.stdout

"""The run that a signed call starts, with the data for its program."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from functions.checks.events.signatures import Scheme
from functions.checks.runs.model import Run, RunKind, SignedCall, commit_of, new_run
from functions.checks.runs.steps import event_variables
from functions.checks.settings.requests import object_of
from functions.checks.settings.triggers import CALL_VARIABLES_MAX_BYTES, EventAs, event_text, field_problem
from functions.errors import FieldProblem, InvalidFieldsError
from functions.ids import new_id

if TYPE_CHECKING:
    from functions.checks.events.call_names import CallName
    from functions.checks.settings.model import Check


def run_of(check: Check, scheme: Scheme, name: CallName, body: bytes, document: Any, now_ms: int) -> Run:
    """Return the run of a call. `document`: its body if that is JSON.

    Raises BadRequestError, InvalidFieldsError for a body that does not fit into a variable.
    """
    signed = SignedCall(scheme=scheme.value, event_id=name.event_id, event_type=name.event_type)
    reason = f"signed call {' '.join(filter(None, name[::-1]))}"
    run = replace(new_run(check, RunKind.EVENT, now_ms, now_ms, new_id()), reason=reason, call=signed)
    if scheme is Scheme.GITHUB:
        run = replace(run, commit=commit_of(name.event_type, document))
    if scheme is not Scheme.STANDARD or check.settings.event_as is EventAs.STDIN:
        return replace(run, call=replace(signed, body=body))
    event = event_text(object_of(body))
    if (problem := field_problem(event, check.settings.event_as, "body")) is not None:
        raise InvalidFieldsError((problem,))
    run = replace(run, event=event)
    variables = json.dumps(event_variables(check.settings, run), ensure_ascii=False, separators=(",", ":"))
    if len(variables.encode()) > CALL_VARIABLES_MAX_BYTES:
        text = f"Body, webhook-id and type have more than {CALL_VARIABLES_MAX_BYTES:,} bytes: set event_as to stdin."
        raise InvalidFieldsError((FieldProblem("body", text),))
    return run

"""The body of a callback, made from the event of a finished submission."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.dialects.dialect import without_heading
from functions.dialects.judge0.views import DEFAULT_FIELDS, Finished, submission_body

if TYPE_CHECKING:
    from collections.abc import Mapping


def callback_body(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the default fields in base64, as Judge0 sends them."""
    output, language = event["output"], event["language"]
    finished = Finished(
        token=event["id"],
        language=language,
        is_running=False,
        created_at=event["created_at"],
        finished_at=event["completed_at"],
        result=event["result"],
        metrics=event["metrics"] or {},
        metadata=event["metadata"],
        is_output_cut=output.get("truncated_in_event", False),
        stdout=output["stdout"].encode(),
        stderr=without_heading(language, output["stderr"].encode()),
        compiler_text=event.get("compile", {}).get("stderr", "").encode(),
    )
    return submission_body(finished, DEFAULT_FIELDS, is_base64=True)
